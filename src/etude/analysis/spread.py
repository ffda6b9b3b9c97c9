"""Where values lie and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def sample_std(values: Sequence[float] | npt.NDArray[np.float64]) -> float | None:
    """Sample standard deviation, with n − 1 below the line; None for fewer than two values, 0 for equal ones."""
    found = np.asarray(values, dtype=float)
    if len(found) < 2:
        return None
    # The mean of equal values need not be that value to the last bit, and the deviations then not 0.
    return 0.0 if found.min() == found.max() else float(found.std(ddof=1))


def interquartile_mean(values: Sequence[float]) -> float | None:
    """The mean without the lowest and the highest quarter, each rounded down to whole values; None for no values.

    Source: Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean()) if len(ordered) else None
