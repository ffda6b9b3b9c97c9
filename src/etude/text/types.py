"""What the steps of text classification hand to one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import pyarrow as pa

from etude import metric

Seconds: TypeAlias = Annotated[float, metric(unit="s", lower_is_better=True)]
More: TypeAlias = Annotated[float, metric(lower_is_better=False)]
Less: TypeAlias = Annotated[float, metric(lower_is_better=True)]

TextTable: TypeAlias = pa.Table
"""Labelled texts: `id` (int64, unique; the row's place in its source unless that has ids), `text`, `label` (strings).

`split` where the source comes divided (`train`, `validation` or `test`), `group` (string) where rows belong together,
and `edits` where noise was added: lists of `start`, `end` (characters of `text`) and `was`, what stood there before."""

Predictions: TypeAlias = pa.Table
"""One row per example: `id` (int64), `label`, `prediction` (string), `probabilities` (list of float32, one per class).
The schema's metadata `etude` gives the classes in that order: `{"labels": [...]}`. Where they were kept, `logits` (list
of float32, one per class) and `states` (list of float32: what the classes are told from)."""

ConfusionTable: TypeAlias = pa.Table
"""One row per pair that occurs: `label`, `prediction` (strings), `count` (int64)."""

LabelScores: TypeAlias = pa.Table
"""One row per label, by name: `label`, `support` (true), `predicted` (int64), `precision`, `recall`, `f1` (float64,
null where there is nothing below the line)."""

ReliabilityTable: TypeAlias = pa.Table
"""One row per bin of confidence: `above`, `up_to`, `count`, mean `confidence` and `accuracy` (null in an empty bin)."""

ScopeCurve: TypeAlias = pa.Table
"""One row per threshold, rising: `threshold`, `in_scope_accuracy`, `in_scope_kept`, `oos_recall` (float64)."""

Kept: TypeAlias = Literal["logits", "states"]
ScopeMethod: TypeAlias = Literal["msp", "energy", "mahalanobis", "knn", "oos_class"]
ThresholdChoice: TypeAlias = Literal["accuracy", "in_scope_accuracy", "in_scope_kept", "argmax"]

Duplicates: TypeAlias = pa.Table
"""One row per text that occurs more than once: `text` (in lower case, spaces single) and how many `rows` have it.

`ids` (list of int64), `splits` and `labels` (lists of strings, in the order of the ids), `across` (whether it is in
several splits) and `contradictory` (whether it has several labels)."""

LabelTable: TypeAlias = pa.Table
"""One row per label, by name: `label`, its texts in `train`, `validation` and `test` (int64), its `share` of the
training texts, and the mean `words` and `characters` of its texts in all splits."""

TooLong: TypeAlias = Literal["cut", "error"]
NumberFormat: TypeAlias = Literal["float32", "bfloat16", "float16", "stored"]

SplitName: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Splits:
    """Labelled texts in three parts that share no text."""

    train: TextTable
    validation: TextTable
    """Empty where none was asked for."""
    test: TextTable


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


MilestoneTable: TypeAlias = pa.Table
"""One row per milestone, rising: `value`, a validation accuracy; of the first validation that reached it `at_epoch`,
`at_step` and `validation_accuracy`. All null where it was never reached."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class PredictionSummary:
    """What predicting went through, as far as that is the same wherever it runs."""

    examples: int
    tokens: int
    """Without padding."""
    flops: Annotated[float, metric(unit="FLOP", lower_is_better=True)] | None
    """Of the forward passes of all examples, each at its own length, by formula; None where there is none."""
    flops_per_example: Annotated[float, metric(unit="FLOP", lower_is_better=True)] | None
    """The mean; None without examples as well."""


Records: TypeAlias = pa.Table
"""One row per variant, with dotted columns: params, metrics, costs."""

Latencies: TypeAlias = pa.Table
"""One row per text and mode: `mode` (`single` or `batch`), the `batch` it stood in, its `id`; of that batch `examples`
and `tokens`, and how long it took: `tokenize_s`, and `predict_s` from token ids to names of classes."""


