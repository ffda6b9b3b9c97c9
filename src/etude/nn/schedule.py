"""How the step size goes over a training."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

ScheduleKind: TypeAlias = Literal["cosine", "linear", "constant"]
"""How the step size goes on after the warm-up: down along half a cosine, down in a straight line, or not at all."""


def warm(step: int, *, kind: ScheduleKind, steps: int, warm_up: float) -> float:
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
