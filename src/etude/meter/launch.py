"""Start a command from a process that is small, so that its peak memory is its own.

The kernel's mark of a process starts from what it was when it became another program: a command that a process of
600 MB starts has a peak as high. So a shell of half a megabyte forks the command and is ended while the command waits
at a gate; its child then falls to us, because for that moment we take in what descendants leave behind (Linux,
prctl(2)).
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etude.environment import variables
from etude.errors import MeterError

if sys.platform != "win32":
    import resource

_SHELL = "/bin/sh"
_OUTER = '"$@"; exit 1'
_INNER = '[ -w "$1" ] && echo $$ >"$1" && read -r etude_go <"$2" && shift 2 && exec "$@"; exit 127'
_READY_S = 5.0
_LOOK_S = 0.1
_CHILD_SUBREAPER = 36
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELLS_OWN = {"etude_go", "IFS", "OPTIND", "PPID"}
"""Variables that a shell changes; others it hands on as they are."""


@dataclass(slots=True, kw_only=True)
class Launch:
    """A command that waits to be let go."""

    argv: Sequence[str]
    cwd: Path | None
    pid: int | None = None
    """The process that will become the command; None where that cannot be had, and we start it ourselves."""
    _gate: int | None = None
    _process: subprocess.Popen[bytes] | None = None

    def go(self) -> None:
        """Let it go. MeterError where it cannot be run."""
        if self._gate is not None:
            os.write(self._gate, b"\n")
            return
        try:
            self._process = subprocess.Popen(list(self.argv), cwd=self.cwd)
        except (OSError, ValueError) as error:
            raise MeterError(f"{self.argv[0]}: cannot be run ({error})") from error
        self.pid = self._process.pid

    def wait(self) -> tuple[int, int | None]:
        """Its return code when it has ended, and the largest resident size of one of its processes in bytes.

        Of a command that had to be started from here the kernel tells no less than our own peak: None, if that is all.
        """
        if sys.platform == "win32":
            assert self._process is not None
            return self._process.wait(), None
        assert self.pid is not None
        _, status, usage = os.wait4(self.pid, 0)
        if self._process is not None:
            self._process.returncode = os.waitstatus_to_exitcode(status)
        own = 0 if self.is_small else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss * unit if usage.ru_maxrss > own else None

    @property
    def is_small(self) -> bool:
        """Whether the command's peak memory will be its own."""
        return self._gate is not None


@contextmanager
def launch(argv: Sequence[str], *, cwd: Path | None = None) -> Iterator[Launch]:
    """A command with our standard streams, folder and environment, ready to go."""
    pipes: list[int] = []
    try:
        held = _held(argv, cwd, pipes) if _can_be_held(argv, cwd) else None
        yield Launch(argv=argv, cwd=cwd, pid=held, _gate=pipes[3] if held else None)
    finally:
        for end in pipes:
            os.close(end)


def _can_be_held(argv: Sequence[str], cwd: Path | None) -> bool:
    """What a shell would run otherwise than we would, or with another environment, is started in the usual way."""
    if not sys.platform.startswith("linux") or argv[0].startswith("-") or any("\0" in part for part in argv):
        return False
    if not all(map(_NAME.fullmatch, variables())) or not _SHELLS_OWN.isdisjoint(variables()):
        return False
    found = shutil.which(argv[0] if cwd is None or "/" not in argv[0] else str(cwd / argv[0]))
    try:
        with Path(found or "").open("rb") as file:
            return file.read(2) in (b"#!", b"\x7fE")
    except OSError:
        return False


def _held(argv: Sequence[str], cwd: Path | None, pipes: list[int]) -> int | None:
    """The process that will become the command, waiting at the gate `pipes[3]`; None where it did not come to be."""
    pipes += [*os.pipe(), *os.pipe()]
    said, gate = (f"/proc/{os.getpid()}/fd/{end}" for end in (pipes[1], pipes[2]))
    with _taking_in() as taken:
        if not taken:
            return None
        inner = [_SHELL, "-c", _INNER, "sh", said, gate, *argv]
        try:
            outer = subprocess.Popen([_SHELL, "-c", _OUTER, "sh", *inner], cwd=cwd)
        except OSError:
            return None
        try:
            is_ready = _ready(outer, pipes[0])
        finally:
            outer.kill()
            outer.wait()
    return int(os.read(pipes[0], 32)) if is_ready else None


def _ready(outer: subprocess.Popen[bytes], said: int) -> bool:
    until_s = time.monotonic() + _READY_S
    while time.monotonic() < until_s and outer.poll() is None:
        if select.select([said], [], [], _LOOK_S)[0]:
            return True
    return False


@contextmanager
def _taking_in() -> Iterator[bool]:
    """Orphaned descendants become our children meanwhile; False where that cannot be."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        yield False
        return
    taken = prctl(_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield taken
    finally:
        if taken:
            prctl(_CHILD_SUBREAPER, 0, 0, 0, 0)
