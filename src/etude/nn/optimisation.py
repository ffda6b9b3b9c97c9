"""Which parameters an optimiser moves, how fast over a training, and which it lets decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from etude.nn.training_spec import ScheduleKind


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


def schedule_factor(step: int, *, kind: ScheduleKind, steps: int, warm_up: float) -> float:
    """The share of the peak step size at a step: up in a straight line, then as its kind says.

    Args:
        step: From 0.
        kind: How it goes on after the warm-up.
        steps: Steps of the whole training, at least 1.
        warm_up: The share of the steps that go up, from 0 to 1.

    Returns:
        Between 0 and 1; above 0 at every step of the training. From its end on 0, or 1 where the kind is constant.
    """
    rising = round(warm_up * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    if kind == "constant":
        return 1.0
    if step >= steps:
        return 0.0
    gone = (step - rising) / (steps - rising)
    return 1.0 - gone if kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * gone))
