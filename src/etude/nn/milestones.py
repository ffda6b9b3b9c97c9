"""Milestones of a training: when a validation's number first reached a value, and with which weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from etude import Context
from etude.errors import require
from etude.nn.watched import first_at_least

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

    def reached(self, curve: Curve, weights: Callable[[int], Path]) -> tuple[Reached, ...]:
        """When each was reached; `weights` gives the snapshot of a row of the curve."""
        values = [row[self.metric] for row in curve]
        found = [(goal, first_at_least(values, goal)) for goal in self.values]
        return tuple(Reached(goal, row, None if row is None else weights(row)) for goal, row in found)


@dataclass(frozen=True, slots=True)
class Reached:
    """One milestone."""

    value: float
    row: int | None
    """The row of the curve at which it was first reached; None where it never was."""
    weights: Path | None
    """The weights at that moment."""


def window_until(metric: str, value: float) -> str:
    """The name of the window from the start of a training until a milestone is reached, or the training ends."""
    return f"until {metric} {value:g}"


class Stretches:
    """Marks the stretch of the run up to each milestone as a window, so that its time and energy are told.

    The windows nest, the farthest milestone's outermost. One that is never reached lasts as long as the training; a
    training that was resumed marks none, since this run then had a part of the stretch only.
    """

    def __init__(self, ctx: Context, milestones: Milestones | None) -> None:
        self._ctx = ctx
        self._milestones = milestones
        self._open: list[tuple[float, AbstractContextManager[object]]] = []

    def __enter__(self) -> Stretches:
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
