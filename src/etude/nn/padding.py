"""Sequences of unequal length as one rectangle: what fills up rows, on which side, and the mask that tells it.

Each row's tokens stand at the left, with no column that all rows pad: a model then sees the same rectangle whatever the
side and amount of padding it was called with, which makes it right for models that count positions from the left, that
tell padding by its id, or that take no positions at all. Shapes: B batch, T tokens.

Which id fills up rows is chosen in this order, and embeddings are never resized for one: the tokenizer's or the
config's own padding; a token that the vocabulary holds in reserve; an id within the embedding that no token has; the
end of text, told from text by the mask alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from etude.errors import StepError


def pad(
    sequences: Sequence[Sequence[int]], pad_id: int, *, side: Literal["left", "right"] = "right"
) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both of shape (B, T) and type int64, T the length of the longest sequence."""
    longest = max(map(len, sequences), default=0)
    ids_BT = torch.full((len(sequences), longest), pad_id, dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for row, sequence in enumerate(sequences):
        place = slice(0, len(sequence)) if side == "right" else slice(longest - len(sequence), longest)
        ids_BT[row, place] = torch.tensor(sequence, dtype=torch.long)
        mask_BT[row, place] = 1
    return ids_BT, mask_BT


def left_alignment(ids_BT: Tensor, mask_BT: Tensor, pad_id: int, length: int | None = None) -> tuple[Tensor, Tensor]:
    """The same tokens at the left, padding with the given id behind them.

    Args:
        ids_BT: Token ids.
        mask_BT: 1 (or True) where a token stands.
        pad_id: What stands where none does.
        length: Columns of the result; None for as many as the longest row has tokens. Rows longer than it are cut.

    Returns:
        Ids and a mask of whole numbers.
    """
    mask = mask_BT.bool()
    count_B1 = mask.sum(dim=1, keepdim=True)
    columns = length if length is not None else max(1, int(count_B1.max()))
    order_BT = mask.logical_not().to(torch.int8).argsort(dim=1, stable=True)
    ids = ids_BT.gather(1, order_BT)[:, :columns]
    if ids.shape[1] < columns:
        ids = torch.nn.functional.pad(ids, (0, columns - ids.shape[1]))
    kept = torch.arange(columns, device=ids.device) < count_B1
    return ids.masked_fill(~kept, pad_id), kept.long()


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
