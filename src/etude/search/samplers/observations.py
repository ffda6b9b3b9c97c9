"""What a sampler was told, as rows: who succeeded, who failed, who still runs, and which few a model is fitted on."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from etude.search.sampler import TrialResult
from etude.search.samplers.unit_cube import Array, Encoding, key_of
from etude.search.space import Point
from etude.search.trials import TrialOutcome

LARGEST = 1e300
"""Values beyond are taken as this: their squares must stay finite once they are scaled."""


class Fate(Enum):
    """What a row teaches."""

    MEASURED = "measured"
    """Its values are known (those of a pruned trial from its last report)."""
    FAILED = "failed"
    """It did not work out, by its own doing as far as one can tell."""


@dataclass(slots=True, kw_only=True)
class Observations:
    """Everything a sampler was told and what is pending, in arrays that only grow. Values are to be minimised."""

    encoding: Encoding
    seed: int
    units: list[Array] = field(default_factory=list)
    """Snapped rows of the unit cube, shape (d,) each."""
    values: list[tuple[float, ...]] = field(default_factory=list)
    """The objectives; empty for failures."""
    excess: list[tuple[float, ...]] = field(default_factory=list)
    """The constraints; empty for failures."""
    pending: dict[int, Array] = field(default_factory=dict)
    """Number → row of what runs, in the order in which it was proposed."""
    failed: list[int] = field(default_factory=list)
    """Rows of failures, in the order in which they were told."""
    measured: int = 0
    keys: dict[bytes, int] = field(default_factory=dict)
    """How often a row was told or is pending."""
    _best: list[list[tuple[float, float, int]]] = field(default_factory=list)
    _shuffled: list[tuple[int, int]] = field(default_factory=list)

    def pend(self, number: int, point: Point) -> Array:
        """Keep that a point runs; returns its row."""
        unit = self.encoding.unit(point)
        self.pending[number] = unit
        self._count(unit, 1)
        return unit

    def tell(self, number: int, point: Point, result: TrialResult) -> tuple[int, Fate] | None:
        """Keep what became of a point; None where that says nothing of the point, else its row's place and its fate."""
        unit = self.pending.pop(number, None)
        if unit is None:
            unit = self.encoding.unit(point)
        else:
            self._count(unit, -1)
        fate = _fate(result)
        if fate is None:
            return None
        place = len(self.units)
        self.units.append(unit)
        self._count(unit, 1)
        if fate is Fate.FAILED:
            self.values.append(())
            self.excess.append(())
            self.failed.append(place)
            return place, fate
        values = tuple(min(max(value, -LARGEST), LARGEST) for value in result.values or ())
        excess = tuple(LARGEST if math.isnan(one) else min(max(one, -LARGEST), LARGEST) for one in result.constraints)
        self.values.append(values)
        self.excess.append(excess)
        self.measured += 1
        over = min(sum(max(one, 0.0) for one in excess), LARGEST)
        if not self._best:
            self._best = [[] for _ in values]
        for order, value in zip(self._best, values, strict=True):
            insort(order, (over, value, place))
        insort(self._shuffled, (_shuffle(self.seed, number), place))
        return place, fate

    def best(self, count: int, objective: int = 0) -> list[int]:
        """Rows of the best measured points by one objective, feasible ones first."""
        return [place for _, _, place in self._best[objective][:count]] if self._best else []

    def chosen(self, count: int) -> list[int]:
        """Rows to fit on: all while there are few, then the best half (by each objective in turn) and a random half."""
        if self.measured <= count:
            return sorted(place for _, place in self._shuffled)
        wanted = dict[int, None]()
        for rank in range(count // 2):
            for order in self._best:
                if len(wanted) < count // 2:
                    wanted[order[rank][2]] = None
        for _, place in self._shuffled:
            if len(wanted) == count:
                break
            wanted[place] = None
        return sorted(wanted)

    def tried(self, unit: Array) -> bool:
        """Whether a snapped row was told or is pending."""
        return key_of(unit) in self.keys

    def _count(self, unit: Array, change: int) -> None:
        key = key_of(unit)
        left = self.keys.get(key, 0) + change
        if left:
            self.keys[key] = left
        else:
            self.keys.pop(key, None)


def _fate(result: TrialResult) -> Fate | None:
    if result.outcome in (TrialOutcome.CANCELLED, TrialOutcome.PREEMPTED):
        return None
    if result.values is not None and all(math.isfinite(value) for value in result.values):
        return Fate.MEASURED
    return None if result.outcome is TrialOutcome.PRUNED else Fate.FAILED


def _shuffle(seed: int, number: int) -> int:
    """A fixed random rank of a trial (splitmix64 of seed and number)."""
    mask = (1 << 64) - 1
    state = (seed * 0x9E3779B97F4A7C15 + (number + (1 << 32)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def standardise(values: Array, clip: float) -> tuple[Array, float, float]:
    """Values (n,) with mean 0 and deviation 1, cut at `clip` above the mean; and the mean and the deviation."""
    largest = float(np.abs(values).max(initial=0.0))
    shrunk = values / largest if largest > 1e150 else values
    centre, spread = float(shrunk.mean()), float(shrunk.std())
    factor = largest if largest > 1e150 else 1.0
    spread = spread if spread > 1e-12 * max(abs(centre), 1e-300) else 1.0
    return np.minimum((shrunk - centre) / spread, clip), centre * factor, spread * factor
