"""Names of groups that fit beside a bar or a point: the values alone, where they tell the groups apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from etude.analysis.grouping import key_of, name_of
from etude.analysis.summary import Group, Scalar, Summary

LONGEST = 24
"""Characters of a name that charts have room for."""


def named_alike(summaries: Sequence[Summary]) -> tuple[Summary, ...]:
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


def shortly_named(summaries: Sequence[Summary]) -> tuple[Summary, ...]:
    """Summaries whose groups have short names, the same name for the same group everywhere; as they are where none fit.

    `head=linear, pooling=max, spectral=null` is `linear, max`: text stands alone, null and false are left out, true is
    the param's name, and a number keeps it.
    """
    full = {group.name: group.params for summary in summaries for group in summary.groups}
    if all(len(name) <= LONGEST for name in full):
        return tuple(summaries)
    varied = dict.fromkeys(name for summary in summaries for name in summary.varied)
    short = {name: _short(params, varied) for name, params in full.items()}
    if len(set(short.values())) < len(full) or not all(short.values()):
        return tuple(summaries)
    return tuple(
        _renamed(summary, [replace(group, name=short[group.name]) for group in summary.groups]) for summary in summaries
    )


def _renamed(summary: Summary, groups: Sequence[Group]) -> Summary:
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
