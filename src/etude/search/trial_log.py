"""The log of a search: lines that are only ever added, each on disk before anything follows from it.

Several drivers may share one log. Every write happens under a lock and after reading what the others wrote, so all of
them see one order of events. A line that a killed driver left half-written is no line: readers pass it over and the
next writer cuts it off.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from etude.errors import SearchError
from etude.search.trial_events import Event, Reported, Started, from_line, to_line

EVENTS = "events.jsonl"
_TIMES = (Started, Reported)
"""Events that only tell when; nothing is lost or done twice without them, so they need not be on disk at once."""


class TrialLog(Protocol):
    """Where a driver keeps what happens."""

    def read(self) -> list[Event]:
        """The events that were added since the last reading, by whomever, except those that were written here."""
        ...

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else writes inside. `read` first: only then may `write` follow."""
        ...

    def write(self, events: Sequence[Event]) -> None:
        """Add events. Everybody can read them when this returns."""
        ...

    def sync(self) -> None:
        """See that what was written here is on disk, as far as anything follows from it."""
        ...

    def enter(self, driver: int) -> None:
        """Say that this driver lives, until it closes or its process ends."""
        ...

    def lives(self, driver: int) -> bool:
        """Whether another driver is at work."""
        ...

    def close(self) -> None:
        """Let go of the log."""
        ...


@dataclass(slots=True, kw_only=True)
class MemoryLog:
    """A log that is kept in memory alone; for simulations and tests. One driver after another may use it."""

    events: list[Event] = field(default_factory=list)
    living: set[int] = field(default_factory=set)
    _read: int = 0
    _here: int | None = None

    def read(self) -> list[Event]:
        found = self.events[self._read :]
        self._read = len(self.events)
        return found

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def write(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
        self._read = len(self.events)

    def sync(self) -> None:
        """There is no disk."""

    def enter(self, driver: int) -> None:
        self._here = driver
        self.living.add(driver)

    def lives(self, driver: int) -> bool:
        return driver in self.living and driver != self._here

    def close(self) -> None:
        self.living.discard(-1 if self._here is None else self._here)
        self._read, self._here = 0, None


class FileLog:
    """A log in a folder, shared by all drivers of the search."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / EVENTS
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._at = 0
        self._lines = 0
        self._dirty = False
        self._presence: int | None = None

    def read(self) -> list[Event]:
        found, self._at, self._lines = _read(self._file, self._at, self._lines, self.path)
        return found

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._cut_torn_line()
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def write(self, events: Sequence[Event]) -> None:
        if not events:
            return
        data = "".join(f"{to_line(event)}\n" for event in events).encode()
        written = 0
        while written < len(data):
            written += os.write(self._file, data[written:])
        self._at += len(data)
        self._lines += len(events)
        self._dirty = self._dirty or any(not isinstance(event, _TIMES) for event in events)

    def sync(self) -> None:
        if self._dirty:
            os.fsync(self._file)
            self._dirty = False

    def enter(self, driver: int) -> None:
        folder = self.folder / "drivers"
        folder.mkdir(exist_ok=True)
        self._presence = os.open(folder / str(driver), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._presence, fcntl.LOCK_EX)

    def lives(self, driver: int) -> bool:
        try:
            file = os.open(self.folder / "drivers" / str(driver), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def close(self) -> None:
        self.sync()
        for file in (self._file, self._lock, self._presence):
            if file is not None:
                os.close(file)
        self._presence = None

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        if size == 0 or os.pread(self._file, 1, size - 1) == b"\n":
            return
        end = size
        while end > 0:
            start = max(0, end - 4096)
            chunk = os.pread(self._file, end - start, start)
            if b"\n" in chunk:
                end = start + chunk.rindex(b"\n") + 1
                break
            end = start
        os.ftruncate(self._file, end)


def read_log(path: Path) -> list[Event]:
    """All whole events of a log; none where there is no log.

    Raises:
        SearchError: A line inside it cannot be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        return _read(file, 0, 0, path)[0]
    finally:
        os.close(file)


def _read(file: int, at: int, lines: int, path: Path) -> tuple[list[Event], int, int]:
    size = os.fstat(file).st_size
    data = bytearray()
    while at + len(data) < size and (chunk := os.pread(file, size - at - len(data), at + len(data))):
        data += chunk
    whole = data[: data.rfind(b"\n") + 1]
    found = []
    for line in whole.split(b"\n")[:-1]:
        lines += 1
        try:
            found.append(from_line(line.decode()))
        except ValueError as error:
            raise SearchError(
                f"{path}: line {lines} cannot be read: {error}\n"
                f"    Mend: put back a copy of the file, or begin anew with `etude search STUDY --new`"
            ) from error
    return found, at + len(whole), lines
