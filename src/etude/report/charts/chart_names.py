"""What things are called on charts: numbers with their unit, and groups by names that fit beside a bar or a point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from etude.analysis.direction import meaning_of
from etude.analysis.grouping import key_of, name_of
from etude.analysis.summary import Group, Scalar, StudySummary

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
MOST_LETTERS = 24
"""Characters of a name that charts have room for."""
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


def with_names_in_common(summaries: Sequence[StudySummary]) -> tuple[StudySummary, ...]:
    """Summaries of several studies whose groups have the same name where they have the same params, and only there.

    A group is named by every param that varies in any of the studies, also where its own study holds it: a study of
    `pooling` at `rate: 0.1` has the group `pooling=max, rate=0.1`, as one that varies both. What every study holds sets
    the studies apart, not their groups.
    """
    shown = tuple(dict.fromkeys(name for summary in summaries for name in summary.varied))
    names: dict[str, str] = {}

    def named(group: Group) -> Group:
        own = {name: group.params[name] for name in shown if name in group.params}
        return replace(group, name=names.setdefault(key_of(own), name_of(own, tuple(own))))

    return tuple(
        replace(_renamed(summary, [*map(named, summary.groups)]), varied=shown) if shown else summary
        for summary in summaries
    )


def with_short_names(summaries: Sequence[StudySummary]) -> tuple[StudySummary, ...]:
    """Summaries whose groups have short names, the same name for the same group everywhere; as they are where none fit.

    `head=linear, pooling=max, spectral=null` is `linear, max`: text stands alone, null and false are left out, true is
    the param's name, and a number keeps it.
    """
    full = {group.name: group.params for summary in summaries for group in summary.groups}
    if all(len(name) <= MOST_LETTERS for name in full):
        return tuple(summaries)
    varied = dict.fromkeys(name for summary in summaries for name in summary.varied)
    short = {name: _short(params, varied) for name, params in full.items()}
    if len(set(short.values())) < len(full) or not all(short.values()):
        return tuple(summaries)
    return tuple(
        _renamed(summary, [replace(group, name=short[group.name]) for group in summary.groups]) for summary in summaries
    )


def _renamed(summary: StudySummary, groups: Sequence[Group]) -> StudySummary:
    """A summary with these groups in place of its own, its comparisons of them among it."""
    names = {old.name: new.name for old, new in zip(summary.groups, groups, strict=True)}
    return replace(
        summary,
        groups=tuple(groups),
        comparisons=tuple(
            replace(one, group=names.get(one.group, one.group), baseline=names.get(one.baseline, one.baseline))
            for one in summary.comparisons
        ),
    )


def _short(params: Mapping[str, Scalar], varied: Iterable[str]) -> str:
    words = (_word(name, params[name]) for name in varied if name in params)
    return ", ".join(word for word in words if word)


def _word(name: str, value: Scalar) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return name
    return value if isinstance(value, str) else f"{name}={value}"