@dataclass(frozen=True, slots=True)
class ModeLatency:
    """How long a text waits for its class, in seconds: from its string, or where it says so from its token ids."""

    examples: int
    """Timed ones; warm-up is not among them."""
    mean_s: Seconds
    std_s: Annotated[float, metric(unit="s")] | None
    """Sample standard deviation; None for one example."""
    median_s: Seconds
    p95_s: Seconds
    p99_s: Seconds
    mean_without_tokenizer_s: Seconds
    std_without_tokenizer_s: Annotated[float, metric(unit="s")] | None
    median_without_tokenizer_s: Seconds
    p95_without_tokenizer_s: Seconds
    p99_without_tokenizer_s: Seconds
    examples_per_s: Annotated[float, metric(unit="1/s", lower_is_better=False)] | None
    """Timed examples per second of timed work; None where the clock did not advance."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies mode by mode."""

    single: ModeLatency
    """One text at a time."""
    batch: ModeLatency
    """Batches of texts as they come: each text waits for its whole batch."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good predictions are; all numbers from 0 to 1. None at a milestone that the training never reached.

    `macro` is the plain mean over the classes, `weighted` the mean weighted by how often a class is true. A class is
    counted if it is true or predicted at least once; a ratio with nothing below the line is 0.
    """

    accuracy: More | None
    f1_macro: More | None
    precision_macro: More | None
    recall_macro: More | None
    f1_weighted: More | None
    precision_weighted: More | None
    recall_weighted: More | None


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """Splits in numbers."""

    train: int
    """Rows."""
    validation: int
    test: int
    labels: int
    """In the training split."""
    labels_unseen: int
    """Labels of the validation and test splits that no training text has."""
    fewest_of_a_label: int | None
    """Training texts of the rarest label; None where there is no text."""
    most_of_a_label: int | None
    words_mean: float | None
    """Words per text in all splits; None where there is no text."""
    words_most: int | None
    repeated_in_train: int
    """Training texts that repeat another but for case and white space."""
    shared_with_train: int
    """Validation and test texts that stand in the training split as well."""
    groups_divided: int | None
    """Groups that are in several splits; None where the data have no groups."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good probabilities are, and predictions beyond chance."""

    mcc: More
    """Matthews' correlation, -1 to 1; 0 where predictions or truths are all the same."""
    top: dict[str, More | None]
    """k → share of the true classes among the k likeliest; None where there are no more than k classes."""
    ece: Less
    """Expected calibration error, 0 to 1."""
    brier: Less
    """Squared distance of probabilities from the truth, summed over classes: 0 to 2."""
    log_loss: Annotated[float, metric(unit="nats", lower_is_better=True)] | None
    """In nats; None where a true class has probability 0."""
    confidence: float
    """Mean of the highest probability."""


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """How well texts that belong to no class are told from the others. None where a kind of text is lacking.

    Measures with a threshold are None where validation texts allow of none.
    """

    in_scope: int
    """Test texts."""
    out_of_scope: int
    auroc: More | None
    aupr_out: More | None
    """Average precision with out of scope as what is sought."""
    aupr_in: More | None
    """The same for in scope."""
    fpr95: Less | None
    """Share of the out-of-scope that pass where 95 % of the in-scope do."""
    threshold: float | None
    """The score above which a text is rejected."""
    in_scope_accuracy_without: More | None
    """Accuracy in scope if nothing were rejected."""
    accuracy: More | None
    """Share of all test texts that are answered right, a rejection being right out of scope."""
    in_scope_accuracy: More | None
    """Share of the in-scope that are kept and given their class."""
    in_scope_kept: More | None
    oos_recall: More | None
    """Share of the out-of-scope that are rejected."""
    oos_precision: More | None
    """Share of the rejected that are out of scope; None where none is rejected."""
    oos_f1: More | None


@dataclass(frozen=True, slots=True)
class Robustness:
    """What noise costs; a drop is clean less noisy, with the ends of its 95 % interval."""

    examples: int
    accuracy_clean: More
    accuracy_noisy: More
    accuracy_drop: Less
    accuracy_drop_low: float | None
    accuracy_drop_high: float | None
    accuracy_kept: More | None
    """Noisy over clean; None where nothing is right clean."""
    f1_macro_clean: More
    f1_macro_noisy: More
    f1_macro_drop: Less
    f1_macro_drop_low: float | None
    f1_macro_drop_high: float | None
    broken: int
    """Examples that are right clean and wrong noisy."""
    mended: int
    """The other way round."""
    p_value: float | None
    """McNemar's exact test; None where no prediction turned."""
