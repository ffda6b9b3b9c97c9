"""A worker's place on a cluster machine: runs one node at a time in a supervised process, and minds the job's end.

Runs inside the engine's worker process, which is thereby a supervisor alone: a step that dies, hangs or overruns takes
down its own process and no more.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from etude.environment import variables_copy
from etude.execute.devices import visible_gpus
from etude.execute.messages import STOP, WITHDRAW, Hello, StepProgress, Withdrawn
from etude.execute.process_group import ProcessGroup, cpus_of_rank, start_process_group
from etude.execute.task import Outcome, Status, Task
from etude.execute.worker_process import WorkerProcess, end_worker, loss_of, start_worker, worker_environment
from etude.graph.pipeline import Needs
from etude.pilots.attempt import Attempt, Cut
from etude.pilots.mailbox import Orders, tell_news
from etude.pilots.pilot_spec import PilotSpec, read_snapshot, read_spec
from etude.store.lease import Holder, Lease
from etude.store.store import Store

LOOK_S = 0.5
"""How often a pilot worker looks at its orders and the clock while a step runs."""
PROGRESS_S = 2.0
"""How often it passes a step's progress on."""
PATIENCE_S = 2.0
"""How long nodes that came together may take: several times what they are expected to."""
START_S = 30.0
"""How long a process may take to start and to compute the first of the nodes that came together."""
BUSY = "ETUDE_BUSY"
"""Variable that names the folder in which the pilot workers of a machine show that they are busy."""
TMP = "ETUDE_TMPDIR"
"""Variable that keeps the job's folder for temporary files where the engine was given another."""
TERM = "term"
"""File in that folder: the scheduler wants the machine back."""


def execute(buffer: bytes, spec: str) -> dict[str, Attempt]:
    """Compute the nodes of one message, by the tickets of their attempts. This is what the engine's workers call."""
    calls: list[tuple[str, Task]] = pickle.loads(buffer)  # noqa: S301
    return _worker_of(spec).compute_all(calls)


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
    _turns: deque[_Turn] = field(default_factory=deque)
    """The nodes at hand that have no outcome yet; the first of them runs."""
    _attempts: dict[str, Attempt] = field(default_factory=dict)
    """What became of those before."""
    is_shared: bool = False
    """Whether the node at hand came with others."""
    _patient_until_s: float = 0.0
    """Until when these may wait for it."""

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
        return self.compute_all([(ticket, call)])[ticket]

    def compute_all(self, calls: Sequence[tuple[str, Task]]) -> dict[str, Attempt]:
        """One attempt at each of some nodes, one after the other, by their tickets.

        Small nodes come together. Should one of them not be small, the driver is told of those before it, and is given
        back those behind it, while that one runs.
        """
        self._attempts = {}
        self.is_shared = len(calls) > 1
        devices = share(visible_gpus(self.environment), self.rank, self.spec.gpus)
        turns = []
        try:
            for ticket, call in calls:
                turn = self._turn(call, ticket, devices)
                if isinstance(turn, Attempt):
                    self._attempts[ticket] = turn
                else:
                    turns.append(turn)
            if turns and devices is not None:
                self._turns = deque(turns)
                with self._showing_busy():
                    self._attend(devices)
        finally:
            for turn in turns:
                turn.release_lease()
        return self._attempts

    def _turn(self, call: Task, ticket: str, devices: tuple[str, ...] | None) -> _Turn | Attempt:
        """What is to be computed, or why it is not computed here."""
        began = self.clock()
        attempt = self.attempt(Outcome(status=Status.LOST, error=""))
        left = self.block_end_s - self.spec.grace_s - began
        if left <= 0 or (call.needs.walltime_s is not None and left < call.needs.walltime_s):
            error = f"its job had {max(0.0, left):.0f} s left, less than it may need"
            return replace(attempt, outcome=Outcome(status=Status.LOST, error=error), cut=Cut.NO_TIME)
        if devices is None:
            granted = ",".join(visible_gpus(self.environment)) or "none"
            error = f"worker {self.rank} needs {self.spec.gpus} GPU(s) and its job was granted {granted}"
            return replace(attempt, outcome=Outcome(status=Status.LOST, error=error))
        turn = _Turn(pilot_worker=self, call=call, ticket=ticket, devices=devices, began=began)
        if not self.is_shared and (holder := turn.take_lease()) is not None:
            return replace(attempt, outcome=Outcome(status=Status.LOST, error=str(holder)), cut=Cut.ELSEWHERE)
        return turn

    def _attend(self, devices: tuple[str, ...]) -> None:
        """Have the worker process compute what is at hand, in turn."""
        patience_s = PATIENCE_S if self._worker else START_S
        worker = self._worker = self._worker or self._start(devices)
        self._patient_until_s = self.clock() + patience_s
        turn, stopped = self._turns[0], False
        if not self.is_shared:
            turn.say_begun()
        try:
            for each in self._turns:
                worker.send(each.call)
            while self._turns:
                message = worker.receive(LOOK_S)
                if isinstance(message, Outcome):
                    self._end(turn, message)
                    stopped = stopped or turn.asked
                    if self._turns:
                        turn = self._turns[0]
                        turn.began = self.clock()
                        self._patient_until_s = min(self._patient_until_s, turn.began + PATIENCE_S)  # it has started
                        if self.is_late or self.wanted_back:
                            turn.withdraw_others(worker)
                elif isinstance(message, Withdrawn):
                    self._give_back(message.fingerprints)
                else:
                    if isinstance(message, StepProgress):
                        self._pass_on_progress(turn.ticket, message)
                    turn.look(worker)
            if stopped or isinstance(worker, ProcessGroup):  # it would stop the next step too, or hold its port
                self._let_go()
        except (EOFError, OSError):
            self._worker = None
            outcome = worker.lost() if isinstance(worker, ProcessGroup) else loss_of(worker)
            self._end(turn, outcome)
            self._give_back([each.call.fingerprint for each in self._turns])

    def _end(self, turn: _Turn, outcome: Outcome) -> None:
        """Take how the node in turn ended."""
        self._turns.popleft()
        turn.release_lease()
        whole = self.block_end_s - self.spec.walltime_s + 0.1 * self.spec.walltime_s >= turn.began
        attempt = self.attempt(outcome)
        self._attempts[turn.ticket] = replace(
            attempt, cut=turn.cut_of(outcome), devices=turn.devices, whole_block=whole
        )

    def _give_back(self, fingerprints: Collection[str]) -> None:
        """Tell the driver which nodes will not begin here, and what became of those before."""
        attempt = self.attempt(Outcome(status=Status.LOST, error="it was not begun"))
        for turn in [turn for turn in self._turns if turn.call.fingerprint in fingerprints]:
            self._turns.remove(turn)
            turn.release_lease()
            self._attempts[turn.ticket] = replace(attempt, cut=Cut.NOT_BEGUN)
        for ticket, made in self._attempts.items() if self._turns else ():
            self.tell(ticket, attempt=base64.b64encode(pickle.dumps(made)).decode())

    def attempt(self, outcome: Outcome) -> Attempt:
        """An attempt made here."""
        return Attempt(outcome=outcome, host=socket.gethostname(), block=self.block)

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
    def is_late(self) -> bool:
        """Whether nodes that came together should not wait for one another any longer."""
        return self.is_shared and self.clock() > self._patient_until_s

    @property
    def wanted_back(self) -> bool:
        """Whether the scheduler has asked for the machine."""
        return self.busy is not None and (self.busy / TERM).exists()

    @property
    def store(self) -> Store:
        """The run's store."""
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
        self.tell(ticket, done=told.done, total=told.total, message=told.message, value=told.value)

    def tell(self, ticket: str, **what: object) -> None:
        """Tell the driver something of an attempt."""
        tell_news(Path(self.spec.mailbox), ticket=ticket, block=self.block, **what)


