"""95 % confidence intervals of a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

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
    """By resampling with replacement, studentised (bootstrap-t).

    Of five values it covers a normal mean in 95 % of all samples and the mean of skewed ones (exponential) in 92 %,
    where the t interval covers 88 % and one from quantiles of resampled means 80 to 85 %.

    Returns:
        The interval; None for fewer than five values, and where so many are equal that resamples have no spread.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5.
    """
    sample = np.asarray(values, dtype=float)
    n = len(sample)
    if n < FEWEST_TO_RESAMPLE:
        return None
    if sample.min() == sample.max():
        return Interval(float(sample[0]), float(sample[0]))
    std, mean = float(sample.std(ddof=1)), float(sample.mean())
    if not math.isfinite(std) or std == 0.0:
        return None
    scaled = (sample - mean) / std
    counts, weights = _resamples(n, resamples, seed)
    means = counts @ scaled / n
    variances = np.maximum(counts @ scaled**2 / n - means**2, 0.0) * n / (n - 1)
    still = variances < 1e-12
    t = np.where(still, np.copysign(np.inf, means), means / np.sqrt(np.where(still, 1.0, variances)))
    with np.errstate(invalid="ignore"):  # between two resamples without spread there is no number
        low, high = _quantiles(t, weights, np.array([0.5 + LEVEL / 2, 0.5 - LEVEL / 2]))
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return Interval(mean - low * std, mean - high * std)


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
        neighbours = np.partition(values, around)[around]
    else:
        order = np.argsort(values)
        neighbours = values[order[np.searchsorted(np.cumsum(weights[order]), around, side="right")]]
    left, right = neighbours[:2], neighbours[2:]
    low, high = left + (right - left) * (places - first)
    return float(low), float(high)
