"""Every combination once, in a shuffled order."""

from __future__ import annotations

import math

import numpy as np

from etude.errors import ConfigError, Fault
from etude.search.samplers.encoding import Array, Encoding, seeded
from etude.search.samplers.history import History
from etude.search.samplers.protocol import Exhausted, Told
from etude.search.space import Point, Space
from etude.search.trials import Goal

MOST_POINTS = 1_000_000
"""A grid of more points is refused: no search would see a fair part of it."""


class GridSampler:
    """All values of what has few, `levels` values of what is continuous; it ends when all of them were tried."""

    def __init__(self, space: Space, goal: Goal, seed: int, *, levels: int = 5) -> None:
        """Args:
        space: Where to look.
        goal: What to look for; it does not matter here.
        seed: Of the order.
        levels: Values of each continuous dimension, both ends included, even on its axis. At least 2.
        """
        if levels < 2:
            raise ConfigError([Fault("sampler.levels", "a grid needs two values or more on each axis", levels)])
        self._encoding = Encoding(space)
        self._history = History(self._encoding, seed)
        self._axes = [np.linspace(0.0, 1.0, levels) if axis.grid is None else axis.grid for axis in self._encoding.axes]
        size = math.prod(len(places) for places in self._axes)
        if size > MOST_POINTS:
            reason = f"the grid has {size:,} points, more than {MOST_POINTS:,}"
            mend = "set fewer `levels`, give dimensions a `step`, or use sampler sobol"
            raise ConfigError([Fault("sampler", reason, "grid", mend)])
        self._order = seeded(seed, 1).permutation(size)
        self._next = 0

    def tell(self, number: int, point: Point, told: Told) -> None:
        """Keep that the point was tried; one that was given up counts as not tried."""
        if self._history.tell(number, point, told) is None:
            self._next = 0

    def pend(self, number: int, point: Point) -> None:
        """Keep that the point is being tried."""
        self._history.pend(number, point)

    def ask(self, number: int) -> Point:
        """The first point in the order that is allowed and was not tried."""
        for position in range(self._next, len(self._order)):
            unit = self._row(int(self._order[position]))
            if not self._history.tried(unit) and self._encoding.allowed(unit):
                return self._encoding.point(unit)
            self._next = position + 1
        raise Exhausted("every point of the grid was tried")

    def _row(self, index: int) -> Array:
        unit = np.empty(len(self._axes))
        for axis, places in enumerate(self._axes):
            index, digit = divmod(index, len(places))
            unit[axis] = places[digit]
        return np.asarray(self._encoding.snap(unit[None, :])[0])
