"""Trains a small Llama-architecture network from random weights to classify token sequences."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import LlamaConfig

from etude import Context
from etude.errors import StepError
from etude.nn.artifact import save_classifier
from etude.nn.backbone import network_from
from etude.nn.classifier import Classifier
from etude.nn.classifier_spec import ClassifierSpec
from etude.nn.seeded import seeded
from etude.text.fine_tuning import fine_tuned
from etude.text.token_batches import lengths
from etude.text.training_spec import TrainingSpec
from etude.text.types import Tokens, TrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """The size of a Llama-architecture network."""

    width: int
    """Of a token's state; a multiple of twice the heads."""
    layers: int
    heads: int
    feed_forward: int
    """Width of the inner layer of each block's feed-forward part."""


def train_classifier(
    tokens: Tokens, backbone: BackboneSpec, spec: ClassifierSpec, training: TrainingSpec, *, ctx: Context
) -> TrainedModel:
    """Train, and write the classifier to a folder in the step's scratch.

    Raises:
        StepError: Fewer than two classes; `cls` pooling, for which these tokens have no token.
        Stopped: The run was asked to stop; the same call goes on where it was.
    """
    if spec.pooling == "cls":
        raise StepError("pooling cls: tokens of text.tokenize open with no classification token. Mend: pooling: first.")
    with seeded(training.seed):
        network = network_from(_config(backbone, tokens))
        classifier = Classifier(network, spec, len(tokens.labels), pad_id=tokens.pad_id)
    return fine_tuned(
        classifier,
        tokens,
        training,
        ctx=ctx,
        save=lambda folder: save_classifier(classifier, folder, labels=tokens.labels, tokenizer=tokens.tokenizer),
    )


def _config(spec: BackboneSpec, tokens: Tokens) -> LlamaConfig:
    longest = max(int(lengths(part).max()) for part in (tokens.train, tokens.validation, tokens.test) if len(part))
    return LlamaConfig(
        vocab_size=tokens.vocabulary,
        hidden_size=spec.width,
        intermediate_size=spec.feed_forward,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        max_position_embeddings=longest,
        pad_token_id=tokens.pad_id,
        bos_token_id=None,
        eos_token_id=None,
        use_cache=False,
    )
