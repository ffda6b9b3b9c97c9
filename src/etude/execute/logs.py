"""Where what a step prints goes: one file per node, made when there is something to keep.

No secret gets into it, and it is bounded: of a step that prints without end, the beginning and the end are kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from etude.redaction import RedactedStream, Redactor

MOST_FIRST = 8 * 2**20
"""Bytes of what a node prints that are kept from its beginning, over all attempts."""
MOST_LAST = 2**20
"""Bytes that are kept from the end of what an attempt prints, where it prints more than that."""
_LONGEST_NAME = 80
_PIECE = 64 * 1024


def log_path(folder: Path, name: str, fingerprint: str) -> Path:
    """The log of one node. Attempts are appended."""
    return folder / f"{name[:_LONGEST_NAME]}-{fingerprint[:12]}.log"


@dataclass(slots=True, kw_only=True)
class LogFile:
    """The log of one attempt, written while it runs: whole lines, without secrets, and no more than is allowed.

    Where no log can be written, what is printed is lost: no result depends on it.
    """

    path: Path
    redact: Redactor = field(default_factory=Redactor)
    most_first: int = MOST_FIRST
    most_last: int = MOST_LAST
    _stream: RedactedStream = field(init=False)
    _file: int | None = None
    _size: int = 0
    """Bytes in the file; before it is open, none."""
    _full: bool = False
    _last: deque[bytes] = field(default_factory=deque)
    """The latest of what came after the beginning was full, as it came."""
    _last_size: int = 0
    _left_out: int = 0

    def __post_init__(self) -> None:
        self._stream = RedactedStream(redact=self.redact)

    def feed(self, data: bytes) -> None:
        """Take what the step has printed."""
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            if self._full:
                self._keep(piece)
                continue
            self._write(self._stream.feed(piece))
            if self._size >= self.most_first:
                self._full = True
                self._keep(self._stream.rest())

    def _keep(self, data: bytes) -> None:
        """Hold back what may be the last of it, with as much before that as a secret may be long."""
        self._last.append(data)
        self._last_size += len(data)
        while self._last_size - len(self._last[0]) > self.most_last + 4 * self.redact.reach:
            gone = len(self._last.popleft())
            self._last_size -= gone
            self._left_out += gone

    def close(self) -> None:
        """Write what is left. May be called again after more was printed."""
        self._write(self._end() if self._full else self._stream.end())
        self._full = False
        self._last.clear()
        self._last_size = self._left_out = 0
        self._stream = RedactedStream(redact=self.redact)
        if self._file is not None:
            os.close(self._file)
            self._file, self._size = None, 0

    def _end(self) -> bytes:
        """The last of what was printed, from the beginning of a line on, below what is told of the rest."""
        held = b"".join(self._last)
        start = 0
        if self._left_out:
            start = held.find(b"\n", max(4 * self.redact.reach, len(held) - self.most_last)) + 1 or len(held)
        before, last = self.redact.data(held[:start]), self.redact.data(held)
        if not last.startswith(before):  # a secret stands across the cut
            last = last[last.find(b"\n", len(before)) + 1 or len(last) :]
        else:
            last = last[len(before) :]
        left_out = self._left_out + start
        if not left_out:
            return last
        first, rest = (f"{size / 2**20:g} MiB" for size in (self.most_first, self.most_last))
        told = (
            f"\n[étude: {left_out:,} bytes are left out here: a log keeps the first {first} that a step prints and the "
            f"last {rest}. What is needed whole goes into a file in ctx.scratch that the step returns]\n"
        )
        return told.encode() + last

    def _write(self, data: bytes) -> None:
        if not data:
            return
        with contextlib.suppress(OSError):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
                self._size = os.fstat(self._file).st_size
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
        self._size += len(data)


class Drain(Protocol):
    """Takes what is printed to a pipe into a log."""

    def begin(self, source: int, path: Path) -> None:
        """From now on, what comes out of this pipe goes to this log. OSError where it cannot."""
        ...

    def end(self) -> None:
        """Return when all that was printed so far is in the log. OSError where that cannot be known."""
        ...


@contextlib.contextmanager
def capture_output(path: Path, drain: Drain) -> Iterator[None]:
    """Send what this process prints, from Python or not, to a log for the length of a block.

    Works on file descriptors 1 and 2, so it serves a worker process. Afterwards both lead where they led before and
    Python's streams are open, whatever the block did to them.
    """
    streams = sys.stdout, sys.stderr
    _flush()
    kept = os.dup(1), os.dup(2)
    source, target = os.pipe()
    try:
        try:
            drain.begin(source, path)
        except OSError:
            os.close(target)
            target = os.open(os.devnull, os.O_WRONLY)
        os.close(source)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.close(target)
        yield
    finally:
        _flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        sys.stdout, sys.stderr = (_reopened(stream, descriptor) for descriptor, stream in enumerate(streams, 1))
        for descriptor in kept:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            drain.end()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.flush()


def _reopened(stream: TextIO, descriptor: int) -> TextIO:
    """The stream, or a fresh one on the same descriptor where it was closed."""
    if not stream.closed:
        return stream
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


class _LogStream:
    """A text stream into a log."""

    encoding = "utf-8"

    def __init__(self, log: LogFile) -> None:
        self._log = log

    def write(self, text: str) -> int:
        for start in range(0, len(text), _PIECE):
            self._log.feed(text[start : start + _PIECE].encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """A line is written when it has ended."""

    def isatty(self) -> bool:
        return False


@contextlib.contextmanager
def python_output_to(path: Path, redact: Redactor) -> Iterator[None]:
    """Send what Python prints to a log for the length of a block, made only if something is printed."""
    log = LogFile(path=path, redact=redact)
    stream = _LogStream(log)
    try:
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            yield
    finally:
        log.close()


def tail(path: Path, lines: int = 20, most_bytes: int = 8192) -> str:
    """The last lines of a log, read from its end."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - most_bytes))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    return ""
