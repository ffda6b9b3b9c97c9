"""95 % confidence intervals of a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

from etude.analysis.spread import sample_std
from etude.analysis.summary import Interval

LEVEL = 0.95
FEWEST_TO_RESAMPLE = 5
"""Of fewer values there are too few different samples: the interval would be far too narrow."""


def t_interval(values: Sequence[float]) -> Interval | None:
    """By Student's t distribution with n − 1 degrees of freedom; None for fewer than two values."""
    std = sample_std(values)
    if std is None:
        return None
    mean = float(np.mean(values))
    half = float(stdtrit(len(values) - 1, 0.5 + LEVEL / 2)) * std / math.sqrt(len(values))
    return Interval(mean - half, mean + half)


def bootstrap_interval(values: Sequence[float], *, resamples: int = 9999, seed: int = 0) -> Interval | None:
    """By resampling with replacement, bias-corrected and accelerated (BCa); None for fewer than five values.

    Source: Efron, Better Bootstrap Confidence Intervals, 1987; acceleration by the jackknife.
    """
    found = np.asarray(values, dtype=float)
    n = len(found)
    if n < FEWEST_TO_RESAMPLE:
        return None
    if found.min() == found.max():
        return Interval(float(found[0]), float(found[0]))
    mean, rounding = float(found.mean()), 1e-9 * float(np.ptp(found))
    means = found[_draws(n, resamples, seed)].mean(axis=1)
    below = ((means < mean - rounding).mean() + (means <= mean + rounding).mean()) / 2
    bias = ndtri(below)
    without = (found.sum() - found) / (n - 1)
    pull = (n - 1) * (without.mean() - without)
    acceleration = (pull**3).sum() / n**3 / (6 * ((pull**2).sum() / n**2) ** 1.5)
    edges = bias + ndtri(np.array([0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    low, high = np.quantile(means, ndtr(bias + edges / (1 - acceleration * edges)))
    return Interval(float(low), float(high))


@lru_cache(maxsize=4)
def _draws(n: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Who is drawn in each resample: the same for all metrics, so that it is drawn once."""
    return np.random.default_rng(seed).integers(0, n, (resamples, n))
