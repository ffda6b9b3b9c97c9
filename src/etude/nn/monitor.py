"""What validations decide: which weights are the best, when to stop, and when milestones were reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from etude import Context
from etude.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """The number of the validation that says how good the weights are."""

    metric: str
    """As the module logs it."""
    higher_is_better: bool
    patience: int | None = None
    """Stop after so many validations in a row without betterment; None for never."""
    threshold: float = 0.0
    """How much better than before counts as betterment for the patience; the best weights need no such margin."""
    restore: bool = True
    """Whether the best weights are put back at the end."""

    def __post_init__(self) -> None:
        require(self.patience is None or self.patience >= 1, "patience", self.patience, "1 or more, or null")
        require(self.threshold >= 0, "threshold", self.threshold, "0 or more")


class Judgement(NamedTuple):
    """What a series of validations comes to."""

    best: int | None
    """The place of the best of them, the first of equals; None where there is no number among them."""
    out_of_patience: bool


def judge(values: Sequence[float], monitor: Monitor) -> Judgement:
    """Judge the watched number's values, one for each validation so far. What is not a number is never better.

    The patience counts from the last value that bettered the one it was counted from by more than the threshold.
    """
    sign = 1.0 if monitor.higher_is_better else -1.0
    best: int | None = None
    mark, since = -math.inf, 0
    for index, value in enumerate(values):
        worth = -math.inf if math.isnan(value) else sign * value
        if worth > (-math.inf if best is None else sign * values[best]):
            best = index
        if worth > mark + monitor.threshold or (mark == -math.inf and worth > mark):
            mark, since = worth, 0
        else:
            since += 1
    return Judgement(best, monitor.patience is not None and since >= monitor.patience)


def first_at_least(values: Sequence[float], goal: float) -> int | None:
    """The place of the first value that is no less than the goal; None where none is."""
    return next((index for index, value in enumerate(values) if value >= goal), None)


Curve = Sequence[Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """Values whose first reaching is of interest."""

    metric: str
    """A number that the module logs while validating; more is better."""
    values: tuple[float, ...]
    """In rising order."""

    def __post_init__(self) -> None:
        rising = all(one < other for one, other in zip(self.values, self.values[1:], strict=False))
        require(bool(self.values) and rising, "milestones", self.values, "values in rising order")

    def reached(self, curve: Curve, weights: Callable[[int], Path]) -> tuple[ReachedMilestone, ...]:
        """When each was reached; `weights` gives the snapshot of a row of the curve."""
        values = [row[self.metric] for row in curve]
        rows = [(goal, first_at_least(values, goal)) for goal in self.values]
        return tuple(
            ReachedMilestone(value=goal, row=row, weights=None if row is None else weights(row)) for goal, row in rows
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedMilestone:
    """One milestone."""

    value: float
    row: int | None
    """The row of the curve at which it was first reached; None where it never was."""
    weights: Path | None
    """The weights at that moment."""


def window_until(metric: str, value: float) -> str:
    """The name of the window from the start of a training until a milestone is reached, or the training ends."""
    return f"until {metric} {value:g}"


class MilestoneWindows:
    """Marks the stretch of the run up to each milestone as a window, so that its time and energy are told.

    The windows nest, the farthest milestone's outermost. One that is never reached lasts as long as the training; a
    training that was resumed marks none, since this run then had a part of the stretch only.
    """

    def __init__(self, ctx: Context, milestones: Milestones | None) -> None:
        self._ctx = ctx
        self._milestones = milestones
        self._open: list[tuple[float, AbstractContextManager[object]]] = []

    def __enter__(self) -> MilestoneWindows:
        if self._milestones:
            for value in reversed(self._milestones.values):
                window = self._ctx.window(window_until(self._milestones.metric, value))
                window.__enter__()
                self._open.append((value, window))
        return self

    def close(self, curve: Curve) -> None:
        """End the windows of the milestones that the last row reaches."""
        if self._milestones:
            now = curve[-1][self._milestones.metric]
            while self._open and now >= self._open[-1][0]:
                self._open.pop()[1].__exit__(None, None, None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as rest:
            for _, window in self._open:
                rest.push(window.__exit__)
            self._open = []
