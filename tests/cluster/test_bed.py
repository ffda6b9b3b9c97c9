"""The cluster that other tests stand on is a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.slurm_bed import SlurmBed, until

pytestmark = pytest.mark.slow


def test_a_job_runs_on_two_nodes_with_the_gpus_it_was_granted(bed: SlurmBed, tmp_path: Path) -> None:
    script = "echo $CUDA_VISIBLE_DEVICES; srun --ntasks=2 sh -c 'echo $SLURMD_NODENAME'"
    wanted = ("--nodes=2", "--gpus-per-node=2", f"--output={tmp_path / 'said'}", f"--wrap={script}")
    job = bed.run("sbatch", "--parsable", *wanted).strip()
    until(lambda: not bed.jobs(), "the job")
    assert bed.state(job) == "COMPLETED"
    assert sorted((tmp_path / "said").read_text().split()) == ["0,1", "one", "two"]


def test_a_controller_that_is_restarted_comes_back_with_its_jobs(bed: SlurmBed, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job = bed.run(
        "sbatch", "--parsable", "--output=/dev/null", f"--wrap=while [ ! -e {gate} ]; do sleep 0.1; done"
    ).strip()
    until(lambda: bed.jobs("RUNNING") == [job], "the job to start")
    bed.stop_controller()
    bed.start_controller()
    until(lambda: bed.jobs("RUNNING") == [job], "the job to be known again")
    gate.touch()
    until(lambda: not bed.jobs(), "the job")
    assert bed.state(job) == "COMPLETED"
