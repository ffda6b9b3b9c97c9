"""Whether the axes of `vary` are about params, differ from one another, and say each value once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from etude.errors import Fault, nearest
from etude.keys import joined
from etude.study.study import Study


def axis_faults(study: Study, tree: Mapping[str, object]) -> Iterator[Fault]:
    """Everything that is wrong with `vary` beyond the shape of its parts."""
    params = tree.get("params")
    known = tuple(params) if isinstance(params, dict) else () if params is None else None
    vary = study.vary
    for section, axes in (("grid", vary.grid), ("repeat", vary.repeat)):
        for param, values in axes.items():
            path = f"vary.{section}.{param}"
            yield from _unknown(param, known, path)
            yield from _twice(values, path, "value")
    for index, point in enumerate(vary.points):
        for param in point:
            yield from _unknown(param, known, f"vary.list.{index}.{param}")
    yield from _twice(vary.points, "vary.list", "point")
    yield from _unequal(vary.points)
    yield from _overlapping(study)
    if len(vary.repeat) > 1:
        mend = "keep the seed here and move the others to vary.grid"
        yield Fault(path="vary.repeat", value=list(vary.repeat), reason="repeats over more than one param", mend=mend)


def _unknown(param: str, known: Sequence[str] | None, path: str) -> Iterator[Fault]:
    if known is not None and param not in known:
        whole = param.partition(".")[0]
        mend = f"vary the whole of {whole!r}" if whole in known and whole != param else nearest(param, known)
        yield Fault(path=path, reason=f"no param is called {param!r}", mend=mend)


def _twice(values: Sequence[object], path: str, what: str) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        key = _key(value)
        if key in first:
            reason = f"the {what} stands there twice: also at {first[key]}"
            yield Fault(path=joined(path, index), value=value, reason=reason, mend="keep one of the two")
        else:
            first[key] = index


def _key(value: object) -> str:
    """Text that is the same for values that make the same variant: 1 and 1.0 do, 1 and true do not."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole and isinstance(value, float) else value, sort_keys=True)


def _unequal(points: Sequence[Mapping[str, object]]) -> Iterator[Fault]:
    for index, point in enumerate(points):
        missing, extra = sorted(points[0].keys() - point.keys()), sorted(point.keys() - points[0].keys())
        if missing or extra:
            told = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(extra)} besides"] * bool(extra)
            reason = f"every point names the same params; against the first this one {' and '.join(told)}"
            yield Fault(path=f"vary.list.{index}", value=dict(point), reason=reason, mend="give each point all of them")
    if points and not points[0]:
        yield Fault(path="vary.list.0", reason="the point names no param", mend="write a point as {param: value}")


def _overlapping(study: Study) -> Iterator[Fault]:
    pointed = {param for point in study.vary.points for param in point}
    sections = {"vary.list": pointed, "vary.grid": set(study.vary.grid), "vary.repeat": set(study.vary.repeat)}
    for param in sorted(set().union(*sections.values())):
        found = [section for section, params in sections.items() if param in params]
        if len(found) > 1:
            path = f"{found[-1]}.{param}"
            yield Fault(path=path, reason=f"{param!r} is varied twice: also by {found[0]}", mend="keep one of the two")
