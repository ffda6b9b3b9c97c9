"""Every combination once, in a shuffled order."""

from __future__ import annotations

import math

import numpy as np

from etude.errors import ConfigError, Fault
from etude.search.dimensions import Dimension, Int
from etude.search.sampler import Exhausted, TrialResult
from etude.search.samplers.distinct import Tried
from etude.search.samplers.unit_cube import Encoding, generator
from etude.search.space import Point, Space
from etude.search.trials import Goal

MOST_POINTS = 1_000_000
"""A grid of more points is refused: no search would see a fair part of it."""


class GridSampler:
    """All values of what has few, `levels` values of what is continuous or has more than 2,000 values.

    It ends when all of them were tried.
    """

    def __init__(self, space: Space, goal: Goal, seed: int, *, levels: int = 5) -> None:
        """Args:
        space: Where to look.
        goal: What to look for; it does not matter here.
        seed: Of the order.
        levels: Values of each such dimension, both ends included, even on its axis. At least 2.
        """
        if levels < 2:
            raise ConfigError([Fault("sampler.levels", "a grid needs two values or more on each axis", levels)])
        self._space = space
        self._tried = Tried(space)
        encoding = Encoding(space)
        self._axes = [
            _values(space.dimensions[name], levels if axis.grid is None else None)
            for name, axis in zip(space.columns, encoding.axes, strict=True)
        ]
        size = math.prod(len(values) for values in self._axes)
        if size > MOST_POINTS:
            reason = f"the grid has {size:,} points, more than {MOST_POINTS:,}"
            mend = "set fewer `levels`, give dimensions a `step`, or use sampler sobol"
            raise ConfigError([Fault("sampler", reason, "grid", mend)])
        self._order = generator(seed, 1).permutation(size)
        self._next = 0

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Keep that the point was tried; one that was given up counts as not tried."""
        if not self._tried.tell(number, point, result):
            self._next = 0

    def pend(self, number: int, point: Point) -> None:
        """Keep that the point is being tried."""
        self._tried.pend(number, point)

    def ask(self, number: int) -> Point:
        """The first point in the order that is allowed and was not tried."""
        for position in range(self._next, len(self._order)):
            point = self._point(int(self._order[position]))
            if point not in self._tried and self._space.allows(point):
                return point
            self._next = position + 1
        raise Exhausted("every point of the grid was tried")

    def _point(self, index: int) -> Point:
        point = {}
        for name, values in zip(self._space.columns, self._axes, strict=True):
            index, digit = divmod(index, len(values))
            point[name] = values[digit]
        return self._space.trimmed(point)


def _values(dimension: Dimension, levels: int | None) -> list[object]:
    """The values that stand for a dimension, increasing: all of them, or so many levels even on its axis."""
    if levels is not None:
        return list(dict.fromkeys(dimension.from_unit(float(place)) for place in np.linspace(0.0, 1.0, levels)))
    if isinstance(dimension, Int):
        return list(range(dimension.low, dimension.high + 1, dimension.step))
    count = dimension.count or 1
    return [dimension.from_unit((index + 0.5) / count) for index in range(count)]
