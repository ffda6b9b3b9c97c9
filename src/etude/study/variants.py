"""`vary`: one pipeline becomes many variants. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etude.graph.labels import text_of
from etude.identity.canonical import canonical
from etude.study.study import Study, Vary


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of `vary`: the values of all params of the study."""

    label: str
    """What sets it apart, for people: `pooling=max seed=0`."""
    params: Mapping[str, object]
    keys: Mapping[str, str]
    """Param → canonical text of its value, by which equal values are found."""
    failed: str = ""
    """What became of it where a search tried it in vain; empty for all others."""


def varied(vary: Vary) -> tuple[str, ...]:
    """The names of the params that vary, in the order written."""
    if vary.search is not None:
        return (*vary.search.space.columns, *vary.repeat)
    names = [*(vary.points[0] if vary.points else ()), *vary.grid, *vary.repeat]
    return tuple(dict.fromkeys(names))


def points(vary: Vary) -> list[dict[str, object]]:
    """All points: list × grid × repeat, the last axis running fastest."""
    axes = {**vary.grid, **vary.repeat}
    rows: Sequence[Mapping[str, object]] = vary.points or ({},)
    return [
        {**row, **dict(zip(axes, values, strict=True))} for row in rows for values in itertools.product(*axes.values())
    ]


def variants(study: Study, chosen: Sequence[Mapping[str, object]] | None = None) -> list[Variant]:
    """The variants of a study.

    Args:
        study: The study.
        chosen: Points in place of the study's own, for instance the best ones of an earlier study.
    """
    base = {name: canonical(value) for name, value in study.params.items()}
    return [_variant(study, base, point) for point in (points(study.vary) if chosen is None else chosen)]


def _variant(study: Study, base: Mapping[str, str], point: Mapping[str, object]) -> Variant:
    label = " ".join(f"{name}={text_of(value)}" for name, value in point.items()) or "only"
    keys = {**base, **{name: canonical(value) for name, value in point.items()}}
    return Variant(label, {**study.params, **point}, keys, _failed(study.vary, point))


def _failed(vary: Vary, point: Mapping[str, object]) -> str:
    if not vary.failed:
        return ""
    return vary.failed.get(canonical({name: value for name, value in point.items() if name not in vary.repeat}), "")
