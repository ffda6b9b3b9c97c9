"""A worker process as its supervisor sees it: started, spoken to over a socket, and ended with all it has started."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from etude.execute.messages import Hello
from etude.execute.orphans import WORKER, kill_by_mark
from etude.execute.task import Outcome, Status
from etude.execute.threads import thread_variables


@dataclass(slots=True, kw_only=True, eq=False)
class WorkerProcess:
    """One worker process."""

    process: subprocess.Popen[bytes]
    connection: Connection
    devices: tuple[str, ...]
    cpus: int
    token: str
    """What it and all that it starts have in the variable `WORKER`."""
    lost_because: str = ""
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: object) -> None:
        """Tell it something; from any thread. OSError where it is gone."""
        with self.sending:
            self.connection.send(message)

    def receive(self, timeout_s: float | None = None) -> object:
        """The next message; None where there is none in time. EOFError where the process is gone.

        Its own children may hold the socket open for longer than it lives.
        """
        while not self.connection.poll(1.0 if timeout_s is None else timeout_s):
            if self.process.poll() is not None and not self.connection.poll(0):
                raise EOFError
            if timeout_s is not None:
                return None
        return self.connection.recv()

    def kill(self, because: str) -> None:
        """End it now; its outcome will give this reason."""
        self.lost_because = because
        kill_group(self.process)


def start_worker(hello: Hello, environment: Mapping[str, str]) -> WorkerProcess:
    """A worker process that was told what it serves."""
    ours, theirs = socket.socketpair()
    token = secrets.token_hex(8)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "etude.execute.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**environment, WORKER: token},
            start_new_session=True,
        )
    connection = Connection(ours.detach())
    with contextlib.suppress(OSError):
        connection.send(hello)
    return WorkerProcess(process=process, connection=connection, devices=hello.gpus, cpus=hello.cpus, token=token)


def end_worker(worker: WorkerProcess) -> int:
    """Let a worker go and tell its exit code. One that still lives ends itself when its connection closes.

    What it has started ends with it, even if the worker was killed and could not see to that.
    """
    with contextlib.suppress(OSError):
        worker.connection.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(timeout=2.0)
    kill_group(worker.process)
    code = worker.process.wait()
    kill_by_mark(WORKER, worker.token)
    return code


def loss_of(worker: WorkerProcess) -> Outcome:
    """The outcome of a node whose worker is gone."""
    code = end_worker(worker)
    if worker.lost_because:
        return Outcome(status=Status.LOST, error=worker.lost_because, again=False)
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (perhaps out of memory: see the kernel's log)" if name == "SIGKILL" else ""
        return Outcome(status=Status.LOST, error=f"its worker was killed by {name}{hint}")
    return Outcome(status=Status.LOST, error=f"the step ended its process with exit code {code}", again=False)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all of its session that are left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def worker_environment(given: Mapping[str, str], devices: tuple[str, ...], cpus: int) -> dict[str, str]:
    """The environment of a worker that sees just these devices and uses so many cores, or fewer where that says so."""
    return {
        **given,
        **thread_variables(cpus, given),
        "CUDA_VISIBLE_DEVICES": ",".join(devices),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
