"""The backend that runs nodes in warm worker processes of this machine, each watched and killed on its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from etude.execute.backend import Progress, TellProgress
from etude.execute.devices import Machine
from etude.execute.error_text import result_or_error
from etude.execute.messages import STOP, Hello, StepProgress, StopNode
from etude.execute.node_metering import MeterSettings
from etude.execute.process_group import ProcessGroup, cpus_of_rank, start_process_group
from etude.execute.task import Outcome, Status, Task
from etude.execute.worker_process import WorkerProcess, end_worker, loss_of, start_worker, worker_environment
from etude.graph.pipeline import Needs


@dataclass(slots=True, kw_only=True, eq=False)
class ProcessBackend:
    """A pool of supervised processes. A worker that dies takes down its own node and no other."""

    machine: Machine
    store: Path
    logs: Path
    import_path: tuple[str, ...] = ()
    sources: Mapping[str, bytes] = field(default_factory=dict)
    tell: TellProgress = field(default=lambda _progress: None)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment of the workers, besides what étude sets."""
    meter: MeterSettings = field(default_factory=MeterSettings)
    digests: Path | None = None
    """File that remembers the digests of input files."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _idle: list[WorkerProcess] = field(default_factory=list)
    _busy: dict[str, WorkerProcess | ProcessGroup | None] = field(default_factory=dict)
    """Fingerprint → its worker; None while that is being started."""
    _used: dict[str, tuple[Needs, tuple[str, ...]]] = field(default_factory=dict)
    _early: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Fingerprint → how a node was cancelled before its worker had it."""
    _sent: set[str] = field(default_factory=set)
    """Fingerprints of the nodes that their workers have."""
    _stopping: bool = False
    _closed: bool = False

    def admits(self, needs: Needs) -> bool:
        with self._lock:
            return self._fits(needs)

    def _fits(self, needs: Needs) -> bool:
        held = [used for used, _ in self._used.values()]
        if len(held) >= self.machine.workers:
            return False
        if not held:
            return True
        return (
            sum(used.cpus for used in held) + needs.cpus <= max(self.machine.cpus, self.machine.workers)
            and sum(used.gpus for used in held) + needs.gpus <= len(self.machine.devices)
            and sum(used.memory_bytes or 0 for used in held) + (needs.memory_bytes or 0) <= self.machine.memory_bytes
        )

    def refuses(self, needs: Needs) -> str | None:
        if needs.gpus > len(self.machine.devices):
            return f"it needs {needs.gpus} GPU(s) and {len(self.machine.devices)} can be seen here"
        if needs.memory_bytes and needs.memory_bytes > self.machine.memory_bytes:
            return f"it needs {needs.memory_bytes / 1e9:.1f} GB and there are {self.machine.memory_bytes / 1e9:.1f} GB"
        if needs.nodes > 1:
            return f"it needs {needs.nodes} machines and this backend has one"
        return None

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        with self._lock:
            taken = {device for _, devices in self._used.values() for device in devices}
            free = [device for device in self.machine.devices if device not in taken]
            devices = tuple(free[: task.needs.gpus])
            self._used[task.fingerprint] = (task.needs, devices)
            worker = self._idle_worker(devices, task.needs.cpus) if task.needs.processes == 1 else None
            self._busy[task.fingerprint] = worker
        self.tell(Progress(task.fingerprint, 0.0, None, "", starts=True))
        threading.Thread(target=self._supervise, args=(task, worker, devices, future), daemon=True).start()
        return future

    def _idle_worker(self, devices: tuple[str, ...], cpus: int) -> WorkerProcess | None:
        """A warm worker that sees just these devices and uses so many cores.

        Others are let go so that no more than `workers` live.
        """
        for worker in self._idle:
            if (worker.devices, worker.cpus) == (devices, cpus):
                self._idle.remove(worker)
                return worker
        while self._idle and len(self._idle) + len(self._used) > self.machine.workers:
            end_worker(self._idle.pop(0))
        return None

    def _supervise(
        self, task: Task, worker: WorkerProcess | None, devices: tuple[str, ...], future: Future[Outcome]
    ) -> None:
        attend = self._attend_group if task.needs.processes > 1 else self._attend
        end = result_or_error(partial(attend, task, worker, devices))  # whatever goes wrong, the runner must hear of it
        if isinstance(end, Exception):
            error = f"its worker could not be used: {type(end).__name__}: {end}"
            end = Outcome(status=Status.LOST, error=error), None
        outcome, worker = end
        with self._lock:
            self._busy.pop(task.fingerprint, None)
            self._used.pop(task.fingerprint, None)
            self._sent.discard(task.fingerprint)
            self._early.pop(task.fingerprint, None)
            if worker is not None:
                if self._closed:
                    end_worker(worker)
                else:
                    self._idle.append(worker)
        future.set_result(outcome)

    def _attend(
        self, task: Task, worker: WorkerProcess | None, devices: tuple[str, ...]
    ) -> tuple[Outcome, WorkerProcess | None]:
        worker = worker or self._start(devices, task.needs.cpus)
        with self._lock:
            self._busy[task.fingerprint] = worker
            stopping, closed = self._stopping, self._closed
        if closed:
            end_worker(worker)
        try:
            if stopping:
                worker.send(STOP)  # first: a short node would be done before it heard
            self._hand_over(task, worker)
            while True:
                message = worker.receive()
                if isinstance(message, Outcome):
                    return message, worker
                if isinstance(message, StepProgress):
                    told = (message.done, message.total, message.message, message.value)
                    self.tell(Progress(task.fingerprint, *told))
        except (EOFError, OSError):
            return loss_of(worker), None

    def _hand_over(self, task: Task, worker: WorkerProcess | ProcessGroup) -> None:
        """Send a worker its node, and what was said of the node meanwhile."""
        worker.send(task)
        with self._lock:
            self._sent.add(task.fingerprint)
            early = self._early.pop(task.fingerprint, None)
        if early is not None:
            self.cancel(task.fingerprint, early[0], now=early[1])

    def _attend_group(
        self, task: Task, _worker: WorkerProcess | None, devices: tuple[str, ...]
    ) -> tuple[Outcome, WorkerProcess | None]:
        """Run a node that is started as several processes; they end with it."""
        cpus = cpus_of_rank(task.needs)
        environment = worker_environment(self.environment, devices, cpus)
        group = start_process_group(self._hello(devices, cpus), environment, task.needs.processes, 1, "")
        with self._lock:
            self._busy[task.fingerprint] = group
            stopping, closed = self._stopping, self._closed
        if closed:
            group.kill("the run was stopped")
        try:
            if stopping:
                group.send(STOP)  # first: a short node would be done before it heard
            self._hand_over(task, group)
            while True:
                message = group.receive(1.0)
                if isinstance(message, Outcome):
                    group.end()
                    return message, None
                if isinstance(message, StepProgress):
                    self.tell(Progress(task.fingerprint, message.done, message.total, message.message, message.value))
        except (EOFError, OSError):
            return group.lost(), None

    def _start(self, devices: tuple[str, ...], cpus: int) -> WorkerProcess:
        return start_worker(self._hello(devices, cpus), worker_environment(self.environment, devices, cpus))

    def _hello(self, devices: tuple[str, ...], cpus: int) -> Hello:
        names = tuple(f"cuda:{index}" for index in range(len(devices)))
        return Hello(
            store=str(self.store),
            logs=str(self.logs),
            import_path=self.import_path,
            sources=self.sources,
            devices=names,
            cpus=cpus,
            meter=self.meter,
            gpus=devices,
            digests=str(self.digests) if self.digests else None,
        )

    def interrupt(self) -> None:
        with self._lock:
            self._stopping = True
            for worker in self._busy.values():
                if worker is not None:
                    with contextlib.suppress(OSError):
                        worker.send(STOP)

    def cancel(self, fingerprint: str, reason: str, *, now: bool = True) -> None:
        with self._lock:
            worker = self._busy.get(fingerprint)
            if fingerprint in self._busy and fingerprint not in self._sent:
                self._early[fingerprint] = (reason, now)
                return
        if worker is not None and now:
            worker.kill(reason)
        elif worker is not None:
            with contextlib.suppress(OSError):
                worker.send(StopNode(fingerprint=fingerprint))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            busy = [worker for worker in self._busy.values() if worker is not None]
            idle, self._idle = self._idle, []
        for worker in busy:
            worker.kill("the run was stopped")
        for worker in idle:
            end_worker(worker)
