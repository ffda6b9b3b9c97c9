"""One vector from the states of a sequence, read off the attention mask alone.

Shapes: B batch, T tokens, D width. Where the padding stands, how much there is and what the padded states hold (even
NaN) makes no difference; the tokens' order is that of the mask's positions. A row without any token pools to zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from etude.nn.pooling_kind import PoolingKind


class Pooling(nn.Module):
    """Pools token states. `attention` learns one score per token; the other kinds have no parameters."""

    def __init__(self, kind: PoolingKind, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.score = nn.Linear(width, 1, bias=False) if kind == "attention" else None

    def forward(self, states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Pooled states, shape (B, D), of the states' own type. The mask is 1 (or True) where a token stands."""
        mask = mask_BT.bool()
        states = states_BTD.masked_fill(~mask.unsqueeze(-1), 0.0)
        if self.score is None:
            return _PLAIN[self.kind](states, mask)
        return _weighted(states, mask, self.score(states).squeeze(-1))


def _mean(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    count_B1 = mask_BT.sum(dim=1, keepdim=True).clamp(min=1)
    return (states_BTD.sum(dim=1, dtype=torch.float32) / count_B1).to(states_BTD.dtype)


def _max(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    lowest = torch.finfo(states_BTD.dtype).min
    highest_BD = states_BTD.masked_fill(~mask_BT.unsqueeze(-1), lowest).amax(dim=1)
    return highest_BD.masked_fill(~mask_BT.any(dim=1, keepdim=True), 0.0)


def _last(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    place_T = torch.arange(1, mask_BT.shape[1] + 1, device=mask_BT.device)
    at_B = (mask_BT * place_T).argmax(dim=1)
    return states_BTD[torch.arange(len(at_B), device=at_B.device), at_B]


def _weighted(states_BTD: Tensor, mask_BT: Tensor, scores_BT: Tensor) -> Tensor:
    scores = scores_BT.float().masked_fill(~mask_BT, torch.finfo(torch.float32).min)
    weights_BT = scores.softmax(dim=1) * mask_BT
    return torch.einsum("bt,btd->bd", weights_BT, states_BTD.float()).to(states_BTD.dtype)


_PLAIN: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": _mean, "max": _max, "last": _last}
