"""What the steps of text classification hand to one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import pyarrow as pa
from pydantic import Field

from etude import metric

Seconds: TypeAlias = Annotated[float, metric(unit="s", lower_is_better=True)]
More: TypeAlias = Annotated[float, metric(lower_is_better=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Less: TypeAlias = Annotated[float, metric(lower_is_better=True)]

TextTable: TypeAlias = pa.Table
"""Labelled texts: `id` (int64, unique; the row's place in its source unless that has ids), `text`, `label` (strings).

`split` where the source comes divided (`train`, `validation` or `test`), `group` (string) where rows belong together,
and `edits` where noise was added: lists of `start`, `end` (characters of `text`) and `was`, what stood there before."""


ConfusionTable: TypeAlias = pa.Table
"""One row per pair that occurs: `label`, `prediction` (strings), `count` (int64)."""

LabelScores: TypeAlias = pa.Table
"""One row per label, by name: `label`, `support` (true), `predicted` (int64), `precision`, `recall`, `f1` (float64,
null where there is nothing below the line)."""

ReliabilityTable: TypeAlias = pa.Table
"""One row per bin of confidence: `above`, `up_to`, `count`, mean `confidence` and `accuracy` (null in an empty bin)."""

ScopeCurve: TypeAlias = pa.Table
"""One row per threshold, rising: `threshold`, `in_scope_accuracy`, `in_scope_kept`, `oos_recall` (float64)."""

PerturbationKind: TypeAlias = Literal["keyboard", "ocr", "homoglyph", "case", "word_drop", "word_repeat", "word_swap"]
ScopeMethod: TypeAlias = Literal["msp", "energy", "mahalanobis", "knn", "oos_class"]
ThresholdChoice: TypeAlias = Literal["accuracy", "in_scope_accuracy", "in_scope_kept", "argmax"]

Duplicates: TypeAlias = pa.Table
"""One row per text that occurs more than once: `text` (in lower case, spaces single) and how many `rows` have it.

`ids` (list of int64), `splits` and `labels` (lists of strings, in the order of the ids), `across` (whether it is in
several splits) and `contradictory` (whether it has several labels)."""

LabelTable: TypeAlias = pa.Table
"""One row per label, by name: `label`, its texts in `train`, `validation` and `test` (int64), its `share` of the
training texts, and the mean `words` and `characters` of its texts in all splits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Labelled texts in three parts that share no text."""

    train: TextTable
    validation: TextTable
    """Empty where none was asked for."""
    test: TextTable


Records: TypeAlias = pa.Table
"""One row per variant, with dotted columns: params, metrics, costs."""

Latencies: TypeAlias = pa.Table
"""One row per text and mode: `mode` (`single` or `batch`), the `batch` it stood in, its `id`; of that batch `examples`
and `tokens`, and how long it took: `tokenize_s`, and `predict_s` from token ids to names of classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latencies mode by mode."""

    single: ModeLatency
    """One text at a time."""
    batch: ModeLatency
    """Batches of texts as they come: each text waits for its whole batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionQuality:
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
