"""What a cluster can do to a study of batch jobs, done to one on a real SLURM: it ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from cluster.cluster_project import ClusterProject, undisturbed
from cluster.slurm_bed import NODES, SlurmBed, until

pytestmark = pytest.mark.slow

BATCH = ("--one-job-per", "variant")


@pytest.fixture
def project(bed: SlurmBed, tmp_path: Path) -> ClusterProject:
    made = ClusterProject(tmp_path / "project", bed.environment)
    made.profile()
    return made


def named(bed: SlurmBed, part: str, state: str = "RUNNING") -> str:
    """Id of the job of a part, once it is in this state."""

    def ids() -> list[str]:
        lines = bed.run("squeue", "--noheader", "--format=%i %j", "--states", state).splitlines()
        return [line.split()[0] for line in lines if f"-{part}." in line]

    until(lambda: bool(ids()), f"job {part} to be {state}")
    return ids()[0]


def standing(project: ClusterProject, variants: int = 2) -> subprocess.Popen[str]:
    """A run whose trainings have begun and stand still, until they are told to go on."""
    project.hold()
    process = project.start(*BATCH)
    project.until_trained(variants)
    return process


def once_each(project: ClusterProject, variants: int, *, again: int = 0) -> None:
    """Each node was computed once; `again` trainings went on from where they were."""
    calls = project.calls()
    assert calls.count("base") == 1, calls
    began = [call for call in calls if call.endswith("-from-0")]
    went_on = [call for call in calls if "-from-" in call and not call.endswith("-from-0")]
    assert sorted(began) == [f"train{k}-from-0" for k in range(variants)], calls
    assert len(went_on) == again, calls


def test_undisturbed_every_variant_is_a_job_of_its_own(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(variants=3)
    output = project.finish(project.start(*BATCH))
    assert "6 computed" in output
    assert project.scores() == undisturbed(3, 5)
    once_each(project, 3)
    logs = sorted(path.parent.name for path in project.folder.glob(".etude/runs/*/jobs/*/output.txt"))
    assert logs == ["faults-collect", "faults-k_0", "faults-k_1", "faults-k_2"]


def processes_of(project: ClusterProject) -> list[psutil.Process]:
    """The processes of the run's jobs that étude itself is in."""
    jobs = [one for one in psutil.process_iter(["cmdline"]) if "etude.batch.batch_job" in (one.info["cmdline"] or [])]
    return [one for one in jobs if str(project.folder) in " ".join(one.info["cmdline"])]


def test_a_worker_that_is_killed_is_replaced_within_its_job(bed: SlurmBed, project: ClusterProject) -> None:
    project.study()
    process = standing(project)
    children = [child for job in processes_of(project) for child in job.children()]
    next(child for child in children if "etude.execute.worker" in child.cmdline()).kill()
    project.go_on()
    output = project.finish(process)
    assert "killed by SIGKILL" in output
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2, again=1)


def test_a_job_that_is_cancelled_is_submitted_again(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=5)
    process = standing(project)
    bed.run("scancel", named(bed, "k_1"))
    project.go_on()
    output = project.finish(process)
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2, again=1)
    assert "(attempt 2)" in output


def test_a_job_that_is_killed_is_submitted_again_and_told_as_lost(bed: SlurmBed, project: ClusterProject) -> None:
    project.study()
    process = standing(project)
    processes_of(project)[0].kill()
    project.go_on()
    output = project.finish(process)
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2, again=1)
    assert "lost" in output


def test_a_job_that_is_requeued_goes_on(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=5)
    process = standing(project)
    job = named(bed, "k_0")
    bed.run("scontrol", "requeue", job)
    project.go_on()
    output = project.finish(process)
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2, again=1)
    assert f"job {job} k=0" in output


def test_a_job_that_a_more_urgent_one_preempts_goes_on(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=5, on={"cpus": 4})
    process = standing(project)
    bed.run("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 3")
    until(lambda: "requeued" in project.told(), "a job to be preempted", project.told)
    project.go_on()
    project.finish(process)
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2, again=1)


def test_a_controller_that_is_restarted_is_waited_for(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=5)
    process = standing(project)
    bed.stop_controller()
    until(lambda: "scheduler is away" in project.told(), "the driver to notice", project.told)
    bed.start_controller()
    project.go_on()
    output = project.finish(process)
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2)
    assert "scheduler is back" in output


