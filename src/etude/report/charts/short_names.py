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
        replace(summary, varied=shown, groups=tuple(map(named, summary.groups))) if shown else summary
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
        replace(summary, groups=tuple(replace(group, name=short[group.name]) for group in summary.groups))
        for summary in summaries
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
