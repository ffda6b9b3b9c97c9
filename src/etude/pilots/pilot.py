"""A cluster job of the engine: checks where it is, starts the engine's workers, and ends them when nobody needs them.

Started as `python -m etude.pilots.pilot SPEC --block ID`, once on each machine of a job. The engine's own manager is
started by its module, for its program need not be on PATH. The manager does not give up when its driver is gone: a
step that runs then may finish, for its result goes to the store, and the job ends after it.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from etude import __version__
from etude.environment import variables_copy
from etude.execute.worker_process import kill_group
from etude.pilots.mailbox import Orders, silence_s, tell_news
from etude.pilots.pilot_spec import PilotSpec, read_spec
from etude.pilots.pilot_worker import BUSY, TERM, TMP

SILENCE_S = 90.0
"""How long a driver may be silent before a job without running steps takes it for gone."""
LOOK_S = 0.5
STAY_S = 25.0
"""How long a job that must go lets its steps write checkpoints; schedulers kill after 30 s."""
LONGEST_TMP = 60
"""Sockets under a longer path than some 100 characters cannot be made."""
START_S = 2.0
"""How long the engine takes to start, and so is late by its own clock."""
UNFIT = 3
"""Exit code of a job whose machine cannot run the study's nodes."""


def command_of(spec: PilotSpec, block: str, left_s: float) -> list[str]:
    """The command line of the engine's manager.

    Args:
        spec: The pool.
        block: The job's number in it.
        left_s: Seconds until the job ends.
    """
    drain_s = max(1, int(left_s - spec.grace_s - spec.time_s - START_S))
    options = {
        "addresses": ",".join(spec.addresses),
        "port": spec.port,
        "cert_dir": spec.certificates,
        "logdir": spec.manager_logs,
        "block_id": block,
        "cores_per_worker": 0.001,  # étude has counted the workers; cores are no further bound
        "max_workers_per_node": spec.workers,
        "prefetch_capacity": 0,
        "hb_period": spec.heartbeat_s,
        "hb_threshold": max(60, round(spec.walltime_s)),
        "poll": 10,
        "drain_period": drain_s,
        "cpu-affinity": "none",
        "mem_per_worker": "None",
    }
    module = "parsl.executors.high_throughput.process_worker_pool"
    return [sys.executable, "-P", "-m", module, *(f"--{name}={value}" for name, value in options.items())]


def unfit(spec: PilotSpec) -> str | None:
    """Why this machine cannot run the study's nodes; None if it can."""
    if __version__ != spec.version:
        return f"here is étude {__version__}, and the study was planned with {spec.version}: install the same"
    if not Path(spec.store).parent.is_dir():
        return f"the store {spec.store} is not seen from here: put it on a file system that all machines share"
    if not Path(spec.snapshot).is_file():
        return (
            f"the run's folder {Path(spec.snapshot).parent} is not seen from here: it must lie on a shared file system"
        )
    return None


def serve(spec: PilotSpec, block: str, environment: Mapping[str, str], now: Callable[[], float] = time.time) -> int:
    """Run the engine's manager until it ends, is no longer needed, or the machine is wanted back."""
    left_s = float(environment.get("ETUDE_BLOCK_END", "inf")) - now()
    busy = Path(tempfile.mkdtemp(prefix="etude-workers-"))
    Path(spec.manager_logs).mkdir(parents=True, exist_ok=True)
    manager = subprocess.Popen(
        command_of(spec, block, min(left_s, spec.walltime_s)),
        env={**environment, **_short_tmp(environment), BUSY: str(busy)},
        start_new_session=True,
        preexec_fn=_deaf,
    )

    def give_up(_number: int, _frame: FrameType | None) -> None:
        (busy / TERM).touch()

    signal.signal(signal.SIGTERM, give_up)
    job = f"{spec.pool}.{block}"
    orders = Orders(folder=Path(spec.mailbox))
    wanted_since: float | None = None
    leaving = False
    while manager.poll() is None:
        time.sleep(LOOK_S)
        if (busy / TERM).exists():
            wanted_since = wanted_since or now()
        working = any(path.name.startswith("busy-") for path in busy.iterdir())
        if wanted_since is not None and (not working or now() - wanted_since > STAY_S):
            return _ended(manager)
        if leaving and not working:
            tell_news(Path(spec.mailbox), left=job)
            return _ended(manager)
        orders.look()
        leaving = orders.leaves(job)  # heeded at the next look: a node that was under way meanwhile has begun by then
        if not working and silence_s(Path(spec.mailbox)) > SILENCE_S:
            print("the driver is gone and nothing runs here: this job ends", file=sys.stderr)  # noqa: T201
            return _ended(manager)
    return manager.returncode


def _ended(manager: subprocess.Popen[bytes]) -> int:
    """End the engine; the exit code of a job that has done all that it was there for."""
    kill_group(manager)
    manager.wait()
    return 0


def _short_tmp(environment: Mapping[str, str]) -> dict[str, str]:
    """A folder for the engine's sockets where the job's own has too long a path; steps keep the job's."""
    tmp = environment.get("TMPDIR", "")
    return {"TMPDIR": "/tmp", TMP: tmp} if len(tmp) > LONGEST_TMP else {}


def _deaf() -> None:
    """Let the engine not hear SIGTERM, which a scheduler sends to all processes: steps write checkpoints first."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("--block", default="0")
    given = parser.parse_args()
    try:
        spec = read_spec(given.spec)
    except OSError as error:
        print(f"étude: this machine does not see the run's folder: {error}", file=sys.stderr)  # noqa: T201
        return UNFIT
    reason = unfit(spec)
    if reason is not None:
        print(f"étude: {reason}", file=sys.stderr)  # noqa: T201
        return UNFIT
    return serve(spec, given.block, variables_copy())


if __name__ == "__main__":
    sys.exit(main())
