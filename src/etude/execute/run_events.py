"""What happens during a run, as it happens: a log that can be followed from another terminal."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from etude.interchange import json_text, read_json


class EventKind(StrEnum):
    """What an event says."""

    RUN_STARTED = "run_started"
    QUEUED = "queued"
    """Handed to where it will run, and waiting there."""
    STARTED = "started"
    """Runs from now on."""
    PROGRESS = "progress"
    REPORTED = "reported"
    """A running step told how it does: `step` and `value`."""
    DONE = "done"
    REUSED = "reused"
    """A node was found done when its turn came: cut off early, or computed by another run."""
    WAITING = "waiting"
    """Another run computes this node."""
    FAILED = "failed"
    RETRY = "retry"
    BLOCKED = "blocked"
    STOPPED = "stopped"
    STOPPING = "stopping"
    JOB = "job"
    """A batch job changed its state. Its name, id, state and the scheduler's reason are in the data."""
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    kind: EventKind
    time_s: float
    """Seconds since the epoch."""
    label: str = ""
    """The node with its params; empty where the event speaks of the run."""
    name: str = ""
    fingerprint: str = ""
    data: Mapping[str, object] | None = None

    def as_json(self) -> str:
        """One line of the log."""
        fields: dict[str, object] = {"kind": self.kind, "time_s": round(self.time_s, 3)}
        if self.label:
            fields |= {"label": self.label, "name": self.name, "fingerprint": self.fingerprint}
        return json_text(fields | dict(self.data or {}))

    @staticmethod
    def from_json(line: str) -> Event:
        """The event of one line.

        Raises:
            ValueError: The line is no event.
        """
        try:
            fields = read_json(line)
            known = {
                name: fields.pop(name) for name in ("kind", "time_s", "label", "name", "fingerprint") if name in fields
            }
            return Event(kind=EventKind(known.pop("kind")), **known, data=fields)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no event: {line!r}") from error


Tell = Callable[[Event], None]


class EventLog:
    """Appends events to a file. Progress is thinned to one line a second and node."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: io.TextIOWrapper = path.open("a", encoding="utf-8")
        self._last: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if event.kind is EventKind.PROGRESS:
            if event.time_s - self._last.get(event.fingerprint, 0.0) < 1.0:
                return
            self._last[event.fingerprint] = event.time_s
        self._file.write(event.as_json() + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_events(path: Path) -> list[Event]:
    """All whole events of a log; a half-written last line is left out."""
    return list(_events_in(path.read_text(encoding="utf-8")))


def first_event(path: Path) -> Event | None:
    """The first event of a log, which says what run it is; None where there is none yet."""
    with path.open(encoding="utf-8") as file:
        return next(_events_in(file.readline()), None)


def has_ended(path: Path, last_bytes: int = 65_536) -> bool:
    """Whether the last event of a log is the end of its run. Reads the end of the file alone."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - last_bytes))
        lines = file.read().decode("utf-8", "replace").split("\n")[:-1]
    return bool(lines) and any(event.kind is EventKind.RUN_ENDED for event in _events_in(lines[-1] + "\n"))


def follow(path: Path, *, idle: Callable[[], bool]) -> Iterator[Event]:
    """The events of a log, and those to come until the run ends.

    Args:
        path: The log.
        idle: Called when there is nothing new; waits a moment, and returns False to give up.
    """
    rest = ""
    with path.open(encoding="utf-8") as file:
        while True:
            text = rest + file.read()
            whole, end, rest = text.rpartition("\n")
            for event in _events_in(whole + end):
                yield event
                if event.kind is EventKind.RUN_ENDED:
                    return
            if not whole and not idle():
                return


def _events_in(text: str) -> Iterator[Event]:
    for line in text.split("\n")[:-1]:
        if line.strip():
            yield Event.from_json(line)


def now() -> float:
    """Seconds since the epoch, as events tell them."""
    return time.time()
