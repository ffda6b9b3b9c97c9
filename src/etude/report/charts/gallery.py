"""Which charts a study gives: read from its records and results, once, for files and pages alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etude.analysis.direction import is_cost
from etude.analysis.grouping import key_of
from etude.analysis.summary import StudySummary
from etude.graph.node import Node
from etude.meter.sources.quantity import Quality, worst
from etude.report.charts.bars import bars
from etude.report.charts.chart_names import with_short_names
from etude.report.charts.confusion import confusion_chart
from etude.report.charts.curves import curve_tables, learning_curves
from etude.report.charts.pareto import ParetoPoints, costs_of_variants, pareto_chart, pareto_points
from etude.report.charts.plot import Plot
from etude.store.files.manifest import Manifest
from etude.study.prepare import PreparedStudy

MOST_METRICS = 12
"""Bar charts at most, those of the metrics that the summary names first."""
MOST_MATRICES = 12
WHOLE_COSTS = ("energy_j", "wall_s")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """All charts of one summary of one study."""

    bars: tuple[Plot, ...] = ()
    pareto: tuple[Plot, ...] = ()
    curves: tuple[Plot, ...] = ()
    confusions: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()
    """What there is no chart of, and why."""

    def named(self) -> Iterator[tuple[str, Plot]]:
        """Each chart with the stem of its file's name, no two alike."""
        seen: Counter[str] = Counter()
        for chart in (*self.bars, *self.pareto, *self.curves, *self.confusions):
            seen[chart.name] += 1
            yield (chart.name if seen[chart.name] == 1 else f"{chart.name}-{seen[chart.name]}"), chart


def gallery(prepared: PreparedStudy, summary: StudySummary, rows: Sequence[Row]) -> Gallery:
    """The charts of a study.

    Args:
        prepared: The study; results that are not stored are left out.
        summary: Its groups.
        rows: Its records, one for each variant, in order.
    """
    if not summary.groups:
        return Gallery()
    (summary,) = with_short_names([summary])
    groups = groups_of(summary, rows)
    pareto = [*_pareto(prepared, summary, rows)]
    return Gallery(
        bars=tuple(bars({"": summary}, metric) for metric in summary.metrics[:MOST_METRICS]),
        pareto=tuple(pareto_chart(points) for points in pareto if points.points),
        curves=tuple(_curves(prepared, groups)),
        confusions=tuple(_confusions(prepared, groups)),
        notes=tuple(_empty(points) for points in pareto if not points.points),
    )


def groups_of(summary: StudySummary, rows: Sequence[Row]) -> tuple[str, ...]:
    """For each row the name of its group, empty where it has none."""
    by = {key_of(group.params): group.name for group in summary.groups}
    params = tuple(summary.groups[0].params)
    return tuple(by.get(key_of({name: row.get(name) for name in params}), "") for row in rows)


def path_to(prepared: PreparedStudy, metric: str) -> tuple[str, ...]:
    """The nodes of a variant that the node of a metric needs, itself among them, in the order of the pipeline."""
    row = prepared.expansion.nodes[0]
    wanted = row.get(metric.partition(".")[0])
    if wanted is None:
        return ()
    reached: set[str] = set()
    waiting: list[Node] = [wanted]
    while waiting:
        node = waiting.pop()
        if node.fingerprint not in reached:
            reached.add(node.fingerprint)
            waiting.extend(node.upstream())
    return tuple(name for name in prepared.study.pipeline if name in row and row[name].fingerprint in reached)


def _pareto(prepared: PreparedStudy, summary: StudySummary, rows: Sequence[Row]) -> Iterator[ParetoPoints]:
    """The first metric that is no cost against what a whole variant costs, and against each metric that is one."""
    quality = next((metric for metric in summary.metrics if not _is_cost(summary, metric)), None)
    if quality is None or summary.direction(quality) is None or len(summary.groups) < 2:
        return
    nodes = path_to(prepared, quality)
    for cost in WHOLE_COSTS if nodes else ():
        spent = costs_of_variants(rows, summary, nodes, cost)
        covers = f"all of {', '.join(nodes)}, what variants share in full{_quality(rows, nodes, cost)}"
        yield pareto_points(summary, quality, cost, spent, covers)
    for cost in summary.metrics:
        if _is_cost(summary, cost):
            yield pareto_points(summary, quality, cost)


