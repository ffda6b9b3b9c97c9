"""Text classification as steps: load, split, tokenize, train, predict, evaluate, and the baselines to beat."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from etude import Context, InputFile, InputFolder, placement, step
from etude.nn.pooling_kind import PoolingKind
from etude.text.layouts import ClincVariant, KnownName
from etude.text.noise.perturbation import PerturbationKind
from etude.text.noise.pools import FamilyName
from etude.text.types import (
    Duplicates,
    Evaluation,
    LabelTable,
    Predictions,
    SplitName,
    Splits,
    SplitSummary,
    TextTable,
    Tokens,
    TrainedModel,
)

Share = Annotated[float, Field(ge=0, le=1)]

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
    seed: NonNegativeInt = 0,
) -> TextTable:
    """Labelled English that needs no download: first sentences of docstrings of installed packages, by package.

    The packages' versions decide the result: name them under the node's `pin`, so that an upgrade is a new data set.
    """
    import pyarrow as pa

    from etude.text.docstrings import sentences

    found = sentences(packages, per_label=per_label, words=(fewest_words, most_words), seed=seed)
    texts, labels = zip(*found, strict=True) if found else ((), ())
    return pa.table(
        {
            "id": pa.array(range(len(found)), pa.int64()),
            "text": pa.array(texts, pa.string()),
            "label": pa.array(labels, pa.string()),
        }
    )


@step
def read(
    *,
    file: InputFile,
    text: str = "text",
    label: str = "label",
    id: str | None = None,
    group: str | None = None,
    encoding: str = "utf-8",
) -> TextTable:
    """Labelled texts of your own: a CSV, TSV, JSON, JSON Lines or Parquet file, or a folder with `train`, `test`, ….

    All but the file name columns: `id` one of whole numbers, where rows are not to be numbered through; `group` one
    that says what must not be divided between splits.
    """
    from etude.text.reading import read_texts

    return read_texts(file, text=text, label=label, id=id, group=group, encoding=encoding)


@step
def known(
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
    from etude.text.layouts import known

    return known(name, folder, variant=variant, train_out_of_scope=train_out_of_scope, revision=revision)


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
    from etude.text.hub import from_hub
    from etude.text.reading import Columns

    return from_hub(name, Columns(text=text, label=label, id=id, group=group), config=config, revision=revision)


@step
def duplicates(data: TextTable) -> Duplicates:
    """Texts that occur more than once but for case and white space: in which rows and splits, with which labels."""
    from etude.text.describing import repeated

    return repeated(data)


@step
def label_statistics(splits: Splits) -> LabelTable:
    """How many texts of each label each split has, and how long they are."""
    from etude.text.describing import labels_of

    return labels_of(splits)


@step
def describe(splits: Splits) -> SplitSummary:
    """The splits in numbers: rows, labels, how uneven they are, and what should not be there."""
    from etude.text.describing import summary

    return summary(splits)


@step
def few_shot(splits: Splits, *, shots: PositiveInt, seed: NonNegativeInt, allow_fewer: bool = False) -> Splits:
    """A few training texts of each label; validation and test stay whole. More shots add to those of fewer."""
    from etude.text.few_shot import sampled

    return sampled(splits, shots=shots, seed=seed, allow_fewer=allow_fewer)


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
    from etude.text.splitting import divide, learnable

    splits = divide(
        data, test_fraction=test_fraction, validation_fraction=validation_fraction, stratify=stratify, seed=seed
    )
    return learnable(splits, outside=outside)


@step
def add_noise(
    splits: Splits,
    *,
    family: FamilyName,
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
    they were. Typos are made in phrases alone.
    """
    from etude.text.noise.fragments import NoiseSpec
    from etude.text.noise.noisy import with_phrases
    from etude.text.noise.pools import family_named

    def spec(typos: float, corrections: float) -> NoiseSpec:
        return NoiseSpec(
            typos=typos,
            corrections=corrections,
            two_fragments=two_fragments,
            follow_up=follow_up,
            letter=letter,
            correction_words=correction_words,
            longest=longest,
        )

    train, test = spec(train_typos, train_corrections), spec(test_typos, test_corrections)
    return with_phrases(splits, family_named(family), train=train, test=test, parts=parts, seed=seed)


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
    from etude.text.noise.noisy import altered
    from etude.text.noise.perturbation import perturbed

    return altered(
        splits,
        {part: lambda texts, ids: perturbed(texts, ids, kind, severity=severity, seed=seed) for part in parts},
    )


@step
def tokenize(
    splits: Splits,
    *,
    vocabulary: Annotated[int, Field(ge=300)] = 8000,
    lowercase: bool = True,
    max_tokens: Annotated[int, Field(ge=2)] = 64,
) -> Tokens:
    """Texts as token ids, by a byte-pair tokenizer learnt from the training split alone."""
    from etude.text.tokens import tokenized

    return tokenized(splits, vocabulary=vocabulary, lowercase=lowercase, max_tokens=max_tokens)


@step
def train(
    tokens: Tokens,
    *,
    ctx: Context,
    pooling: PoolingKind,
    seed: NonNegativeInt,
    epochs: PositiveInt,
    learning_rate: PositiveFloat,
    width: PositiveInt = 128,
    layers: PositiveInt = 1,
    heads: PositiveInt = 4,
    feed_forward: PositiveInt = 256,
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    weight_decay: NonNegativeFloat = 0.05,
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.1,
    clip: PositiveFloat = 1.0,
    batch_tokens: PositiveInt = 2048,
) -> TrainedModel:
    """A small Llama-architecture classifier trained from random weights; a stopped or killed training goes on."""
    from etude.text.training import BackboneSpec, OptimiserSpec, train_classifier

    return train_classifier(
        tokens,
        BackboneSpec(width=width, layers=layers, heads=heads, feed_forward=feed_forward),
        OptimiserSpec(learning_rate=learning_rate, weight_decay=weight_decay, warm_up=warm_up, clip=clip),
        ctx=ctx,
        pooling=pooling,
        dropout=dropout,
        batch_tokens=batch_tokens,
        epochs=epochs,
        seed=seed,
    )


@step
def predict(
    model: TrainedModel,
    tokens: Tokens,
    *,
    ctx: Context,
    split: SplitName = "test",
    batch_tokens: Annotated[PositiveInt, placement] = 8192,
) -> Predictions:
    """The class and all class probabilities of each text of a split."""
    from etude.text.prediction import predicted

    return predicted(model, tokens, ctx=ctx, split=split, batch_tokens=batch_tokens)


@step
def evaluate(predictions: Predictions) -> Evaluation:
    """Accuracy, and precision, recall and F1 in the macro and the weighted mean."""
    from etude.text.scores import scores

    return scores(predictions["label"].to_pylist(), predictions["prediction"].to_pylist())


@step
def majority(splits: Splits) -> Evaluation:
    """The baseline that knows nothing: predict the commonest label of the training split."""
    from etude.text.baselines import commonest_label

    return commonest_label(splits.train, splits.test)


@step
def bag_of_words(
    splits: Splits, *, words: Annotated[int, Field(ge=1, le=3)] = 1, strength: PositiveFloat = 10.0
) -> Evaluation:
    """The baseline that knows no order of words: logistic regression on their TF-IDF counts in the training split."""
    from etude.text.baselines import word_counts

    return word_counts(splits.train, splits.test, words=words, strength=strength)
