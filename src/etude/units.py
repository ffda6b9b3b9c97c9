"""Conversions between units of one quantity. Nowhere else is a factor of 1,000 or 3,600 written."""

from __future__ import annotations

import re

from etude.digits import number_text

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


def seconds(text: str | float) -> float:
    """Seconds in a duration such as `90`, `2h`, `1h30m` or `01:30:00`. ValueError for anything else."""
    if isinstance(text, (int, float)):
        return float(text)
    if re.fullmatch(r"\d+(:\d{2}){1,2}", text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return float(total * (60 if text.count(":") == 1 else 1))
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd])", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*(min|[smhd])\s*", "", text):
        raise ValueError(f"{text!r} is no duration: write 90 (seconds), 2h, 1h30m or 01:30:00")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def bytes_of(text: str | int) -> int:
    """Bytes in a size such as `512`, `4GB` or `4Gi`. ValueError for anything else."""
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2] not in _BYTES:
        raise ValueError(f"{text!r} is no size: write 512, 4GB or 4Gi")
    return round(float(match[1]) * _BYTES[match[2]])


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
