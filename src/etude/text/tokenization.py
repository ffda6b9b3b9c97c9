"""Texts as token ids: by a byte-pair tokenizer learnt from the training texts, or by a backbone's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from etude.errors import StepError
from etude.nn.backbone import read_card
from etude.nn.model_types import Backbone, Tokens, TooLong
from etude.nn.pretrained import tokenizer_of
from etude.text.types import Splits, TextTable

PAD, END = "<pad>", "</s>"
"""Padding, and what closes each text: so that a text without words has a token, and the last one has seen all."""

_log = logging.getLogger(__name__)


def tokenize(splits: Splits, *, vocabulary: int, lowercase: bool, max_tokens: int) -> Tokens:
    """Learn a tokenizer from the training split alone and apply it to all three.

    Args:
        splits: Labelled texts.
        vocabulary: The most tokens that are learnt; texts too few or too short give fewer.
        lowercase: Whether upper and lower case are the same.
        max_tokens: The longest sequence with its end token; what a text has beyond it is cut off.
    """
    tokenizer = byte_pairs(splits.train["text"].to_pylist(), vocabulary=vocabulary, lowercase=lowercase)
    pad_id = tokenizer.get_vocab()[PAD]
    return encode(splits, tokenizer, vocabulary=tokenizer.get_vocab_size(), pad_id=pad_id, max_tokens=max_tokens)


def encode(
    splits: Splits,
    tokenizer: Tokenizer,
    *,
    vocabulary: int,
    pad_id: int,
    max_tokens: int | None,
    too_long: TooLong = "cut",
) -> Tokens:
    """Apply a tokenizer to all splits. The classes are the labels of the training split, and no others.

    Raises:
        StepError: A text is too long where that is an error.
    """
    classes = sorted(set(_labels(splits.train)))
    rest = {label for part in (splits.validation, splits.test) for label in _labels(part)} - set(classes)
    others = sorted(rest)
    place = {label: index for index, label in enumerate([*classes, *others])}
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_tokens is not None:
        tokenizer.enable_truncation(max_tokens)
    parts = {
        name: _encoded(getattr(splits, name), tokenizer, place, pad_id) for name in ("train", "validation", "test")
    }
    cut = {name: part.cut for name, part in parts.items()}
    if any(cut.values()):
        _tell_cut(cut, max_tokens, too_long)
    return Tokens(
        train=parts["train"].table,
        validation=parts["validation"].table,
        test=parts["test"].table,
        labels=tuple(classes),
        others=tuple(others),
        tokenizer=tokenizer.to_str(),
        vocabulary=vocabulary,
        pad_id=pad_id,
        cut=cut,
    )


class _Part(NamedTuple):
    table: pa.Table
    cut: int


def _encoded(part: TextTable, tokenizer: Tokenizer, place: dict[str, int], pad_id: int) -> _Part:
    encodings = tokenizer.encode_batch(part["text"].to_pylist())
    # A tokenizer that opens and closes nothing gives an empty text no token, and a model must read one.
    ids = [encoding.ids or [pad_id] for encoding in encodings]
    table = pa.table(
        {
            "id": part["id"],
            "label": pa.array([place[label] for label in _labels(part)], pa.int32()),
            "tokens": pa.array(ids, pa.list_(pa.int32())),
        }
    )
    return _Part(table, sum(bool(encoding.overflowing) for encoding in encodings))


def _tell_cut(cut: dict[str, int], max_tokens: int | None, too_long: TooLong) -> None:
    counts = ", ".join(f"{count} of {name}" for name, count in cut.items() if count)
    message = f"texts longer than {max_tokens} tokens: {counts}"
    if too_long == "error":
        raise StepError(f"{message}.\n    Mend: raise max_tokens as far as the backbone allows, or too_long: cut.")
    _log.warning("%s; what is beyond is cut off", message)


def byte_pairs(texts: Sequence[str], *, vocabulary: int, lowercase: bool) -> Tokenizer:
    """A byte-level byte-pair tokenizer: any text has an encoding, none needs an unknown token."""
    tokenizer = Tokenizer(models.BPE())
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    learner = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, learner, length=len(texts))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.get_vocab()[END])]
    )
    return tokenizer


def _labels(part: TextTable) -> list[str]:
    labels: list[str] = part["label"].to_pylist()
    return labels


def tokenize_for(splits: Splits, backbone: Backbone, *, max_tokens: int | None, too_long: TooLong) -> Tokens:
    """Apply a backbone's own tokenizer to all three splits.

    Args:
        splits: Labelled texts.
        backbone: With a tokenizer.
        max_tokens: The longest sequence, with the tokens that open and close it; None for all that the backbone has
            positions for.
        too_long: What becomes of a longer text: `cut` (they are counted in the result), or `error`.

    Raises:
        StepError: The backbone has no tokenizer, or fewer positions than `max_tokens`; a text is too long.
    """
    most = backbone.max_tokens
    if max_tokens is not None and most is not None and max_tokens > most:
        raise StepError(
            f"max_tokens: {backbone.architecture} has positions for {most} tokens, and {max_tokens} were asked for"
        )
    tokenizer = tokenizer_of(backbone.folder)
    card = read_card(backbone.folder)
    vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
    limit = max_tokens if max_tokens is not None else most
    return encode(splits, tokenizer, vocabulary=vocabulary, pad_id=card.pad_id, max_tokens=limit, too_long=too_long)
