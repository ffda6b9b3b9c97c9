"""One vector from the states of a sequence, read off the attention mask alone.

Shapes: B batch, T tokens, D width, H heads. Where the padding stands, how much there is and what the padded states hold
(even NaN) makes no difference; the tokens' order is that of the mask's positions. A row without any token pools to
zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from etude.errors import require
from etude.nn.classifier_spec import PoolingKind


class Pooling(nn.Module):
    """Pools token states. `attention` learns one score per head and token; the other kinds have no parameters.

    `weighted_mean` weighs the i-th token of n by i / (1 + … + n), so that later states of a causal model, which have
    seen more, count for more (Muennighoff, SGPT, 2022, section 3.1). `cls` is `first` under the name that says what
    the first token is; who builds a model checks that it is one. `attention` is the mean of the states under the
    softmax of learned scores, one mean per head, side by side.
    """

    def __init__(self, kind: PoolingKind, width: int, heads: int = 1) -> None:
        super().__init__()
        require(heads >= 1, "pooling_heads", heads, "1 or more")
        require(heads == 1 or kind == "attention", "pooling_heads", heads, f"1 with pooling {kind}")
        self.kind = kind
        self.score = nn.Linear(width, heads, bias=False) if kind == "attention" else None
        self.width = width * {"attention": heads, "mean_max": 2}.get(kind, 1)
        """Of the pooled vector."""

    def forward(self, states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Pooled states, shape (B, width), of the states' own type. The mask is 1 (or True) where a token stands."""
        mask = mask_BT.bool()
        states = states_BTD.masked_fill(~mask.unsqueeze(-1), 0.0)
        if self.score is None:
            return _PLAIN[self.kind](states, mask)
        return _attention(states, mask, self.score(states.to(self.score.weight.dtype)))


def _mean(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    count_B1 = mask_BT.sum(dim=1, keepdim=True).clamp(min=1)
    return (states_BTD.sum(dim=1, dtype=torch.float32) / count_B1).to(states_BTD.dtype)


def _max(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    lowest = torch.finfo(states_BTD.dtype).min
    highest_BD = states_BTD.masked_fill(~mask_BT.unsqueeze(-1), lowest).amax(dim=1)
    return highest_BD.masked_fill(~mask_BT.any(dim=1, keepdim=True), 0.0)


def _mean_max(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    return torch.cat([_mean(states_BTD, mask_BT), _max(states_BTD, mask_BT)], dim=1)


def _weighted_mean(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    place_BT = (mask_BT.cumsum(dim=1) * mask_BT).float()
    weights_BT = place_BT / place_BT.sum(dim=1, keepdim=True).clamp(min=1.0)
    return (states_BTD.float() * weights_BT.unsqueeze(-1)).sum(dim=1).to(states_BTD.dtype)


def _first(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    return _at(states_BTD, mask_BT.long().argmax(dim=1))


def _last(states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    place_T = torch.arange(1, mask_BT.shape[1] + 1, device=mask_BT.device)
    return _at(states_BTD, (mask_BT * place_T).argmax(dim=1))


def _at(states_BTD: Tensor, at_B: Tensor) -> Tensor:
    return states_BTD[torch.arange(len(at_B), device=at_B.device), at_B]


def _attention(states_BTD: Tensor, mask_BT: Tensor, scores_BTH: Tensor) -> Tensor:
    mask_BT1 = mask_BT.unsqueeze(-1)
    scores = scores_BTH.float().masked_fill(~mask_BT1, torch.finfo(torch.float32).min)
    weights_BTH = scores.softmax(dim=1) * mask_BT1
    return torch.einsum("bth,btd->bhd", weights_BTH, states_BTD.float()).flatten(1).to(states_BTD.dtype)


_PLAIN: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": _first,
    "first": _first,
    "last": _last,
    "mean": _mean,
    "max": _max,
    "weighted_mean": _weighted_mean,
    "mean_max": _mean_max,
}
