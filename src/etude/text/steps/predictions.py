"""Predictions of a trained classifier, how long they take, and what they cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import NonNegativeInt, PositiveInt

from etude import Context, placement, step
from etude.nn.model_types import Backbone, Kept, Predictions, PredictionSummary, SplitName, Tokens, TrainedModel
from etude.nn.precision import Precision
from etude.text.efficiency import Nodes, with_efficiency
from etude.text.types import Latencies, Latency, Records, Splits


@step
def predict(
    model: TrainedModel,
    tokens: Tokens,
    backbone: Backbone | None = None,
    *,
    ctx: Context,
    split: SplitName = "test",
    keep: tuple[Kept, ...] = (),
    milestone: float | None = None,
    precision: Precision = "fp32",
    batch_tokens: Annotated[PositiveInt | None, placement] = None,
) -> Predictions:
    """The class and all class probabilities of each text of a split; logits and pooled states where they are kept.

    `milestone` predicts with the weights that first reached this validation accuracy; there are no rows where it was
    never reached. The backbone is read only where the model was kept without it.
    """
    # torch comes with it
    from etude.nn import prediction

    return prediction.predict(
        model,
        tokens,
        backbone,
        ctx=ctx,
        split=split,
        keep=keep,
        milestone=milestone,
        precision=precision,
        batch_tokens=batch_tokens,
    )


@step
def prediction_summary(predictions: Predictions) -> PredictionSummary:
    """What predicting went through, for the record: examples, tokens, FLOPs."""
    # the formulas of FLOPs come with it, which planning does not need
    from etude.nn import summaries

    return summaries.prediction_summary(predictions)


@step(deterministic=False)
def latencies(
    model: TrainedModel,
    splits: Splits,
    backbone: Backbone | None = None,
    *,
    ctx: Context,
    split: SplitName = "test",
    examples: PositiveInt = 200,
    warm_up: NonNegativeInt = 20,
    batch: PositiveInt = 32,
    max_tokens: PositiveInt | None = None,
    precision: Precision = "fp32",
) -> Latencies:
    """How long predictions take: the first texts of a split one by one, then in batches as they come.

    Beside its time, the energy of each mode is in the node's cost, as the windows `single` and `batch`.
    """
    # torch comes with it
    from etude.text.prediction_latency import time_predictions

    return time_predictions(
        model,
        splits,
        backbone,
        ctx=ctx,
        split=split,
        examples=examples,
        warm_up=warm_up,
        batch=batch,
        max_tokens=max_tokens,
        precision=precision,
    )


@step
def latency(latencies: Latencies) -> Latency:
    """Mean, spread, median and tail of latencies, with the tokenizer and without, and how many texts go in a second."""
    # torch comes with it
    from etude.text.prediction_latency import summarise

    return summarise(latencies)


@step
def efficiency(
    records: Records,
    *,
    accuracy: str = "quality.accuracy",
    predictions: str | None = "scored",
    predicted: str | None = "predicted",
    model: str | None = None,
    training: str | None = None,
    latencies: str | None = None,
    latency: str | None = None,
) -> Records:
    """The records with what predictions and training came to per example, per joule and per second.

    All but `accuracy` name nodes: of `text.predict` and its `text.prediction_summary`, of the trained model and its
    `text.training_summary`, of `text.latencies` and its `text.latency`. The added columns, `efficiency.…`, are null
    where a part is not known.
    """
    nodes = Nodes(
        accuracy=accuracy,
        predictions=predictions,
        predicted=predicted,
        model=model,
        training=training,
        latencies=latencies,
        latency=latency,
    )
    return with_efficiency(records, nodes)
