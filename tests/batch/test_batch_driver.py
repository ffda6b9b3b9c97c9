"""How a driver sees a study through as batch jobs, on a scheduler whose every move is decided here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from batching import STEPS, Batch, FakeScheduler
from etude.batch.batch_job import End
from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import Phase
from etude.errors import BackendError
from etude.execute.run_events import EventKind


def nothing_special(_: FakeScheduler) -> Iterator[None]:
    yield from ()


def test_every_variant_is_a_job_and_every_node_is_computed_once(batch: Batch) -> None:
    result, scheduler = batch.run(nothing_special)
    assert result.succeeded
    assert len(scheduler.jobs) == 4, "three variants, and what collects them"
    assert sorted(batch.project.calls()) == ["base", "fit1", "fit2", "fit3"]
    assert len(result.summary.computed) == 6
    done = [event.label for event in batch.events if event.kind is EventKind.DONE]
    assert sorted(done) == ["base", "fit k=1", "fit k=2", "fit k=3", "records", "table"]


def test_what_jobs_found_done_was_not_computed(batch: Batch) -> None:
    batch.run(nothing_special)
    batch.project.write(STEPS.replace("    return value", "    value = value + 0\n    return value"))
    result, _ = batch.run(nothing_special)
    assert result.succeeded
    names = {
        fingerprint: result.prepared.plan.by_fingerprint[fingerprint].node.name
        for fingerprint in (*result.summary.computed, *result.summary.reused)
    }
    computed = sorted(names[fingerprint] for fingerprint in result.summary.computed)
    assert computed == ["base", "records", "table"], "its cost is in the records"
    assert [names[fingerprint] for fingerprint in result.summary.reused] == ["fit", "fit", "fit"]


def test_what_is_done_needs_no_job(batch: Batch) -> None:
    batch.run(nothing_special)
    batch.ks = (1, 2, 3, 4)
    _, scheduler = batch.run(nothing_special)
    assert len(scheduler.jobs) == 2
    assert batch.project.calls().count("base") == 1


def test_no_more_jobs_stand_in_the_queue_than_the_site_allows(batch: Batch) -> None:
    batch.profile = replace(batch.profile, queued=2)
    result, scheduler = batch.run(nothing_special)
    assert result.succeeded
    assert scheduler.most_queued == 2


def test_a_paced_site_gets_the_next_job_once_the_last_has_started(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        for number in ("1", "2", "3"):
            assert list(scheduler.jobs)[-1] == number
            yield
            scheduler.start(number)
            yield

    batch.profile = replace(batch.profile, paced=True)
    result, scheduler = batch.run(plot)
    assert result.succeeded
    assert scheduler.most_queued == 1


def test_what_collects_waits_for_every_variant(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        yield
        script = (scheduler.jobs["4"].folder / "job.sh").read_text()
        assert "--dependency=afterany:1:2:3" in script

    assert batch.run(plot)[0].succeeded


def test_a_job_that_the_cluster_cost_is_submitted_again(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        scheduler.start("2")
        scheduler.ends("2", "NODE_FAIL")
        yield from [None] * 4

    result, _ = batch.run(plot)
    assert result.succeeded
    assert "2 lost" in batch.told()
    assert "4 withdrawn" in batch.told(), "what collects must not start without it"
    assert sorted(batch.project.calls()) == ["base", "fit1", "fit2", "fit3"]


def test_a_job_that_is_lost_time_and_again_fails_with_the_schedulers_word(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        ended = 0
        while ended < 3:
            for job in scheduler.jobs.values():
                if job.folder.name.endswith("k_2") and job.state.phase is not Phase.ENDED:
                    scheduler.ends(job.id, "TIMEOUT")
                    ended += 1
            yield
        yield from [None] * 4

    result, _ = batch.run(plot)
    assert not result.succeeded
    (failure,) = result.summary.failures
    assert failure.node.label() == "fit k=2"
    assert failure.attempts == 3
    assert "TIMEOUT" in failure.outcome.error
    assert {node.title for node in result.prepared.plan.todo} - {"records", "table"} == {"base", "fit"}
    assert sorted(batch.project.calls()) == ["base", "fit1", "fit3"]


def test_a_job_that_stopped_at_a_checkpoint_goes_on_in_another_at_no_cost(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        for _ in range(5):
            newest = [job.id for job in scheduler.jobs.values() if job.folder.name.endswith("k_1")][-1]
            scheduler.run(newest, stop=End.STOPPED)
            yield

    result, _ = batch.run(plot)
    assert result.succeeded
    assert sum("stopped at a checkpoint" in line for line in batch.told()) == 5, "more often than retries allow"


def test_a_job_that_the_scheduler_starts_anew_is_waited_for(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        scheduler.start("1")
        yield
        scheduler.requeue("1")
        yield

    result, scheduler = batch.run(plot)
    assert result.succeeded
    assert "1 requeued" in batch.told()
    assert len(scheduler.jobs) == 4


def test_a_job_that_the_scheduler_forgot_is_submitted_again(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        yield
        scheduler.jobs["1x"] = scheduler.jobs.pop("1")
        scheduler.ends("1x")
        yield from [None] * 8

    result, _ = batch.run(plot)
    assert result.succeeded
    assert "1 lost" in batch.told()


def test_a_scheduler_that_does_not_answer_is_waited_for(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        scheduler.away = "the controller is down"
        yield from [None] * 5
        scheduler.away = ""
        yield

    result, scheduler = batch.run(plot)
    assert result.succeeded
    assert batch.told().count("- scheduler is away") == 1
    assert batch.told().count("- scheduler is back") == 1
    assert len(scheduler.jobs) == 4, "nothing was submitted twice"


def test_a_refusal_with_jobs_under_way_is_waited_out(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        scheduler.refusal = "QOSMaxSubmitJobPerUserLimit"
        scheduler.start("1")
        yield
        yield
        assert len(scheduler.jobs) == 1
        scheduler.refusal = ""
        yield

    batch.profile = replace(batch.profile, queued=1)
    result, _ = batch.run(plot)
    assert result.succeeded
    assert "- held back" in batch.told()


def test_a_first_job_that_is_refused_ends_the_run_with_the_schedulers_words(batch: Batch) -> None:
    scheduler = FakeScheduler(nothing_special, refusal="sbatch: error: invalid partition specified: gqu")
    with pytest.raises(BackendError, match="invalid partition specified: gqu"):
        batch.run(nothing_special, scheduler)


def test_a_job_that_never_starts_ends_the_run_with_the_queues_reason(batch: Batch) -> None:
    def plot(_: FakeScheduler) -> Iterator[None]:
        while True:
            yield

    batch.profile = replace(batch.profile, start_timeout_s=100)
    scheduler = FakeScheduler(plot)
    with pytest.raises(BackendError, match="did not start in 100 s: the scheduler says Resources"):
        batch.run(plot, scheduler)
    assert sorted(scheduler.cancelled) == ["1", "2", "3", "4"]


def test_an_environment_without_etude_ends_the_run_with_what_the_job_printed(batch: Batch) -> None:
    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        (scheduler.jobs["1"].folder / "output.txt").write_text("python: No module named etude.batch\n")
        scheduler.ends("1", "FAILED")
        yield from [None] * 9

    with pytest.raises(BackendError, match="No module named etude"):
        batch.run(plot)


def test_after_a_steps_own_error_the_other_variants_go_on(batch: Batch) -> None:
    batch.project.write(
        """
