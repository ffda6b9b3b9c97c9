"""What the steps of text classification hand to one another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

TextTable: TypeAlias = pa.Table
"""Labelled texts: `id` (int64, unique; the row's place in its source unless that has ids), `text`, `label` (strings).

`split` where the source comes divided (`train`, `validation` or `test`), `group` (string) where rows belong together,
and `edits` where noise was added: lists of `start`, `end` (characters of `text`) and `was`, what stood there before."""

Predictions: TypeAlias = pa.Table
"""One row per example: `id` (int64), `label`, `prediction` (string), `probabilities` (list of float32, one per class).
The schema's metadata `etude` gives the classes in that order: `{"labels": [...]}`."""

Duplicates: TypeAlias = pa.Table
"""One row per text that occurs more than once: `text` (in lower case, spaces single) and how many `rows` have it.

`ids` (list of int64), `splits` and `labels` (lists of strings, in the order of the ids), `across` (whether it is in
several splits) and `contradictory` (whether it has several labels)."""

LabelTable: TypeAlias = pa.Table
"""One row per label, by name: `label`, its texts in `train`, `validation` and `test` (int64), its `share` of the
training texts, and the mean `words` and `characters` of its texts in all splits."""

SplitName: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Splits:
    """Labelled texts in three parts that share no text."""

    train: TextTable
    validation: TextTable
    """Empty where none was asked for."""
    test: TextTable


@dataclass(frozen=True, slots=True)
class Tokens:
    """The splits as token ids, with all that is needed to make more of them.

    Each table has `id` (int64), `label` (int32, an index of `labels`) and `tokens` (list of int32, at least one).
    """

    train: pa.Table
    validation: pa.Table
    test: pa.Table
    labels: tuple[str, ...]
    """The classes by name, sorted."""
    tokenizer: str
    """The tokenizer as JSON text, as the `tokenizers` library reads it."""
    vocabulary: int
    """Token ids are from 0 to this, exclusive."""
    pad_id: int
    """The id that fills up rows; no text gives it."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained classifier."""

    folder: Path
    """`config.json` and `model.safetensors` of the backbone as transformers writes them, `head.safetensors`,
    `tokenizer.json`, and `classifier.json`: pooling, labels and the name and shape of every tensor."""
    curve: pa.Table
    """One row per epoch: `epoch`, `step`, `loss`, `validation_loss`, `validation_accuracy`."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good predictions are; all numbers from 0 to 1.

    `macro` is the plain mean over the classes, `weighted` the mean weighted by how often a class is true. A class is
    counted if it is true or predicted at least once; a ratio with nothing below the line is 0.
    """

    accuracy: float
    f1_macro: float
    precision_macro: float
    recall_macro: float
    f1_weighted: float
    precision_weighted: float
    recall_weighted: float


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
