"""How good probabilities are, and how well predictions go with the truth beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from etude.text.outputs import Floats, Names, Outputs
from etude.text.types import LabelScores, PredictionQuality, ReliabilityTable


def quality(outputs: Outputs, *, top: Sequence[int], bins: int) -> PredictionQuality:
    """Numbers about predictions with probabilities.

    Args:
        outputs: What the model said.
        top: For which k the share of true classes among the k likeliest is wanted.
        bins: Of equal width, for the calibration error.
    """
    confidence = outputs.probabilities.max(axis=1)
    return PredictionQuality(
        mcc=matthews(outputs.truth, outputs.prediction),
        top={str(k): top_k(outputs, k) for k in top},
        ece=calibration_error(confidence, outputs.truth == outputs.prediction, bins),
        brier=brier(outputs),
        log_loss=log_loss(outputs),
        confidence=float(confidence.mean()),
    )


def matthews(truth: Names, prediction: Names) -> float:
    """Matthews' correlation of predicted and true classes, -1 to 1; 0 where either is always the same.

    Source: Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004.
    """
    classes, codes = np.unique(np.concatenate([truth, prediction]).astype(str), return_inverse=True)
    true, guess = codes[: len(truth)], codes[len(truth) :]
    support = np.bincount(true, minlength=len(classes)).astype(float)
    claimed = np.bincount(guess, minlength=len(classes)).astype(float)
    n = float(len(truth))
    spread = (n * n - (support**2).sum()) * (n * n - (claimed**2).sum())
    if spread <= 0:
        return 0.0
    return float((n * (true == guess).sum() - support @ claimed) / np.sqrt(spread))


def top_k(outputs: Outputs, k: int) -> float | None:
    """Share of the examples whose true class is among the k likeliest; None where there are no more than k classes.

    Of classes that are equally likely the first comes first. A true label that is no class is never among them.
    """
    if k >= len(outputs.classes):
        return None
    codes = outputs.codes()
    own = outputs.probabilities[np.arange(len(codes)), codes][:, None]
    earlier = np.arange(len(outputs.classes)) < codes[:, None]
    before = (outputs.probabilities > own) | ((outputs.probabilities == own) & earlier)
    return float(((before.sum(axis=1) < k) & (codes >= 0)).mean())


def calibration_error(confidence: Floats, right: Sequence[bool], bins: int) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over bins of equal width, by their counts.

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3; bins are open below, closed above.
    """
    counts, confidences, accuracies = _binned(confidence, right, bins)
    held = counts > 0
    return float(np.abs(confidences - accuracies)[held] @ counts[held] / counts.sum())


def reliability(outputs: Outputs, bins: int) -> ReliabilityTable:
    """Confidence and accuracy by bins of confidence; null where a bin is empty."""
    confidence = outputs.probabilities.max(axis=1)
    counts, confidences, accuracies = _binned(confidence, outputs.truth == outputs.prediction, bins)
    edges = np.linspace(0, 1, bins + 1)
    empty = counts == 0
    return pa.table(
        {
            "above": pa.array(edges[:-1]),
            "up_to": pa.array(edges[1:]),
            "count": pa.array(counts.astype(np.int64)),
            "confidence": pa.array(confidences, mask=empty),
            "accuracy": pa.array(accuracies, mask=empty),
        }
    )


def brier(outputs: Outputs) -> float:
    """Mean squared distance of the probabilities from the truth, summed over classes: 0 to 2.

    Source: Brier, Verification of Forecasts Expressed in Terms of Probability, 1950. A true label that is no class
    counts as a class of probability 0.
    """
    codes = outputs.codes()
    own = np.where(codes >= 0, outputs.probabilities[np.arange(len(codes)), codes], 0.0)
    return float(((outputs.probabilities**2).sum(axis=1) - 2 * own + 1).mean())


def log_loss(outputs: Outputs) -> float | None:
    """Mean negative logarithm of the true class's probability; None where it is infinite."""
    codes = outputs.codes()
    own = np.where(codes >= 0, outputs.probabilities[np.arange(len(codes)), codes], 0.0)
    return float(-np.log(own).mean()) if (own > 0).all() else None


def confusion(truth: Names, prediction: Names) -> pa.Table:
    """How often each label was predicted as each; pairs that did not occur are left out."""
    pairs, counts = np.unique(np.stack([truth, prediction], axis=1).astype(str), axis=0, return_counts=True)
    names = [pa.array(column.tolist(), pa.string()) for column in pairs.T]
    return pa.table({"label": names[0], "prediction": names[1], "count": pa.array(counts, pa.int64())})


def by_label(truth: Names, prediction: Names) -> LabelScores:
    """Precision, recall and F1 of each label; null where there is nothing below the line."""
    classes, codes = np.unique(np.concatenate([truth, prediction]).astype(str), return_inverse=True)
    true, guess = codes[: len(truth)], codes[len(truth) :]
    hits, support, claimed = (
        np.bincount(codes, minlength=len(classes)).astype(float) for codes in (true[true == guess], true, guess)
    )

    def ratio(above: Floats, below: Floats) -> pa.Array:
        return pa.array(above / np.maximum(below, 1), pa.float64(), mask=below == 0)

    return pa.table(
        {
            "label": pa.array(classes.tolist(), pa.string()),
            "support": pa.array(support.astype(np.int64)),
            "predicted": pa.array(claimed.astype(np.int64)),
            "precision": ratio(hits, claimed),
            "recall": ratio(hits, support),
            "f1": ratio(2 * hits, support + claimed),
        }
    )


def _binned(confidence: Floats, right: Sequence[bool], bins: int) -> tuple[Floats, Floats, Floats]:
    """Per bin: how many, their mean confidence, and the share that is right (0 for an empty bin)."""
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins).astype(float)
    held = np.maximum(counts, 1)
    confidences = np.bincount(place, weights=confidence, minlength=bins) / held
    accuracies = np.bincount(place, weights=np.asarray(right, dtype=float), minlength=bins) / held
    return counts, confidences, accuracies
