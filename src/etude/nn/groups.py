"""Which parameters an optimiser moves, how fast, and which it lets decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


def parameter_groups(
    module: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    is_head: Callable[[str], bool],
    head_rate: float = 1.0,
) -> list[dict[str, Any]]:
    """The trainable parameters in groups for an optimiser: backbone and head, each with and without decay.

    Matrices decay; biases, the weights of norms and whatever else is a vector do not, nor do embeddings. A decay of
    embeddings would draw the rows of tokens that a batch lacks towards zero, and those that the training lacks fastest.

    Args:
        module: The model.
        learning_rate: The peak step size of the backbone.
        weight_decay: Decoupled decay of what decays.
        is_head: Tells by its name whether a parameter is the head's.
        head_rate: The head's step size as a multiple of the backbone's.
    """
    embeddings = {id(parameter) for each in module.modules() if _looks_up(each) for parameter in each.parameters(False)}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and id(parameter) not in embeddings
            groups.setdefault((is_head(name), decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * (head_rate if head else 1.0),
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (head, decays), parameters in groups.items()
    ]


def _looks_up(module: nn.Module) -> bool:
    return isinstance(module, nn.Embedding) or bool(getattr(module, "looks_up", False))
