"""Where what a step prints goes: one file per node, made when there is something to keep."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

_LONGEST_NAME = 80


def log_path(folder: Path, name: str, fingerprint: str) -> Path:
    """The log of one node. Attempts are appended."""
    return folder / f"{name[:_LONGEST_NAME]}-{fingerprint[:12]}.log"


@contextlib.contextmanager
def captured(path: Path) -> Iterator[None]:
    """Send what this process prints, from Python or not, to a file for the length of a block.

    Works on file descriptors 1 and 2, so it serves a worker process; an empty file is dropped. Afterwards both lead
    where they led before and Python's streams are open, whatever the block did to them. Where no log can be written,
    what is printed is lost: no result depends on it.
    """
    streams = sys.stdout, sys.stderr
    _flush()
    kept = os.dup(1), os.dup(2)
    log = _opened(path)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        _flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        sys.stdout, sys.stderr = (_reopened(stream, descriptor) for descriptor, stream in enumerate(streams, 1))
        size = os.fstat(log).st_size
        for descriptor in (*kept, log):
            os.close(descriptor)
        if size == 0:
            with contextlib.suppress(OSError):
                path.unlink()


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.flush()


def _reopened(stream: TextIO, descriptor: int) -> TextIO:
    """The stream, or a fresh one on the same descriptor where it was closed."""
    if not stream.closed:
        return stream
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


class LazyFile:
    """A text stream whose file is made with the first write."""

    encoding = "utf-8"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.TextIOWrapper | None = None

    def write(self, text: str) -> int:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        return self._file.write(text)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def isatty(self) -> bool:
        return False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextlib.contextmanager
def python_output_to(path: Path) -> Iterator[None]:
    """Send what Python prints to a file for the length of a block, made only if something is printed."""
    stream = LazyFile(path)
    try:
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            yield
    finally:
        stream.close()


def tail(path: Path, lines: int = 20, most_bytes: int = 8192) -> str:
    """The last lines of a log, read from its end."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - most_bytes))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    return ""
