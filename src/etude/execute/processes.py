"""The backend that runs nodes in warm worker processes of this machine, each watched and killed on its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from etude.execute.backend import Progress, TellProgress
from etude.execute.call import NodeCall, Outcome, Status
from etude.execute.cost import MeterSettings
from etude.execute.messages import STOP, Hello, Told
from etude.graph.pipeline import Needs

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to share out."""

    workers: int
    cpus: int
    memory_bytes: int
    devices: tuple[str, ...] = ()
    """Identifiers of the GPUs, as CUDA_VISIBLE_DEVICES takes them."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    devices: tuple[str, ...]
    lost_because: str = ""
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: object) -> None:
        with self.sending:
            self.connection.send(message)

    def receive(self) -> object:
        """The next message. EOFError where the process is gone, even if its own children still hold the socket."""
        while not self.connection.poll(1.0):
            if self.process.poll() is not None and not self.connection.poll(0):
                raise EOFError
        return self.connection.recv()


@dataclass(slots=True, eq=False)
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
    _idle: list[_Worker] = field(default_factory=list)
    _busy: dict[str, _Worker | None] = field(default_factory=dict)
    """Fingerprint → its worker; None while that is being started."""
    _used: dict[str, tuple[Needs, tuple[str, ...]]] = field(default_factory=dict)
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

    def submit(self, call: NodeCall) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        with self._lock:
            taken = {device for _, devices in self._used.values() for device in devices}
            free = [device for device in self.machine.devices if device not in taken]
            devices = tuple(free[: call.needs.gpus])
            self._used[call.fingerprint] = (call.needs, devices)
            self._busy[call.fingerprint] = worker = self._idle_worker(devices)
        threading.Thread(target=self._supervise, args=(call, worker, devices, future), daemon=True).start()
        return future

    def _idle_worker(self, devices: tuple[str, ...]) -> _Worker | None:
        """A warm worker that sees just these devices; others are let go so that no more than `workers` live."""
        for worker in self._idle:
            if worker.devices == devices:
                self._idle.remove(worker)
                return worker
        while self._idle and len(self._idle) + len(self._used) > self.machine.workers:
            _end(self._idle.pop(0))
        return None

    def _supervise(
        self, call: NodeCall, worker: _Worker | None, devices: tuple[str, ...], future: Future[Outcome]
    ) -> None:
        try:
            outcome, worker = self._attend(call, worker, devices)
        except Exception as error:  # whatever goes wrong here, the runner must hear of it
            outcome = Outcome(
                status=Status.LOST, error=f"its worker could not be used: {type(error).__name__}: {error}"
            )
            worker = None
        with self._lock:
            self._busy.pop(call.fingerprint, None)
            self._used.pop(call.fingerprint, None)
            if worker is not None:
                if self._closed:
                    _end(worker)
                else:
                    self._idle.append(worker)
        future.set_result(outcome)

    def _attend(
        self, call: NodeCall, worker: _Worker | None, devices: tuple[str, ...]
    ) -> tuple[Outcome, _Worker | None]:
        worker = worker or self._start(devices)
        with self._lock:
            self._busy[call.fingerprint] = worker
            stopping, closed = self._stopping, self._closed
        if closed:
            _end(worker)
        try:
            worker.send(call)
            if stopping:
                worker.send(STOP)
            while True:
                message = worker.receive()
                if isinstance(message, Outcome):
                    return message, worker
                if isinstance(message, Told):
                    self.tell(Progress(call.fingerprint, message.done, message.total, message.message))
        except (EOFError, OSError):
            return self._lost(call, worker), None

    def _lost(self, call: NodeCall, worker: _Worker) -> Outcome:
        code = _end(worker)
        if worker.lost_because:
            return Outcome(status=Status.LOST, error=worker.lost_because, again=False)
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            hint = " (perhaps out of memory: see the kernel's log)" if name == "SIGKILL" else ""
            return Outcome(status=Status.LOST, error=f"its worker was killed by {name}{hint}")
        return Outcome(status=Status.LOST, error=f"the step ended its process with exit code {code}", again=False)

    def _start(self, devices: tuple[str, ...]) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "etude.execute.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=self._environment(devices),
                start_new_session=True,
            )
        connection = Connection(ours.detach())
        names = tuple(f"cuda:{index}" for index in range(len(devices)))
        hello = Hello(
            str(self.store),
            str(self.logs),
            self.import_path,
            self.sources,
            names,
            self._threads(),
            self.meter,
            devices,
            str(self.digests) if self.digests else None,
        )
        with contextlib.suppress(OSError):
            connection.send(hello)
        return _Worker(process, connection, devices)

    def _threads(self) -> int:
        return max(1, self.machine.cpus // self.machine.workers)

    def _environment(self, devices: tuple[str, ...]) -> dict[str, str]:
        threads = str(self._threads())
        given = {name: threads for name in _THREADS if name not in self.environment}
        return {
            **self.environment,
            **given,
            "CUDA_VISIBLE_DEVICES": ",".join(devices),
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
        }

    def interrupt(self) -> None:
        with self._lock:
            self._stopping = True
            for worker in self._busy.values():
                if worker is not None:
                    with contextlib.suppress(OSError):
                        worker.send(STOP)

    def cancel(self, fingerprint: str, reason: str) -> None:
        with self._lock:
            worker = self._busy.get(fingerprint)
        if worker is not None:
            worker.lost_because = reason
            _kill(worker.process)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            busy = [worker for worker in self._busy.values() if worker is not None]
            idle, self._idle = self._idle, []
        for worker in busy:
            worker.lost_because = "the run was stopped"
            _kill(worker.process)
        for worker in idle:
            _end(worker)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(worker: _Worker) -> int:
    """Let a worker go and tell its exit code. One that still lives ends itself when its connection closes.

    What it has started ends with it, even if the worker was killed and could not see to that.
    """
    with contextlib.suppress(OSError):
        worker.connection.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(timeout=2.0)
    _kill(worker.process)
    return worker.process.wait()
