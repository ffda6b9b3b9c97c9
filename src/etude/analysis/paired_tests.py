"""Tests and effect sizes for paired values: the same replicate under one group and under another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, stdtr

from etude.analysis.spread import sample_std

FEWEST_PAIRS = 3
"""No test is made of fewer."""
EXACT_UP_TO = 16
"""Pairs for which all sign flips are gone through; for more, a sample of them is drawn."""
DRAWN = 65_535
BLOCK = 4_096
"""Flips that are held at once."""
MOST_TOGETHER = 256
"""Sets of differences that go through the same flips together."""


def differences(group: Sequence[float], baseline: Sequence[float]) -> npt.NDArray[np.float64]:
    """Group minus baseline, pair by pair; differences that are all the same but for rounding are made the same."""
    left, right = np.asarray(group, dtype=float), np.asarray(baseline, dtype=float)
    apart: npt.NDArray[np.float64] = left - right
    if len(apart) and np.ptp(apart) <= 1e-12 * max(np.abs(left).max(), np.abs(right).max()):
        apart = np.full_like(apart, apart.mean() if apart.any() else 0.0)
    return apart


def paired_t(differences: npt.NDArray[np.float64]) -> float | None:
    """Two-sided p of Student's paired t-test.

    None for too few pairs, and where the differences are all the same but not 0.
    """
    std = sample_std(differences)
    if len(differences) < FEWEST_PAIRS or std is None:
        return None
    if std == 0.0:
        return 1.0 if not differences.any() else None
    t = float(differences.mean()) / (std / math.sqrt(len(differences)))
    return float(2 * stdtr(len(differences) - 1, -abs(t)))


def sign_flip(differences: npt.NDArray[np.float64], *, seed: int = 0) -> float | None:
    """Two-sided p of the sign-flip permutation test on the mean; exact up to 16 pairs. None for too few pairs.

    Under the null the differences are symmetric about 0, so that each sign could as well be the other. The smallest
    possible p is 2 / 2ⁿ.
    """
    return sign_flips([differences], seed=seed)[0]


def sign_flips(many: Sequence[npt.NDArray[np.float64]], *, seed: int = 0) -> list[float | None]:
    """The same for several sets of differences; those of one length go through the same flips together."""
    told: list[float | None] = [None] * len(many)
    lengths = {len(values) for values in many if len(values) >= FEWEST_PAIRS}
    for n in sorted(lengths):
        places = [place for place, values in enumerate(many) if len(values) == n]
        for start in range(0, len(places), MOST_TOGETHER):
            part = places[start : start + MOST_TOGETHER]
            columns = np.column_stack([many[place] for place in part])
            least = np.array([_least(many[place]) for place in part])
            reached, flips = np.zeros(len(part), dtype=np.int64), 0
            for signs in _flips(n, seed):
                reached += (np.abs(signs @ columns) >= least).sum(axis=0)
                flips += len(signs)
            own = 0 if n <= EXACT_UP_TO else 1  # a drawn sample does not hold the signs as they were found
            for place, count in zip(part, reached, strict=True):
                told[place] = float((own + count) / (own + flips))
    return told


def _flips(n: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """Signs, some thousands at a time, shape (flips, n): all there are of few pairs, drawn ones of many."""
    if n <= EXACT_UP_TO:
        for start in range(0, 2**n, BLOCK):
            bits = np.arange(start, min(start + BLOCK, 2**n))[:, None] >> np.arange(n) & 1
            yield (1 - 2 * bits).astype(float)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, DRAWN, BLOCK):
        yield (rng.integers(0, 2, (min(BLOCK, DRAWN - start), n)) * 2 - 1).astype(float)


def hedges_effect(differences: npt.NDArray[np.float64]) -> float | None:
    """Mean difference in standard deviations of the differences, corrected for small n.

    None for fewer than three pairs, and for differences without spread.

    Source: Hedges, Distribution Theory for Glass's Estimator of Effect Size, 1981, equation 6e (exact correction).
    """
    std = sample_std(differences)
    freedom = len(differences) - 1
    if not std or freedom < 2:
        return None
    correction = math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return correction * float(differences.mean()) / std


def win_share(differences: npt.NDArray[np.float64]) -> float | None:
    """Share of the pairs in which the group is above the baseline, a tie counting half; None for no pairs."""
    return float((differences > 0).mean() + (differences == 0).mean() / 2) if len(differences) else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number; those that are None are no tests and do not count.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[index] = highest
    return corrected


def _least(differences: npt.NDArray[np.float64]) -> float:
    """The sum of the differences as it was found, less what rounding may take from an equal one."""
    return float(abs(differences.sum()) - 1e-12 * np.abs(differences).sum())
