"""Accuracy, precision, recall and F1 of predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from etude.errors import StepError
from etude.text.types import Evaluation

Counts: TypeAlias = npt.NDArray[np.float64]


def scores(truth: Sequence[str], predicted: Sequence[str]) -> Evaluation:
    """Score predictions against the truth, row by row.

    Raises:
        StepError: There are no rows.
    """
    if not truth:
        raise StepError("there is nothing to evaluate: the predictions have no rows")
    classes, codes = np.unique(np.array([*truth, *predicted], dtype=object), return_inverse=True)
    true, guess = codes[: len(truth)], codes[len(truth) :]
    hits = np.bincount(true[true == guess], minlength=len(classes)).astype(float)
    support = np.bincount(true, minlength=len(classes)).astype(float)
    claimed = np.bincount(guess, minlength=len(classes)).astype(float)
    precision, recall, f1 = _ratio(hits, claimed), _ratio(hits, support), _ratio(2 * hits, support + claimed)
    weights = support / support.sum()
    right = float(hits.sum() / support.sum())
    return Evaluation(
        accuracy=right,
        f1_macro=float(f1.mean()),
        precision_macro=float(precision.mean()),
        recall_macro=float(recall.mean()),
        f1_weighted=float(f1 @ weights),
        precision_weighted=float(precision @ weights),
        recall_weighted=right,  # the same by definition, and so to the last bit
    )


def unknown_scores() -> Evaluation:
    """What is known of predictions that there are none of."""
    return Evaluation(**dict.fromkeys((field.name for field in fields(Evaluation)), None))


def _ratio(above: Counts, below: Counts) -> Counts:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
