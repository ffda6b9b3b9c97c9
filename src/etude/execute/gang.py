"""The processes of one node that is started as several: all are told the same, and their outcomes become one.

Each process is an ordinary worker that knows its rank. It finds its peers as under torchrun (`RANK`, `WORLD_SIZE`,
`LOCAL_RANK`, `MASTER_ADDR`, …), so torch.distributed and Lightning need no setting. Rank 0 alone stores the result.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Listener, wait
from pathlib import Path
from typing import cast

from etude.execute.call import Outcome, Status
from etude.execute.child import kill_group
from etude.execute.messages import Hello, Told

WHERE = "ETUDE_GANG"
KEY = "ETUDE_GANG_KEY"
SIZE = "ETUDE_GANG_SIZE"
RANK = "ETUDE_GANG_RANK"
LOCAL_SIZE = "ETUDE_GANG_LOCAL_SIZE"
"""Variables by which a process finds its supervisor and its place; where the rank is unset, its launcher has set it."""

LAST_S = 60.0
"""How long the other processes may go on once rank 0 is done, or one of them has stopped."""


@dataclass(slots=True, eq=False)
class Gang:
    """The processes of one node. The same to its supervisor as a single `Child`."""

    processes: list[subprocess.Popen[bytes]]
    listener: Listener
    hello: Hello
    size: int
    lost_because: str = ""
    _arrived: queue.SimpleQueue[tuple[int, Connection]] = field(default_factory=queue.SimpleQueue)
    _ranks: dict[Connection, int] = field(default_factory=dict)
    _said: list[object] = field(default_factory=list)
    _outcomes: dict[int, Outcome] = field(default_factory=dict)
    _since: float | None = None

    def send(self, message: object) -> None:
        """Tell all processes something, those that are still to come as well."""
        self._said.append(message)
        for connection in self._ranks:
            connection.send(message)

    def receive(self, timeout_s: float) -> object:
        """The next progress of rank 0, or the outcome of all; None where there is none in time.

        Raises:
            EOFError: A process is gone without an outcome.
        """
        self._welcome()
        waiting = [connection for connection, rank in self._ranks.items() if rank not in self._outcomes]
        if not waiting and len(self._ranks) < self.size:
            time.sleep(min(timeout_s, 0.05))
        for ready in wait(waiting, timeout_s) if waiting else ():
            connection = cast(Connection, ready)
            rank = self._ranks[connection]
            message = connection.recv()
            if isinstance(message, Outcome):
                self._outcomes[rank] = message
                self._since = self._since or time.monotonic()
            elif isinstance(message, Told) and rank == 0:
                return message
        if len(self._ranks) < self.size and any(process.poll() is not None for process in self.processes):
            raise EOFError
        return self._verdict()

    def _verdict(self) -> Outcome | None:
        """The outcome of all, once it is certain."""
        bad = [outcome for outcome in self._outcomes.values() if outcome.status is Status.FAILED]
        if bad:
            return bad[0]
        late = self._since is not None and time.monotonic() - self._since > LAST_S
        if len(self._outcomes) == self.size or (late and 0 in self._outcomes):
            return self._outcomes[0]
        return next(iter(self._outcomes.values())) if late else None

    def _welcome(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                rank, connection = self._arrived.get_nowait()
                self._ranks[connection] = rank
                connection.send(_hello_for(self.hello, rank))
                for message in self._said:
                    connection.send(message)

    def kill(self, because: str) -> None:
        """End all processes now; the outcome will give this reason."""
        self.lost_because = because
        for process in self.processes:
            kill_group(process)

    def lost(self) -> Outcome:
        """The outcome of a node one of whose processes is gone."""
        until = time.monotonic() + 1.0  # its connection closes a moment before it can be asked how it ended
        while not any(codes := [process.poll() for process in self.processes]) and time.monotonic() < until:
            time.sleep(0.02)
        self.end()
        if self.lost_because:
            return Outcome(status=Status.LOST, error=self.lost_because, again=False)
        dead = next((code for code in codes if code), None)
        if dead is not None and dead > 0:
            return Outcome(status=Status.LOST, error=f"one of its {self.size} processes ended with exit code {dead}")
        name = signal.Signals(-dead).name if dead else "an unknown cause"
        return Outcome(status=Status.LOST, error=f"one of its {self.size} processes was ended by {name}")

    def end(self) -> None:
        """Let all processes go, and end what is left of them."""
        for connection in self._ranks:
            with contextlib.suppress(OSError):
                connection.close()
        with contextlib.suppress(OSError):
            self.listener.close()
        until = time.monotonic() + 2.0
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, until - time.monotonic()))
            kill_group(process)
            process.wait()

    def accept(self) -> None:
        """Take in the processes as they come; runs in a thread of its own."""
        for _ in range(self.size):
            try:
                connection = self.listener.accept()
                self._arrived.put((connection.recv(), connection))
            except (OSError, EOFError):
                return


def start_gang(hello: Hello, environment: Mapping[str, str], size: int, nodes: int, launch: str) -> Gang:
    """Start the processes of a node.

    Args:
        hello: What each is told first.
        environment: Their environment.
        size: How many there are.
        nodes: Machines that they are shared out among, evenly. On one machine they are started directly.
        launch: What starts a program on all machines of a job: `srun` or `mpiexec`.
    """
    key = secrets.token_bytes(16)
    listener = Listener(("" if nodes > 1 else "127.0.0.1", 0), authkey=key, backlog=size)
    port = listener.address[1]
    here = socket.gethostname() if nodes > 1 else "127.0.0.1"
    local = size // nodes
    shared = {
        **environment,
        WHERE: f"{here}:{port}",
        KEY: key.hex(),
        SIZE: str(size),
        LOCAL_SIZE: str(local),
        "MASTER_ADDR": here,
        "MASTER_PORT": str(_free_port()),
    }
    command = [sys.executable, "-P", "-m", "etude.execute.worker", "--gang"]
    if nodes == 1:
        commands = [({**shared, RANK: str(rank)}, command) for rank in range(size)]
    else:
        commands = [(shared, [*launch_words(launch, nodes, size), *command])]
    processes = [
        subprocess.Popen(words, stdin=subprocess.DEVNULL, env=variables, start_new_session=True)
        for variables, words in commands
    ]
    gang = Gang(processes, listener, hello, size)
    threading.Thread(target=gang.accept, name="etude-gang", daemon=True).start()
    return gang


def launch_words(launch: str, nodes: int, size: int) -> list[str]:
    """What stands before a command to start it `size` times, evenly on the machines of a job."""
    if launch == "srun":
        return ["srun", f"--nodes={nodes}", f"--ntasks={size}", f"--ntasks-per-node={size // nodes}", *_SRUN]
    return [launch, "-n", str(size), "--ppn", str(size // nodes)]


_SRUN = ("--export=ALL", "--overlap", "--kill-on-bad-exit=1")


def rank_of(environment: Mapping[str, str]) -> int:
    """A process's rank, as whatever has launched it says."""
    for name in (RANK, "SLURM_PROCID", "PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"):
        if name in environment:
            return int(environment[name])
    raise RuntimeError("nothing in the environment tells this process its rank")


def as_torchrun(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that torchrun would set for this process."""
    rank, size, local = rank_of(environment), int(environment[SIZE]), int(environment[LOCAL_SIZE])
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank % local),
        "LOCAL_WORLD_SIZE": str(local),
        "GROUP_RANK": str(rank // local),
        "GROUP_WORLD_SIZE": str(size // local),
        "TORCHELASTIC_RUN_ID": environment[WHERE],
    }


def _hello_for(hello: Hello, rank: int) -> Hello:
    if rank == 0:
        return hello
    return replace(hello, rank=rank, logs=str(Path(hello.logs) / f"rank-{rank}"))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        port: int = found.getsockname()[1]
        return port
