"""Draws proposals in the background, so that nobody waits for a model to be fitted."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from etude.search.log_sampler import LogSampler
from etude.search.sampler import Exhausted
from etude.search.space import Point
from etude.search.trial_events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposal, or why there is none."""

    number: int
    point: Point | None
    """None where there is nothing more to propose."""
    seen: int
    """The proposal follows from this many events of the log."""
    suggest_s: float
    error: BaseException | None = None
    """What went wrong in the sampler."""


class ProposalSource(Protocol):
    """Where a driver gets proposals. One is drawn at a time; the driver is woken when it is there."""

    def start(self, number: int, events: Sequence[Event]) -> None:
        """Begin to draw the proposal for this number.

        Args:
            number: The trial's number.
            events: The events of the log since the last call; all of them count for the proposal.
        """
        ...

    def take(self) -> Proposal | None:
        """The proposal, if it is there."""
        ...

    def close(self) -> None:
        """Draw nothing more."""
        ...


class ThreadedProposals:
    """Draws in a thread of this process."""

    def __init__(self, sampler: LogSampler, wake: Callable[[], None]) -> None:
        self._sampler = sampler
        self._wake = wake
        self._asked: queue.SimpleQueue[tuple[int, Sequence[Event]] | None] = queue.SimpleQueue()
        self._proposals: queue.SimpleQueue[Proposal] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="etude-sampler", daemon=True)
        self._thread.start()

    def start(self, number: int, events: Sequence[Event]) -> None:
        self._asked.put((number, tuple(events)))

    def take(self) -> Proposal | None:
        try:
            return self._proposals.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        self._asked.put(None)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._proposals.put(propose(self._sampler, *asked))
            self._wake()


def propose(sampler: LogSampler, number: int, events: Sequence[Event]) -> Proposal:
    """Follow the log and draw one proposal, here and now. Whatever the sampler raises is told, not raised."""
    begun = time.perf_counter()
    point, error = None, None
    try:
        sampler.follow(events)
        point = sampler.ask(number)
    except Exhausted:
        pass
    except Exception as raised:  # the driver lets running trials end before it raises this
        error = raised
    return Proposal(number=number, point=point, seen=sampler.seen, suggest_s=time.perf_counter() - begun, error=error)
