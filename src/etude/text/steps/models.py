"""Token ids, backbones, and classifiers that are trained on them; with their numbers for the record."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from etude import Context, InputFolder, step
from etude.nn.classifier_spec import (
    ClassifierSpec,
    HeadKind,
    HeadSpec,
    PoolingKind,
    SpectralName,
    SpectralSpec,
    TuningMethod,
    TuningSpec,
    spectral_spec,
)
from etude.nn.model_types import (
    Backbone,
    ModelSummary,
    NumberFormat,
    Tokens,
    TokenSummary,
    TooLong,
    TrainedModel,
    TrainingSummary,
)
from etude.nn.step_settings import settings_from
from etude.nn.training_spec import TrainingSpec
from etude.text.types import Splits


@step
def tokenize(
    splits: Splits,
    *,
    vocabulary: Annotated[int, Field(ge=300)] = 8000,
    lowercase: bool = True,
    max_tokens: Annotated[int, Field(ge=2)] = 64,
) -> Tokens:
    """Texts as token ids, by a byte-pair tokenizer learnt from the training split alone."""
    # tokenizers comes with it
    from etude.text import tokenization

    return tokenization.tokenize(splits, vocabulary=vocabulary, lowercase=lowercase, max_tokens=max_tokens)


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
    # torch comes with it
    from etude.nn.pretrained import backbone_of

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
    # tokenizers comes with it
    from etude.text import tokenization

    return tokenization.tokenize_for(splits, backbone, max_tokens=max_tokens, too_long=too_long)


@step
def token_summary(tokens: Tokens) -> TokenSummary:
    """How long texts are in tokens, and how many were too long and lost their end."""
    # the formulas of FLOPs come with it, which planning does not need
    from etude.nn import summaries

    return summaries.token_summary(tokens)


@step
@settings_from(TrainingSpec)
def finetune(
    tokens: Tokens,
    backbone: Backbone,
    *,
    ctx: Context,
    training: TrainingSpec,
    pooling: PoolingKind | None = None,
    pooling_heads: PositiveInt = 1,
    layer_mix: bool = False,
    spectral: SpectralName | SpectralSpec | None = None,
    head: HeadKind | HeadSpec = "linear",
    tuning: TuningMethod | TuningSpec = "full",
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    keep_backbone: bool = True,
) -> TrainedModel:
    """A classifier on a backbone: token states → layer mix → spectral filter → pooling → head, trained.

    `tuning` says what is trained beside the head: the whole backbone, parts of it, or an adapter on it. `head: default`
    is the architecture's own, which brings its pooling; any other needs a `pooling`. Without `keep_backbone` the result
    is small and predicts only beside the backbone, which then is an input of `text.predict` too. The rest is as in
    `text.train`.
    """
    # torch comes with it
    from etude.text.classifiers import train_on_backbone

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
        training,
        ctx=ctx,
        keep_backbone=keep_backbone,
    )


@step
@settings_from(TrainingSpec, weight_decay=0.05, batch_tokens=2048)
def train(
    tokens: Tokens,
    *,
    ctx: Context,
    training: TrainingSpec,
    pooling: PoolingKind,
    width: PositiveInt = 128,
    layers: PositiveInt = 1,
    heads: PositiveInt = 4,
    feed_forward: PositiveInt = 256,
    pooling_heads: PositiveInt = 1,
    layer_mix: bool = False,
    spectral: SpectralName | SpectralSpec | None = None,
    head: Literal["linear", "mlp", "cosine"] | HeadSpec = "linear",
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
) -> TrainedModel:
    """A small Llama-architecture classifier trained from random weights; a stopped or killed training goes on.

    `learning_rate_head` is a multiple of the learning rate. `watch` tells which weights are the best, and with
    `patience` when to stop: after so many validations that were not better by more than `threshold`. `milestones` are
    validation accuracies at whose first reaching the weights are kept, to predict with.
    """
    # torch comes with it
    from etude.text.classifiers import NetworkSize, train_from_scratch

    return train_from_scratch(
        tokens,
        NetworkSize(width=width, layers=layers, heads=heads, feed_forward=feed_forward),
        ClassifierSpec(
            pooling=pooling,
            pooling_heads=pooling_heads,
            layer_mix=layer_mix,
            spectral=spectral_spec(spectral),
            head=head if isinstance(head, HeadSpec) else HeadSpec(kind=head),
            dropout=dropout,
            embedded_dropout=dropout,
        ),
        training,
        ctx=ctx,
    )


@step
def model_summary(model: TrainedModel) -> ModelSummary:
    """The sizes of a classifier's parts, how much of the backbone is trained, and the bytes that it takes."""
    # the formulas of FLOPs come with it, which planning does not need
    from etude.nn import summaries

    return summaries.model_summary(model)


@step
def training_summary(model: TrainedModel) -> TrainingSummary:
    """What the training went through, for the record: steps, examples, tokens with and without padding, FLOPs."""
    # the formulas of FLOPs come with it, which planning does not need
    from etude.nn import summaries

    return summaries.training_summary(model)
