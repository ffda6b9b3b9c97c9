"""A Gaussian process with a Matérn-5/2 kernel: its covariance, its likelihood and the fit of its hyper-parameters.

Shapes: n observations, m other points, f features; `theta` has f + 2 numbers, all logarithms: the inverse squared
length of each feature, the variance of the signal and the variance of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

JITTER = 1e-6
"""Added to the noise's variance, so that equal points keep the covariance positive definite."""

QUIET = 30.0
"""Taken against noise where there is no reason to expect much of it."""
LENGTH_BOUND = 7.0
SIGNAL_BOUND = 4.0
NOISE_BOUNDS = (-14.0, 1.0)

_GRID = 256.0
"""Fitted logarithms are rounded to 1/256: the last digits of a BLAS then rarely reach a proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelScale:
    """Hyper-parameters as the kernel uses them."""

    roots: Array
    """Square roots of 5 times the inverse squared lengths, shape (f,)."""
    signal: float
    noise: float


def natural_scale(theta: Array) -> KernelScale:
    """The natural values of the logarithms in `theta`, shape (f + 2,)."""
    return KernelScale(
        roots=np.sqrt(5.0) * np.exp(0.5 * theta[:-2]),
        signal=float(np.exp(theta[-2])),
        noise=float(np.exp(theta[-1])) + JITTER,
    )


def start(features: int, *, widening: bool = False) -> Array:
    """Where the fit begins, shape (f + 2,): unit signal, a noise of 1 % of the variance, and unit lengths.

    Where lengths grow with the number of features (`widening`), from about what is then most likely.
    """
    theta = np.zeros(features + 2)
    if widening and features > 1:
        theta[:-2] = -2.0 * np.log(0.24 * np.sqrt(features))
    theta[-1] = np.log(0.01)
    return theta


def covariance(first: Array, second: Array, signal: float) -> Array:
    """Covariances, shape (n, m), between points (n, f) and (m, f) that are already multiplied by `Scaled.roots`.

    Source: Rasmussen and Williams (2006), equation 4.17 with p = 2.
    """
    squares = np.einsum("ij,ij->i", first, first)[:, None] + np.einsum("ij,ij->i", second, second)[None, :]
    squares -= 2.0 * (first @ second.T)
    np.maximum(squares, 0.0, out=squares)
    distance = np.sqrt(squares)
    squares *= 1.0 / 3.0
    squares += distance
    squares += 1.0
    np.negative(distance, out=distance)
    squares *= np.exp(distance, out=distance)
    squares *= signal
    return np.asarray(squares)


def loss_and_slope(
    theta: Array, points: Array, values: Array, quiet: float = QUIET, widening: bool = False
) -> tuple[float, Array]:
    """The negative log posterior of `theta` and its gradient, shape (f + 2,).

    Args:
        theta: Logarithms of the hyper-parameters.
        points: Features, shape (n, f).
        values: Observations of mean about 0 and variance about 1, shape (n,).
        quiet: How much is taken against noise, for each unit of its variance.
        widening: Whether lengths are expected to grow with the root of the number of features, so that a feature
            without effect costs nothing to leave out (Hvarfner et al. (2024), Vanilla Bayesian Optimization Performs
            Great in High Dimensions, section 4); else they are expected near 1.

    Source: Rasmussen and Williams (2006), equation 5.9; the priors (lengths and signal near 1, little noise)
    keep the fit sound with a handful of observations.
    """
    size = len(values)
    lengths, signal = np.exp(theta[:-2]), float(np.exp(theta[-2]))
    noise = float(np.exp(theta[-1]))
    scaled_points = points * np.sqrt(5.0 * lengths)
    squares = np.einsum("ij,ij->i", scaled_points, scaled_points)
    distances = squares[:, None] + squares[None, :] - 2.0 * (scaled_points @ scaled_points.T)
    np.maximum(distances, 0.0, out=distances)
    np.sqrt(distances, out=distances)
    decay = np.exp(-distances)
    kernel = signal * (1.0 + distances + distances**2 / 3.0) * decay
    inverse, log_determinant = inverse_of(kernel + (noise + JITTER) * np.eye(size))
    weights = inverse @ values
    loss = 0.5 * float(values @ weights) + 0.5 * log_determinant
    inner = 0.5 * (inverse - np.outer(weights, weights))
    by_length = inner * ((-5.0 / 6.0) * signal) * (1.0 + distances) * decay
    slope = np.empty_like(theta)
    slope[:-2] = lengths * 2.0 * (by_length.sum(1) @ points**2 - np.einsum("id,id->d", points, by_length @ points))
    slope[-2] = float(np.einsum("ij,ij->", inner, kernel))
    slope[-1] = float(np.trace(inner)) * noise
    loss += signal - theta[-2] + quiet * noise - 0.1 * theta[-1]
    if widening:
        apart = -0.5 * theta[:-2] - (np.sqrt(2.0) + 0.5 * np.log(len(theta) - 2))
        loss += float((apart**2 / 6.0 - 0.5 * theta[:-2]).sum())
        slope[:-2] += -apart / 6.0 - 0.5
    else:
        loss += float((0.1 / lengths + 0.1 * lengths).sum())
        slope[:-2] += 0.1 * lengths - 0.1 / lengths
    slope[-2] += signal - 1.0
    slope[-1] += quiet * noise - 0.1
    return loss, slope


def inverse_of(matrix: Array) -> tuple[Array, float]:
    """The inverse of a positive definite matrix and the logarithm of its determinant."""
    from scipy.linalg import lapack

    factor, fault = lapack.dpotrf(matrix, lower=1)
    if fault:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    inverse, _ = lapack.dpotri(factor, lower=1)
    lower = np.tril(inverse, -1)
    return lower + lower.T + np.diag(np.diag(inverse)), 2.0 * float(np.log(np.diag(factor)).sum())


def fit(
    points: Array, values: Array, begin: Array, iterations: int, quiet: float = QUIET, *, widening: bool = False
) -> Array:
    """Hyper-parameters of greatest posterior density near `begin`, rounded to a grid, shape (f + 2,)."""
    from scipy.optimize import minimize

    width = len(begin) - 2
    bounds = [(-LENGTH_BOUND, LENGTH_BOUND)] * width + [(-SIGNAL_BOUND, SIGNAL_BOUND), NOISE_BOUNDS]
    found = minimize(
        loss_and_slope,
        begin,
        args=(points, values, quiet, widening),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations},
    )
    return np.asarray(np.round(found.x * _GRID) / _GRID)
