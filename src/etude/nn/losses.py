"""Cross-entropy whose parts add up: a batch in pieces has the same loss, and the same gradient, as the batch whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from etude.errors import ConfigError, Fault, nearest, require
from etude.nn.training_spec import ClassWeights


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


def class_weights(choice: ClassWeights, labels: Tensor, classes: Sequence[str]) -> Tensor | None:
    """The weight of each class, shape (C,); None where all count the same.

    Args:
        choice: What is wanted.
        labels: Class indices of the training examples, shape (N,).
        classes: The classes by name, in order. `balanced` gives weight 0 to one that has no example.

    Raises:
        ConfigError: A weight is below 0, or for a class that there is not.
    """
    if choice == "none":
        return None
    if choice == "balanced":
        counts = torch.bincount(labels, minlength=len(classes)).double()
        present = counts > 0
        return torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), 0.0).float()
    for name, weight in choice.items():
        if name not in classes:
            reason = "there is no such class in training"
            raise ConfigError([Fault(path="class_weights", value=name, reason=reason, mend=nearest(name, classes))])
        require(weight >= 0, f"class_weights.{name}", weight, "0 or more")
    return torch.tensor([choice.get(name, 1.0) for name in classes], dtype=torch.float32)
