"""Which weights of a training are the best, and when it is time to stop, judged from the curve alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from etude.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
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


def judged(values: Sequence[float], watched: Watched) -> Judgement:
    """Judge the watched number's values, one for each validation so far. What is not a number is never better.

    The patience counts from the last value that bettered the one it was counted from by more than the threshold.
    """
    sign = 1.0 if watched.higher_is_better else -1.0
    best: int | None = None
    mark, since = -math.inf, 0
    for index, value in enumerate(values):
        worth = -math.inf if math.isnan(value) else sign * value
        if worth > (-math.inf if best is None else sign * values[best]):
            best = index
        if worth > mark + watched.threshold or (mark == -math.inf and worth > mark):
            mark, since = worth, 0
        else:
            since += 1
    return Judgement(best, watched.patience is not None and since >= watched.patience)


def first_at_least(values: Sequence[float], goal: float) -> int | None:
    """The place of the first value that is no less than the goal; None where none is."""
    return next((index for index, value in enumerate(values) if value >= goal), None)
