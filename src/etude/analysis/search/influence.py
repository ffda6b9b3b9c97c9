"""Which params do nothing: a test of each, given all the others, that holds although the sampler chose the points.

A sampler gathers its points where it believes the best ones to be. A param that reaches nothing then goes along with
the objective all the same, for both change in the course of the search; a plain correlation, and importances as well,
would take it for one that matters. Here both sides are first freed of what the other params and the course of the
search explain, and only what is left over is compared.

Source: generalised covariance measure, Shah and Peters, The Hardness of Conditional Independence Testing, 2020,
section 3, with several functions of the param at once and the largest of them judged by a Gaussian multiplier
bootstrap (section 3.2). Both regressions are kernel ridge with leave-one-out residuals on a product kernel of main
effects and interactions (Durrande et al., ANOVA kernels and RKHS of zero mean functions, 2013). We add the product
of the param with each other one, so that a param that matters only together with another is found.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from etude.analysis.paired_tests import holm
from etude.analysis.search.encoding import Floats, encode
from etude.analysis.search.results import SearchResults

Verdict: TypeAlias = Literal["matters", "no effect seen", "undecided"]

LEVEL = 0.05
FEWEST = 30
MOST = 500
"""Trials that the test looks at: its cost grows with their third power."""
RESAMPLES = 4_999
NEGLIGIBLE = 0.08
"""A param that may still explain more than this of what the others leave open is undecided, not without effect."""
REACH = 0.35
"""Length over which the objective changes, as part of each axis."""
COUPLINGS = (0.03, 0.1, 0.3)
"""How much interactions weigh beside main effects; chosen by leave-one-out error."""
RIDGES = tuple(10.0**power for power in (-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 2, 4))
FEWEST_OF_OPTION = 4


class Influence(NamedTuple):
    """What the trials say of one param."""

    name: str
    trials: int
    """With a value, and with the param active."""
    p: float | None
    """How often a param without effect would look at least like this; None where it cannot be tested."""
    p_holm: float | None
    """The same, corrected for the number of params."""
    at_most: float | None
    """Share that it explains by itself, at most (95 %), of the variance that the other params leave open."""
    verdict: Verdict
    note: str


def influences(results: SearchResults, at: int = 0, seed: int = 0) -> tuple[Influence, ...]:
    """Test each param, those that show an effect first, then by how much they may explain at most."""
    from threadpoolctl import threadpool_limits

    found = encode(results, at, MOST, seed)
    scores = _normal_scores(found.values)
    with threadpool_limits(1):  # small matrices: more threads wait for each other, and their sums differ
        tests = [_test(index, found.units, scores, results, seed) for index in range(len(results.dimensions))]
    corrected = holm([test.p for test in tests])
    judged = [_judged(test._replace(p_holm=p)) for test, p in zip(tests, corrected, strict=True)]
    order = {"matters": 0, "undecided": 1, "no effect seen": 2}
    return tuple(sorted(judged, key=lambda each: (order[each.verdict], -(each.at_most or 0.0), each.name)))


def _judged(test: Influence) -> Influence:
    if test.p_holm is None or test.at_most is None:
        return test
    if test.p_holm < LEVEL:
        return test._replace(verdict="matters")
    if test.at_most <= NEGLIGIBLE:
        return test._replace(verdict="no effect seen")
    return test._replace(note="too few trials to rule an effect out")


def _test(index: int, units: Floats, scores: Floats, results: SearchResults, seed: int) -> Influence:
    dimension = results.dimensions[index]
    active = ~np.isnan(units[:, index])
    here = Influence(dimension.name, int(active.sum()), None, None, None, "undecided", "")
    if active.sum() < FEWEST:
        return here._replace(note=f"{int(active.sum())} trials, {FEWEST} are needed")
    own, others, loss = units[active, index], np.delete(units[active], index, axis=1), scores[active]
    if np.ptp(own) == 0 or np.ptp(loss) == 0:
        return here._replace(note="always the same value" if np.ptp(own) == 0 else "the objective is always the same")
    numeric = [each.numeric for at, each in enumerate(results.dimensions) if at != index]
    alone = _alone(own, numeric=dimension.kind != "choice")
    features = np.column_stack([alone, *_with_others(own, others, numeric)])
    left = _left_over(loss, features - features.mean(axis=0), others, numeric)
    products = left[:, :1] * left[:, 1:]
    spread = products.std(axis=0)
    if (spread[: alone.shape[1]] <= 1e-12).all():
        return here._replace(note="the other params tell its value")
    products = products / np.where(spread > 1e-12, spread, np.inf)
    n = len(loss)
    sizes = np.abs(products.mean(axis=0)) * np.sqrt(n)
    told = float(sizes.max())
    weights = np.random.default_rng([seed, index]).standard_normal((RESAMPLES, n))
    by_chance = np.abs(weights @ (products - products.mean(axis=0))).max(axis=1) / np.sqrt(n)
    p = float((1 + (by_chance >= told).sum()) / (RESAMPLES + 1))
    return here._replace(p=p, at_most=min(1.0, float((sizes[: alone.shape[1]].max() + 1.96) ** 2 / n)))


def _alone(own: Floats, *, numeric: bool) -> Floats:
    """Functions of the param in which an effect of its own would show: shape (n, m)."""
    if numeric:
        line = own - own.mean()
        return np.column_stack([line, line**2])
    options, counts = np.unique(own, return_counts=True)
    chosen = options[counts >= min(FEWEST_OF_OPTION, counts.max())] if len(options) > 2 else options[:1]
    return np.column_stack([(own == option).astype(float) for option in chosen])


def _with_others(own: Floats, others: Floats, numeric: list[bool]) -> list[Floats]:
    """The param times each other one that has a scale, in which an effect of both together would show."""
    line = own - own.mean()
    scaled = [column for column, held in zip(others.T, numeric, strict=True) if held and not np.isnan(column).all()]
    return [line * np.nan_to_num(column - np.nanmean(column)) for column in scaled]


def _left_over(loss: Floats, features: Floats, others: Floats, numeric: list[bool]) -> Floats:
    """What the other params, and the course of the search, do not explain: of the loss first, then of each feature."""
    wanted = np.column_stack([loss - loss.mean(), features])
    course = np.linspace(0, 1, len(loss))
    single = [_kernel(column, scaled) for column, scaled in zip(others.T, numeric, strict=True)]
    single.append(_kernel(course, numeric=True))
    best: Floats | None = None
    for coupling in COUPLINGS:
        kernel = np.ones((len(loss), len(loss)))
        for each in single:
            kernel *= (1 + coupling * each) / (1 + coupling)
        left = _leave_one_out(kernel, wanted)
        best = left if best is None else np.where((left**2).sum(axis=0) < (best**2).sum(axis=0), left, best)
    assert best is not None
    return best


def _kernel(column: Floats, numeric: bool) -> Floats:
    """How alike trials are in one param, from 0 to 1; trials in which it is inactive are alike."""
    off = np.isnan(column)
    filled = np.where(off, -9.0, column)
    apart = filled[:, None] - filled[None]
    return np.exp(-0.5 * (apart / REACH) ** 2) if numeric else (apart == 0).astype(float)


def _leave_one_out(kernel: Floats, wanted: Floats) -> Floats:
    """Residuals of ridge regression, each without the trial itself, with the ridge that makes them smallest.

    Shape (n, m), as `wanted`.
    """
    eigen, basis = np.linalg.eigh(kernel)
    eigen = np.maximum(eigen, 0.0)
    turned, squared = basis.T @ wanted, basis**2
    best, least = wanted, (wanted**2).sum(axis=0)
    for ridge in RIDGES:
        weights = eigen / (eigen + ridge)
        left = (wanted - basis @ (weights[:, None] * turned)) / (1 - squared @ weights)[:, None]
        error = (left**2).sum(axis=0)
        best = np.where(error < least, left, best)
        least = np.minimum(error, least)
    return best


def _normal_scores(values: Floats) -> Floats:
    """Ranks as quantiles of the normal distribution, so that no single value outweighs the others."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.5) / max(1, len(values))))
