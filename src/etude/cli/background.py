"""What `--one-job-per` and `--detach` mean."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from etude.batch import take_over
from etude.batch.batch_driver import BatchDriver
from etude.cli.console import err, escape
from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.schedulers import SPOKEN, scheduler_of
from etude.cluster.scripts import render_job
from etude.errors import BackendError, ConfigError, Fault, nearest
from etude.study.execution import PlanDriver
from etude.study.prepare import Options, PreparedStudy
from etude.study.run_driver import driver_of

UNITS = ("variant",)
BEGINS_S = 120.0
"""How long a detached run may take to begin before it is left to itself."""


def batch_driver_of(unit: str, options: Options) -> PlanDriver:
    """What drives a run as batch jobs, one for each such unit.

    Raises:
        ConfigError: `--one-job-per` is not understood, or there is no cluster.
        BackendError: The cluster's scheduler takes no such jobs.
    """
    if unit not in UNITS:
        raise ConfigError([Fault("--one-job-per", "expected variant", unit, nearest(unit, UNITS))])
    if options.cluster is None:
        mend = "add --on PROFILE, for instance --on slurm"
        raise ConfigError([Fault("--one-job-per", "batch jobs need a cluster", unit, mend)])
    scheduler = scheduler_of(options.cluster.scheduler, options.environment)
    poll_s = options.cluster.poll_s or 30.0
    return BatchDriver(
        profile=options.cluster,
        scheduler=scheduler,
        fail_fast=options.fail_fast,
        poll_s=poll_s,
        environment=options.environment,
    )


def refuse_if_driven(prepared: PreparedStudy) -> None:
    """See that nobody else has batch jobs of this study under way.

    Raises:
        BackendError: Somebody has.
    """
    take_over.refuse_if_driven(prepared.workplace.etude / "runs", prepared.study.name, time.time())


def leave_running(prepared: PreparedStudy, options: Options, words: Sequence[str], *, as_job: bool) -> int:
    """Leave a run going without this terminal: in the background of this machine, or driven by a batch job.

    Args:
        prepared: The study, planned: what is wrong with it has been told.
        options: How it runs.
        words: The command line.
        as_job: Whether a batch job drives it.

    Raises:
        ConfigError: A batch job needs a cluster, and none is named.
        BackendError: The scheduler takes no such job, or cannot be spoken to.
    """
    rest = [word for word in words if word not in ("--detach", "--detach-as-job")]
    if as_job:
        return detach_as_job(prepared, rest, cluster_for_driver(options), options.environment)
    return detach(prepared, rest, options.environment)


def detach(prepared: PreparedStudy, words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Leave a run going in the background of this machine. Returns the exit code.

    Args:
        prepared: The study, planned: what is wrong with it has been told.
        words: The command line, without what asks to detach.
        environment: The environment of the run.
    """
    folder = prepared.workplace.etude / "logs" / prepared.study.name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"detached-{time.strftime('%Y%m%d-%H%M%S')}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "etude.cli.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
    run = _new_run(prepared, lambda owner: owner == process.pid, lambda: process.poll() is None)
    if run is None and process.poll() is not None:
        err().print(escape(log.read_text(errors="replace").rstrip()), soft_wrap=True)
        return process.returncode
    _show_driver(run, f"process {process.pid}", log)
    return 0


def detach_as_job(
    prepared: PreparedStudy, words: Sequence[str], profile: Profile, environment: Mapping[str, str]
) -> int:
    """Leave a run to a batch job of its own, which drives it. Returns the exit code.

    Raises:
        JobRefused: The scheduler does not take the job.
        BackendError: It cannot be spoken to.
    """
    folder = prepared.workplace.etude / "logs" / prepared.study.name / f"driver-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True, exist_ok=True)
    log, script = folder / "output.txt", folder / "job.sh"
    command = shlex.join([*(profile.python or sys.executable).split(), "-P", "-m", "etude.cli.main", *words])
    own = profile.for_gpus(0)
    job = Job(
        name=f"{prepared.study.name}-driver",
        command=f"cd {shlex.quote(str(Path.cwd()))} && exec {command}",
        stdout=str(log),
        stderr=str(log),
        walltime_s=own.walltime_s,
        cpus=1,
        requeue=True,
    )
    text = render_job(own, job, str(script))
    script.write_text(text.script, encoding="utf-8")
    if text.description is not None:
        script = folder / "job.submit"
        script.write_text(text.description, encoding="utf-8")
    id_ = scheduler_of(profile.scheduler, environment).submit(script)
    _show_driver(None, f"job {id_} of {profile.scheduler}", log)
    return 0


def _new_run(prepared: PreparedStudy, is_driver: Callable[[int], bool], lives: Callable[[], bool]) -> str | None:
    """The run that a process has begun; None where it ends before, or takes too long to wait for."""
    runs = prepared.workplace.etude / "runs"
    deadline = time.monotonic() + BEGINS_S
    while time.monotonic() < deadline:
        for folder in sorted(runs.glob("*"), reverse=True)[:20]:
            driver = driver_of(folder)
            if driver is not None and is_driver(driver.owner.pid):
                return folder.name
        if not lives():
            return None
        time.sleep(0.1)
    return None


def _show_driver(run: str | None, driver: str, log: Path) -> None:
    what = f"run {run}" if run else "the run"
    err().print(f"[green]{what} goes on without you[/], driven by {driver}")
    err().print(f"  what it prints: {escape(log)}", soft_wrap=True)
    err().print("  follow it: etude watch    how it stands: etude status    stop it: etude cancel")


def cluster_for_driver(options: Options) -> Profile:
    """The cluster that a driver's own job goes to.

    Raises:
        ConfigError: There is none.
    """
    if options.cluster is None:
        raise ConfigError(
            [Fault("--detach-as-job", "a batch job needs a cluster", mend="add --on PROFILE, for instance --on slurm")]
        )
    if options.cluster.scheduler not in SPOKEN:
        raise BackendError(f"a driver's own job is not done on {options.cluster.scheduler}: use --detach")
    return options.cluster
