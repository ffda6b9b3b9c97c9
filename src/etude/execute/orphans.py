"""Ends what steps have started and left behind, however the process that ran them went.

A worker of étude is killed with all of its session, and what has left that is known by a variable that a worker and
all that it starts have from their beginning. The process of a user who runs nodes inline must not be killed. Before a
step there starts its first process, a small watcher is started that is no descendant of it. It looks for what the
steps have started, and when the process that it watches ends, it ends what is left of that. Run as a program, this file
is the watcher; it needs nothing but Python and Linux, and where there is neither it is not started.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import sys
from collections.abc import Callable, Iterator

MARK = "ETUDE_STEP"
"""Variable that is set while a step runs inline: what it starts can be known by it."""
WORKER = "ETUDE_WORKER"
"""Variable of a worker and of all that it starts."""
LOG_PROCESS = "etude-log"
"""Name of the process that writes a worker's logs: it ends by itself, when it has written the last of them."""
LOOK_S = 0.2
"""How often the watcher looks for processes that were started without a new program."""
_PROC = os.access("/proc/self/environ", os.R_OK)
_PASSES = 3
"""How often it is looked for what one that is killed has started meanwhile."""
_STARTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"})


class InlineOrphans:
    """What the steps that run in this process start."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._depth = 0
        self._owner = 0
        """The process whose steps these are: not one that was forked from it."""
        self._watched = False
        self._told = -1

    @contextlib.contextmanager
    def belonging_to_step(self) -> Iterator[None]:
        """What is started in this block ends with this process at the latest."""
        if self._owner != os.getpid():
            if not self._owner:
                sys.addaudithook(self._hear)
            self._owner, self._watched, self._told = os.getpid(), False, -1
        from etude.environment import with_variables  # not at the top: run as a program, this file finds no étude

        with with_variables({MARK: self._token}):
            self._depth += 1
            self._tell(b"1")
            try:
                yield
            finally:
                self._depth -= 1
                self._tell(b"0")

    def _hear(self, event: str, _arguments: object) -> None:
        if self._depth and event in _STARTS and not self._watched and self._owner == os.getpid():
            self._watched = True  # first: starting the watcher is such an event too
            self._start()

    def _start(self) -> None:
        if not hasattr(os, "pidfd_open"):
            return
        import subprocess

        with contextlib.suppress(OSError):
            theirs, self._told = os.pipe()
            with contextlib.closing(os.fdopen(theirs)):
                command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), self._token]
                subprocess.run(command, stdin=theirs, check=False, start_new_session=True)
            self._tell(b"1")

    def _tell(self, what: bytes) -> None:
        if self._told >= 0 and self._owner == os.getpid():
            with contextlib.suppress(OSError):
                os.write(self._told, what)


class WorkerOrphans:
    """What the steps of a worker start in sessions of their own, and leave running."""

    def __init__(self, token: str) -> None:
        """See what this process starts from now on; `token` is its own in the variable `WORKER`."""
        self._token = token
        self._started = False
        if token and _PROC:
            sys.addaudithook(self._hear)

    def _hear(self, event: str, _arguments: object) -> None:
        if event in _STARTS:
            self._started = True

    def end(self) -> list[str]:
        """End what is left of them; gives the name and the id of each."""
        if not self._started:
            return []
        own, session = os.getpid(), os.getsid(0)
        names = kill_by_mark(WORKER, self._token, but=lambda pid: pid == own or _session(pid) == session)
        self._started = bool(_descendants(own))  # one that is left may leave the session later
        return names


def kill_by_mark(variable: str, token: str, *, but: Callable[[int], bool] = lambda _pid: False) -> list[str]:
    """Kill the processes in whose environment a variable has this value; gives the name and the id of each.

    Args:
        variable: The variable.
        token: Its value.
        but: Takes a process id, and tells whether to leave that one alone.
    """
    names: list[str] = []
    for _ in range(_PASSES if token and _PROC else 0):
        marked = {pid: _text(f"/proc/{pid}/comm").strip() for pid in _marked(variable, token) if not but(pid)}
        marked = {pid: name for pid, name in marked.items() if name != LOG_PROCESS}
        for pid, name in marked.items():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                names.append(f"{name} ({pid})")
        if not marked:
            break
    return list(dict.fromkeys(names))


def watch(pid: int, token: str) -> None:
    """Wait until a process ends; then kill what its steps have started."""
    try:
        driver = os.pidfd_open(pid)
    except OSError:
        return
    ours: dict[int, str] = {}
    others = {*_descendants(pid), os.getpid()}
    in_step = True
    listening = [0]
    while True:
        ready, _, _ = select.select([driver, *listening], [], [], LOOK_S if in_step else None)
        if driver in ready:
            break
        if 0 in ready:
            news = os.read(0, 4096)
            if not news:
                listening = []
            if in_step:
                _note(pid, ours, others)
            in_step = news[-1:] == b"1"
            if not in_step:
                continue
            others |= _descendants(pid) - ours.keys()
        elif in_step:
            _note(pid, ours, others)
    left = {each for each, since in ours.items() if _since(each) == since} | _marked(MARK, token)
    for one in left.union(*map(_descendants, left)):
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGKILL)


def _note(pid: int, ours: dict[int, str], others: set[int]) -> None:
    for one in _descendants(pid) - others:
        ours.setdefault(one, _since(one))


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    stack = [pid]
    while stack:
        one = stack.pop()
        with contextlib.suppress(OSError):
            for task in os.scandir(f"/proc/{one}/task"):
                fresh = set(map(int, _text(f"{task.path}/children").split())) - found
                found |= fresh
                stack += fresh
    return found


def _since(pid: int) -> str:
    """When a process began: what tells it from a later one of the same id."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _session(pid: int) -> int:
    """The session of a process; 0 where it is gone."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[3]) if len(fields) > 3 else 0


def _marked(variable: str, token: str) -> set[int]:
    """Processes whose environment has the mark, wherever they are now."""
    mark = f"{variable}={token}\0"
    return {
        int(entry.name)
        for entry in os.scandir("/proc")
        if entry.name.isdigit() and int(entry.name) != os.getpid() and mark in _text(f"{entry.path}/environ")
    }


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    if os.fork() == 0:
        watch(int(sys.argv[1]), sys.argv[2])
