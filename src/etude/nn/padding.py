"""Sequences of unequal length as one rectangle of token ids and its mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor


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
