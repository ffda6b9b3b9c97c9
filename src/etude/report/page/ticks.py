"""Round numbers along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DIGITS = 15


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that cover a range: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        half = abs(low) / 2 or 0.5
        low, high = low - half, high + half
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12 - math.floor(math.log10(step))) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around a range above 0, with 2 and 5 between where it is short."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    every = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    start = max((index for index, tick in enumerate(every) if tick <= low), default=0)
    end = min((index for index, tick in enumerate(every) if tick >= high), default=len(every) - 1)
    return every[start : end + 1]


def tick_texts(found: Sequence[float]) -> list[str]:
    """The numbers along an axis, in as many digits as tell them apart."""
    texts: list[str] = []
    for digits in range(6, _MOST_DIGITS + 1):
        texts = [short_number(tick, digits) for tick in found]
        if len(set(texts)) == len(set(found)):
            break
    return texts


def short_number(value: float, digits: int = 6) -> str:
    """A round number without the noughts at its end; a far power of ten with its exponent raised."""
    if value and not 1e-3 <= abs(value) < 1e5:
        power = math.floor(math.log10(abs(value)) + 1e-9)
        factor = f"{value / 10.0**power:.{digits}g}"
        raised = f"10{str(power).translate(_RAISED)}"
        return raised if factor == "1" else f"{factor}·{raised}"
    return f"{value:.{digits}g}"
