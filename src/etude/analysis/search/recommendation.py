"""Which tried point to take where values are noisy: the best value seen is then partly luck."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from etude.analysis.search.encoding import encode
from etude.analysis.search.results import SearchResults, Trial, top

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

Floats = npt.NDArray[np.float64]

FEWEST = 8
"""Trials with values that a model needs."""
MOST_FITTED = 128
"""Trials a model is fitted on at most: the best half of them, and a half drawn without regard to their values."""
NORMAL_95 = 1.959964
"""Quantile .975 of the standard normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The best trial by its value, and the one that a model expects to be the best."""

    observed: Trial
    """With the best value of all."""
    expected: Trial
    """With the best posterior mean of all that were tried."""
    mean: float
    """The model's mean of `expected`, in the metric's unit, without noise."""
    low: float
    high: float
    """The model's 95 % interval of that mean: normal, given the fitted model."""
    observed_mean: float
    """The model's mean of `observed`: what lies between it and the value seen is luck, as far as the model tells."""
    noise_sd: float
    """Standard deviation of one value at a fixed point, as fitted; it comes from seeds, data order and the like."""


def recommendation(results: SearchResults, at: int = 0, *, seed: int = 0) -> Recommendation | None:
    """The tried point with the best posterior mean under a Gaussian process, beside the best that was seen.

    The model has a Matérn kernel (ν = 5/2) with a length scale for each axis and white noise, fitted by marginal
    likelihood (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sections 2.2 and 5.4); choosing
    among tried points by their mean is what Frazier, A Tutorial on Bayesian Optimization, 2018, section 4.2, advises
    under noise.

    Args:
        results: The search.
        at: Which of its metrics.
        seed: Of the trials that a model of many is fitted on.

    Returns:
        None where fewer than eight trials have values, or all values are the same.
    """
    feasible = {trial.number: trial for trial in top(results, len(results.trials), at)}
    data = encode(results, at)
    if len(feasible) < 1 or len(data.values) < FEWEST or float(np.ptp(data.values)) == 0:
        return None
    features = _features(results, data.units)
    better = data.values if results.maximise[at] else -data.values
    rows = _fitted_rows(better, np.random.default_rng(seed))
    model = _fit(features[rows], data.values[rows])
    mean, spread = model.predict(features, return_std=True)
    noise = float(model.kernel_.k2.noise_level) * float(model._y_train_std) ** 2
    own = np.sqrt(np.maximum(spread**2 - noise, 0.0))
    place = {number: row for row, number in enumerate(data.numbers)}
    known = [place[number] for number in feasible]
    sign = 1.0 if results.maximise[at] else -1.0
    chosen = max(known, key=lambda row: (sign * mean[row], -data.numbers[row]))
    observed = next(iter(feasible.values()))
    return Recommendation(
        observed=observed,
        expected=feasible[data.numbers[chosen]],
        mean=float(mean[chosen]),
        low=float(mean[chosen] - NORMAL_95 * own[chosen]),
        high=float(mean[chosen] + NORMAL_95 * own[chosen]),
        observed_mean=float(mean[place[observed.number]]),
        noise_sd=math.sqrt(noise),
    )


def _fitted_rows(better: Floats, random: np.random.Generator) -> npt.NDArray[np.int64]:
    if len(better) <= MOST_FITTED:
        return np.arange(len(better))
    order = np.argsort(-better, kind="stable")
    best, rest = order[: MOST_FITTED // 2], order[MOST_FITTED // 2 :]
    return np.sort(np.concatenate([best, random.choice(rest, MOST_FITTED - len(best), replace=False)]))


def _features(results: SearchResults, units: Floats) -> Floats:
    """Ordered axes as they are, choices as one column for each option; the middle for what is inactive."""
    columns: list[Floats] = []
    for each, places in zip(results.dimensions, units.T, strict=True):
        if each.kind == "choice":
            middles = (np.arange(len(each.options)) + 0.5) / len(each.options)
            columns += [(np.abs(places - middle) < 1e-9).astype(float) for middle in middles]
        else:
            columns.append(np.nan_to_num(places, nan=0.5))
    return np.column_stack(columns)


def _fit(features: Floats, values: Floats) -> GaussianProcessRegressor:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    scales = np.full(features.shape[1], 0.5)
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(scales, (0.05, 50.0), nu=2.5) + WhiteKernel(0.1, (1e-6, 10.0))
    with threadpool_limits(1), warnings.catch_warnings():  # small matrices: more threads only wait for each other
        warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its bound is an axis without effect
        return GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(features, values)
