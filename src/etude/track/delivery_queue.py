"""Takes runs to a tracker in a thread of its own: whatever the tracker does, nobody waits for it and nothing fails."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from etude.redaction import Redactor
from etude.track.sink import Sink, TrackerRun

MOST_WAITING = 10_000
MOST_FAILURES = 3
"""After so many in a row a tracker is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of the runs that one tracker was to be told of."""

    tracker: str
    place: str
    sent: int = 0
    known: int = 0
    """The tracker knew all of them already."""
    left: int = 0
    """Not told."""
    error: str = ""
    """What went wrong last; empty where nothing did."""


@dataclass(slots=True, kw_only=True, eq=False)
class DeliveryQueue:
    """A queue to one tracker, with an end."""

    sink: Sink
    redact: Redactor = field(default_factory=Redactor)
    most_waiting: int = MOST_WAITING
    _waiting: queue.Queue[Callable[[], TrackerRun] | None] = field(init=False)
    _thread: threading.Thread | None = None
    _sent: int = 0
    _known: int = 0
    _asked: int = 0
    _failures: int = 0
    _error: str = ""

    def __post_init__(self) -> None:
        self._waiting = queue.Queue(self.most_waiting)

    def start(self) -> None:
        """Begin to tell. What was put before waits until then."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name=f"track-{self.sink.name}", daemon=True)
            self._thread.start()

    def put(self, read: Callable[[], TrackerRun]) -> None:
        """Have the tracker told of a run, which is read when its turn comes. Never waits: a full queue takes none."""
        self._asked += 1
        try:
            self._waiting.put_nowait(read)
        except queue.Full:
            self._error = self._error or f"more than {self.most_waiting} runs were waiting"

    def close(self, patience_s: float | None) -> Delivery:
        """End, once all is told or the patience is over; None for as long as it takes."""
        self.start()
        assert self._thread is not None
        try:
            self._waiting.put(None, timeout=patience_s)
        except queue.Full:
            pass
        else:
            self._thread.join(patience_s)
        if self._thread.is_alive():
            self._error = f"it did not answer within {patience_s or 0:.2g} s"
        sent, known = self._sent, self._known
        return Delivery(
            tracker=self.sink.name,
            place=self.sink.place,
            sent=sent,
            known=known,
            left=self._asked - sent - known,
            error=self._error,
        )

    def _deliver(self) -> None:
        while (read := self._waiting.get()) is not None:
            if self._failures < MOST_FAILURES:
                succeeded = self._attempt(partial(self._send, read))
                self._failures = 0 if succeeded else self._failures + 1
        self._attempt(self.sink.close)

    def _send(self, read: Callable[[], TrackerRun]) -> None:
        if self.sink.send(read()):
            self._sent += 1
        else:
            self._known += 1

    def _attempt(self, act: Callable[[], None]) -> bool:
        """Have the tracker do something. False where that failed; the error is kept."""
        try:
            act()
        except Exception as error:  # a tracker may fail in any way, and no run may fail with it
            lines = str(error).strip().splitlines()
            self._error = self.redact(f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__)
            return False
        return True
