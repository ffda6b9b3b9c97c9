"""Batch scripts: pure functions of profile and job, compared with files that people have looked at."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.cluster.job import Job
from etude.cluster.profile import COMMANDS, Mail, Profile
from etude.cluster.scripts import render_job
from etude.cluster.scripts.htcondor_script import dag
from etude.cluster.scripts.shell import clock, job_name, on_each_machine, quote
from etude.config.cluster import read_profile, ready_profiles
from etude.graph.pipeline import Needs
from etude.pilots.node_pools import block_profile, pool_of
from etude.pilots.providers import Scripts, provider_for

EXPECTED = Path(__file__).parent.parent / "expected" / "cluster"

JOB = Job(
    name="heads/seed=0",
    command="python -m train --seed 0",
    stdout="/run/heads.{task}.out",
    stderr="/run/heads.{task}.err",
    walltime_s=5400.0,
    nodes=1,
    cpus=4,
    memory_bytes=8 * 2**30,
    gpus=2,
    array=10,
    at_once=3,
    after=("41", "42"),
    requeue=True,
    environment={"SEED": "0"},
)
FULL = Profile(
    name="full",
    scheduler="slurm",
    partition="gpu",
    queue="long",
    account="def-me",
    qos="high",
    constraint="a100|v100",
    reservation="course",
    select="system=polaris",
    requirements="TARGET.CUDACapability >= 8.0",
    image="registry/etude:0.1",
    volumes={"data": "/data"},
    exclusive=True,
    scratch="$LOCAL/etude",
    setup=("module load python/3.11", "source ~/venv/bin/activate"),
    environment={"HF_HOME": "$SCRATCH/hf", "SAID": 'a "word" and $(date)'},
    mail=Mail(to="me@example.org", about=("begin", "end", "fail")),
    directives=(),
)


def compare(name: str, text: str) -> None:
    """Compare with the recorded file; record it where there is none, for people to look at."""
    path = EXPECTED / name
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path} was not there: it is recorded now, look at it")
    assert text == path.read_text(), f"{path} differs: delete it to record it anew"


@pytest.mark.parametrize("scheduler", sorted(COMMANDS))
def test_a_job_that_asks_for_everything_is_rendered_as_recorded(scheduler: str) -> None:
    made = render_job(replace(FULL, scheduler=scheduler), JOB, "/run/heads.sh")
    compare(f"{scheduler}.sh", made.script)
    if made.description is not None:
        compare(f"{scheduler}.description", made.description)


@pytest.mark.parametrize("name", sorted(ready_profiles()))
def test_the_jobs_of_a_ready_profile_are_rendered_as_recorded(name: str, tmp_path: Path) -> None:
    profile = read_profile(name, tmp_path)
    pool = pool_of(profile, Needs(gpus=1 if profile.gpus else 0))
    own = block_profile(profile, pool)
    scripts = Scripts(profile=own, name=f"study.{pool.name}", folder=Path("/run/jobs"))
    made = render_job(own, scripts.job("python -m etude.pilots.pilot /run/pool.spec --block 0", Path("/run/jobs/job")))
    compare(f"ready-{name}.sh", made.script)
    if made.description is not None:
        compare(f"ready-{name}.description", made.description)


@pytest.mark.parametrize("scheduler", sorted(COMMANDS))
def test_every_script_is_one_that_bash_can_read(scheduler: str, tmp_path: Path) -> None:
    path = tmp_path / "job.sh"
    path.write_text(render_job(replace(FULL, scheduler=scheduler), JOB, "/run/heads.sh").script)
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@given(st.text(alphabet=st.characters(exclude_characters="$\0\r", exclude_categories=("Cs",)), max_size=30))
def test_a_quoted_value_without_variables_is_the_same_in_the_shell(value: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quote(value)}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert done.stdout.decode("utf-8", "surrogateescape") == value


def test_a_quoted_value_fills_in_variables_and_runs_nothing() -> None:
    command = f"A=1; printf %s {quote('$A/`date`/$(date)')}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "1/`date`/$(date)"


@given(st.text(max_size=200))
def test_the_name_of_a_job_is_one_that_every_scheduler_takes(name: str) -> None:
    made = job_name(name)
    assert made[0].isalpha()
    assert made[0].isascii()
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@given(st.floats(0.1, 10**6))
def test_a_walltime_is_never_shorter_than_asked(seconds: float) -> None:
    hours, minutes, rest = map(int, clock(seconds).split(":"))
    assert 0 <= hours * 3600 + minutes * 60 + rest - seconds < 1


def test_a_job_of_several_machines_starts_a_worker_on_each() -> None:
    slurm = Profile(name="x", scheduler="slurm")
    assert on_each_machine(slurm, 1, "run") == "run"
    assert on_each_machine(slurm, 3, "run").startswith("srun --nodes=3 --ntasks=3 --ntasks-per-node=1")
    assert on_each_machine(Profile(name="x", scheduler="pbs"), 2, "run") == "mpiexec -n 2 --ppn 1 run"


def test_a_graph_of_jobs_for_htcondor() -> None:
    text = dag({"a": "a.sub", "b": "b.sub", "c": "c.sub"}, {"c": ("a", "b")}, retries=2)
    assert text.splitlines() == [
        "JOB a a.sub",
        "JOB b b.sub",
        "JOB c c.sub",
        "PARENT a b CHILD c",
        "RETRY a 2",
        "RETRY b 2",
        "RETRY c 2",
    ]


def test_a_pod_is_what_kubernetes_takes() -> None:
    made = render_job(replace(FULL, scheduler="kubernetes"), JOB)
    pod = json.loads(str(made.description))
    assert pod["spec"]["activeDeadlineSeconds"] == 5400
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {
        "cpu": "4",
        "memory": "8192Mi",
        "nvidia.com/gpu": "2",
    }


SUBMITTED = {"slurm": "sbatch", "pbs": "qsub", "htcondor": "condor_submit", "lsf": "bsub", "sge": "qsub"}
SAYS = {
    "slurm": "Submitted batch job 7",
    "pbs": "7.server",
    "htcondor": "1 job(s) submitted to cluster 7.",
    "lsf": "Job <7> is submitted to queue <normal>.",
    "sge": "7",
}


@pytest.mark.parametrize("scheduler", sorted(SUBMITTED))
def test_what_the_engines_provider_submits_is_what_is_rendered(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("parsl")
    commands = tmp_path / "bin"
    commands.mkdir()
    program = commands / SUBMITTED[scheduler]
    program.write_text(f'#!/bin/bash\necho "{SAYS[scheduler]}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    profile = replace(FULL, scheduler=scheduler, nodes=1, mail=None)
    scripts = Scripts(profile=profile, name="study.cpu", folder=tmp_path / "jobs")
    provider: Any = provider_for(profile, scripts)
    assert provider.submit("run --block 0", 1, "parsl.cpu.block-0").startswith("7")
    [script] = [path for path in (tmp_path / "jobs").iterdir() if "#!/bin/bash" in path.read_text()]
    again = Scripts(profile=profile, name="study.cpu", folder=tmp_path / "jobs")
    expected = render_job(profile, again.job("run --block 0", script), str(script))
    assert script.read_text() == expected.script
    if expected.description is not None:
        assert script.with_suffix(".submit").read_text() == expected.description
