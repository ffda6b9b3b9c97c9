"""How a search went: the best so far, and how many points beat the baseline, over evaluations and over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from etude.analysis.intervals import t_interval
from etude.analysis.search.results import SearchResults, Trial

MOST_PLACES = 200
"""At which several searches are laid over each other."""


class Moment(NamedTuple):
    """What was known after one more trial had ended."""

    evaluations: int
    """Trials that had ended, failed ones among them."""
    time_s: float
    number: int
    """The trial that ended."""
    best: float | None
    """In the user's sign; None before the first value. Points that break a constraint are never the best."""
    better_than_baseline: int
    """Trials so far that are better than the baseline; 0 where there is none."""


class Band(NamedTuple):
    """Several searches together, at one place."""

    at: float
    mean: float
    low: float | None
    high: float | None
    """95 % interval of the mean by Student's t; None for fewer than two searches."""
    n: int


def moments(results: SearchResults, at: int = 0) -> tuple[Moment, ...]:
    """One moment for each trial that ended, in the order in which they did.

    Args:
        results: The search.
        at: Which of its metrics.
    """
    found: list[Moment] = []
    best: float | None = None
    beaten = 0
    base = results.baseline
    for trial in ended_trials(results):
        if trial.values is not None and trial.feasible:
            value = trial.values[at]
            if best is None or results.better(value, best, at):
                best = value
            beaten += base is not None and base.values is not None and results.better(value, base.values[at], at)
        found.append(Moment(len(found) + 1, trial.ended_s or 0.0, trial.number, best, beaten))
    return tuple(found)


def ended_trials(results: SearchResults) -> list[Trial]:
    """Trials that came to an end, the earliest first."""
    return sorted(
        (trial for trial in results.trials if trial.ended_s is not None),
        key=lambda trial: (trial.ended_s, trial.number),
    )


def beaten_after(results: SearchResults, at: int = 0) -> Moment | None:
    """The first moment at which the baseline was beaten; None where it never was, or there is none."""
    return next((moment for moment in moments(results, at) if moment.better_than_baseline), None)


def together(curves: Sequence[Sequence[tuple[float, float | None]]]) -> tuple[Band, ...]:
    """The mean of several stepped curves, as far as all of them have begun and none has ended.

    Args:
        curves: For each search its places (evaluations or seconds, rising) with the best so far.
    """
    begun = [next((place for place, value in curve if value is not None), math.inf) for curve in curves]
    start, end = max(begun, default=math.inf), min((curve[-1][0] for curve in curves if curve), default=0.0)
    if not math.isfinite(start) or end < start:
        return ()
    places = sorted({place for curve in curves for place, _ in curve if start <= place <= end} | {start, end})
    if len(places) > MOST_PLACES:
        last = len(places) - 1
        places = [places[round(each * last / (MOST_PLACES - 1))] for each in range(MOST_PLACES)]
    found = []
    for place in places:
        values = [held for curve in curves if (held := value_at(curve, place)) is not None]
        between = t_interval(values)
        low, high = (between.low, between.high) if between else (None, None)
        found.append(Band(place, sum(values) / len(values), low, high, len(values)))
    return tuple(found)


def value_at(curve: Sequence[tuple[float, float | None]], place: float) -> float | None:
    """What a stepped curve holds at a place: the last value at or before it."""
    held = None
    for at, value in curve:
        if at > place:
            break
        held = value
    return held
