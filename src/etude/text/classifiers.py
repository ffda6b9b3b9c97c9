"""The classifiers that are trained: a small Llama-architecture network of random weights, or one on a backbone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from transformers import LlamaConfig

from etude import Context
from etude.errors import StepError
from etude.nn.backbone import network_from
from etude.nn.classifier import Classifier, build_classifier, require_blind_to_padding
from etude.nn.classifier_folder import require_separable, save_classifier
from etude.nn.classifier_spec import ClassifierSpec
from etude.nn.classifier_training import train_classifier
from etude.nn.model_types import Backbone, Tokens, TrainedModel
from etude.nn.randomness import fixed_seed
from etude.nn.token_batches import lengths, sequences
from etude.nn.training_spec import TrainingSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """The size of a Llama-architecture network."""

    width: int
    """Of a token's state; a multiple of twice the heads."""
    layers: int
    heads: int
    feed_forward: int
    """Width of the inner layer of each block's feed-forward part."""


def train_from_scratch(
    tokens: Tokens, backbone: NetworkSize, spec: ClassifierSpec, training: TrainingSpec, *, ctx: Context
) -> TrainedModel:
    """Train, and write the classifier to a folder in the step's scratch.

    Raises:
        StepError: Fewer than two classes; `cls` pooling, for which these tokens have no token.
        Stopped: The run was asked to stop; the same call goes on where it was.
    """
    if spec.pooling == "cls":
        raise StepError("pooling cls: tokens of text.tokenize open with no classification token. Mend: pooling: first.")
    with fixed_seed(training.seed):
        network = network_from(_config(backbone, tokens))
        classifier = Classifier(network, spec, len(tokens.labels), pad_id=tokens.pad_id)
    return train_classifier(
        classifier,
        tokens,
        training,
        ctx=ctx,
        save=lambda folder: save_classifier(classifier, folder, labels=tokens.labels, tokenizer=tokens.tokenizer),
    )


def _config(spec: NetworkSize, tokens: Tokens) -> LlamaConfig:
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


def train_on_backbone(
    tokens: Tokens,
    backbone: Backbone,
    spec: ClassifierSpec,
    training: TrainingSpec,
    *,
    ctx: Context,
    keep_backbone: bool = True,
) -> TrainedModel:
    """Build, train, and write the classifier to a folder in the step's scratch, with the backbone or without it.

    Raises:
        StepError: The tokens are not the backbone's, or longer than it has positions for; the spec does not go with it;
            the architecture lets padding into its states.
        Stopped: The run was asked to stop; the same call goes on where it was.
    """
    require_separable(spec, keep_backbone)
    _require_same_tokenizer(tokens, backbone)
    classifier = build_classifier(backbone.folder, spec, len(tokens.labels), seed=training.seed)
    _require_room(tokens, classifier)
    classifier.pad_id = tokens.pad_id
    sizes, rows = lengths(tokens.train), sequences(tokens.train)
    require_blind_to_padding(classifier, rows[sizes.argmin()], rows[sizes.argmax()])
    return train_classifier(
        classifier,
        tokens,
        training,
        ctx=ctx,
        save=lambda folder: save_classifier(
            classifier, folder, labels=tokens.labels, tokenizer=tokens.tokenizer, keep_backbone=keep_backbone
        ),
    )


def _require_same_tokenizer(tokens: Tokens, backbone: Backbone) -> None:
    own = backbone.folder / "tokenizer.json"
    if not own.exists():
        return
    if json.loads(own.read_text(encoding="utf-8"))["model"] != json.loads(tokens.tokenizer)["model"]:
        raise StepError(
            f"the tokens were made by another tokenizer than that of the backbone ({backbone.architecture}).\n"
            "    Mend: make them by the step text.tokenize_for, from the splits and this backbone."
        )


def _require_room(tokens: Tokens, classifier: Classifier) -> None:
    """Every token id has a row in the embedding, and every text, with virtual tokens, a position for each token."""
    parts = [part for part in (tokens.train, tokens.validation, tokens.test) if len(part)]
    highest = max(max(part["tokens"].combine_chunks().flatten().to_numpy(), default=0) for part in parts)
    rows = classifier.network.get_input_embeddings().weight.shape[0]
    if highest >= rows or tokens.pad_id >= rows:
        raise StepError(
            f"the backbone has an embedding for {rows} tokens, and the tokens go up to {max(highest, tokens.pad_id)}.\n"
            f"    Mend: config: {{vocab_size: {tokens.vocabulary}, …}}, or a smaller vocabulary of text.tokenize."
        )
    longest = max(int(lengths(part).max()) for part in parts)
    room = classifier.most_tokens
    if room is not None and longest > room:
        raise StepError(
            f"the longest text has {longest} tokens, and the classifier has room for {room}.\n"
            "    Mend: a smaller max_tokens where the texts are tokenized."
        )
