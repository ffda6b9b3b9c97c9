"""No point of a finite space twice while others are left, whatever sampler proposes it."""

from __future__ import annotations

from collections import Counter

from etude.search.sampler import Exhausted, Sampler, TrialResult
from etude.search.space import Point, Space
from etude.search.trials import TrialOutcome

TRIES = 100
"""How many points are drawn at random before those that are left are listed."""
MOST_LISTED = 100_000
"""Combinations of values up to which a space is listed: random draws find what is left of a larger one."""


class Tried:
    """Which points were told or are pending, told apart by their written form, without rounding."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._pending: dict[int, str] = {}
        self._counts: Counter[str] = Counter()

    def __contains__(self, point: Point) -> bool:
        return self._space.canonical_point(point) in self._counts

    def pend(self, number: int, point: Point) -> None:
        """Keep that a point is being tried."""
        self._pending[number] = text = self._space.canonical_point(point)
        self._counts[text] += 1

    def tell(self, number: int, point: Point, result: TrialResult) -> bool:
        """Keep what became of a point: whether it counts as tried. One that was given up does not."""
        pending = self._pending.pop(number, None)
        text = self._space.canonical_point(point) if pending is None else pending
        given_up = result.outcome in (TrialOutcome.CANCELLED, TrialOutcome.PREEMPTED)
        self._counts[text] += (pending is None) - given_up
        if self._counts[text] <= 0:
            del self._counts[text]
        return not given_up


class DistinctSampler:
    """Hands on what a sampler proposes, and another point of the space in place of one that was tried."""

    def __init__(self, sampler: Sampler, space: Space, seed: int) -> None:
        self.sampler = sampler
        self._space = space
        self._seed = seed
        self._tried = Tried(space)

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Take in what became of a point."""
        self._tried.tell(number, point, result)
        self.sampler.tell(number, point, result)

    def pend(self, number: int, point: Point) -> None:
        """Take in that a point is being tried."""
        self._tried.pend(number, point)
        self.sampler.pend(number, point)

    def ask(self, number: int) -> Point:
        """The sampler's proposal if it is new; else a random point that is.

        Raises:
            Exhausted: Every point was tried.
        """
        point = self.sampler.ask(number)
        if point not in self._tried:
            return point
        import numpy as np

        rng = np.random.default_rng((self._seed, 7, number))
        for _ in range(TRIES):
            other = self._space.sample(rng)
            if other not in self._tried:
                return other
        if (self._space.size or 0) > MOST_LISTED:
            return point
        left = [other for other in self._space.points() if other not in self._tried]
        if not left:
            raise Exhausted("every point of the space was tried")
        return left[int(rng.integers(len(left)))]
