"""Where what a step prints goes: one file per node, made when there is something to keep."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def log_path(folder: Path, name: str, fingerprint: str) -> Path:
    """The log of one node. Attempts are appended."""
    return folder / f"{name}-{fingerprint[:12]}.log"


@contextlib.contextmanager
def captured(path: Path) -> Iterator[None]:
    """Send what this process prints, from Python or not, to a file for the length of a block.

    Works on file descriptors 1 and 2, so it serves a worker process; an empty file is dropped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        size = os.fstat(log).st_size
        for descriptor in (*kept, log):
            os.close(descriptor)
        if size == 0:
            path.unlink(missing_ok=True)


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
