"""Follows a run of a study and has its trackers told of each variant as soon as its last node has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from etude.execute.run_events import Event, EventKind
from etude.graph.node import Node
from etude.graph.plan import State
from etude.redaction import Redactor
from etude.study.prepare import PreparedStudy
from etude.track.delivery_queue import Delivery, DeliveryQueue
from etude.track.run_reader import RunReader
from etude.track.sink import Sink

PATIENCE_S = 60.0
"""How long the end of a run waits for its trackers, all together."""


@dataclass(slots=True, kw_only=True, eq=False)
class RunFollower:
    """Listens to the events of one run."""

    prepared: PreparedStudy
    sinks: Sequence[Sink]
    redact: Redactor = field(default_factory=Redactor)
    live: bool = True
    """Whether trackers are told while nodes run; else after the run, where a tracker's work would be measured as that
    of a node."""
    clock: Callable[[], float] = time.monotonic
    _queues: list[DeliveryQueue] = field(init=False)
    _waiting: list[set[str]] = field(init=False)
    """For each variant the nodes that have not ended."""
    _of: dict[str, list[int]] = field(init=False)
    """Node → the variants that have it."""
    _failed: set[int] = field(default_factory=set)
    _sent: set[tuple[str, ...]] = field(default_factory=set)
    """The nodes of each variant that was told."""

    def __post_init__(self) -> None:
        self._queues = [DeliveryQueue(sink=sink, redact=self.redact) for sink in self.sinks]
        self._waiting, self._of = [], {}
        for index, row in enumerate(self.prepared.expansion.nodes):
            waiting = {node.fingerprint for node in row.values() if not self._is_there(node.fingerprint)}
            self._waiting.append(waiting)
            for fingerprint in waiting:
                self._of.setdefault(fingerprint, []).append(index)
        for index, waiting in enumerate(self._waiting):
            if not waiting:
                self._put(index)
        if self.live:
            for queue in self._queues:
                queue.start()

    def __call__(self, event: Event) -> None:
        """Take an event of the run."""
        if event.kind not in (EventKind.DONE, EventKind.REUSED, EventKind.FAILED, EventKind.BLOCKED):
            return
        for index in self._of.get(event.fingerprint, ()):
            if event.fingerprint in self._waiting[index]:
                self._waiting[index].discard(event.fingerprint)
                if event.kind is EventKind.FAILED:
                    self._failed.add(index)
                elif event.kind is EventKind.BLOCKED and index not in self._failed:
                    self._waiting[index].add("")  # what it reads was stopped, and goes on another time
                if not self._waiting[index]:
                    self._put(index)

    def finish(self, prepared: PreparedStudy | None = None, patience_s: float = PATIENCE_S) -> list[Delivery]:
        """Tell of the study as a whole, wait for the trackers, and say what became of it.

        Args:
            prepared: The study as it is after the run: a search has variants that none knew of before.
            patience_s: Seconds to wait.
        """
        self.prepared = prepared or self.prepared
        reader = self._reader()
        for index, row in enumerate(self.prepared.expansion.nodes):
            if _nodes(row) not in self._sent and reader.has_ended(index):
                self._put(index)
        for queue in self._queues:
            if not self.prepared.partial:
                queue.put(self._reader().whole)
            queue.start()
        until = self.clock() + patience_s
        return [queue.close(max(0.1, until - self.clock())) for queue in self._queues]

    def _is_there(self, fingerprint: str) -> bool:
        action = self.prepared.plan.by_fingerprint.get(fingerprint)
        return action is not None and action.state is not State.RUN

    def _put(self, index: int) -> None:
        self._sent.add(_nodes(self.prepared.expansion.nodes[index]))
        for queue in self._queues:
            queue.put(partial(self._reader().variant, index))

    def _reader(self) -> RunReader:
        return RunReader(prepared=self.prepared, redact=self.redact)


def _nodes(row: Mapping[str, Node]) -> tuple[str, ...]:
    return tuple(node.fingerprint for node in row.values())


def deliver_results(prepared: PreparedStudy, sinks: Sequence[Sink], redact: Redactor) -> list[Delivery]:
    """Tell trackers of every variant that has its results or has failed, and of the study; wait as long as it takes."""
    queues = [DeliveryQueue(sink=sink, redact=redact, most_waiting=0) for sink in sinks]
    reader = RunReader(prepared=prepared, redact=redact)
    for queue in queues:
        for index in filter(reader.has_ended, range(len(prepared.expansion.nodes))):
            queue.put(partial(reader.variant, index))
        queue.put(reader.whole)
        queue.start()
    return [queue.close(None) for queue in queues]
