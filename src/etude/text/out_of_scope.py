"""Tells texts that belong to no class from the others, by a threshold that is chosen on validation texts alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata

from etude.errors import StepError
from etude.text.outputs import Floats, Outputs
from etude.text.scope_scores import scope_score
from etude.text.types import OutOfScope, ScopeMethod, ThresholdChoice

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredTexts:
    """Scores with what they are to be held against; all of shape (N,)."""

    score: Floats
    outside: Mask
    """Whether it is out of scope."""
    right: Mask
    """Whether the likeliest class in scope is the true one; never for what is out of scope."""


def score_texts(
    outputs: Outputs,
    train: Outputs | None = None,
    *,
    method: ScopeMethod,
    outside: str,
    temperature: float,
    neighbours: int,
) -> ScoredTexts:
    """Texts scored by a method, beside the truth; see `scope_score`."""
    score = scope_score(outputs, method, train=train, outside=outside, temperature=temperature, neighbours=neighbours)
    return against_truth(outputs, score, outside)


def against_truth(outputs: Outputs, score: Floats, outside: str) -> ScoredTexts:
    """Scores beside the truth."""
    inside = np.array([name != outside for name in outputs.classes])
    names = np.array(outputs.classes, dtype=object)[inside]
    guess = names[outputs.probabilities[:, inside].argmax(axis=1)]
    return ScoredTexts(score=score, outside=outputs.truth == outside, right=guess == outputs.truth)


def detection(validation: ScoredTexts, test: ScoredTexts, *, choose: ThresholdChoice, at_least: float) -> OutOfScope:
    """How well out-of-scope texts are detected in the test split.

    Args:
        validation: Where the threshold is chosen.
        test: What is judged by it. Of it, only the measures without a threshold look at more than one.
        choose: See `threshold`.
        at_least: See `threshold`.
    """
    limit = threshold(validation, choose=choose, at_least=at_least)
    rejected = test.score > limit if limit is not None else None
    return OutOfScope(
        in_scope=int((~test.outside).sum()),
        out_of_scope=int(test.outside.sum()),
        auroc=auroc(test.score, test.outside),
        aupr_out=average_precision(test.score, test.outside),
        aupr_in=average_precision(-test.score, ~test.outside),
        fpr95=false_in_scope(test.score, test.outside),
        threshold=limit,
        in_scope_accuracy_without=_share(test.right, ~test.outside),
        **_rejecting(test, rejected),
    )


def threshold(validation: ScoredTexts, *, choose: ThresholdChoice, at_least: float) -> float | None:
    """The score above which a text is rejected; None where the validation texts allow of none.

    Args:
        validation: Scores of validation texts.
        choose: `accuracy`: the most right answers, a rejection being the right one out of scope; the highest threshold
            among equals. `in_scope_accuracy`: the lowest threshold with at least that share of right answers in scope.
            `in_scope_kept`: the lowest that rejects no more of the in-scope than leaves that share. `argmax`: 0.
        at_least: The share for the second and the third.

    Raises:
        StepError: There is no validation text of a kind that the choice needs.
    """
    if choose == "argmax":
        return 0.0
    inside = ~validation.outside
    if not inside.any() or (choose == "accuracy" and inside.all()):
        kind = "out-of-scope" if inside.any() else "in-scope"
        raise StepError(
            f"choose: {choose} needs {kind} texts in the validation split, which has none.\n"
            "    Mend: give it some, or `choose: in_scope_kept`, which needs none out of scope."
        )
    limits = candidates(validation.score)
    answers = {"accuracy": validation.right, "in_scope_accuracy": validation.right, "in_scope_kept": inside}[choose]
    kept = _at_most(validation.score[inside & answers], limits)
    if choose == "accuracy":
        total = kept + validation.outside.sum() - _at_most(validation.score[validation.outside], limits)
        return float(limits[len(limits) - 1 - int(total[::-1].argmax())])
    enough = np.flatnonzero(kept >= at_least * inside.sum() - 1e-9)
    return float(limits[enough[0]]) if len(enough) else None


def candidates(score: Floats) -> Floats:
    """Thresholds that part scores in every possible way, in order: from rejecting all to rejecting none."""
    values = np.unique(score)
    return np.concatenate([[np.nextafter(values[0], -np.inf)], (values[:-1] + values[1:]) / 2, values[-1:]])


def curve(test: ScoredTexts) -> pa.Table:
    """Accuracy in scope, share kept in scope and recall out of scope at every threshold; null where there is none."""
    limits = candidates(test.score)
    inside = ~test.outside

    def share(part: Mask, of: Mask) -> Floats:
        return _at_most(test.score[part], limits) / max(1, int(of.sum()))

    rejected = test.outside.sum() - _at_most(test.score[test.outside], limits)

    lacking = {name: np.full(len(limits), not kind.any()) for name, kind in (("in", inside), ("out", test.outside))}
    return pa.table(
        {
            "threshold": pa.array(limits),
            "in_scope_accuracy": pa.array(share(test.right & inside, inside), mask=lacking["in"]),
            "in_scope_kept": pa.array(share(inside, inside), mask=lacking["in"]),
            "oos_recall": pa.array(rejected / max(1, int(test.outside.sum())), mask=lacking["out"]),
        }
    )


def _rejecting(test: ScoredTexts, rejected: Mask | None) -> dict[str, float | None]:
    names = ("accuracy", "in_scope_accuracy", "in_scope_kept", "oos_recall", "oos_precision", "oos_f1")
    if rejected is None:
        return dict.fromkeys(names)
    hits = int((rejected & test.outside).sum())
    both = int(rejected.sum() + test.outside.sum())
    answered = np.where(test.outside, rejected, test.right & ~rejected)
    values = (
        float(answered.mean()),
        _share(test.right & ~rejected, ~test.outside),
        _share(~rejected, ~test.outside),
        _share(rejected, test.outside),
        _share(test.outside, rejected),
        2 * hits / both if both else None,
    )
    return dict(zip(names, values, strict=True))


def _share(part: Mask, of: Mask) -> float | None:
    return float(part[of].mean()) if of.any() else None


def _at_most(score: Floats, limits: Floats) -> Floats:
    """How many scores each limit lets pass."""
    return np.searchsorted(np.sort(score), limits, side="right").astype(np.float64)


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
