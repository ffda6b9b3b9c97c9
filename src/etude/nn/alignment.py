"""One arrangement for every batch: each row's tokens at the left, no column that all rows pad.

A model then sees the same rectangle whatever the side and amount of padding it was called with, which makes it right
for models that count positions from the left, that tell padding by its id, or that take no positions at all.
Shapes: B batch, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor


def left_aligned(ids_BT: Tensor, mask_BT: Tensor, pad_id: int, length: int | None = None) -> tuple[Tensor, Tensor]:
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
