"""How the step size goes over a training."""

from __future__ import annotations

import math


def warm_cosine(step: int, *, steps: int, warm_up: float) -> float:
    """The share of the peak step size at a step: up in a straight line, then down along half a cosine.

    Args:
        step: From 0.
        steps: Steps of the whole training, at least 1.
        warm_up: The share of the steps that go up, from 0 to 1.

    Returns:
        Between 0 and 1; above 0 at every step of the training, 0 from its end on.
    """
    rising = round(warm_up * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    if step >= steps:
        return 0.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / (steps - rising)))
