"""What a column of the records is called on an axis, with its unit."""

from __future__ import annotations

import re

from etude.analysis.direction import meaning_of

_SPOKEN = {
    "wall_s": "wall time",
    "cpu_s": "CPU time",
    "peak_rss_bytes": "peak memory",
    "energy_j": "energy",
    "carbon_g": "carbon",
    "start_up_wall_s": "start-up time",
    "start_up_cpu_s": "start-up CPU time",
    "start_up_energy_j": "start-up energy",
}
"""What étude measures of every node."""
_OF_SOMETHING = frozenset({"mean", "median", "std", "min", "max", "p50", "p90", "p95", "p99"})
"""Words that say nothing without what they are of: `latency.single.median_s` is `latency single median (s)`."""
_SCALED = {"bytes": ("MB", 1e-6)}


def label_of(column: str, unit: str = "") -> str:
    """The last part of a dotted name as people write it, with its unit: `latency (ms)`.

    Args:
        column: Dotted; of a cost the name alone will do.
        unit: As its step declares it. A unit is never read off a name: étude's own costs alone have one without it.
    """
    last = column.rpartition(".")[2]
    unit = _unit(column, unit)
    stem = last.removesuffix(f"_{unit.lower()}") if unit else last
    if stem in _OF_SOMETHING:
        stem = " ".join([*column.split(".")[:-1], stem])
    spoken = _SPOKEN[last] if _is_own(column) else stem.replace("_", " ")
    shown = _SCALED.get(unit, (unit, 1.0))[0]
    return f"{spoken} ({shown})" if shown else spoken


def scale_of(column: str, unit: str = "") -> float:
    """What a number of this column is multiplied with to be in the unit that its label names."""
    return _SCALED.get(_unit(column, unit), ("", 1.0))[1]


def _unit(column: str, unit: str) -> str:
    return unit or (meaning_of(f"node.cost.{column.rpartition('.')[2]}", {}).unit if _is_own(column) else "")


def _is_own(column: str) -> bool:
    """Whether étude measured it: of a node, or of a whole variant."""
    place, _, last = column.rpartition(".")
    return last in _SPOKEN and (not place or "cost" in place.split("."))


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
