"""What noise costs: the same examples predicted clean and noisy, compared in pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest

from etude.analysis.intervals import FEWEST_TO_RESAMPLE, LEVEL
from etude.errors import StepError, value_text
from etude.text.outputs import Floats, Names, Outputs
from etude.text.types import Robustness

_CHUNK = 256
"""Resamples that are held at once."""


def compare(clean: Outputs, noisy: Outputs, *, resamples: int, seed: int) -> Robustness:
    """Accuracy and macro F1 on both, and what is lost, with 95 % intervals by resampling examples.

    Examples are drawn with replacement, each with both its predictions, so that what they share cancels out. Intervals
    are between percentiles; None for fewer than five examples. `p_value` is McNemar's exact test on the examples whose
    prediction turned right or wrong; None where there is none.

    Args:
        clean: What the model said of the clean texts.
        noisy: What it said of the same texts with noise, in any order.
        resamples: How many samples are drawn.
        seed: Decides which.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993; McNemar 1947.

    Raises:
        StepError: The two are not of the same examples.
    """
    truth, before, after = _paired(clean, noisy)
    right_before, right_after = before == truth, after == truth
    broken, mended = int((right_before & ~right_after).sum()), int((~right_before & right_after).sum())
    cells, times = np.unique(np.stack([truth, before, after], axis=1).astype(str), axis=0, return_counts=True)
    counts = times.astype(float)
    comparison = _Comparison(cells)
    (whole,) = comparison.measured(counts[None, :])
    low, high = _interval(comparison, counts, resamples, seed)
    return Robustness(
        examples=len(truth),
        accuracy_clean=float(right_before.mean()),
        accuracy_noisy=float(right_after.mean()),
        accuracy_drop=float(right_before.mean() - right_after.mean()),
        accuracy_drop_low=low[0],
        accuracy_drop_high=high[0],
        accuracy_kept=float(right_after.sum() / right_before.sum()) if right_before.any() else None,
        f1_macro_clean=float(whole[1]),
        f1_macro_noisy=float(whole[2]),
        f1_macro_drop=float(whole[1] - whole[2]),
        f1_macro_drop_low=low[1],
        f1_macro_drop_high=high[1],
        broken=broken,
        mended=mended,
        p_value=float(binomtest(broken, broken + mended, 0.5).pvalue) if broken + mended else None,
    )


def _paired(clean: Outputs, noisy: Outputs) -> tuple[Names, Names, Names]:
    place = {name: row for row, name in enumerate(noisy.ids.tolist())}
    lacking = set(clean.ids.tolist()) ^ set(place)
    if lacking or len(place) < len(noisy.ids) or len(clean.ids) != len(noisy.ids):
        raise StepError(
            f"clean and noisy predictions are not of the same examples: {len(clean.ids)} and {len(noisy.ids)} rows, "
            f"{len(lacking)} ids in one alone, such as {value_text(sorted(lacking)[:3])}"
        )
    order = [place[name] for name in clean.ids.tolist()]
    if (clean.truth != noisy.truth[order]).any():
        raise StepError("clean and noisy predictions give the same example different labels")
    return clean.truth, clean.prediction, noisy.prediction[order]


class _Comparison:
    """Measures of any sample of examples, from how often each combination of truth and predictions occurs in it."""

    def __init__(self, cells: Names) -> None:
        classes, codes = np.unique(cells, return_inverse=True)
        truth, before, after = codes.reshape(cells.shape).T
        every = np.eye(len(classes))
        self.truth, self.before, self.after = every[truth], every[before], every[after]
        self.kept, self.left = truth == before, truth == after

    def measured(self, counts: Floats) -> Floats:
        """Accuracy lost, macro F1 clean and macro F1 noisy of each sample: shape (samples, 3) from (samples, cells)."""
        total = counts.sum(axis=1)
        lost = counts @ (self.kept.astype(float) - self.left) / total
        support = counts @ self.truth
        scores = [
            self._f1(counts, support, guess, hit) for guess, hit in ((self.before, self.kept), (self.after, self.left))
        ]
        return np.stack([lost, *scores], axis=1)

    def _f1(self, counts: Floats, support: Floats, guess: Floats, hit: Floats) -> Floats:
        hits, both = counts @ (self.truth * hit[:, None]), support + counts @ guess
        scores = np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
        mean: Floats = scores.sum(axis=1) / (both > 0).sum(axis=1)
        return mean


def _interval(
    comparison: _Comparison, counts: Floats, resamples: int, seed: int
) -> tuple[tuple[float | None, float | None], tuple[float | None, float | None]]:
    """The lower and the upper ends for accuracy and macro F1."""
    if counts.sum() < FEWEST_TO_RESAMPLE:
        return (None, None), (None, None)
    drawn = np.concatenate([comparison.measured(sample) for sample in _samples(counts, resamples, seed)])
    lost = np.stack([drawn[:, 0], drawn[:, 1] - drawn[:, 2]], axis=1)
    low, high = np.quantile(lost, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def _samples(counts: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each combination is drawn: drawing examples with replacement, told by combination, is multinomial."""
    random = np.random.default_rng(seed)
    n = int(counts.sum())
    for start in range(0, resamples, _CHUNK):
        yield random.multinomial(n, counts / n, min(_CHUNK, resamples - start)).astype(float)
