"""How a plan is divided into batch jobs, and what each asks of the cluster."""

from __future__ import annotations

from dataclasses import replace

from batching import Batch
from etude.batch.node_packing import pack_nodes, unpack_nodes
from etude.batch.study_parts import StudyPart, job_request, parts_of, unique_name
from etude.cluster.profile import Profile
from etude.study.prepare import PreparedStudy

PART = StudyPart(name="one", label="k=1", targets=("a",), nodes=("a",), todo=("a",))
SITE = Profile(name="site", scheduler="slurm", walltime_s=3600, cpus=16, memory_bytes=64 * 10**9, gpus=4, grace_s=60)


def parts(prepared: PreparedStudy) -> list[StudyPart]:
    return parts_of(prepared.expansion, prepared.plan, "study")


def test_each_variant_is_a_part_and_what_collects_comes_after_all(batch: Batch) -> None:
    found = parts(batch.prepare())
    assert [part.name for part in found] == ["study-k_1", "study-k_2", "study-k_3", "study-collect"]
    assert found[-1].after == ("study-k_1", "study-k_2", "study-k_3")
    assert [part.collects for part in found] == [False, False, False, True]


def test_every_node_of_the_plan_is_in_some_part(batch: Batch) -> None:
    prepared = batch.prepare()
    covered = {node for part in parts(prepared) for node in part.nodes}
    assert covered == {action.node.fingerprint for action in prepared.plan.actions}


def test_a_node_to_be_computed_again_belongs_to_one_part_which_the_others_wait_for(batch: Batch) -> None:
    prepared = batch.prepare(rerun=("base",))
    first, *others, last = parts(prepared)
    assert len(first.force) == 1
    assert all(part.force == frozenset() and part.after == (first.name,) for part in others)
    assert last.collects


def test_a_run_of_one_variant_has_no_part_that_collects(batch: Batch) -> None:
    assert [part.name for part in parts(batch.prepare(only={"k": "2"}))] == ["study-k_2"]


def test_names_are_fit_for_files_and_schedulers_and_never_equal() -> None:
    taken: set[str] = set()
    assert unique_name("a b/c=1.5", taken) == "a_b_c_1.5"
    assert unique_name("a b c_1.5", taken) == "a_b_c_1.5-2"
    assert unique_name("1st", taken) == "j1st"
    assert len(unique_name("x" * 500, taken)) <= 80


def test_a_part_without_gpus_asks_for_none_and_takes_the_share_of_memory_that_goes_with_its_cores() -> None:
    _, job = job_request(replace(PART, cpus=4), SITE)
    assert (job.gpus, job.cpus, job.memory_bytes) == (0, 4, 16 * 10**9)


def test_a_part_with_one_gpu_of_four_takes_a_quarter_of_the_machine() -> None:
    _, job = job_request(replace(PART, gpus=1), SITE)
    assert (job.gpus, job.cpus, job.memory_bytes) == (1, 4, 16 * 10**9)


def test_a_part_takes_what_its_nodes_need_where_that_is_more() -> None:
    _, job = job_request(replace(PART, gpus=1, cpus=8, memory_bytes=50 * 10**9), SITE)
    assert (job.cpus, job.memory_bytes) == (8, 50 * 10**9)


def test_an_exclusive_profile_takes_the_machine() -> None:
    _, job = job_request(PART, replace(SITE, exclusive=True))
    assert (job.cpus, job.memory_bytes) == (16, 64 * 10**9)


def test_the_walltime_is_the_profiles_or_what_the_nodes_say_with_something_to_spare() -> None:
    assert job_request(PART, SITE)[1].walltime_s == 3600
    assert job_request(replace(PART, walltime_s=300.0), SITE)[1].walltime_s == 300 + 60 + 120
    assert job_request(replace(PART, walltime_s=1e6), SITE)[1].walltime_s == 3600


def test_nodes_are_the_same_after_they_were_packed(batch: Batch) -> None:
    prepared = batch.prepare()
    found = unpack_nodes(pack_nodes(action.node for action in prepared.plan.actions))
    assert found.keys() == {action.node.fingerprint for action in prepared.plan.actions}
    for action in prepared.plan.actions:
        twin = found[action.node.fingerprint]
        assert twin.label() == action.node.label()
        assert twin.identity() == action.node.identity()
        assert [other.fingerprint for other in twin.upstream()] == [one.fingerprint for one in action.node.upstream()]


def test_a_chain_of_any_length_can_be_packed(batch: Batch) -> None:
    nodes = {"n0": ("base", None, {"value": 1})}
    nodes |= {f"n{i}": ("again", f"n{i - 1}", {}) for i in range(1, 2000)}
    batch.project.write(
        "@step\ndef base(*, value: int) -> int:\n    return value\n\n@step\ndef again(n: int) -> int:\n    return n\n"
    )
    plan = batch.project.prepare(batch.project.study(nodes)).plan
    assert len(unpack_nodes(pack_nodes([plan.actions[-1].node]))) >= 2000
