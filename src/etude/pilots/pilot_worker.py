"""A worker's place on a cluster machine: runs one node at a time in a supervised process, and minds the job's end.

Runs inside the engine's worker process, which is thereby a supervisor alone: a step that dies, hangs or overruns takes
down its own process and no more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from etude.environment import variables_copy
from etude.execute.devices import visible_gpus
from etude.execute.messages import STOP, Hello, StepProgress
from etude.execute.process_group import ProcessGroup, cpus_of_rank, start_process_group
from etude.execute.task import Outcome, Status, Task
from etude.execute.worker_process import WorkerProcess, end_worker, loss_of, start_worker, worker_environment
from etude.graph.pipeline import Needs
from etude.pilots.attempt import Attempt, Cut
from etude.pilots.mailbox import Orders, tell_news
from etude.pilots.pilot_spec import PilotSpec, read_snapshot, read_spec
from etude.store.lease import Holder
from etude.store.store import Store

LOOK_S = 0.5
"""How often a pilot worker looks at its orders and the clock while a step runs."""
PROGRESS_S = 2.0
"""How often it passes a step's progress on."""
BUSY = "ETUDE_BUSY"
"""Variable that names the folder in which the pilot workers of a machine show that they are busy."""
TMP = "ETUDE_TMPDIR"
"""Variable that keeps the job's folder for temporary files where the engine was given another."""
TERM = "term"
"""File in that folder: the scheduler wants the machine back."""


def execute(buffer: bytes, spec: str) -> Attempt:
    """Compute the call that the engine has brought. This is what the engine's workers call."""
    ticket, call = pickle.loads(buffer)  # noqa: S301
    return _worker_of(spec).compute(call, ticket)


_workers_by_spec: dict[str, PilotWorker] = {}


def _worker_of(path: str) -> PilotWorker:
    if path not in _workers_by_spec:
        _workers_by_spec[path] = PilotWorker.of(read_spec(Path(path)), variables_copy())
    return _workers_by_spec[path]


