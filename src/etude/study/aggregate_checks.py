"""What a table of means is asked for, checked before anything runs: params, metrics and a baseline that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from etude.analysis.grouping import key_of, name_of
from etude.errors import EtudeError, Fault, nearest
from etude.execute.node_metering import RECORDED
from etude.graph.library import StepUse
from etude.graph.node import RECORDS
from etude.store.codecs.annotations import bare, class_of, fields_of, is_record
from etude.store.codecs.metrics import column_name
from etude.study.interpolation import resolve
from etude.study.study import Study
from etude.study.variants import points

_SIMPLE = (int, float, bool, str, type(None))
AGGREGATE = "etude.analysis.steps:aggregate"


def aggregate_faults(study: Study, uses: Mapping[str, StepUse]) -> Iterator[Fault]:
    """Names and values in the settings of `analysis.aggregate` that the records cannot have.

    Args:
        study: The study.
        uses: Node → its step; nodes whose step was not found are left out.
    """
    for name, spec in study.collect.items():
        use = uses.get(name)
        if use is None or use.reference != AGGREGATE:
            continue
        try:
            settings = resolve(spec.settings, study.params)
        except EtudeError:
            continue  # told where settings are read
        assert isinstance(settings, Mapping)
        where = f"collect.{name}.with"
        sources = [one for given in spec.sources.values() for one in (given if isinstance(given, tuple) else (given,))]
        yield from _params_faults(study, settings, where)
        if all(source.node == RECORDS and not source.study for source in sources):
            yield from _metrics_faults(study, settings, uses, where)


def _params_faults(study: Study, settings: Mapping[str, Any], where: str) -> Iterator[Fault]:
    replicate, by, baseline = settings.get("replicate"), settings.get("by"), settings.get("baseline")
    named = [("replicate", replicate)] if isinstance(replicate, str) else []
    named += [("by", one) for one in by if isinstance(one, str)] if isinstance(by, list) else []
    named += [("baseline", one) for one in baseline] if isinstance(baseline, Mapping) else []
    unknown = [(setting, one) for setting, one in named if one not in study.params]
    for setting, one in unknown:
        yield Fault(f"{where}.{setting}", f"the study has no param {one!r}", one, nearest(one, study.params))
    if isinstance(baseline, Mapping) and baseline and not unknown and study.vary.search is None:
        yield from _baseline_faults(study, settings, baseline, where)


def _baseline_faults(
    study: Study, settings: Mapping[str, Any], baseline: Mapping[str, Any], where: str
) -> Iterator[Fault]:
    repeat = settings.get("replicate") or next(iter(study.vary.repeat), None)
    keys = [name for name in settings.get("by") or study.params if name != repeat or settings.get("by")]
    for name in baseline:
        if name not in keys:
            yield Fault(
                f"{where}.baseline.{name}", f"groups do not differ in {name!r}", baseline[name], nearest(name, keys)
            )
            return
    groups: list[dict[str, Any]] = [
        {name: {**study.params, **point}[name] for name in keys} for point in points(study.vary)
    ]
    places = {key_of(group): group for group in groups}
    if len(places) > 1 and not any(
        (wanted := key_of({**group, **baseline})) in places and wanted != key for key, group in places.items()
    ):
        known = list(dict.fromkeys(name_of(group, tuple(baseline)) for group in groups))
        reason = f"no group has {name_of(baseline, tuple(baseline))} and is else like another"
        yield Fault(f"{where}.baseline", reason, dict(baseline), f"there are {'; '.join(known[:12])}")


def _metrics_faults(
    study: Study, settings: Mapping[str, Any], uses: Mapping[str, StepUse], where: str
) -> Iterator[Fault]:
    for setting in ("metrics", "lower_is_better", "higher_is_better"):
        given = settings.get(setting)
        for metric in given if isinstance(given, (list, tuple)) else ():
            if isinstance(metric, str):
                yield from _metric_faults(metric, study, uses, f"{where}.{setting}")
    references = settings.get("references")
    for node in references if isinstance(references, Mapping) else ():
        if node not in study.pipeline:
            mend = nearest(node, study.pipeline)
            yield Fault(f"{where}.references.{node}", f"the pipeline has no node {node!r}", node, mend)


def _metric_faults(metric: str, study: Study, uses: Mapping[str, StepUse], where: str) -> Iterator[Fault]:
    node, _, rest = metric.partition(".")
    if node not in study.pipeline:
        mend = nearest(node, study.pipeline) if rest else f"write node.metric, with one of {', '.join(study.pipeline)}"
        yield Fault(where, f"the pipeline has no node {node!r}", metric, mend)
        return
    if not rest:
        return  # the number itself, where a step returns one
    if rest.startswith("cost."):
        cost = rest.removeprefix("cost.")
        if cost not in RECORDED and not cost.startswith("window."):
            yield Fault(where, f"no node has a cost {cost!r}", metric, nearest(cost, RECORDED))
        return
    names = _names(uses[node].signature.returns) if node in uses else None
    known = None if names is None else [*map(column_name, names)]
    if known is not None and not any(
        rest == name or (name[-1:] == "*" and rest.startswith(name[:-1])) for name in known
    ):
        shown = [f"{node}.{name}" for name in known]
        yield Fault(where, f"{uses[node].reference} gives no metric {rest!r}", metric, nearest(metric, shown))


def _names(annotation: Any, within: Sequence[type] = ()) -> list[str] | None:
    """The names of a result's metrics, `top.*` where it does not say them all; None where nothing is said."""
    cls = class_of(bare(annotation))
    if cls is None or cls in within or not is_record(cls):
        return None
    columns: list[str] = []
    try:
        hints = fields_of(cls)
    except NameError:
        return None
    for name, hint in hints.items():
        plain = bare(hint)
        members = [plain, *map(bare, get_args(plain))]
        inner = next((names for one in members if (names := _names(one, (*within, cls))) is not None), None)
        simple = class_of(plain) in (None, int, float, bool, str) and all(
            one in _SIMPLE for one in members[1:] or members
        )
        columns += (
            [f"{name}.{each}" for each in inner] if inner is not None else [name] if simple else [name, f"{name}.*"]
        )
    return columns
