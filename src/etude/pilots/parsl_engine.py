"""Parsl's HighThroughputExecutor, set up and used without its DataFlowKernel: it moves calls to workers, no more.

This is the one module that names the engine's classes. The graph, retries, scaling, caching and supervision are
étude's own.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import Phase, Scheduler
from etude.errors import BackendError, SchedulerAway
from etude.pilots.node_pools import NodePool
from etude.pilots.providers import Scripts, provider_for

HEARTBEAT_S = 5
SILENCE_S = 20
ANSWER_S = 60.0
"""How long the interchange may take to answer, on a machine that is busy with other things."""
UNKNOWN_S = 15.0
"""How long a job that was just submitted may be unknown to its queue."""
"""The engine's own are 30 and 120 seconds: too long to wait for a worker that died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotMachine:
    """One machine of a job that is connected."""

    block: str
    workers: int
    tasks: int
    idle_s: float
    taking: bool
    """Whether it takes further nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockState:
    """What the scheduler says of a job."""

    job: str
    state: str
    """`pending`, `running`, or `ended`."""
    detail: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class ParslEngine:
    """One executor, for the nodes of one pool."""

    pool: NodePool
    profile: Profile
    scripts: Scripts
    folder: Path
    spec: Path
    scheduler: Scheduler | None = None
    """Asks after jobs where the engine's own provider does so badly."""
    _executor: Any = None
    _asked: dict[str, float] = field(default_factory=dict)
    _ended: dict[str, BlockState] = field(default_factory=dict)

    def start(self) -> tuple[int, str | None]:
        """Start the interchange; its port, and the folder of its certificates.

        Raises:
            BackendError: It does not start.
        """
        provider = provider_for(self.profile, self.scripts)
        from parsl.executors import HighThroughputExecutor

        logging.getLogger("parsl").setLevel(logging.CRITICAL)  # what goes wrong is told by étude
        self._executor = executor = HighThroughputExecutor(
            label=self.pool.name,
            provider=provider,
            launch_cmd=pilot_command(self.profile, self.spec, "{{block_id}}"),
            interchange_launch_cmd=[sys.executable, "-P", "-m", "etude.pilots.parsl_interchange"],
            address="127.0.0.1",
            worker_port_range=self.profile.ports,
            max_workers_per_node=self.pool.workers,
            cores_per_worker=0.001,
            heartbeat_period=HEARTBEAT_S,
            heartbeat_threshold=SILENCE_S,
            block_error_handler=False,
            encrypted=True,
        )
        if self.profile.scheduler != "local":
            executor.address = None  # listens on all; given above, for the engine would ask the internet for its own
        executor.run_dir = str(self.folder)
        executor.run_id = self.folder.name
        (self.folder / executor.label).mkdir(parents=True, exist_ok=True)
        try:
            executor.start()
        except Exception as error:  # whatever the engine raises, the run must hear why there is no cluster
            raise BackendError(f"the cluster engine does not start: {type(error).__name__}: {error}") from error
        return executor.worker_port, executor.cert_dir

    def submit(self, buffer: bytes, done: Callable[[Future[Any]], None]) -> None:
        """Send a call to whichever worker is free first."""
        context = {"task_executor": {"f": "etude.pilots.pilot_worker.execute", "a": (str(self.spec),)}}
        self._executor.submit_payload(context, buffer).add_done_callback(done)

    def ask_for(self, count: int) -> None:
        """Submit further jobs. One that the scheduler refuses has ended before it began."""
        taken = self._executor.scale_out_facade(count)
        self._asked |= {block: time.monotonic() for block in taken}
        jobs = self._executor.blocks_to_job_id
        for block, status in self._executor.status_facade.items():
            if block not in jobs and block not in self._ended:
                self._ended[block] = BlockState(job="", state="ended", detail=_detail(status))

    def blocks(self) -> dict[str, BlockState]:
        """What the scheduler says of all jobs that were ever asked for.

        Raises:
            BackendError: It cannot be asked.
        """
        jobs = {block: str(job) for block, job in self._executor.blocks_to_job_id.items() if block not in self._ended}
        try:
            told = self._tick(jobs) if self.scheduler else self._provider_says(jobs)
        except SchedulerAway as error:
            raise BackendError(str(error)) from error
        self._ended |= {block: state for block, state in told.items() if state.state == "ended"}
        return {**told, **self._ended}

    def _tick(self, jobs: Mapping[str, str]) -> dict[str, BlockState]:
        """Ask the scheduler itself.

        The engine's provider takes a job that `sacct` does not know yet, or that `squeue` knows no longer, for ended or
        for running ever after.
        """
        assert self.scheduler is not None
        states = self.scheduler.look(list(jobs.values())) if jobs else {}
        found = {}
        for block, job in jobs.items():
            state = states.get(job)
            if state is None:
                known = time.monotonic() - self._asked.get(block, 0.0) < UNKNOWN_S
                found[block] = BlockState(
                    job=job, state="pending" if known else "ended", detail="its queue knows it no longer"
                )
            else:
                told = self._last_words(block) if state.phase is Phase.ENDED else ""
                detail = "; ".join(part for part in (told, state.word, state.reason) if part)
                found[block] = BlockState(job=job, state=_STATES[state.phase], detail=detail)
        return found

    def _provider_says(self, jobs: Mapping[str, str]) -> dict[str, BlockState]:
        try:
            told = self._executor.status()
        except Exception as error:  # a scheduler that does not answer now may answer later
            raise BackendError(f"{self.profile.scheduler} cannot be asked: {error}") from error
        return {
            block: BlockState(job=job, state=_state(told[block]), detail=_detail(told[block]))
            for block, job in jobs.items()
            if block in told
        }

    def _last_words(self, block: str, most: int = 500) -> str:
        """What a job's shell wrote last. Other pools number their jobs in the same way, and write beside them."""
        for path in (self.folder / "jobs").glob(f"*.{glob.escape(self.pool.name)}.block-{block}.*.stderr"):
            with contextlib.suppress(OSError):
                return path.read_text(errors="replace").strip()[-most:]
        return ""

    def machines(self) -> list[PilotMachine]:
        """The machines that are connected.

        Raises:
            BackendError: The interchange is gone. The engine itself would wait for its answer for ever.
        """
        return [
            PilotMachine(
                block=found["block_id"],
                workers=found["worker_count"],
                tasks=found["tasks"],
                idle_s=found["idle_duration"],
                taking=bool(found["active"]) and not found["draining"],
            )
            for found in self._command("MANAGERS")
        ]

    def hold(self, blocks: list[str]) -> None:
        """Send these jobs no further node. BackendError where the interchange is gone."""
        for machine in self._command("MANAGERS"):
            if machine["block_id"] in blocks:
                self._command(["HOLD_MANAGER", machine["manager"]])

    def _command(self, words: str | list[str]) -> Any:
        from parsl.executors.high_throughput.errors import CommandClientBadError, CommandClientTimeoutError

        if self._executor.interchange_proc.poll() is not None:
            raise BackendError(f"its interchange ended with exit code {self._executor.interchange_proc.returncode}")
        try:
            return self._executor.command_client.run(words, timeout_s=ANSWER_S)
        except (CommandClientBadError, CommandClientTimeoutError) as error:
            raise BackendError(f"its interchange does not answer: {type(error).__name__}") from error

    def give_back(self, blocks: list[str]) -> None:
        """Have the scheduler end jobs."""
        jobs = self._executor.blocks_to_job_id
        ids = {block: jobs[block] for block in blocks if block in jobs}
        if ids:
            self._executor.provider.cancel(list(ids.values()))
            for block, job in ids.items():
                self._ended[block] = BlockState(job=str(job), state="ended", detail="given back")

    def close(self, left: Collection[str] = ()) -> None:
        """End the interchange and all jobs, but for those that are ending by themselves."""
        if self._executor is None:
            return
        with contextlib.suppress(Exception):  # it is the end: a scheduler that is away must not hold it up
            alive = [block for block, state in self.blocks().items() if state.state != "ended"]
            self.give_back([block for block in alive if block not in left])
        with contextlib.suppress(Exception):
            self._executor.shutdown()


_STATES = {Phase.QUEUED: "pending", Phase.RUNNING: "running", Phase.ENDED: "ended"}
_PENDING = ("PENDING", "HELD", "UNKNOWN")


def _state(status: Any) -> str:
    if status.terminal:
        return "ended"
    return "pending" if status.status_name in _PENDING else "running"


def _detail(status: Any) -> str:
    """What is known of a job's end: what its shell wrote last, else what the scheduler says."""
    told = (status.stderr_summary or "").strip()
    message = "" if status.status_name == "MISSING" else f"{status.status_name}; {status.message or ''}".strip("; ")
    code = f"exit code {status.exit_code}" if status.exit_code else ""
    return "; ".join(part for part in (told, message, code) if part) or "its shell wrote nothing"


def pilot_command(profile: Profile, spec: Path, block: str) -> str:
    """What a job runs on each of its machines."""
    return f"{profile.python or sys.executable} -P -m etude.pilots.pilot {spec} --block {block}"


def own_addresses(profile: Profile) -> tuple[str, ...]:
    """The addresses under which the cluster's machines may reach this one. Asks nobody outside."""
    import psutil

    if profile.address:
        return (profile.address,)
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    return tuple(dict.fromkeys(found)) or ("127.0.0.1",)
