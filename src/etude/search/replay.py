"""Derives every proposal of a search once more from its log, and compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from etude.search.events import Asked, Event
from etude.search.replica import Replica
from etude.search.space import Point


@dataclass(frozen=True, slots=True)
class Replayed:
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


def replayed(events: Sequence[Event], fresh: Callable[[], Replica]) -> Iterator[Replayed]:
    """Every proposal of a sampler in a log, in its order, beside the one that follows again from what it had seen.

    Args:
        events: The log.
        fresh: Makes a sampler of the same name, space, goal, seed and settings that has seen nothing.
    """
    replicas: dict[int, Replica] = {}
    for event in events:
        if not isinstance(event, Asked) or event.origin != "sampler":
            continue
        if event.driver not in replicas:
            replicas[event.driver] = fresh()
        replica = replicas[event.driver]
        replica.follow(events[replica.seen : event.seen])
        try:
            yield Replayed(event.number, event.point, replica.ask(event.number))
        except Exception as error:  # whatever the sampler raises: told, and the rest is still compared
            yield Replayed(event.number, event.point, None, f"{type(error).__name__}: {error}")


def _bytes(point: Point) -> bytes:
    return json.dumps(dict(point), ensure_ascii=False, separators=(",", ":")).encode()