def running_lease(fingerprint: str) -> str:
    """The name of the lease that a worker holds while it computes a node: its driver may die before it."""
    return hashlib.blake2b(b"running:" + fingerprint.encode(), digest_size=len(fingerprint) // 2).hexdigest()


def share(granted: tuple[str, ...], rank: int, gpus: int) -> tuple[str, ...] | None:
    """The GPUs of one worker among those that the scheduler granted to the job; None where they do not suffice."""
    mine = granted[rank * gpus : (rank + 1) * gpus]
    return mine if len(mine) == gpus else None


@dataclass(slots=True, kw_only=True)
class PilotWorker:
    """One worker of one job."""

    spec: PilotSpec
    environment: Mapping[str, str]
    rank: int = 0
    """Which of its machine's workers it is."""
    block: str = ""
    block_end_s: float = float("inf")
    """When its job ends, in seconds since the epoch."""
    clock: Callable[[], float] = time.time
    busy: Path | None = None
    _orders: Orders | None = None
    _progress_s: float = 0.0
    _worker: WorkerProcess | ProcessGroup | None = None
    _sources: Mapping[str, bytes] = field(default_factory=dict)
    _store: Store | None = None

    @staticmethod
    def of(spec: PilotSpec, environment: Mapping[str, str]) -> PilotWorker:
        """The pilot worker that this process is."""
        end = environment.get("ETUDE_BLOCK_END")
        busy = environment.get(BUSY)
        own = {"TMPDIR": environment[TMP]} if TMP in environment else {}
        return PilotWorker(
            spec=spec,
            environment={**environment, **own, **spec.environment},
            rank=int(environment.get("PARSL_WORKER_RANK", "0")),
            block=environment.get("PARSL_WORKER_BLOCK_ID", ""),
            block_end_s=float(end) if end else float("inf"),
            busy=Path(busy) if busy else None,
        )

    def compute(self, call: Task, ticket: str) -> Attempt:
        """One attempt at a node, which the driver's orders name by its ticket."""
        began = self.clock()
        attempt = partial_attempt(self, Outcome(status=Status.LOST, error=""))
        left = self.block_end_s - self.spec.grace_s - began
        if left <= 0 or (call.needs.walltime_s is not None and left < call.needs.walltime_s):
            error = f"its job had {max(0.0, left):.0f} s left, less than it may need"
            return replace(attempt, outcome=Outcome(status=Status.LOST, error=error), cut=Cut.NO_TIME)
        devices = share(visible_gpus(self.environment), self.rank, self.spec.gpus)
        if devices is None:
            granted = ",".join(visible_gpus(self.environment)) or "none"
            error = f"worker {self.rank} needs {self.spec.gpus} GPU(s) and its job was granted {granted}"
            return replace(attempt, outcome=Outcome(status=Status.LOST, error=error))
        store = self._opened()
        lease = store.lease(running_lease(call.fingerprint))
        if isinstance(lease, Holder):
            return replace(attempt, outcome=Outcome(status=Status.LOST, error=str(lease)), cut=Cut.ELSEWHERE)
        with lease, self._showing_busy():
            self._news(ticket, began=began, devices=devices, block_end=self.block_end_s)
            outcome, cut = self._attend(call, ticket, devices, began)
        whole = self.block_end_s - self.spec.walltime_s + 0.1 * self.spec.walltime_s >= began
        return replace(attempt, outcome=outcome, cut=cut, devices=devices, whole_block=whole)

    def _attend(self, call: Task, ticket: str, devices: tuple[str, ...], began: float) -> tuple[Outcome, Cut | None]:
        worker = self._worker or self._start(devices)
        self._worker = worker
        watch = _Watch(pilot_worker=self, call=call, ticket=ticket, began=began)
        try:
            worker.send(call)
            while True:
                message = worker.receive(LOOK_S)
                if isinstance(message, Outcome):
                    if watch.asked or isinstance(
                        worker, ProcessGroup
                    ):  # it would stop the next step too, or hold its port
                        self._let_go()
                    return message, watch.cut_of(message)
                if isinstance(message, StepProgress):
                    self._pass_on_progress(ticket, message)
                watch.look(worker)
        except (EOFError, OSError):
            self._worker = None
            outcome = worker.lost() if isinstance(worker, ProcessGroup) else loss_of(worker)
            return outcome, watch.cut_of(outcome)

    def _let_go(self) -> None:
        worker, self._worker = self._worker, None
        if isinstance(worker, ProcessGroup):
            worker.end()
        elif worker is not None:
            end_worker(worker)

    def _start(self, devices: tuple[str, ...]) -> WorkerProcess | ProcessGroup:
        if not self._sources:
            self._sources = read_snapshot(Path(self.spec.snapshot))
        names = tuple(f"cuda:{index}" for index in range(len(devices)))
        spec = self.spec
        cpus = cpus_of_rank(Needs(cpus=spec.cpus, processes=spec.processes, nodes=spec.nodes))
        hello = Hello(
            store=spec.store,
            logs=spec.logs,
            import_path=spec.import_path,
            sources=self._sources,
            devices=names,
            cpus=cpus,
            meter=spec.meter,
            gpus=devices,
            digests=spec.digests,
        )
        environment = worker_environment(self.environment, devices, cpus)
        if spec.processes > 1:
            return start_process_group(
                replace(hello, heeds_term=True), environment, spec.processes, spec.nodes, spec.launch
            )
        return start_worker(replace(hello, heeds_term=True), environment)

    def look(self) -> Orders:
        """The driver's orders as they stand."""
        if self._orders is None:
            self._orders = Orders(folder=Path(self.spec.mailbox))
        self._orders.look()
        return self._orders

    @property
    def wanted_back(self) -> bool:
        """Whether the scheduler has asked for the machine."""
        return self.busy is not None and (self.busy / TERM).exists()

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store.open(Path(self.spec.store), create=False)
        return self._store

    @contextlib.contextmanager
    def _showing_busy(self) -> Iterator[None]:
        """Keep the job from being given up while a node is computed."""
        mark = self.busy / f"busy-{os.getpid()}" if self.busy else None
        try:
            if mark:
                mark.touch()
            yield
        finally:
            if mark:
                mark.unlink(missing_ok=True)

    def _pass_on_progress(self, ticket: str, told: StepProgress) -> None:
        now = self.clock()
        if now - self._progress_s < PROGRESS_S and told.done != told.total and told.value is None:
            return
        self._progress_s = now
        self._news(ticket, done=told.done, total=told.total, message=told.message, value=told.value)

    def _news(self, ticket: str, **what: object) -> None:
        tell_news(Path(self.spec.mailbox), ticket=ticket, block=self.block, **what)


def partial_attempt(pilot_worker: PilotWorker, outcome: Outcome) -> Attempt:
    """An attempt of this pilot worker, before anything is known of it but where it is made."""
    return Attempt(outcome=outcome, host=socket.gethostname(), block=pilot_worker.block)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """Minds the clock and the orders while one step runs."""

    pilot_worker: PilotWorker
    call: Task
    ticket: str
    began: float
    asked: bool = False
    cut: Cut | None = None

    def look(self, worker: WorkerProcess | ProcessGroup) -> None:
        now, pilot_worker = self.pilot_worker.clock(), self.pilot_worker
        orders = pilot_worker.look()
        if (reason := orders.cancels(self.ticket)) is not None:
            worker.kill(reason)
        walltime_s = self.call.needs.walltime_s
        if walltime_s is not None and now - self.began > walltime_s:
            worker.kill(f"it ran longer than its walltime of {walltime_s:g} s")
        if now > pilot_worker.block_end_s - min(5.0, pilot_worker.spec.grace_s / 4):
            self.cut = Cut.BLOCK_END
            worker.kill("the time of its job was up, and it had not stopped when it was warned")
        if not self.asked:
            if now > pilot_worker.block_end_s - pilot_worker.spec.grace_s or pilot_worker.wanted_back:
                self.cut = Cut.BLOCK_END
                self._ask(worker)
            elif orders.stops(self.ticket):
                self._ask(worker)

    def _ask(self, worker: WorkerProcess | ProcessGroup) -> None:
        self.asked = True
        worker.send(STOP)

    def cut_of(self, outcome: Outcome) -> Cut | None:
        """Whether the end of the job is why the step ended so.

        A step that stopped without having been asked has heard the scheduler's own signal before this pilot worker did.
        """
        if outcome.status is Status.STOPPED and not self.asked:
            return Cut.BLOCK_END
        return self.cut if outcome.status in (Status.STOPPED, Status.LOST) else None
