"""How promising points look to a model. All are logarithms, so that parts multiply and nothing underflows."""

from __future__ import annotations

import math

import numpy as np

from etude.search.samplers.unit_cube import Array

_ROOT_HALF_PI = float(np.sqrt(np.pi / 2.0))
_ROOT_HALF = math.sqrt(0.5)
_FAR = -25.0
"""Below, phi(z) + z Phi(z) is phi(z) / z² to a part in 200, and cancels where it is computed as it stands."""
_LOG_ROOT_TWO_PI = float(0.5 * np.log(2.0 * np.pi))


def log_improvement(mean: Array, variance: Array, best: float) -> Array:
    """The logarithm of the expected improvement below `best`, shape (m,), for normal values of these moments.

    Source: Ament et al. (2023), "Unexpected improvements to expected improvement", section 4.1.
    """
    spread = np.sqrt(variance)
    return np.log(spread) + log_tail((best - mean) / spread)


def log_tail(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), also for z far below 0."""
    from scipy.special import erfcx, ndtr

    z = np.asarray(z, dtype=np.float64)
    below = np.minimum(z, -1.0)
    left = -0.5 * below**2 - _LOG_ROOT_TWO_PI
    inner = 1.0 + below * _ROOT_HALF_PI * erfcx(-below / np.sqrt(2.0))
    far = below < -1e3  # there the difference cancels: its series is 1/z²
    left += np.log(np.where(far, 1.0 / below**2, np.maximum(inner, 1e-300)))
    above = np.maximum(z, -1.0)
    right = np.log(np.exp(-0.5 * above**2 - _LOG_ROOT_TWO_PI) + above * ndtr(above))
    return np.where(z < -1.0, left, right)


def log_tail_and_slope(z: float) -> tuple[float, float]:
    """`log_tail` of one number, and its derivative Phi(z) / (phi(z) + z Phi(z))."""
    if z < _FAR:
        return -0.5 * z * z - _LOG_ROOT_TWO_PI - 2.0 * math.log(-z), -z
    below = 0.5 * math.erfc(-z * _ROOT_HALF)
    tail = math.exp(-0.5 * z * z - _LOG_ROOT_TWO_PI) + z * below
    return math.log(tail), below / tail


def log_within(mean: Array, variance: Array) -> Array:
    """The logarithm of the probability that a normal value is 0 or less, shape (m,)."""
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr(-mean / np.sqrt(variance)))


def log_scalarisation(means: Array, variances: Array, weights: Array, fronts: Array, draws: Array) -> Array:
    """The logarithm of the expected improvement of an augmented Chebyshev scalarisation, shape (m,).

    Args:
        means: Expected objectives, shape (k, m).
        variances: Their variances, shape (k, m).
        weights: Positive, sum 1, shape (k,).
        fronts: Observed objectives, shape (n, k), scaled alike.
        draws: Standard normal numbers, shape (s, k), the same for all points.

    Source: Knowles (2006), ParEGO, with the expectation over draws as in Daulton et al. (2020), section 4;
    softened so that points without improvement in any draw can still be told apart.
    """
    ideal = fronts.min(0)
    best = float(chebyshev((fronts - ideal).T, weights).min())
    spreads = np.sqrt(variances)
    total = np.zeros(means.shape[1])
    for draw in draws:
        value = chebyshev(means - ideal[:, None] + spreads * draw[:, None], weights)
        total += np.logaddexp(0.0, (best - value) / _SOFT) * _SOFT
    return np.asarray(np.log(np.maximum(total / len(draws), 1e-300)))


def chebyshev(objectives: Array, weights: Array) -> Array:
    """The greatest weighted objective plus a little of their sum, shape (m,), for objectives (k, m) above an ideal."""
    weighted = objectives * weights[:, None]
    return np.asarray(weighted.max(0) + 0.05 * weighted.sum(0))


_SOFT = 0.02
