"""Statistics of latencies and of repeated measurements, honest about samples that resemble their neighbours.

Successive latencies are rarely independent (queues, warm caches, clock rates), so n of them are worth fewer. How many
is estimated from an autoregressive fit, and every interval here is built on that *effective* number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from etude.errors import MeterError

_TELLS_CORRELATION = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyEstimate:
    """A statistic with its 95 % interval; an end is None where the sample is too small to give one."""

    value: float
    lo: float | None
    hi: float | None
    n: int
    effective_n: float
    """How many independent observations the sample is worth."""

    @property
    def relative_half_width(self) -> float:
        """Half of the interval over the value; infinite where there is none."""
        if self.lo is None or self.hi is None or self.value == 0:
            return math.inf
        return (self.hi - self.lo) / 2 / abs(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """A latency sample told in full."""

    n: int
    mean: LatencyEstimate
    std: float | None
    """Sample standard deviation; None for one observation."""
    percentiles: dict[str, LatencyEstimate]
    """`p50`, `p90`, …."""


def summary(sample: Sequence[float], percentiles: Sequence[float] = (0.5, 0.9, 0.95, 0.99)) -> LatencySummary:
    """Mean, spread and percentiles of a sample in the order it was taken. MeterError for an empty one."""
    mean = mean_interval(sample)
    centred = math.fsum((x - mean.value) ** 2 for x in sample)
    std = math.sqrt(centred / (len(sample) - 1)) if len(sample) > 1 else None
    told = {f"p{100 * p:g}": percentile_interval(sample, p) for p in percentiles}
    return LatencySummary(n=len(sample), mean=mean, std=std, percentiles=told)


def effective_size(sample: Sequence[float]) -> float:
    """How many independent observations a sample is worth, at least 1 and at most its length.

    From the lag-one correlation r, corrected for its bias of -(1 + 3 r) / n (Marriott & Pope, Biometrika 41, 1954), as
    n (1 - r) / (1 + r) of a first-order autoregression; a negative r is taken as none. Fewer than ten observations
    cannot tell a correlation, and are taken as independent.
    """
    n = len(sample)
    if n < _TELLS_CORRELATION:
        return float(n)
    mean = math.fsum(sample) / n
    centred = [x - mean for x in sample]
    variance = math.fsum(x * x for x in centred)
    if variance <= 1e-24 * max(1.0, mean * mean) * n:
        return float(n)
    r = math.fsum(centred[i] * centred[i + 1] for i in range(n - 1)) / variance
    r = min((r + 1 / n) / (1 - 3 / n), 0.999)
    return float(n) if r <= 0 else max(1.0, n * (1 - r) / (1 + r))


def mean_interval(sample: Sequence[float], confidence: float = 0.95) -> LatencyEstimate:
    """The mean and its interval by Student's t on the effective size. MeterError for an empty or non-finite sample."""
    _check(sample)
    n = len(sample)
    mean = math.fsum(sample) / n
    worth = effective_size(sample)
    if worth < 2:
        return LatencyEstimate(value=mean, lo=None, hi=None, n=n, effective_n=worth)
    variance = math.fsum((x - mean) ** 2 for x in sample) / (n - 1)
    half = student_t(0.5 + confidence / 2, worth - 1) * math.sqrt(variance / worth)
    return LatencyEstimate(value=mean, lo=mean - half, hi=mean + half, n=n, effective_n=worth)


def percentile_interval(sample: Sequence[float], p: float, confidence: float = 0.95) -> LatencyEstimate:
    """A percentile by linear interpolation between ranks, with an interval between ranks that supposes no distribution.

    The number of observations below the true percentile is binomial; its quantiles are the ranks of the ends. Where
    observations resemble their neighbours, the number that counts is the effective size of `below or not`. An end
    beyond the sample is None: 50 observations have no upper end for a 99th percentile.
    """
    _check(sample)
    if not 0 < p < 1:
        raise MeterError(f"percentile: expected a number between 0 and 1, got {p!r}")
    ordered = sorted(sample)
    n = len(ordered)
    rank = p * (n - 1)
    low = math.floor(rank)
    value = ordered[low] + (rank - low) * (ordered[min(low + 1, n - 1)] - ordered[low])
    worth = effective_size([float(x <= value) for x in sample])
    tail = (1 - confidence) / 2
    count = max(1, math.floor(worth))
    below = binomial_quantile(count, p, tail)
    above = binomial_quantile(count, p, 1 - tail) + 1
    lo = None if below < 1 else min(value, ordered[max(0, math.ceil(below * n / count) - 1)])
    hi = None if above > count else max(value, ordered[min(n - 1, math.ceil(above * n / count) - 1)])
    return LatencyEstimate(value=value, lo=lo, hi=hi, n=n, effective_n=worth)


def percentile_holds(n: int, over: int, percentile: float, confidence: float = 0.99) -> bool:
    """Whether a sample supports the claim that at least this part of all requests is within the limit.

    Args:
        n: Requests observed.
        over: Those of them that were over the limit.
        percentile: The claimed part, such as 0.99.
        confidence: How sure the claim must be.

    Source: MLPerf LoadGen's early stopping: if exactly the part 1 - percentile were over the limit, so few or fewer
    would be seen with a probability of at most 1 - confidence.
    """
    if not (0 <= over <= n and 0 < percentile < 1 and 0 < confidence < 1):
        raise MeterError(f"percentile claim: got {over} of {n} over the limit, p {percentile}, confidence {confidence}")
    return binomial_cdf(n, 1 - percentile, over) <= 1 - confidence


def necessary_requests(over: int, percentile: float, confidence: float = 0.99) -> int:
    """How many requests must be observed for the claim to hold with this many over the limit."""
    low, high = over + 1, over + 2
    while not percentile_holds(high, over, percentile, confidence):
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if percentile_holds(middle, over, percentile, confidence):
            high = middle
        else:
            low = middle + 1
    return high


def binomial_cdf(n: int, p: float, k: int) -> float:
    """P(X <= k) for X binomial (n, p), as the regularised incomplete beta function I(1 - p; n - k, k + 1)."""
    from scipy.special import betainc

    if k >= n:
        return 1.0
    return float(betainc(n - k, k + 1, 1 - p)) if k >= 0 else 0.0


def binomial_quantile(n: int, p: float, probability: float) -> int:
    """The smallest k with P(X <= k) >= probability, for X binomial (n, p)."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if binomial_cdf(n, p, middle) >= probability:
            high = middle
        else:
            low = middle + 1
    return low


def student_t(probability: float, degrees: float) -> float:
    """A quantile of Student's t, degrees of freedom above 0 and not necessarily whole."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def _check(sample: Sequence[float]) -> None:
    if not sample:
        raise MeterError("a statistic needs at least one observation, got none")
    bad = next((x for x in sample if not math.isfinite(x)), None)
    if bad is not None:
        raise MeterError(f"a statistic needs finite observations, got {bad!r}")
