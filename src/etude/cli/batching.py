"""What `--one-job-per` and `--detach` mean."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etude.cli.tell import err, escaped
from etude.errors import BackendError, ConfigError, Fault, nearest

if TYPE_CHECKING:
    from etude.cluster.profile import Profile
    from etude.study.execution import Conductor
    from etude.study.prepare import Options, Prepared

UNITS = ("variant",)
BEGINS_S = 120.0
"""How long a detached run may take to begin before it is left to itself."""
_JOB_IDS = ("SLURM_JOB_ID", "PBS_JOBID", "_CONDOR_JOB_AD")


def conductor_of(unit: str | None, options: Options) -> Conductor | None:
    """Who conducts a run as batch jobs; None where each node goes to a worker.

    Raises:
        ConfigError: `--one-job-per` is not understood, or there is no cluster.
        BackendError: The cluster's scheduler takes no such jobs.
    """
    if unit is None:
        return None
    if unit not in UNITS:
        raise ConfigError([Fault("--one-job-per", "expected variant", unit, nearest(unit, UNITS))])
    if options.cluster is None:
        mend = "add --on PROFILE, for instance --on slurm"
        raise ConfigError([Fault("--one-job-per", "batch jobs need a cluster", unit, mend)])
    from etude.batch.conductor import BatchConductor
    from etude.cluster.schedulers import scheduler_of

    scheduler = scheduler_of(options.cluster.scheduler, options.environment)
    poll_s = options.cluster.poll_s or 30.0
    return BatchConductor(options.cluster, scheduler, options.fail_fast, poll_s, options.environment)


def refuse_if_driven(ready: Prepared) -> None:
    """See that nobody else has batch jobs of this study under way.

    Raises:
        BackendError: Somebody has.
    """
    from etude.batch import handover

    handover.refuse_if_driven(ready.workplace.etude / "runs", ready.study.name, time.time())


def own_job(environment: Mapping[str, str]) -> str:
    """Id of the batch job that this process runs in; empty where it runs in none."""
    return next((environment[name] for name in _JOB_IDS if environment.get(name)), "")


def without(words: Sequence[str], *flags: str) -> list[str]:
    """The words of a command line without these flags."""
    return [word for word in words if word not in flags]


def detach(ready: Prepared, words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Leave a run going in the background of this machine. Returns the exit code.

    Args:
        ready: The study, planned: what is wrong with it has been told.
        words: The command line, without what asks to detach.
        environment: The environment of the run.
    """
    folder = ready.workplace.etude / "logs" / ready.study.name
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
    run = _begun(ready, lambda owner: owner == process.pid, lambda: process.poll() is None)
    if run is None and process.poll() is not None:
        err().print(escaped(log.read_text(errors="replace").rstrip()), soft_wrap=True)
        return process.returncode
    _tell_detached(run, f"process {process.pid}", log)
    return 0


def detach_as_job(ready: Prepared, words: Sequence[str], profile: Profile, environment: Mapping[str, str]) -> int:
    """Leave a run to a batch job of its own, which drives it. Returns the exit code.

    Raises:
        JobRefused: The scheduler does not take the job.
        BackendError: It cannot be spoken to.
    """
    import shlex

    from etude.cluster.job import Job
    from etude.cluster.schedulers import scheduler_of
    from etude.cluster.scripts import rendered

    folder = ready.workplace.etude / "logs" / ready.study.name / f"driver-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True, exist_ok=True)
    log, script = folder / "output.txt", folder / "job.sh"
    command = shlex.join([*(profile.python or sys.executable).split(), "-P", "-m", "etude.cli.main", *words])
    own = profile.for_gpus(0)
    job = Job(
        name=f"{ready.study.name}-driver",
        command=f"cd {shlex.quote(str(Path.cwd()))} && exec {command}",
        stdout=str(log),
        stderr=str(log),
        walltime_s=own.walltime_s,
        cpus=1,
        requeue=True,
    )
    made = rendered(own, job, str(script))
    script.write_text(made.script, encoding="utf-8")
    if made.description is not None:
        script = folder / "job.submit"
        script.write_text(made.description, encoding="utf-8")
    id_ = scheduler_of(profile.scheduler, environment).submit(script)
    _tell_detached(None, f"job {id_} of {profile.scheduler}", log)
    return 0


def _begun(ready: Prepared, is_driver: Callable[[int], bool], lives: Callable[[], bool]) -> str | None:
    """The run that a process has begun; None where it ends before, or takes too long to wait for."""
    from etude.study.driving import driver_of

    runs = ready.workplace.etude / "runs"
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


def _tell_detached(run: str | None, driver: str, log: Path) -> None:
    what = f"run {run}" if run else "the run"
    err().print(f"[green]{what} goes on without you[/], driven by {driver}")
    err().print(f"  what it prints: {escaped(str(log))}", soft_wrap=True)
    err().print("  follow it: etude watch    how it stands: etude status    stop it: etude cancel")


def refuse_together(**chosen: bool) -> None:
    """Refuse options that contradict each other.

    Raises:
        ConfigError: More than one is chosen.
    """
    given = [f"--{name.replace('_', '-')}" for name, is_given in chosen.items() if is_given]
    if len(given) > 1:
        raise ConfigError([Fault(given[0], f"cannot go with {', '.join(given[1:])}", mend="leave one of them out")])


def cluster_for_driver(options: Options) -> Profile:
    """The cluster that a driver's own job goes to.

    Raises:
        ConfigError: There is none.
    """
    if options.cluster is None:
        raise ConfigError(
            [Fault("--detach-as-job", "a batch job needs a cluster", mend="add --on PROFILE, for instance --on slurm")]
        )
    if options.cluster.scheduler not in ("slurm", "pbs", "htcondor"):
        raise BackendError(f"a driver's own job is not done on {options.cluster.scheduler}: use --detach")
    return options.cluster
