"""Trials as numbers: a coordinate from 0 to 1 for each dimension, and a loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from etude.analysis.search.results import SearchResults, Trial

Floats = npt.NDArray[np.float64]

FENCE = 3.0
"""Values further than so many interquartile ranges from the middle half are moved to there: one run-away value would
otherwise be all of the variance."""


class Encoded(NamedTuple):
    """The trials that have values. n trials, d dimensions."""

    units: Floats
    """Shape (n, d), from 0 to 1; NaN where a dimension is inactive."""
    values: Floats
    """Shape (n,), in the user's sign."""
    fenced: int
    """Values that were moved to the fence."""
    numbers: tuple[int, ...]
    """Of the trials, in the order in which they ended."""


def encode(results: SearchResults, at: int = 0, most: int | None = None, seed: int = 0) -> Encoded:
    """The trials that have values, as arrays.

    Args:
        results: The search.
        at: Which of its metrics.
        most: More trials than this are thinned to as many, drawn without regard to their values.
        seed: Of that draw.
    """
    trials = list(results.known())
    if most is not None and len(trials) > most:
        kept = np.sort(np.random.default_rng(seed).choice(len(trials), most, replace=False))
        trials = [trials[index] for index in kept]
    values = np.array([trial.values[at] for trial in trials if trial.values], dtype=float)
    inside = _fenced(values)
    return Encoded(
        units=np.array([_units(results, trial) for trial in trials]).reshape(len(trials), len(results.dimensions)),
        values=inside,
        fenced=int((inside != values).sum()),
        numbers=tuple(trial.number for trial in trials),
    )


def _units(results: SearchResults, trial: Trial) -> list[float]:
    return [
        each.unit(trial.point[each.name]) if each.name in trial.point else float("nan") for each in results.dimensions
    ]


def _fenced(values: Floats) -> Floats:
    if len(values) < 4:
        return values
    low, high = np.quantile(values, [0.25, 0.75])
    reach = FENCE * (high - low)
    return np.clip(values, low - reach, high + reach) if reach > 0 else values
