"""What a column of the records is called on an axis, with its unit."""

from __future__ import annotations

import re

_SPOKEN = {
    "wall_s": "wall time (s)",
    "cpu_s": "CPU time (s)",
    "peak_rss_bytes": "peak memory (MB)",
    "energy_j": "energy (J)",
    "carbon_g": "carbon (g CO₂eq)",
}
_UNITS = {
    "_s": "s",
    "_ms": "ms",
    "_us": "µs",
    "_j": "J",
    "_kwh": "kWh",
    "_g": "g CO₂eq",
    "_bytes": "MB",
    "_w": "W",
    "flops": "FLOP",
    "_flop": "FLOP",
    "_joules": "J",
    "_grams": "g CO₂eq",
}
_SPENT = frozenset({"joules", "grams", "flops", "seconds", "bytes", "kwh"})
"""What `…_per_1000` is a cost of; any other `…_per_…` is a rate, of which nothing says that less is wanted."""
_OF_SOMETHING = frozenset({"mean", "median", "std", "min", "max", "p50", "p90", "p95", "p99"})
"""Words that say nothing without what they are of: `latency.single.median_s` is `latency single median (s)`."""
_PER_UNIT = {"_bytes": 1e-6}


def label_of(column: str) -> str:
    """The last part of a dotted name as people write it, with the unit that its ending tells: `latency (ms)`."""
    last = column.rpartition(".")[2]
    if last in _SPOKEN:
        return _SPOKEN[last]
    ending = _ending(last)
    stem = last.removesuffix(ending) if ending and ending.startswith("_") else last
    if stem in _OF_SOMETHING:
        stem = " ".join([*column.split(".")[:-1], stem])
    spoken = stem.replace("_", " ")
    return spoken if ending is None else f"{spoken} ({_UNITS[ending]})"


def is_cost(column: str) -> bool:
    """Whether a number is one of which less is wanted, as its unit tells: time, energy, carbon, memory, FLOPs."""
    last = column.rpartition(".")[2]
    return ".cost." in column or last.partition("_per_")[0] in _SPENT or _ending(last) is not None


def scale_of(column: str) -> float:
    """What a number of this column is multiplied with to be in the unit that its label names."""
    return _PER_UNIT.get(_ending(column.rpartition(".")[2]) or "", 1.0)


def one_line(text: str, most: int = 60) -> str:
    """Text that is drawn as it stands: on one line, without marks that cannot be seen, a long one cut in its middle."""
    printed = "".join(mark for mark in " ".join(text.split()) if mark.isprintable())
    if len(printed) <= most:
        return printed
    tail = (most - 1) * 2 // 5
    return f"{printed[: most - 1 - tail]}…{printed[len(printed) - tail :]}"


def file_stem(text: str) -> str:
    """Text as a file's name: small letters, digits, dots, `-` and `_`."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.")[:80] or "chart"


def _ending(last: str) -> str | None:
    if "_per_" in last:
        return None
    return next((ending for ending in sorted(_UNITS, key=len, reverse=True) if last.endswith(ending)), None)
