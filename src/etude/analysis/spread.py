"""Where values lie and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def mean_of(values: Sequence[float]) -> float:
    """The mean of at least one value, its sum rounded once."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # of numbers near the largest there are
        return math.fsum(value / len(values) for value in values)


def sample_std(values: Sequence[float] | npt.NDArray[np.float64]) -> float | None:
    """Sample standard deviation, with n − 1 below the line; None for fewer than two values, 0 for equal ones.

    In plain Python: groups are small, and there are thousands of them.
    """
    numbers: list[float] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if len(numbers) < 2:
        return None
    # The mean of equal values need not be that value to the last bit, and the deviations then not 0.
    if min(numbers) == max(numbers):
        return 0.0
    mean = mean_of(numbers)
    try:
        return math.sqrt(math.fsum((value - mean) ** 2 for value in numbers) / (len(numbers) - 1))
    except OverflowError:
        scale = max(map(abs, numbers))
        return scale * (2 * sample_std([value / scale / 2 for value in numbers]))  # type: ignore[operator]


def interquartile_mean(values: Sequence[float]) -> float | None:
    """The mean without the lowest and the highest quarter, each rounded down to whole values; None for no values.

    Source: Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean()) if len(ordered) else None
