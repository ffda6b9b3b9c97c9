"""Conversions between units of one quantity. Nowhere else is a factor of 1,000 or 3,600 written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeVar

from etude.digits import number_text

Number = TypeVar("Number", int, float)

JOULES_PER_KWH = 3_600_000.0

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SHORT = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = {"": 1, "B": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_BYTES |= {f"{unit}B": factor for unit, factor in _BYTES.items() if unit not in ("", "B")}


def kwh(joules: float) -> float:
    """Kilowatt-hours in this many joules."""
    return joules / JOULES_PER_KWH


def joules(kilowatt_hours: float) -> float:
    """Joules in this many kilowatt-hours."""
    return kilowatt_hours * JOULES_PER_KWH


class AmbiguousError(ValueError):
    """A quantity that may mean two things."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.mend = mend


def seconds(text: str | float) -> float:
    """Seconds in a duration such as `90`, `2h`, `1h30m` or `01:30:00`.

    Raises:
        AmbiguousError: `36:00`, which is minutes and seconds to some schedulers and hours and minutes to others.
        ValueError: Anything else that is no duration, or one too long for a number.
    """
    if isinstance(text, (int, float)):
        return _finite(float, text)
    if match := re.fullmatch(r"(\d+):(\d{2})", text.strip()):
        first, last = match.groups()
        short, long = f"{first}m" + f"{last}s" * (last != "00"), f"{first}h" + f"{last}m" * (last != "00")
        raise AmbiguousError(
            f"expected a duration of one meaning: {text:.20} may be minutes and seconds, as in SLURM, or hours "
            "and minutes, as in LSF",
            f"write {short:.20} or {long:.20}",
        )
    if re.fullmatch(r"\d+(:\d{2}){2}", text):
        hours, minutes, rest = map(int, text.split(":"))
        return _finite(float, hours * 3600 + minutes * 60 + rest)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd])", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*(min|[smhd])\s*", "", text):
        raise ValueError(f"{text!r} is no duration: write 90 (seconds), 2h, 1h30m or 01:30:00")
    return _finite(float, sum(float(number) * _SECONDS[unit] for number, unit in parts))


def bytes_of(text: str | int) -> int:
    """Bytes in a size such as `512`, `4GB` or `4Gi`. ValueError for anything else."""
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2] not in _BYTES:
        raise ValueError(f"{text!r} is no size: write 512, 4GB or 4Gi")
    return _finite(round, float(match[1]) * _BYTES[match[2]])


def _finite(convert: Callable[[float], Number], value: float) -> Number:
    """The converted value; ValueError where it is larger than any number that can be held."""
    try:
        converted = convert(value)
    except OverflowError:
        converted = None
    if converted is None or not math.isfinite(converted):
        raise ValueError("it is larger than any number that can be held")
    return converted


def readable_bytes(count: float) -> str:
    """A size as people read it: `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def readable_seconds(duration_s: float) -> str:
    """A duration as people read it: `12 ms`, `0.84 s`, `1 min 05 s`, `2 h 10 min`."""
    if abs(duration_s) < 59.5:
        factor, unit = next((one for one in _SHORT if abs(duration_s) >= 0.0995 * one[0]), _SHORT[-1])
        return f"{number_text(duration_s / factor, digits=2)} {unit}" if duration_s else "0 s"
    minutes, rest = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