def _is_cost(summary: StudySummary, metric: str) -> bool:
    return is_cost(metric, summary.units.get(metric, ""), summary.direction(metric))


def _empty(points: ParetoPoints) -> str:
    return f"no chart of {points.quality} against {points.cost}: there is no group of which both are known"


def _quality(rows: Sequence[Row], nodes: Sequence[str], cost: str) -> str:
    """How the energy that is shown was got: the worst of its parts."""
    if cost != "energy_j":
        return ""
    whole = [row for row in rows if all(row.get(f"{node}.cost.{cost}") is not None for node in nodes)]
    qualities = {row.get(f"{node}.cost.energy_quality") or "absent" for row in whole for node in nodes}
    known = [Quality(word) for word in qualities if word in set(Quality)]
    return f"; energy {worst(known)}" if known else ""


def _curves(prepared: PreparedStudy, groups: Sequence[str]) -> Iterator[Plot]:
    for name in prepared.study.pipeline:
        for item in _items(prepared, name):
            tables: dict[str, list[list[Row]]] = {}
            units: dict[str, str] = {}
            read: set[tuple[str, str]] = set()
            for group, row in zip(groups, prepared.expansion.nodes, strict=False):
                fingerprint = row[name].fingerprint
                if (group, fingerprint) not in read and isinstance(prepared.store.inspect(fingerprint), Manifest):
                    read.add((group, fingerprint))
                    table = prepared.store.read(fingerprint, item=item)
                    tables.setdefault(group, []).append(table.to_pylist())
                    units |= {
                        each.name: each.metadata[b"unit"].decode()
                        for each in table.schema
                        if b"unit" in (each.metadata or {})
                    }
            yield from learning_curves(name, tables, units)


def _items(prepared: PreparedStudy, name: str) -> Iterator[str | None]:
    """The items of a node's result that are learning curves; None for the result itself."""
    manifest = _stored(prepared, name)
    if manifest is not None:
        yield from (item for item, _ in curve_tables(prepared.store, manifest))


def _stored(prepared: PreparedStudy, name: str) -> Manifest | None:
    """The first stored result of a node."""
    for row in prepared.expansion.nodes:
        manifest = prepared.store.inspect(row[name].fingerprint)
        if isinstance(manifest, Manifest):
            return manifest
    return None


def _confusions(prepared: PreparedStudy, groups: Sequence[str]) -> Iterator[Plot]:
    for name in prepared.study.pipeline:
        if not _is_prediction(prepared, name):
            continue
        groups_of_pairs: dict[str, dict[str, list[tuple[str, str]]]] = {}
        for group, row in zip(groups, prepared.expansion.nodes, strict=False):
            fingerprint = row[name].fingerprint
            if group not in groups_of_pairs and len(groups_of_pairs) == MOST_MATRICES:
                continue
            if isinstance(prepared.store.inspect(fingerprint), Manifest):
                replicates = groups_of_pairs.setdefault(group, {})
                if fingerprint not in replicates:
                    table = prepared.store.read(fingerprint).select(["label", "prediction"])
                    replicates[fingerprint] = [(each["label"], each["prediction"]) for each in table.to_pylist()]
        for group, replicates in groups_of_pairs.items():
            yield confusion_chart(name, group, list(replicates.values()))


def _is_prediction(prepared: PreparedStudy, name: str) -> bool:
    """Whether a node's result is a table of true and predicted classes."""
    manifest = _stored(prepared, name)
    if manifest is None or manifest.codec.get("codec") != "arrow" or manifest.codec.get("of") != "arrow":
        return False
    kinds = {field.name: str(field.type) for field in prepared.store.read(manifest.fingerprint).schema}
    return kinds.get("label") == "string" and kinds.get("prediction") == "string"
