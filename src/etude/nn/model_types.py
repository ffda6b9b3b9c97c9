"""What steps on models hand to one another: backbones, token ids, trained models, predictions, and their summaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import pyarrow as pa

from etude import metric

Predictions: TypeAlias = pa.Table
"""One row per example: `id` (int64), `label`, `prediction` (string), `probabilities` (list of float32, one per class).
The schema's metadata `etude` gives the classes in that order: `{"labels": [...]}`. Where they were kept, `logits` (list
of float32, one per class) and `states` (list of float32: what the classes are told from)."""

Kept: TypeAlias = Literal["logits", "states"]
TooLong: TypeAlias = Literal["cut", "error"]
NumberFormat: TypeAlias = Literal["float32", "bfloat16", "float16", "stored"]
SplitName: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """A network to put a classifier on."""

    folder: Path
    """`config.json` and `model.safetensors` as transformers writes them, `backbone.json`, and the tokenizer's files
    where there is one."""
    architecture: str
    """Its `model_type`."""
    parameters: int
    """Numbers in all its tensors."""
    max_tokens: int | None
    """The longest sequence that it has positions for; None where there is no such end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The splits as token ids, with all that is needed to make more of them.

    Each table has `id` (int64), `label` (int32, an index of `labels` followed by `others`) and `tokens` (list of int32,
    at least one).
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    labels: tuple[str, ...]
    """The classes by name, sorted: the labels of the training split."""
    tokenizer: str
    """The tokenizer as JSON text, as the `tokenizers` library reads it."""
    vocabulary: int
    """Token ids are from 0 to this, exclusive."""
    pad_id: int
    """The id that fills up rows."""
    others: tuple[str, ...] = ()
    """Labels, sorted, that no training text has: rows of theirs can be predicted and judged, and never trained on."""
    cut: Mapping[str, int] = field(default_factory=dict)
    """Split → texts that were too long and lost their end."""


EMBEDDED = -1
"""Stands for the pass of a frozen backbone before the first step, where a table of work names steps."""

MilestoneTable: TypeAlias = pa.Table
"""One row per milestone, rising: `value`, a validation accuracy; of the first validation that reached it `at_epoch`,
`at_step` and `validation_accuracy`. All null where it was never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """What a training went through, as far as that is the same wherever it runs."""

    steps: int
    """Of the optimiser."""
    epochs: float
    """Passes over the training split that were done."""
    examples: int
    """Trained on, each as often as it came."""
    tokens: int
    """Of these, without padding."""
    padded_tokens: int
    """With padding."""
    padding_ratio: float
    """Tokens with padding per token without."""
    flops: Annotated[float, metric(unit="FLOP", lower_is_better=True)] | None
    """Of all forward and backward passes with padding, by formula; None where there is none for the model."""
    parameters: int
    """Numbers in all tensors of the model."""
    trainable: int
    """Numbers in those that were trained."""
    ended: Literal["epochs", "patience"]
    """Why it ended: all epochs were done, or the patience ran out."""
    best_step: int | None
    """After which step the watched number was best; None without validation texts."""
    best_restored: bool
    """Whether the model has the weights of that step."""
    precision: Literal["fp32", "bf16"]
    """The format that products were computed in."""
    milestones: Mapping[str, float | None] = field(default_factory=dict)
    """`0.9.step`, `0.9.epoch`, `0.9.examples`, `0.9.tokens`, `0.9.flops`: what it took until the validation accuracy
    first was 0.9, and so for each milestone; None where it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCounts:
    """What a training counted of itself."""

    steps: int
    """Of the optimiser."""
    epochs: float
    """Passes over the training split that were done."""
    parameters: int
    """Numbers in all tensors of the model."""
    trainable: int
    """Numbers in those that were trained."""
    ended: Literal["epochs", "patience"]
    """Why it ended: all epochs were done, or the patience ran out."""
    best_step: int | None
    """After which step the watched number was best; None without validation texts."""
    best_restored: bool
    """Whether the model has the weights of that step."""
    precision: Literal["fp32", "bf16"]
    """The format that products were computed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A trained classifier."""

    folder: Path
    """`config.json` and `model.safetensors` of the backbone as transformers writes them, `head.safetensors`,
    `tokenizer.json`, and `classifier.json`: pooling, labels and the name and shape of every tensor."""
    curve: pa.Table
    """One row per epoch, or per validation: `epoch`, `step`, `loss`, `validation_loss`, `validation_accuracy`."""
    milestones: MilestoneTable
    """Their weights stand in the folder's `milestones`."""
    work: pa.Table
    """Rows that went through the network by the length they were padded to, until the end and until each milestone:
    `until_step` (-1 for the pass of a frozen backbone before the first), `length`, `rows`, `tokens`."""
    network: str
    """What the network is made of, as JSON text: FLOPs are reckoned from it."""
    counts: TrainingCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSummary:
    """What predicting went through, as far as that is the same wherever it runs."""

    examples: int
    tokens: int
    """Without padding."""
    flops: Annotated[float, metric(unit="FLOP", lower_is_better=True)] | None
    """Of the forward passes of all examples, each at its own length, by formula; None where there is none."""
    flops_per_example: Annotated[float, metric(unit="FLOP", lower_is_better=True)] | None
    """The mean; None without examples as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A classifier in numbers."""

    backbone: int
    """Numbers in the backbone's own tensors."""
    backbone_trained: int
    """Of these, trained."""
    adapter: int
    """Numbers in tensors that were added to it, all trained."""
    trained_share: float
    """Numbers trained in backbone and adapter, per number of the backbone."""
    head: int
    """Numbers in all that stands on the backbone, all trained."""
    adapted_layers: int
    """Layers that the adapter acts on."""
    size_bytes: Annotated[int, metric(unit="bytes", lower_is_better=True)]
    """Of the model's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSummary:
    """Texts as tokens, in numbers, over all splits."""

    tokens_mean: float | None
    """Per text; None where there is no text."""
    tokens_most: int | None
    cut_train: int
    """Training texts that were too long and lost their end."""
    cut_validation: int
    cut_test: int
    classes: int
    labels_unseen: int
    """Labels that no training text has."""
