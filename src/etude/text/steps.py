"""Text classification as steps: load, split, tokenize, train, predict, evaluate, and the baselines to beat."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from etude import Context, InputFile, InputFolder, placement, step
from etude.nn.class_weights import ClassWeights
from etude.nn.classifier_spec import HeadKind, HeadSpec, TuningMethod, TuningSpec
from etude.nn.pooling_kind import PoolingKind
from etude.nn.precision import Precision
from etude.nn.schedule import ScheduleKind
from etude.nn.spectral_spec import SpectralName, SpectralSpec
from etude.text.file_kinds import FileFormat, Quoting
from etude.text.layouts import ClincVariant, KnownName
from etude.text.noise.perturbation import PerturbationKind
from etude.text.noise.pools import FamilyName
from etude.text.training_spec import KeptWeights, WatchedNumber
from etude.text.types import (
    Backbone,
    ConfusionTable,
    Duplicates,
    Evaluation,
    Kept,
    LabelScores,
    LabelTable,
    Latencies,
    Latency,
    ModelSummary,
    NumberFormat,
    OutOfScope,
    Predictions,
    PredictionSummary,
    Quality,
    Records,
    ReliabilityTable,
    Robustness,
    ScopeCurve,
    ScopeMethod,
    SplitName,
    Splits,
    SplitSummary,
    TextTable,
    ThresholdChoice,
    Tokens,
    TokenSummary,
    TooLong,
    TrainedModel,
    TrainingSummary,
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
    group: Literal["file", "none"] = "none",
    seed: NonNegativeInt = 0,
) -> TextTable:
    """Labelled English that needs no download: first sentences of docstrings of installed packages, by package.

    No sentence occurs twice, but those of one source file are alike in subject and style: with `group` as file they
    have a column `group`, and `text.split` leaves no file on two sides. The packages' versions decide the result: name
    them under the node's `pin`, so that an upgrade is a new data set.
    """
    import pyarrow as pa

    from etude.text.docstrings import sentences

    found = sentences(packages, per_label=per_label, words=(fewest_words, most_words), seed=seed)
    columns = {
        "id": pa.array(range(len(found)), pa.int64()),
        "text": pa.array([sentence.text for sentence in found], pa.string()),
        "label": pa.array([sentence.label for sentence in found], pa.string()),
    }
    if group == "file":
        columns["group"] = pa.array([sentence.file for sentence in found], pa.string())
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
    from etude.text.file_kinds import FileSpec
    from etude.text.reading import Columns, read_texts

    columns = Columns(text=text, label=label, id=id, group=group, split=split)
    spec = FileSpec(format=format, encoding=encoding, delimiter=delimiter, quoting=quoting, header=header)
    return read_texts(file, columns, spec)


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
def backbone(
    *,
    ctx: Context,
    hub: str | None = None,
    folder: InputFolder | None = None,
    config: dict[str, Any] | None = None,
    revision: str | None = None,
    numbers: NumberFormat = "float32",
    seed: NonNegativeInt = 0,
) -> Backbone:
    """A network to put classifiers on, from exactly one source, with its tokenizer where it has one.

    `hub` is a model's name on the hub (only a commit as `revision` fixes what comes; place the node where there is a
    network: `on: login`), `folder` one as `save_pretrained` writes it, `config` an architecture (`model_type` and its
    settings) with random weights under the seed. `numbers` is the format of the weights.
    """
    from etude.text.pretrained import backbone_of

    return backbone_of(
        hub=hub,
        folder=folder,
        config=config,
        revision=revision,
        numbers=numbers,
        seed=seed,
        target=ctx.scratch / "backbone",
    )


@step
def tokenize_for(
    splits: Splits,
    backbone: Backbone,
    *,
    max_tokens: Annotated[int, Field(ge=2)] | None = None,
    too_long: TooLong = "cut",
) -> Tokens:
    """Texts as token ids by the backbone's own tokenizer; at most as many as it has positions for.

    Longer texts lose their end, and are counted by split in the result, or are an error where that is asked for.
    """
    from etude.text.backbone_tokens import tokenized_for

    return tokenized_for(splits, backbone, max_tokens=max_tokens, too_long=too_long)


@step
def finetune(
    tokens: Tokens,
    backbone: Backbone,
    *,
    ctx: Context,
    seed: NonNegativeInt,
    epochs: PositiveInt,
    learning_rate: PositiveFloat,
    pooling: PoolingKind | None = None,
    pooling_heads: PositiveInt = 1,
    layer_mix: bool = False,
    spectral: SpectralName | SpectralSpec | None = None,
    head: HeadKind | HeadSpec = "linear",
    tuning: TuningMethod | TuningSpec = "full",
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    weight_decay: NonNegativeFloat = 0.01,
    warm_up: Share = 0.1,
    schedule: ScheduleKind = "cosine",
    clip: PositiveFloat = 1.0,
    batch_tokens: PositiveInt = 1024,
    micro_batch_tokens: PositiveInt | None = None,
    learning_rate_head: PositiveFloat = 1.0,
    class_weights: ClassWeights = "none",
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    precision: Precision = "auto",
    watch: WatchedNumber = "validation_loss",
    keep: KeptWeights = "best",
    patience: PositiveInt | None = None,
    threshold: NonNegativeFloat = 0.0,
    validate_every: PositiveInt | None = None,
    milestones: tuple[float, ...] = (),
    keep_backbone: bool = True,
) -> TrainedModel:
    """A classifier on a backbone: token states → layer mix → spectral filter → pooling → head, trained.

    `tuning` says what is trained beside the head: the whole backbone, parts of it, or an adapter on it. `head: default`
    is the architecture's own, which brings its pooling; any other needs a `pooling`. Without `keep_backbone` the result
    is small and predicts only beside the backbone, which then is an input of `text.predict` too. The rest is as in
    `text.train`.
    """
    from etude.nn.classifier_spec import ClassifierSpec
    from etude.nn.spectral_spec import spectral_spec
    from etude.text.backbone_training import train_on_backbone
    from etude.text.training_spec import TrainingSpec

    return train_on_backbone(
        tokens,
        backbone,
        ClassifierSpec(
            pooling=pooling,
            pooling_heads=pooling_heads,
            layer_mix=layer_mix,
            spectral=spectral_spec(spectral),
            head=head if isinstance(head, HeadSpec) else HeadSpec(kind=head),
            dropout=dropout,
            tuning=tuning if isinstance(tuning, TuningSpec) else TuningSpec(method=tuning),
        ),
        TrainingSpec(
            seed=seed,
            epochs=epochs,
            learning_rate=learning_rate,
            learning_rate_head=learning_rate_head,
            weight_decay=weight_decay,
            warm_up=warm_up,
            schedule=schedule,
            clip=clip,
            batch_tokens=batch_tokens,
            micro_batch_tokens=micro_batch_tokens,
            class_weights=class_weights,
            label_smoothing=label_smoothing,
            precision=precision,
            watch=watch,
            keep=keep,
            patience=patience,
            threshold=threshold,
            validate_every=validate_every,
            milestones=milestones,
        ),
        ctx=ctx,
        keep_backbone=keep_backbone,
    )


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
    pooling_heads: PositiveInt = 1,
    layer_mix: bool = False,
    spectral: SpectralName | SpectralSpec | None = None,
    head: Literal["linear", "mlp", "cosine"] | HeadSpec = "linear",
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    weight_decay: NonNegativeFloat = 0.05,
    warm_up: Share = 0.1,
    schedule: ScheduleKind = "cosine",
    clip: PositiveFloat = 1.0,
    batch_tokens: PositiveInt = 2048,
    micro_batch_tokens: PositiveInt | None = None,
    learning_rate_head: PositiveFloat = 1.0,
    class_weights: ClassWeights = "none",
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    precision: Precision = "auto",
    watch: WatchedNumber = "validation_loss",
    keep: KeptWeights = "best",
    patience: PositiveInt | None = None,
    threshold: NonNegativeFloat = 0.0,
    validate_every: PositiveInt | None = None,
    milestones: tuple[float, ...] = (),
) -> TrainedModel:
    """A small Llama-architecture classifier trained from random weights; a stopped or killed training goes on.

    `learning_rate_head` is a multiple of the learning rate. `watch` tells which weights are the best, and with
    `patience` when to stop: after so many validations that were not better by more than `threshold`. `milestones` are
    validation accuracies at whose first reaching the weights are kept, to predict with.
    """
    from etude.nn.classifier_spec import ClassifierSpec
    from etude.nn.spectral_spec import spectral_spec
    from etude.text.training import BackboneSpec, train_classifier
    from etude.text.training_spec import TrainingSpec

    return train_classifier(
        tokens,
        BackboneSpec(width=width, layers=layers, heads=heads, feed_forward=feed_forward),
        ClassifierSpec(
            pooling=pooling,
            pooling_heads=pooling_heads,
            layer_mix=layer_mix,
            spectral=spectral_spec(spectral),
            head=head if isinstance(head, HeadSpec) else HeadSpec(kind=head),
            dropout=dropout,
            embedded_dropout=dropout,
        ),
        TrainingSpec(
            seed=seed,
            epochs=epochs,
            learning_rate=learning_rate,
            learning_rate_head=learning_rate_head,
            weight_decay=weight_decay,
            warm_up=warm_up,
            schedule=schedule,
            clip=clip,
            batch_tokens=batch_tokens,
            micro_batch_tokens=micro_batch_tokens,
            class_weights=class_weights,
            label_smoothing=label_smoothing,
            precision=precision,
            watch=watch,
            keep=keep,
            patience=patience,
            threshold=threshold,
            validate_every=validate_every,
            milestones=milestones,
        ),
        ctx=ctx,
    )


@step
def model_summary(model: TrainedModel) -> ModelSummary:
    """The sizes of a classifier's parts, how much of the backbone is trained, and the bytes that it takes."""
    from etude.text.summaries import model_summary

    return model_summary(model)


