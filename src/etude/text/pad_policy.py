"""Which token id fills up rows, for a tokenizer that may have none for it. Embeddings are never resized for one.

An id is chosen in this order: the tokenizer's or the config's own padding; a token that the vocabulary holds in
reserve; an id within the embedding that no token has; the end of text, told from text by the mask alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tokenizers import Tokenizer

from etude.errors import StepError

_RESERVED = re.compile(r"<\|reserved_special_token_\d+\|>|\[unused\d+\]|<unused\d+>|<\|extra_\d+\|>|<\|dummy_\d+\|>")


class Padding(NamedTuple):
    """The id, and why it is this one."""

    id: int
    why: str
    in_text: bool
    """Whether texts may hold it too, so that the mask alone tells padding."""


def padding_of(tokenizer: Tokenizer, *, given: int | None, end: int | None, embedded: int) -> Padding:
    """Choose the id that fills up rows.

    Args:
        tokenizer: Its vocabulary is searched for tokens in reserve.
        given: The tokenizer's or config's own padding, where it has one.
        end: The token that closes texts, where there is one.
        embedded: Rows of the embedding: ids are below it.

    Raises:
        StepError: Every id is taken and nothing closes texts.
    """
    if given is not None and 0 <= given < embedded:
        return Padding(given, "the model's own padding", in_text=given == end)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    reserved = sorted((id, token) for token, id in vocabulary.items() if _RESERVED.fullmatch(token) and id < embedded)
    if reserved:
        return Padding(reserved[0][0], f"held in reserve as {reserved[0][1]}", in_text=False)
    taken = set(vocabulary.values())
    free = next((id for id in range(embedded) if id not in taken), None)
    if free is not None:
        return Padding(free, "an id that no token has", in_text=False)
    if end is not None and 0 <= end < embedded:
        return Padding(end, "the end of text, told apart by the mask", in_text=True)
    raise StepError("the tokenizer has neither padding, nor an id that is free, nor an end of text to pad with")
