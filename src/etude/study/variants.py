"""`vary`: one pipeline becomes many variants. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etude.errors import Fault
from etude.graph.labels import text_of
from etude.identity.canonical import canonical
from etude.study.study import Study, Vary


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One point of `vary`: the values of all params of the study."""

    label: str
    """What sets it apart, for people: `pooling=max seed=0`."""
    params: Mapping[str, object]
    keys: Mapping[str, str]
    """Param → canonical text of its value, by which equal values are found."""
    failed: str = ""
    """What became of it where a search tried it in vain; empty for all others."""


def varied_params(vary: Vary) -> tuple[str, ...]:
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


def too_many(study: Study) -> Fault | None:
    """Why a study is too large to lay out, and what to do; None where it is not. Counts without laying out."""
    vary, most = study.vary, study.place.most_variants
    sizes = {name: len(values) for name, values in {**vary.grid, **vary.repeat}.items()}
    count = max(len(vary.points), 1) * math.prod(sizes.values())
    if count <= most:
        return None
    listed = {"list": len(vary.points)} if vary.points else {}
    shown = [f"{name} {size:,}" for name, size in {**listed, **sizes}.items() if size > 1]
    axes = " × ".join(shown[:6] + ["…"] * (len(shown) > 6))
    count_text = f"{count:,}" if count < 10**15 else f"about 1e{math.log10(count):.0f}"
    mend = "search the space (`search:`), or list the points that matter (`list:`)"
    mend += f", or allow so many: `place: {{most_variants: {count}}}`" if count <= 10**9 else ""
    return Fault("vary", f"this study has {count_text} variants ({axes}), and {most:,} are allowed", mend=mend)


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
    return Variant(label=label, params={**study.params, **point}, keys=keys, failed=_failed(study.vary, point))


def _failed(vary: Vary, point: Mapping[str, object]) -> str:
    if not vary.failed:
        return ""
    return vary.failed.get(canonical({name: value for name, value in point.items() if name not in vary.repeat}), "")