@step
def token_summary(tokens: Tokens) -> TokenSummary:
    """How long texts are in tokens, and how many were too long and lost their end."""
    from etude.text.summaries import token_summary

    return token_summary(tokens)


@step
def training_summary(model: TrainedModel) -> TrainingSummary:
    """What the training went through, for the record: steps, examples, tokens with and without padding, FLOPs."""
    from etude.text.summaries import training_summary

    return training_summary(model)


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
    from etude.text.prediction import predicted

    return predicted(
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
    from etude.text.summaries import prediction_summary

    return prediction_summary(predictions)


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
    from etude.text.latency import timed

    return timed(
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
    from etude.text.latency import latency

    return latency(latencies)


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
    from etude.text.efficiency import Nodes, with_efficiency

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


@step
def evaluate(predictions: Predictions) -> Evaluation:
    """Accuracy, and precision, recall and F1 in the macro and the weighted mean."""
    from etude.text.outputs import never_reached
    from etude.text.scores import of_milestone_never_reached, scores

    if never_reached(predictions):
        return of_milestone_never_reached()
    return scores(predictions["label"].to_pylist(), predictions["prediction"].to_pylist())


@step
def quality(predictions: Predictions, *, top: tuple[PositiveInt, ...] = (2, 3, 5), bins: PositiveInt = 15) -> Quality:
    """Matthews' correlation, top-k accuracy, calibration error, Brier score and log loss."""
    from etude.text.outputs import outputs_of
    from etude.text.quality import quality

    return quality(outputs_of(predictions), top=top, bins=bins)


@step
def reliability(predictions: Predictions, *, bins: PositiveInt = 15) -> ReliabilityTable:
    """Confidence against accuracy, by bins of confidence."""
    from etude.text.outputs import outputs_of
    from etude.text.quality import reliability

    return reliability(outputs_of(predictions), bins)


@step
def confusion(predictions: Predictions) -> ConfusionTable:
    """How often each label was predicted as each."""
    from etude.text.outputs import outputs_of
    from etude.text.quality import confusion

    found = outputs_of(predictions)
    return confusion(found.truth, found.prediction)


@step
def evaluate_labels(predictions: Predictions) -> LabelScores:
    """Precision, recall and F1 of each label."""
    from etude.text.outputs import outputs_of
    from etude.text.quality import by_label

    found = outputs_of(predictions)
    return by_label(found.truth, found.prediction)


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
    from etude.errors import require
    from etude.text.out_of_scope import detected, judged
    from etude.text.outputs import outputs_of
    from etude.text.scope_scores import scope_score

    require(choose != "argmax" or method == "oos_class", "choose", choose, "argmax with method oos_class alone")
    known = outputs_of(train) if train is not None else None
    sides = [
        judged(
            found,
            scope_score(found, method, train=known, outside=outside, temperature=temperature, neighbours=neighbours),
            outside,
        )
        for found in map(outputs_of, (validation, test))
    ]
    return detected(*sides, choose=choose, at_least=at_least)


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
    from etude.text.out_of_scope import curve, judged
    from etude.text.outputs import outputs_of
    from etude.text.scope_scores import scope_score

    found, known = outputs_of(test), outputs_of(train) if train is not None else None
    score = scope_score(found, method, train=known, outside=outside, temperature=temperature, neighbours=neighbours)
    return curve(judged(found, score, outside))


@step
def robustness(
    clean: Predictions, noisy: Predictions, *, resamples: PositiveInt = 4999, seed: NonNegativeInt = 0
) -> Robustness:
    """What noise costs: the same examples predicted clean and noisy, with paired 95 % intervals by example."""
    from etude.text.outputs import outputs_of
    from etude.text.robustness import robustness

    return robustness(outputs_of(clean), outputs_of(noisy), resamples=resamples, seed=seed)


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
