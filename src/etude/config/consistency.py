"""Whether every name in a study means something, and the axes of `vary` say each value once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from etude.config.overrides import FILE_ONLY, SETTABLE
from etude.errors import Fault, nearest
from etude.graph.pipeline import OWN_COLUMNS, RECORDS, Sources
from etude.keys import join_path
from etude.study.interpolation import references, texts_in, unknown
from etude.study.study import NodeSpec, Source, Study


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
            yield Fault(path=join_path(path, index), value=value, reason=reason, mend="keep one of the two")
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
            differences = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(extra)} besides"] * bool(
                extra
            )
            reason = f"every point names the same params; against the first this one {' and '.join(differences)}"
            yield Fault(path=f"vary.list.{index}", value=dict(point), reason=reason, mend="give each point all of them")
    if points and not points[0]:
        yield Fault(path="vary.list.0", reason="the point names no param", mend="write a point as {param: value}")


def _overlapping(study: Study) -> Iterator[Fault]:
    pointed = {param for point in study.vary.points for param in point}
    sections = {"vary.list": pointed, "vary.grid": set(study.vary.grid), "vary.repeat": set(study.vary.repeat)}
    for param in sorted(set().union(*sections.values())):
        within = [section for section, params in sections.items() if param in params]
        if len(within) > 1:
            path = f"{within[-1]}.{param}"
            yield Fault(path=path, reason=f"{param!r} is varied twice: also by {within[0]}", mend="keep one of the two")


_PARTS: Final = (*SETTABLE, *FILE_ONLY)


def reference_faults(study: Study, tree: Mapping[str, object]) -> Iterator[Fault]:
    """Every name that means nothing, and every name that means two things."""
    params, pipeline, collect = (_mapping(tree.get(part)) for part in ("params", "pipeline", "collect"))
    yield from _param_faults(params, study)
    readable = params if isinstance(tree.get("params", {}), (dict, type(None))) else None
    for name in (name for name in collect if name in pipeline):
        mend = "give one of them another name"
        yield Fault(path=f"collect.{name}", reason=f"{name!r} is a node of the pipeline as well", mend=mend)
    yield from _group_faults(study, pipeline, collect)
    varied = {*study.vary.grid, *study.vary.repeat, *(param for point in study.vary.points for param in point)}
    for node in study.pipeline.values():
        for path, source in _placed(node.sources, f"pipeline.{node.name}.from"):
            yield from _pipeline_source(node, source, path, pipeline, collect)
        yield from _setting_faults(node, f"pipeline.{node.name}.with", readable, ())
    for node in study.collect.values():
        for path, source in _placed(node.sources, f"collect.{node.name}.from"):
            yield from _collect_source(node, source, path, pipeline, collect)
        yield from _setting_faults(node, f"collect.{node.name}.with", readable, varied)


def _group_faults(study: Study, pipeline: Mapping[str, object], collect: Mapping[str, object]) -> Iterator[Fault]:
    nodes = {RECORDS, *pipeline, *collect}
    for group, members in study.groups.items():
        if group in nodes:
            mend = "give the group another name"
            yield Fault(path=f"groups.{group}", reason=f"{group!r} is a node as well", mend=mend)
        for index, name in enumerate(members):
            if name not in nodes:
                mend = nearest(name, nodes)
                yield Fault(f"groups.{group}.{index}", f"no node is called {name!r}", name, mend)


def _param_faults(params: Mapping[str, object], study: Study) -> Iterator[Fault]:
    for name in params:
        if name in _PARTS:
            reason = f"{name!r} is a part of every study, so `--set {name}=…` could mean either"
            yield Fault(path=f"params.{name}", reason=reason, mend=f"call it otherwise, as in {name}_used")
        elif name in OWN_COLUMNS:
            reason = f"every record has a column {name!r} of its own"
            yield Fault(path=f"params.{name}", reason=reason, mend=f"call it otherwise, as in {name}_used")
    vary = {"grid": study.vary.grid, "repeat": study.vary.repeat, "list": list(study.vary.points)}
    for path, text in texts_in({"params": params, "vary": vary}):
        if "${" in text:
            mend = "write ${...} in the settings that need it, or compute the value in Jsonnet"
            yield Fault(path=path, value=text, reason="a param's value cannot refer to another param", mend=mend)


def _setting_faults(
    node: NodeSpec, path: str, params: Mapping[str, object] | None, varied: set[str] | tuple[()]
) -> Iterator[Fault]:
    for inner, text in texts_in(node.settings, path):
        for name in references(text):
            if params is not None and (unknown_param := unknown(name, params)):
                yield Fault(path=inner, value=text, reason=unknown_param[0], mend=unknown_param[1])
            elif (param := name.partition(".")[0]) in varied:
                reason = f"a collect node sees all variants, so {param!r} has no one value here"
                yield Fault(path=inner, value=text, reason=reason, mend="read it from the records, or leave it out")
    for key in _keys_in(node.settings, path):
        yield Fault(path=key, reason="a key cannot hold ${...}", mend="use ${...} in values alone")


def _keys_in(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if "${" in key:
                yield f"{path}.{key}"
            yield from _keys_in(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _keys_in(inner, f"{path}.{index}")


def _placed(sources: Sources, path: str) -> Iterator[tuple[str, Source]]:
    """Each source with its dotted path in the file."""
    for name, source in sources.items():
        inner = join_path(path, name) if name else path
        if isinstance(source, tuple):
            yield from ((join_path(inner, index), each) for index, each in enumerate(source))
        else:
            yield inner, source


def _pipeline_source(
    node: NodeSpec, source: Source, path: str, pipeline: Mapping[str, object], collect: Mapping[str, object]
) -> Iterator[Fault]:
    if source.across or (source.node == RECORDS and source.study is None):
        what = "the results of all variants" if source.across else "the records"
        reason = f"only a collect node sees {what}"
        yield Fault(path=path, value=str(source), reason=reason, mend=f"move {node.name!r} to collect")
    elif source.study is None:
        if source.node == node.name:
            yield _told_itself(source, path)
        elif source.node not in pipeline:
            late = source.node in collect
            reason = "a collect node runs after all variants" if late else f"no node is called {source.node!r}"
            mend = f"move {node.name!r} to collect" if late else nearest(source.node, pipeline.keys() - {node.name})
            yield Fault(path=path, value=str(source), reason=reason, mend=mend)


def _collect_source(
    node: NodeSpec, source: Source, path: str, pipeline: Mapping[str, object], collect: Mapping[str, object]
) -> Iterator[Fault]:
    if source.study is not None:
        return
    if source.node == RECORDS:
        if source.item or source.across:
            reason = "records is one table and has no items"
            yield Fault(path=path, value=str(source), reason=reason, mend="write records")
    elif source.node == node.name:
        yield _told_itself(source, path)
    elif source.node not in pipeline and source.node not in collect:
        known = {RECORDS, *pipeline, *collect} - {node.name}
        reason = f"no node is called {source.node!r}"
        yield Fault(path=path, value=str(source), reason=reason, mend=nearest(source.node, known))
    elif source.across and source.node not in pipeline:
        reason = f"{source.node!r} is a collect node: it runs once, not in every variant"
        yield Fault(path=path, value=str(source), reason=reason, mend="leave out [*]")


def _told_itself(source: Source, path: str) -> Fault:
    return Fault(path=path, value=str(source), reason="a node cannot be its own input", mend="name another node")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
