"""Cross-entropy whose parts add up: a batch in pieces has the same loss, and the same gradient, as the batch whole."""

from __future__ import annotations

import torch
from torch import Tensor


def weight_of(labels_B: Tensor, weights_C: Tensor | None) -> Tensor:
    """How much these examples count together: their number, or the sum of their classes' weights."""
    if weights_C is None:
        return torch.tensor(float(len(labels_B)), device=labels_B.device)
    return weights_C[labels_B].sum()


def summed_cross_entropy(
    logits_BC: Tensor, labels_B: Tensor, *, weights_C: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy summed over examples: divided by `weight_of` the examples it is torch's mean, and it adds up.

    Args:
        logits_BC: Of any floating type; computed on in float32.
        labels_B: Class indices.
        weights_C: Weight of each class; None for 1.
        smoothing: The share of each target that is spread evenly over all classes (Szegedy and others, 2016, sec. 7).
    """
    return torch.nn.functional.cross_entropy(
        logits_BC.float(), labels_B, weight=weights_C, reduction="sum", label_smoothing=smoothing
    )
