"""A byte-pair tokenizer learnt from the training texts, and texts as its token ids."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from etude.text.types import Splits, TextTable, Tokens

PAD, END = "<pad>", "</s>"
"""Padding, and what closes each text: so that a text without words has a token, and the last one has seen all."""


def tokenized(splits: Splits, *, vocabulary: int, lowercase: bool, max_tokens: int) -> Tokens:
    """Learn a tokenizer from the training split alone and apply it to all three.

    Args:
        splits: Labelled texts.
        vocabulary: The most tokens that are learnt; texts too few or too short give fewer.
        lowercase: Whether upper and lower case are the same.
        max_tokens: The longest sequence with its end token; what a text has beyond it is cut off.
    """
    tokenizer = byte_pairs(splits.train["text"].to_pylist(), vocabulary=vocabulary, lowercase=lowercase)
    labels = sorted({label for part in (splits.train, splits.validation, splits.test) for label in _labels(part)})
    place = {label: index for index, label in enumerate(labels)}
    size = tokenizer.get_vocab_size()
    tokenizer.enable_truncation(max_tokens)

    def encoded(part: TextTable) -> pa.Table:
        ids = [encoding.ids for encoding in tokenizer.encode_batch(part["text"].to_pylist())]
        return pa.table(
            {
                "id": part["id"],
                "label": pa.array([place[label] for label in _labels(part)], pa.int32()),
                "tokens": pa.array(ids, pa.list_(pa.int32())),
            }
        )

    return Tokens(
        train=encoded(splits.train),
        validation=encoded(splits.validation),
        test=encoded(splits.test),
        labels=tuple(labels),
        tokenizer=tokenizer.to_str(),
        vocabulary=size,
        pad_id=tokenizer.get_vocab()[PAD],
    )


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
