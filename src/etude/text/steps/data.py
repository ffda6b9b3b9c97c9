"""Labelled texts: loaded or read, described, divided into splits, and made noisy."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field, NonNegativeInt, PositiveInt

from etude import InputFile, InputFolder, step
from etude.nn.model_types import SplitName
from etude.text import data_summary
from etude.text.docstrings import sentences
from etude.text.few_shot import sample
from etude.text.file_kinds import FileFormat, FileSpec, Quoting
from etude.text.hub import from_hub
from etude.text.known_data_sets import ClincVariant, KnownName, load_data_set
from etude.text.labelled_files import TextColumns, read_texts
from etude.text.noise.pools import FamilyName
from etude.text.splitting import divide, require_learnable
from etude.text.types import Duplicates, LabelTable, PerturbationKind, Share, Splits, SplitSummary, TextTable

DOCSTRING_PACKAGES = (
    "matplotlib",
    "networkx",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "sympy",
    "torch",
    "transformers",
)
"""What `etude[ml]` installs that holds sentences in plenty, each about a field of its own."""


@step
def load(
    *,
    source: Literal["docstrings"] = "docstrings",
    packages: tuple[str, ...] = DOCSTRING_PACKAGES,
    per_label: PositiveInt = 1200,
    fewest_words: PositiveInt = 5,
    most_words: PositiveInt = 40,
    group: Literal["file", "none"] = "none",
    seed: NonNegativeInt = 0,
) -> TextTable:
    """Labelled English that needs no download: first sentences of docstrings of installed packages, by package.

    No sentence occurs twice, but those of one source file are alike in subject and style: with `group` as file they
    have a column `group`, and `text.split` leaves no file on two sides. The packages' versions decide the result: name
    them under the node's `pin`, so that an upgrade is a new data set.
    """
    drawn = sentences(packages, per_label=per_label, words=(fewest_words, most_words), seed=seed)
    columns = {
        "id": pa.array(range(len(drawn)), pa.int64()),
        "text": pa.array([sentence.text for sentence in drawn], pa.string()),
        "label": pa.array([sentence.label for sentence in drawn], pa.string()),
    }
    if group == "file":
        columns["group"] = pa.array([sentence.file for sentence in drawn], pa.string())
    return pa.table(columns)


@step
def read(
    *,
    file: InputFile | InputFolder,
    text: str = "text",
    label: str = "label",
    id: str | None = None,
    group: str | None = None,
    split: str | None = None,
    format: FileFormat = "auto",
    encoding: str = "utf-8",
    delimiter: str | None = None,
    quoting: Quoting = "auto",
    header: bool = True,
) -> TextTable:
    """Labelled texts of your own: a CSV, TSV, JSON, JSON Lines or Parquet file, or a folder with `train`, `test`, ….

    `text`, `label` and the like name columns: `id` one of whole numbers, where rows are not to be numbered through;
    `group` one that says what must not be divided between splits; `split` one that says which split a row is of.
    The rest is how files are written: `format` where the name does not tell it (lines of `fasttext`, or of a label and
    a `label_text`), `delimiter` (`,` `;` tabulator or `|`, found from the first line), `quoting` (`none` where `"` is
    a character as any other, as in TSV) and `header: false` for columns that are called `0`, `1`, ….
    """
    columns = TextColumns(text=text, label=label, id=id, group=group, split=split)
    spec = FileSpec(format=format, encoding=encoding, delimiter=delimiter, quoting=quoting, header=header)
    return read_texts(file, columns, spec)


@step
def known_data_set(
    *,
    name: KnownName,
    folder: InputFolder | None = None,
    variant: ClincVariant = "full",
    train_out_of_scope: bool = True,
    revision: str | None = None,
) -> TextTable:
    """BANKING77 or CLINC150, from a folder with the files as their authors publish them, or else from the hub.

    `variant` and `train_out_of_scope` are about CLINC150, whose texts that belong to no class are labelled `oos`.
    From the hub, name a commit as `revision`: it fixes what comes.
    """
    return load_data_set(name, folder, variant=variant, train_out_of_scope=train_out_of_scope, revision=revision)


@step
def hub(
    *,
    name: str,
    text: str = "text",
    label: str = "label",
    config: str | None = None,
    revision: str | None = None,
    id: str | None = None,
    group: str | None = None,
) -> TextTable:
    """Labelled texts from the Hugging Face hub. Name a commit as `revision`: it fixes what comes."""
    return from_hub(name, TextColumns(text=text, label=label, id=id, group=group), config=config, revision=revision)


@step
def duplicates(data: TextTable) -> Duplicates:
    """Texts that occur more than once but for case and white space: in which rows and splits, with which labels."""
    return data_summary.duplicates(data)


@step
def label_statistics(splits: Splits) -> LabelTable:
    """How many texts of each label each split has, and how long they are."""
    return data_summary.label_statistics(splits)


@step
def describe(splits: Splits) -> SplitSummary:
    """The splits in numbers: rows, labels, how uneven they are, and what should not be there."""
    return data_summary.split_summary(splits)


@step
def few_shot(splits: Splits, *, shots: PositiveInt, seed: NonNegativeInt, allow_fewer: bool = False) -> Splits:
    """A few training texts of each label; validation and test stay whole. More shots add to those of fewer."""
    return sample(splits, shots=shots, seed=seed, allow_fewer=allow_fewer)


@step
def split(
    data: TextTable,
    *,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    stratify: bool = True,
    outside: str | None = None,
    seed: NonNegativeInt,
) -> Splits:
    """Training, validation and test texts that share no text, and no group where the data have groups.

    Splits that the data come with stay as they are. `outside` is the label, if any, that may be unknown in training.
    """
    splits = divide(
        data, test_fraction=test_fraction, validation_fraction=validation_fraction, stratify=stratify, seed=seed
    )
    return require_learnable(splits, outside=outside)


@step
def add_noise(
    splits: Splits,
    *,
    family: FamilyName | Literal["none"],
    seed: NonNegativeInt,
    parts: tuple[SplitName, ...] = ("train", "validation", "test"),
    two_fragments: Share = 0.3,
    follow_up: Share = 0.65,
    train_typos: Share = 0.2,
    test_typos: Share = 0.1,
    letter: Share = 0.02,
    train_corrections: Share = 0.18,
    test_corrections: Share = 0.12,
    correction_words: PositiveInt = 6,
    longest: Annotated[float, Field(ge=1)] = 1.45,
) -> Splits:
    """Phrases that people put around what they want to say, worded otherwise in the test split than for training.

    The texts themselves stay whole: the column `edits` says where phrases stand, and without them the texts are as
    they were. Typos are made in phrases alone. Under `none` nothing is done, for a study to vary it.
    """
    if family == "none":
        return splits
    # the phrases come with it, which planning does not need
    from etude.text.noise import fragments, noisy

    def spec(typos: float, corrections: float) -> fragments.NoiseSpec:
        return fragments.NoiseSpec(
            typos=typos,
            corrections=corrections,
            two_fragments=two_fragments,
            follow_up=follow_up,
            letter=letter,
            correction_words=correction_words,
            longest=longest,
        )

    train, test = spec(train_typos, train_corrections), spec(test_typos, test_corrections)
    return noisy.with_phrases(splits, noisy.FAMILIES[family], train=train, test=test, parts=parts, seed=seed)


@step
def perturb(
    splits: Splits,
    *,
    kind: PerturbationKind,
    severity: Share,
    seed: NonNegativeInt,
    parts: tuple[SplitName, ...] = ("test",),
) -> Splits:
    """Texts with a share of their characters or words changed: neighbouring keys, scanning, look-alikes, case, words.

    The column `edits` says what stood there before.
    """
    # the tables of what is taken for what come with it, which planning does not need
    from etude.text.noise import perturbation

    return perturbation.perturb_splits(splits, kind, severity=severity, seed=seed, parts=parts)
