"""How well a score tells what is out of scope from what is in scope; a higher score speaks for out of scope."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from etude.text.outputs import Floats

Mask = npt.NDArray[np.bool_]


def auroc(score: Floats, outside: Mask) -> float | None:
    """Chance that one out of scope scores above one in scope, ties counting half; None where either is lacking.

    Source: Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve, 1982 (Mann and Whitney's U).
    """
    out, inside = int(outside.sum()), int((~outside).sum())
    if not out or not inside:
        return None
    return float((rankdata(score)[outside].sum() - out * (out + 1) / 2) / (out * inside))


def average_precision(score: Floats, positive: Mask) -> float | None:
    """Area under precision over recall, as the sum over steps of recall; None where either kind is lacking."""
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.diff(score[order]) != 0, True)  # Equal scores are one step.
    precision, recall = (hits / np.arange(1, len(score) + 1))[last], (hits / hits[-1])[last]
    return float(np.diff(recall, prepend=0.0) @ precision)


def false_in_scope(score: Floats, outside: Mask, *, kept: float = 0.95) -> float | None:
    """Share of the out-of-scope taken for in scope where at least this share of the in-scope is kept (FPR95).

    None where either kind is lacking.
    """
    if outside.all() or not outside.any():
        return None
    inside = np.sort(score[~outside])
    limit = inside[int(np.ceil(kept * len(inside) - 1e-9)) - 1]
    return float((score[outside] <= limit).mean())