@dataclass(slots=True, kw_only=True, eq=False)
class _Turn:
    """One node at hand: its clock and its orders are minded while its step runs."""

    pilot_worker: PilotWorker
    call: Task
    ticket: str
    devices: tuple[str, ...]
    began: float
    lease: Lease | None = None
    """Shows others that it runs. A node that is expected to be small has one once it shows that it is not."""
    told: bool = False
    """Whether the driver was told that it runs."""
    asked: bool = False
    """Whether it was asked to stop."""
    cut: Cut | None = None
    withdrawn: bool = False
    """Whether those behind it are taken back from its process."""

    def say_begun(self) -> None:
        """Tell the driver, once, that the step runs."""
        if not self.told:
            self.told = True
            end_s = self.pilot_worker.block_end_s
            self.pilot_worker.tell(self.ticket, began=self.began, devices=self.devices, block_end=end_s)

    def take_lease(self) -> Holder | None:
        """Show others that the step runs; whoever runs it already, where somebody does."""
        lease = self.pilot_worker.store.lease(running_lease(self.call.fingerprint))
        if isinstance(lease, Holder):
            return lease
        self.lease = lease
        return None

    def release_lease(self) -> None:
        """Harmless where there is none, or it was released before."""
        if self.lease is not None:
            self.lease.release()

    def withdraw_others(self, worker: WorkerProcess | ProcessGroup) -> None:
        """Have the process begin nothing after this one."""
        if not self.withdrawn:
            self.withdrawn = True
            worker.send(WITHDRAW)

    def look(self, worker: WorkerProcess | ProcessGroup) -> None:
        """See whether it must end, or may go on."""
        self.say_begun()
        if self.lease is None:
            self.take_lease()
        if self.pilot_worker.is_late:
            self.withdraw_others(worker)
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
        if self.pilot_worker.is_shared:
            self.withdraw_others(worker)
        worker.send(STOP)

    def cut_of(self, outcome: Outcome) -> Cut | None:
        """Whether the end of the job is why the step ended so.

        A step that stopped without having been asked has heard the scheduler's own signal before this pilot worker did.
        """
        if outcome.status is Status.STOPPED and not self.asked:
            return Cut.BLOCK_END
        return self.cut if outcome.status in (Status.STOPPED, Status.LOST) else None