@step
def base(*, value: int) -> int:
    return value

@step
def fit(base: int, *, k: int) -> dict[str, float]:
    if k == 2:
        raise ValueError("no fit for two")
    return {"score": 1.0}
"""
    )
    result, scheduler = batch.run(nothing_special)
    (failure,) = result.summary.failures
    assert failure.node.label() == "fit k=2"
    assert "no fit for two" in failure.outcome.error
    assert "no fit for two" in failure.outcome.traceback
    assert len(result.summary.computed) == 3
    assert len(scheduler.jobs) == 4, "a step's own error is not tried again"


def test_what_is_computed_again_on_purpose_is_computed_once(batch: Batch) -> None:
    batch.run(nothing_special)
    result, _ = batch.run(nothing_special, rerun=("base",))
    assert result.succeeded
    assert batch.project.calls().count("base") == 2


def test_the_accounts_of_all_jobs_stand_beside_our_own_figures(batch: Batch) -> None:
    result, _ = batch.run(nothing_special)
    text = (result.prepared.workplace.results / "jobs.csv").read_text()
    head, first, *_ = [line.split(",") for line in text.splitlines()]
    row = dict(zip(head, first, strict=True))
    assert row["variant"] == "k=1"
    assert (row["job_wall_s"], row["job_energy_j"], row["job_peak_rss_bytes"]) == ("7.0", "42.0", "")
    assert float(row["own_wall_s"]) > 0


def test_nodes_that_span_machines_are_refused_before_anything_is_submitted(batch: Batch) -> None:
    from etude.batch.batch_driver import BatchDriver
    from etude.graph.pipeline import Needs

    batch_driver = BatchDriver(profile=batch.profile, scheduler=FakeScheduler(nothing_special))
    assert "pilot jobs" in str(batch_driver.refuses(Needs(nodes=2)))
    assert "asks for 0" in str(batch_driver.refuses(Needs(gpus=1)))
    assert "lasts 3600 s" in str(batch_driver.refuses(Needs(walltime_s=7200)))
    assert batch_driver.refuses(Needs(cpus=2, walltime_s=60)) is None


def test_nodes_placed_on_the_login_node_are_computed_before_anything_is_submitted(batch: Batch) -> None:
    batch.base_on = {"login": True}

    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        assert batch.project.calls() == ["base"]
        yield

    result, scheduler = batch.run(plot)
    assert result.succeeded
    assert len(scheduler.jobs) == 4
    assert sorted(batch.project.calls()) == ["base", "fit1", "fit2", "fit3"]


def test_nothing_is_submitted_where_a_node_fails_on_the_login_node(batch: Batch) -> None:
    batch.base_on = {"login": True}
    batch.project.write(
        "@step\ndef base(*, value: int) -> int:\n    raise OSError('no such hub')\n\n"
        "@step\ndef fit(base: int, *, k: int) -> dict[str, float]:\n    return {}\n"
    )
    result, scheduler = batch.run(nothing_special)
    assert not result.succeeded
    assert "no such hub" in result.summary.failures[0].outcome.error
    assert scheduler.jobs == {}


def test_htcondor_gets_its_jobs_as_a_graph_as_well(batch: Batch) -> None:
    batch.profile = Profile(name="pool", scheduler="htcondor")
    result, _ = batch.run(nothing_special)
    (graph,) = batch.project.folder.glob(".etude/runs/*/jobs/study.dag")
    folder = graph.parent
    parts = ["test-k_1", "test-k_2", "test-k_3", "test-collect"]
    assert graph.read_text().splitlines() == [
        *(f"JOB {part} {folder}/{part}/job.submit" for part in parts),
        "PARENT test-k_1 test-k_2 test-k_3 CHILD test-collect",
        *(f"RETRY {part} 2" for part in parts),
    ]
    assert result.succeeded


def test_what_steps_were_seen_to_touch_in_their_jobs_is_told_and_compared(batch: Batch) -> None:
    data = batch.project.folder / "data.txt"
    data.write_text("1")
    batch.project.write(
        STEPS.replace("return value", 'return value + int((Path(__file__).parent / ("data" + ".txt")).read_text())')
    )
    result, _ = batch.run(nothing_special)
    assert result.succeeded
    assert [(node.name, list(things)) for node, things in result.summary.observed.values()] == [
        ("base", ["file data.txt"])
    ]
    data.write_text("2")
    result, _ = batch.run(nothing_special)
    assert {node.name for node in result.prepared.plan.todo} >= {"base"}
    assert batch.project.calls().count("base") == 2
    assert batch.project.calls().count("fit1") == 2
