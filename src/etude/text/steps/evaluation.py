"""How good predictions are, what noise costs them, what is out of scope, and the baselines to beat."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from etude import step
from etude.errors import require
from etude.nn.model_types import Predictions
from etude.text import quality as measures
from etude.text.baselines import commonest_label, word_counts
from etude.text.outputs import lacks_milestone, outputs_of
from etude.text.scores import scores, unknown_scores
from etude.text.types import (
    ConfusionTable,
    Evaluation,
    LabelScores,
    OutOfScope,
    PredictionQuality,
    ReliabilityTable,
    Robustness,
    ScopeCurve,
    ScopeMethod,
    Share,
    Splits,
    ThresholdChoice,
)


@step
def evaluate(predictions: Predictions) -> Evaluation:
    """Accuracy, and precision, recall and F1 in the macro and the weighted mean."""
    if lacks_milestone(predictions):
        return unknown_scores()
    return scores(predictions["label"].to_pylist(), predictions["prediction"].to_pylist())


@step
def quality(
    predictions: Predictions, *, top: tuple[PositiveInt, ...] = (2, 3, 5), bins: PositiveInt = 15
) -> PredictionQuality:
    """Matthews' correlation, top-k accuracy, calibration error, Brier score and log loss."""
    return measures.quality(outputs_of(predictions), top=top, bins=bins)


@step
def reliability(predictions: Predictions, *, bins: PositiveInt = 15) -> ReliabilityTable:
    """Confidence against accuracy, by bins of confidence."""
    return measures.reliability(outputs_of(predictions), bins)


@step
def confusion(predictions: Predictions) -> ConfusionTable:
    """How often each label was predicted as each."""
    outputs = outputs_of(predictions)
    return measures.confusion(outputs.truth, outputs.prediction)


@step
def evaluate_labels(predictions: Predictions) -> LabelScores:
    """Precision, recall and F1 of each label."""
    outputs = outputs_of(predictions)
    return measures.by_label(outputs.truth, outputs.prediction)


@step
def out_of_scope(
    validation: Predictions,
    test: Predictions,
    train: Predictions | None = None,
    *,
    method: ScopeMethod,
    outside: str = "oos",
    choose: ThresholdChoice = "accuracy",
    at_least: Share = 0.95,
    temperature: PositiveFloat = 1.0,
    neighbours: PositiveInt = 10,
) -> OutOfScope:
    """How well texts that belong to no class are detected, by a threshold chosen on validation texts alone.

    `mahalanobis` and `knn` need the predictions of the training split too, all with `keep: [states]`; `energy` needs
    `keep: [logits]`. `at_least` goes with `choose: in_scope_accuracy` and `in_scope_kept`.
    """
    # scipy comes with it
    from etude.text.out_of_scope import detection, score_texts

    require(choose != "argmax" or method == "oos_class", "choose", choose, "argmax with method oos_class alone")
    training = outputs_of(train) if train is not None else None
    sides = [
        score_texts(outputs, training, method=method, outside=outside, temperature=temperature, neighbours=neighbours)
        for outputs in map(outputs_of, (validation, test))
    ]
    return detection(*sides, choose=choose, at_least=at_least)


@step
def out_of_scope_curve(
    test: Predictions,
    train: Predictions | None = None,
    *,
    method: ScopeMethod,
    outside: str = "oos",
    temperature: PositiveFloat = 1.0,
    neighbours: PositiveInt = 10,
) -> ScopeCurve:
    """Recall out of scope against accuracy in scope, at every threshold: for a figure, not for choosing one."""
    # scipy comes with it
    from etude.text.out_of_scope import curve, score_texts

    training = outputs_of(train) if train is not None else None
    return curve(
        score_texts(
            outputs_of(test), training, method=method, outside=outside, temperature=temperature, neighbours=neighbours
        )
    )


@step
def robustness(
    clean: Predictions, noisy: Predictions, *, resamples: PositiveInt = 4999, seed: NonNegativeInt = 0
) -> Robustness:
    """What noise costs: the same examples predicted clean and noisy, with paired 95 % intervals by example."""
    # scipy comes with it
    from etude.text.robustness import compare

    return compare(outputs_of(clean), outputs_of(noisy), resamples=resamples, seed=seed)


@step
def majority(splits: Splits) -> Evaluation:
    """The baseline that knows nothing: predict the commonest label of the training split."""
    return commonest_label(splits.train, splits.test)


@step
def bag_of_words(
    splits: Splits, *, words: Annotated[int, Field(ge=1, le=3)] = 1, strength: PositiveFloat = 10.0
) -> Evaluation:
    """The baseline that knows no order of words: logistic regression on their TF-IDF counts in the training split."""
    return word_counts(splits.train, splits.test, words=words, strength=strength)
