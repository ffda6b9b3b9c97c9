"""How much an example counts, by its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from etude.errors import ConfigError, Fault, nearest, require

if TYPE_CHECKING:
    from torch import Tensor

ClassWeights: TypeAlias = Literal["none", "balanced"] | dict[str, float]
"""`balanced`: examples / (classes · examples of the class), so that each class counts the same in sum. A mapping gives
weights by name; a class that it does not name has weight 1."""


def class_weights(choice: ClassWeights, labels: Tensor, classes: Sequence[str]) -> Tensor | None:
    """The weight of each class, shape (C,); None where all count the same.

    Args:
        choice: What is wanted.
        labels: Class indices of the training examples, shape (N,).
        classes: The classes by name, in order. `balanced` gives weight 0 to one that has no example.

    Raises:
        ConfigError: A weight is below 0, or for a class that there is not.
    """
    import torch

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
