"""95 % confidence intervals of a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

from etude.analysis.spread import mean_of, sample_std
from etude.analysis.summary import Interval

LEVEL = 0.95
FEWEST_TO_RESAMPLE = 5
"""Of fewer values there are too few different samples: the interval would be far too narrow."""


def t_interval(values: Sequence[float]) -> Interval | None:
    """By Student's t distribution with n − 1 degrees of freedom; None for fewer than two values."""
    std = sample_std(values)
    if std is None:
        return None
    mean = mean_of(values)
    half = _reach(len(values) - 1) * std / math.sqrt(len(values))
    return Interval(mean - half, mean + half)


@lru_cache(maxsize=1024)
def _reach(freedom: int) -> float:
    """How many standard errors the interval reaches to either side."""
    return float(stdtrit(freedom, 0.5 + LEVEL / 2))


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
    counts, weights = _resamples(n, resamples, seed)
    means = np.clip(counts @ found / n, found.min(), found.max())
    below = (weights @ (means < mean - rounding) + weights @ (means <= mean + rounding)) / 2 / resamples
    bias = ndtri(below)
    without = (found.sum() - found) / (n - 1)
    pull = (n - 1) * (without.mean() - without)
    acceleration = (pull**3).sum() / n**3 / (6 * ((pull**2).sum() / n**2) ** 1.5)
    edges = bias + ndtri(np.array([0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    low, high = _quantiles(means, weights, ndtr(bias + edges / (1 - acceleration * edges)))
    return Interval(low, high)


MOST_FEW = 8
"""Values of which there are fewer different resamples than resamples are drawn."""


@lru_cache(maxsize=4)
def _resamples(n: int, resamples: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """How often each value is in each resample, shape (k, n), and how often each such resample was drawn, shape (k,).

    The same for all metrics, so drawn once; of few values many resamples are alike, and are reckoned once.
    """
    drawn = np.random.default_rng(seed).integers(0, n, (resamples, n))
    places = drawn + n * np.arange(resamples)[:, None]
    counts = np.bincount(places.ravel(), minlength=n * resamples).reshape(resamples, n)
    if n > MOST_FEW:
        return counts.astype(float), np.ones(resamples, dtype=np.int64)
    alike, weights = np.unique(counts, axis=0, return_counts=True)
    return alike.astype(float), weights


def _quantiles(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.int64], shares: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Two quantiles of values that occur several times each, linear between neighbours."""
    last = int(weights.sum()) - 1
    places = shares * last
    first = np.floor(places).astype(np.int64)
    around = np.concatenate([first, np.minimum(first + 1, last)])
    if len(values) > last:
        found = np.partition(values, around)[around]
    else:
        order = np.argsort(values)
        found = values[order[np.searchsorted(np.cumsum(weights[order]), around, side="right")]]
    left, right = found[:2], found[2:]
    low, high = left + (right - left) * (places - first)
    return float(low), float(high)