def test_a_node_that_is_drained_finishes_what_it_has(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(variants=3, to=5)
    project.profile(queued=1, paced=True)
    process = standing(project, 1)
    bed.drain(NODES[0])
    project.go_on()
    output = project.finish(process)
    assert project.scores() == undisturbed(3, 5)
    once_each(project, 3)
    assert "lost" not in output


def test_a_node_whose_daemon_dies_costs_nothing_but_time(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=5)
    process = standing(project)
    bed.kill_node(NODES[0])
    bed.start_node(NODES[0])
    project.go_on()
    project.finish(process)
    assert project.scores() == undisturbed(2, 5)


def test_a_driver_that_is_killed_is_taken_over_from(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=10)
    process = standing(project)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = set(bed.jobs())
    assert "abandoned" in project.etude("status")[1]
    second = project.start(*BATCH)
    until(lambda: "taken over" in project.told(), "the second driver", project.told)
    project.go_on()
    output = project.finish(second)
    assert output.count("taken over") == 3
    assert project.scores() == undisturbed(2, 10)
    once_each(project, 2)
    assert set(bed.jobs()) <= before, "nothing was submitted twice"


def test_a_driver_that_dies_while_it_submits_finds_its_job_by_name(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=10)
    process = standing(project)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (journal,) = project.folder.glob(".etude/runs/*/jobs.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    cut = [line for line in lines if not (json.loads(line)["step"] == "submitted" and "k_1" in line)]
    assert len(cut) == len(lines) - 1
    journal.write_text("".join(cut))
    second = project.start(*BATCH)
    until(lambda: project.told().count("taken over") == 3, "the second driver", project.told)
    project.go_on()
    project.finish(second)
    once_each(project, 2)


def test_a_walltime_reached_in_the_middle_of_training_costs_nothing(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(variants=1, to=150)
    project.profile(walltime="12s", grace="5s")
    output = project.finish(project.start(*BATCH))
    assert "stopped at a checkpoint" in output
    assert project.scores() == undisturbed(1, 150)
    calls = project.calls()
    assert calls.count("train0-from-0") == 1
    starts = [int(call.rpartition("-")[2]) for call in calls if "-from-" in call]
    assert starts == sorted(set(starts)), "every job went on from where the last one stopped"


def test_a_store_that_is_gone_for_a_while_costs_another_attempt(bed: SlurmBed, project: ClusterProject) -> None:
    project.study()
    process = standing(project)
    store, away = project.folder / ".etude" / "store", project.folder / ".etude" / "away"
    store.rename(away)
    project.go_on()
    until(lambda: "out of reach" in project.told(), "a job to miss the store", project.told)
    shutil.rmtree(store, ignore_errors=True)
    away.rename(store)
    project.finish(process)
    assert project.scores() == undisturbed(2, 5)


def test_code_that_is_edited_while_jobs_wait_does_not_leak_into_them(bed: SlurmBed, project: ClusterProject) -> None:
    project.study()
    for node in NODES:
        bed.drain(node)
    process = project.start(*BATCH)
    until(lambda: len(bed.jobs("PENDING")) == 3, "jobs to wait")
    (project.folder / "training.py").write_text("raise RuntimeError('edited')")
    (project.folder / "study.json").write_text("{}")
    for node in NODES:
        bed.resume(node)
    project.finish(process)
    assert project.scores() == undisturbed(2, 5)


def test_a_run_that_is_cancelled_stops_at_a_checkpoint_and_goes_on_later(
    bed: SlurmBed, project: ClusterProject
) -> None:
    project.study(to=5)
    process = standing(project)
    code, said = project.etude("cancel")
    assert code == 0
    assert "drives it" in said
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert bed.jobs() == []
    project.go_on()
    project.finish(project.start(*BATCH))
    assert project.scores() == undisturbed(2, 5)
    once_each(project, 2, again=2)


def test_a_run_without_a_driver_is_cancelled_through_the_scheduler(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(to=5)
    process = standing(project)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    code, said = project.etude("cancel")
    assert code == 0
    assert "the scheduler ends 3 job(s)" in said
    until(lambda: bed.jobs() == [], "jobs to end")


@pytest.mark.parametrize("how", ["--detach", "--detach-as-job"])
def test_a_detached_run_goes_on_without_its_terminal(bed: SlurmBed, project: ClusterProject, how: str) -> None:
    project.study()
    process = project.start(*BATCH, how)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "goes on without you" in output
    until(lambda: (project.folder / "results" / "faults" / "records.jsonl").exists(), "results", project.told)
    assert project.scores() == undisturbed(2, 5)
    until(lambda: "done" in project.etude("status", "faults")[1], "the run to end")


def test_a_partition_that_does_not_exist_is_told_at_submission(bed: SlurmBed, project: ClusterProject) -> None:
    project.study()
    project.profile(partition="nowhere")
    process = project.start(*BATCH)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "invalid partition specified: nowhere" in output
    assert "Mend: " in output


def test_jobs_that_never_start_end_the_run_with_the_queues_reason(bed: SlurmBed, project: ClusterProject) -> None:
    project.study()
    project.profile(partition="closed", start_timeout="3s")
    process = project.start(*BATCH)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "did not start in 3 s: the scheduler says PartitionDown" in output
    assert bed.jobs() == []


@pytest.mark.parametrize(
    ("python", "words"),
    [("/nowhere/python", "No such file or directory"), ("/usr/bin/python3", "No module named")],
)
def test_a_worker_environment_without_etude_is_told_with_what_it_said(
    bed: SlurmBed, project: ClusterProject, python: str, words: str
) -> None:
    project.study()
    project.profile(python=python)
    process = project.start(*BATCH)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert words in output
    assert "setup" in output
    assert bed.jobs() == []
