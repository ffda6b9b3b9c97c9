"""Stopping trials early by what they report on their way. Rules see values that are to be minimised."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol


class EarlyStop(Protocol):
    """Decides from reports, in the order in which they come."""

    def report(self, number: int, step: float, value: float) -> bool:
        """Take in what a trial reports; whether it should stop now."""
        ...

    def end(self, number: int) -> None:
        """Take in that a trial ran to its end."""
        ...


class NeverStop:
    """Lets every trial run."""

    def report(self, number: int, step: float, value: float) -> bool:
        return False

    def end(self, number: int) -> None:
        """Nothing follows from it."""


@dataclass(slots=True, kw_only=True)
class Asha:
    """Asynchronous successive halving, the variant that stops: at each rung only the best 1/reduction go on.

    Rungs are at `min_step`, `min_step * reduction`, `min_step * reduction²`, …  A trial is judged at the first report
    at or beyond a rung, against all that have been there so far; while there are fewer than `reduction`, it goes on.

    Source: Li et al. (2020), A System for Massively Parallel Hyperparameter Tuning, algorithm 2, in the stopping form
    of Tune and Syne Tune: nothing is paused and promoted later.
    """

    min_step: float = 1.0
    reduction: float = 3.0
    _next: dict[int, float] = field(default_factory=dict)
    """Trial → the rung that it has not come to yet."""
    _rungs: dict[float, list[float]] = field(default_factory=dict)
    """Rung → values of all trials there, best first."""

    def report(self, number: int, step: float, value: float) -> bool:
        rung = self._next.get(number, self.min_step)
        if step < rung:
            return False
        while rung * self.reduction <= step:
            rung *= self.reduction
        self._next[number] = rung * self.reduction
        values = self._rungs.setdefault(rung, [])
        bisect.insort(values, value)
        if len(values) < self.reduction:
            return False
        return value > values[int(len(values) / self.reduction) - 1]

    def end(self, number: int) -> None:
        self._next.pop(number, None)


@dataclass(slots=True, kw_only=True)
class MedianRule:
    """Stops a trial whose best report so far is worse than the median of the others' mean reports up to that step.

    Source: Golovin et al. (2017), Google Vizier, section 3.2.1.
    """

    startup: int = 5
    """Trials that must have ended before any is stopped."""
    min_step: float = 1.0
    _ended: int = 0
    _best: dict[int, float] = field(default_factory=dict)
    _means: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """Trial → (step, mean of its reports up to there)."""
    _counts: dict[int, int] = field(default_factory=dict)

    def report(self, number: int, step: float, value: float) -> bool:
        best = self._best[number] = min(value, self._best.get(number, value))
        means, count = self._means.setdefault(number, []), self._counts.get(number, 0)
        before = means[-1][1] if means else 0.0
        means.append((step, (before * count + value) / (count + 1)))
        self._counts[number] = count + 1
        if self._ended < self.startup or step < self.min_step:
            return False
        others = [mean for other in self._means if other != number if (mean := self._mean_at(other, step)) is not None]
        return bool(others) and best > median(others)

    def end(self, number: int) -> None:
        self._ended += 1

    def _mean_at(self, number: int, step: float) -> float | None:
        means = self._means[number]
        index = bisect.bisect_right(means, step, key=lambda entry: entry[0])
        return means[index - 1][1] if index else None
