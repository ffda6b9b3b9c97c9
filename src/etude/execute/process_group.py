"""The processes of one node that is started as several: all are told the same, and their outcomes become one.

Each process is an ordinary worker that knows its rank. It finds its peers as under torchrun (`RANK`, `WORLD_SIZE`,
`LOCAL_RANK`, `MASTER_ADDR`, …), so torch.distributed and Lightning need no setting. Rank 0 alone stores the result:
once all others have ended well, and with what all have cost and touched.
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

from etude.execute.cost_journal import new_attempt_id
from etude.execute.messages import END, STOP, Hello, OtherRanks, StepProgress, ValueReady
from etude.execute.orphans import WORKER, kill_by_mark
from etude.execute.task import Outcome, Status
from etude.execute.worker_process import kill_group
from etude.graph.pipeline import Needs

WHERE = "ETUDE_GROUP"
KEY = "ETUDE_GROUP_KEY"
SIZE = "ETUDE_GROUP_SIZE"
RANK = "ETUDE_GROUP_RANK"
LOCAL_SIZE = "ETUDE_GROUP_LOCAL_SIZE"
"""Variables by which a process finds its supervisor and its place; where the rank is unset, its launcher has set it."""

ID = "ETUDE_GROUP_ID"
"""Names the attempt that all of them make together."""

LAST_S = 60.0
"""How long the other processes may go on once rank 0 has stopped at a checkpoint; and after which it is told for whom a
rank 0 that is done waits."""
CLEAN_UP_S = 5.0
"""How long a process may take to leave once it is asked to."""


@dataclass(slots=True, kw_only=True, eq=False)
class ProcessGroup:
    """The processes of one node. The same to its supervisor as a single `Child`."""

    processes: list[subprocess.Popen[bytes]]
    listener: Listener
    hello: Hello
    size: int
    token: str
    """What all of them and what they start have in the variable `WORKER`."""
    lost_because: str = ""
    _arrived: queue.SimpleQueue[tuple[int, Connection]] = field(default_factory=queue.SimpleQueue)
    _ranks: dict[Connection, int] = field(default_factory=dict)
    _broadcast: list[object] = field(default_factory=list)
    _outcomes: dict[int, Outcome] = field(default_factory=dict)
    _computed: ValueReady | None = None
    """What rank 0 says once it has the value and waits for the others."""
    _since: float | None = None
    """Since when rank 0 has nothing more to do."""
    _asked_to_stop: bool = False
    _settled: bool = False
    """Whether rank 0 was told to store the result."""

    def send(self, message: object) -> None:
        """Tell all processes something, those that are still to come as well."""
        self._broadcast.append(message)
        for connection in self._ranks:
            with contextlib.suppress(OSError):  # one that is gone is found when it is listened to
                connection.send(message)

    def receive(self, timeout_s: float) -> object:
        """The next progress of rank 0, or the outcome of all; None where there is none in time.

        The node is done when rank 0 has stored the result, which it does when all others are done; it has failed as
        soon as one has; and it has stopped when all have ended and one of them stopped before it was done. How long
        one may take that works on is for the node's walltime to say.

        Raises:
            EOFError: A process is gone without an outcome.
        """
        self._admit()
        waiting = [connection for connection, rank in self._ranks.items() if rank not in self._outcomes]
        if not waiting and len(self._ranks) < self.size:
            time.sleep(min(timeout_s, 0.05))
        for ready in wait(waiting, timeout_s) if waiting else ():
            connection = cast(Connection, ready)
            rank = self._ranks[connection]
            message = connection.recv()
            if isinstance(message, Outcome):
                self._outcomes[rank] = message
            elif isinstance(message, ValueReady):
                self._computed = message
            elif isinstance(message, StepProgress) and rank == 0:
                return message
        if len(self._ranks) < self.size and any(process.poll() is not None for process in self.processes):
            raise EOFError
        return self._joint_outcome()

    def _joint_outcome(self) -> Outcome | StepProgress | None:
        """The outcome of all, once it is certain; or for whom rank 0 waits."""
        outcomes = self._outcomes
        for _, outcome in sorted(outcomes.items()):
            if outcome.status not in (Status.DONE, Status.STOPPED):
                return outcome
        if (self._computed is not None or 0 in outcomes) and self._since is None:
            self._since = time.monotonic()
        late = self._since is not None and time.monotonic() - self._since > LAST_S
        left = set(range(self.size)) - outcomes.keys() - ({0} if self._computed is not None else set())
        stopped = next((outcome for _, outcome in sorted(outcomes.items()) if outcome.status is Status.STOPPED), None)
        if stopped is not None:
            if not left or late:
                return stopped
            if not self._asked_to_stop:
                self._asked_to_stop = True
                self.send(STOP)
            return None
        if left:
            return self._waits_for(left) if late else None
        if 0 not in outcomes:
            self._settle()
        return outcomes.get(0)

    def _waits_for(self, left: set[int]) -> StepProgress | None:
        """A word to the user, once every LAST_S."""
        if 0 in left:
            return None
        self._since = time.monotonic()
        ranks = ", ".join(map(str, sorted(left)))
        return StepProgress(done=0.0, total=None, message=f"rank 0 is done and waits for rank {ranks}")

    def _settle(self) -> None:
        """Have rank 0 store the result, with what all have cost and touched."""
        if self._settled:
            return
        self._settled = True
        others = tuple(outcome for _, outcome in sorted(self._outcomes.items()))
        zero = next(connection for connection, rank in self._ranks.items() if rank == 0)
        zero.send(OtherRanks(outcomes=others))

    def _admit(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                rank, connection = self._arrived.get_nowait()
                self._ranks[connection] = rank
                connection.send(_hello_for(self.hello, rank))
                for message in self._broadcast:
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
        """Ask all processes to clean up and leave, and end what is left of them soon after."""
        with contextlib.suppress(OSError):
            self.listener.close()
        self.send(END)
        until = time.monotonic() + CLEAN_UP_S
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, until - time.monotonic()))
            kill_group(process)
            process.wait()
        kill_by_mark(WORKER, self.token)
        for connection in self._ranks:
            with contextlib.suppress(OSError):
                connection.close()

    def accept(self) -> None:
        """Take in the processes as they come; runs in a thread of its own."""
        for _ in range(self.size):
            try:
                connection = self.listener.accept()
                self._arrived.put((connection.recv(), connection))
            except (OSError, EOFError):
                return


def start_process_group(
    hello: Hello, environment: Mapping[str, str], size: int, nodes: int, launch: str
) -> ProcessGroup:
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
    token = secrets.token_hex(8)
    shared = {
        **environment,
        WORKER: token,
        WHERE: f"{here}:{port}",
        KEY: key.hex(),
        SIZE: str(size),
        LOCAL_SIZE: str(local),
        ID: new_attempt_id(),
        "MASTER_ADDR": here,
        "MASTER_PORT": str(_free_port()),
    }
    command = [sys.executable, "-P", "-m", "etude.execute.worker", "--group"]
    if nodes == 1:
        commands = [({**shared, RANK: str(rank)}, command) for rank in range(size)]
    else:
        commands = [(shared, [*launch_words(launch, nodes, size), *command])]
    processes = [
        subprocess.Popen(words, stdin=subprocess.DEVNULL, env=variables, start_new_session=True)
        for variables, words in commands
    ]
    group = ProcessGroup(processes=processes, listener=listener, hello=hello, size=size, token=token)
    threading.Thread(target=group.accept, name="etude-process-group", daemon=True).start()
    return group


def launch_words(launch: str, nodes: int, size: int) -> list[str]:
    """What stands before a command to start it `size` times, evenly on the machines of a job."""
    if launch == "srun":
        return ["srun", f"--nodes={nodes}", f"--ntasks={size}", f"--ntasks-per-node={size // nodes}", *_SRUN]
    return [launch, "-n", str(size), "--ppn", str(size // nodes)]


_SRUN = ("--export=ALL", "--overlap", "--kill-on-bad-exit=1")


def cpus_of_rank(needs: Needs) -> int:
    """Cores of one process: those of a machine, shared out among the processes there."""
    return max(1, needs.cpus // max(1, needs.processes // needs.nodes))


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
