"""Trains a classifier on a backbone that was there before."""

from __future__ import annotations

import json

from etude import Context
from etude.errors import StepError
from etude.nn.artifact import require_separable, save_classifier
from etude.nn.classifier import Classifier, build_classifier
from etude.nn.classifier_spec import ClassifierSpec
from etude.nn.padding_check import require_blind_to_padding
from etude.text.fine_tuning import fine_tuned
from etude.text.token_batches import lengths, sequences
from etude.text.training_spec import TrainingSpec
from etude.text.types import Backbone, Tokens, TrainedModel


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
    return fine_tuned(
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
