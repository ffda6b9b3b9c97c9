"""What a cluster can do to a study on pilot jobs, done to one on a real SLURM: it ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from cluster.cluster_project import ClusterProject, undisturbed
from cluster.slurm_bed import NODES, SlurmBed, until

pytest.importorskip("parsl")
pytestmark = pytest.mark.slow


@pytest.fixture
def project(bed: SlurmBed, tmp_path: Path) -> ClusterProject:
    made = ClusterProject(tmp_path / "project", bed.environment)
    made.profile(cpus=2, workers=2, address="127.0.0.1")
    made.study()
    return made


def standing(project: ClusterProject) -> subprocess.Popen[str]:
    """A run whose trainings have begun and stand still, until they are told to go on."""
    project.hold()
    process = project.start()
    project.until_trained(2)
    return process


def workers(bed: SlurmBed) -> list[psutil.Process]:
    """Processes of the cluster's jobs that compute nodes."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        if "etude.execute.worker" not in (one.info["cmdline"] or []):
            continue
        try:
            if one.environ().get("SLURM_CONF") == str(bed.conf):
                found.append(one)
        except psutil.Error:
            continue
    return found


def ended_well(project: ClusterProject, process: subprocess.Popen[str]) -> str:
    """The run ends with what an undisturbed one gives, and no training began anew that had a checkpoint."""
    project.go_on()
    output = project.finish(process, limit_s=240)
    assert (project.folder / "results" / "faults" / "records.jsonl").exists(), output
    assert project.scores() == undisturbed(2, 5)
    calls = project.calls()
    assert calls.count("base") == 1, calls
    assert sorted(call for call in calls if call.endswith("-from-0")) == ["train0-from-0", "train1-from-0"], calls
    return output


def test_a_worker_that_is_killed_costs_its_own_node_an_attempt(bed: SlurmBed, project: ClusterProject) -> None:
    process = standing(project)
    workers(bed)[0].kill()
    assert "SIGKILL" in ended_well(project, process)


def test_a_block_that_is_cancelled_is_replaced(bed: SlurmBed, project: ClusterProject) -> None:
    process = standing(project)
    bed.run("scancel", *bed.jobs("RUNNING"))
    ended_well(project, process)


def test_a_controller_that_is_restarted_is_no_fault(bed: SlurmBed, project: ClusterProject) -> None:
    process = standing(project)
    bed.stop_controller()
    bed.start_controller()
    until(lambda: len(bed.jobs("RUNNING")) >= 1, "the controller")
    ended_well(project, process)


def test_a_node_that_is_drained_finishes_what_it_has(bed: SlurmBed, project: ClusterProject) -> None:
    process = standing(project)
    bed.drain(NODES[0])
    ended_well(project, process)


def test_a_driver_that_is_killed_is_followed_by_another(bed: SlurmBed, project: ClusterProject) -> None:
    process = standing(project)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "abandoned" in project.etude("status")[1]
    ended_well(project, project.start())


def test_a_walltime_reached_in_training_is_gone_on_from(bed: SlurmBed, project: ClusterProject) -> None:
    project.study(variants=1, to=400)
    project.profile(cpus=2, workers=2, address="127.0.0.1", walltime="45s", grace="10s")
    project.finish(project.start(), limit_s=400)
    assert project.scores() == undisturbed(1, 400)
    starts = [int(call.rpartition("-")[2]) for call in project.calls() if "-from-" in call]
    assert starts[0] == 0
    assert len(starts) > 1
    assert starts == sorted(set(starts)), "every job went on from where the last one stopped"


def test_a_store_that_is_gone_for_a_while_costs_another_attempt(bed: SlurmBed, project: ClusterProject) -> None:
    import shutil

    process = standing(project)
    store, away = project.folder / ".etude" / "store", project.folder / ".etude" / "away"
    store.rename(away)
    project.go_on()
    until(lambda: "out of reach" in project.told(), "a node to miss the store", project.told)
    shutil.rmtree(store, ignore_errors=True)
    away.rename(store)
    ended_well(project, process)
