"""Derives every proposal of a search once more from its log, and compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from etude.search.log_sampler import LogSampler
from etude.search.space import Point
from etude.search.trial_events import Asked, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedProposal:
    """One proposal of the log, and what the sampler proposes from the same events."""

    number: int
    logged: Point
    again: Point | None
    """None where the sampler has nothing to propose or fails."""
    error: str = ""

    @property
    def same(self) -> bool:
        """Whether the two are the same bytes."""
        return self.again is not None and _bytes(self.logged) == _bytes(self.again)


def compare_proposals(events: Sequence[Event], fresh: Callable[[], LogSampler]) -> Iterator[ReplayedProposal]:
    """Every proposal of a sampler in a log, in its order, beside the one that follows again from what it had seen.

    Args:
        events: The log.
        fresh: Makes a sampler of the same name, space, goal, seed and settings that has seen nothing.
    """
    samplers: dict[int, LogSampler] = {}
    for event in events:
        if not isinstance(event, Asked) or event.origin != "sampler":
            continue
        if event.driver not in samplers:
            samplers[event.driver] = fresh()
        sampler = samplers[event.driver]
        sampler.follow(events[sampler.seen : event.seen])
        try:
            yield ReplayedProposal(number=event.number, logged=event.point, again=sampler.ask(event.number))
        except Exception as error:  # whatever the sampler raises: told, and the rest is still compared
            yield ReplayedProposal(
                number=event.number, logged=event.point, again=None, error=f"{type(error).__name__}: {error}"
            )


def _bytes(point: Point) -> bytes:
    return json.dumps(dict(point), ensure_ascii=False, separators=(",", ":")).encode()
