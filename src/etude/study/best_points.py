"""The best variants of a study: as `vary: {top: …}` of another they become its points, and `etude top` shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etude.analysis.direction import meaning_of
from etude.analysis.grouping import is_finite, results_of
from etude.analysis.records import columns_of, rows_of
from etude.errors import ConfigError, Fault, nearest
from etude.execute.record_table import current_records
from etude.identity.files import FileDigests
from etude.search.trials import Goal, TrialOutcome
from etude.store.store import Store
from etude.study.expand import LoadStudy, circle, expand
from etude.study.search_state import SearchState, state_of, with_search
from etude.study.study import Study
from etude.study.variants import Variant, varied_params

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPoint:
    """One point of a study, and what its replicates came to in the mean."""

    point: dict[str, object]
    values: tuple[float, ...]
    replicates: int
    """Of which all values are known, those that share a result counted once."""
    missing: int = 0
    """Replicates of which a value is missing or not finite: such a point comes after all that are whole."""


def with_top(
    study: Study, store: Store, files: FileDigests, other_study: LoadStudy, within: Sequence[Study] = ()
) -> Study:
    """A study whose `vary` asks for the best of another, with those as its listed points; any other as it is.

    Replicates of the other study are averaged first, so that a lucky seed is not taken for a good variant.

    Raises:
        ConfigError: The other study cannot be found, has no such metric or not enough finished variants, or varies a
            param that this one does not have.
    """
    top = study.vary.top
    if top is None:
        return study
    other = other_study(top.of)
    told = circle(other, (*within, study))
    if told:
        raise _fault("of", f"studies read each other in a circle: {told}", top.of, "name another study")
    other = with_top(other, store, files, other_study, (*within, study))
    state = state_of(other, study.project / ".etude")
    other = with_search(other, state)
    expansion = expand(other, files, other_study=other_study)
    table = current_records(store, expansion.records)
    rows = records_of(table, expansion.variants)
    if state is not None:
        rows = feasible_only(rows, expansion.variants, state)
    direction = top.direction or direction_of(other, table, top.by, "vary.top.direction")
    found = best(other, rows, top.by, direction, where=top.of)
    ranked = [one for one in found if not one.missing]
    if len(ranked) < top.k:
        short = len(found) - len(ranked)
        lacking = f", {short} more lack replicates," if short else ""
        reason = f"study {top.of!r} has {len(ranked)} finished variants{lacking} and the {top.k} best are asked for"
        raise _fault("k", reason, top.k, "run it to its end, or ask for fewer")
    chosen = [one.point for one in ranked[: top.k]]
    unknown = sorted({name for point in chosen for name in point} - study.params.keys())
    if unknown:
        reason = f"{top.of!r} varies {', '.join(map(repr, unknown))}, which this study has not"
        raise _fault("of", reason, top.of, f"add it to `params:`; {nearest(unknown[0], study.params)}")
    return replace(study, vary=replace(study.vary, points=tuple(chosen), top=None))


def records_of(table: pa.Table, variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """The rows of the records, each with its params as they are under `param <name>`."""
    rows = rows_of(table)
    return [
        {**row, **{f"param {name}": value for name, value in variant.params.items()}}
        for row, variant in zip(rows, variants, strict=True)
    ]


def direction_of(study: Study, records: pa.Table, by: str, where: str) -> str:
    """`maximize` or `minimize`, as the study's search says of this metric, or its step, or its name.

    Args:
        study: The study whose points are ranked.
        records: Its records, from `table_of`.
        by: The metric.
        where: What a user would set to say it.

    Raises:
        ConfigError: None of them says it.
    """
    search = study.vary.search
    if search is not None and by in search.goal.metrics:
        return search.goal.directions[search.goal.metrics.index(by)]
    better = meaning_of(by, columns_of(records).declared).better
    if better is None and by in records.column_names:
        reason = f"nothing says whether more or less of {by!r} is better"
        raise ConfigError([Fault(where, reason, mend="write maximize or minimize")])
    return "minimize" if better == "lower" else "maximize"


def feasible_only(
    rows: Sequence[dict[str, Any]], variants: Sequence[Variant], state: SearchState
) -> list[dict[str, Any]]:
    """The rows without those of trials that exceed a constraint of their search."""
    space = state.search.space
    beyond = {
        space.canonical_point(trial.point)
        for trial in state.history.trials.values()
        if trial.outcome is TrialOutcome.OK and not trial.feasible
    }
    return [
        row
        for row, variant in zip(rows, variants, strict=True)
        if not beyond or space.canonical_point(space.trimmed(variant.params)) not in beyond
    ]


def best(
    study: Study, rows: Sequence[dict[str, Any]], by: str, direction: str, *, where: str = ""
) -> list[RankedPoint]:
    """All finished points of a study, best first, those that lack replicates last; ties go to the earlier one.

    Replicates are averaged first, so that a lucky seed is not taken for a good point.

    Args:
        study: The study, searched points laid out.
        rows: Its records, from `records_of`.
        by: The metric to rank by.
        direction: `maximize` or `minimize`.
        where: What the study is called where it is named by another.

    Raises:
        ConfigError: There is no such metric.
    """
    found = _means(study, rows, (by,), where or study.name)
    sign = -1 if direction == "maximize" else 1
    return sorted(found, key=lambda ranked: (ranked.missing > 0, sign * ranked.values[0]))


def front(study: Study, rows: Sequence[dict[str, Any]], goal: Goal) -> list[RankedPoint]:
    """The points that no other beats in every objective, in the order of the first; none that lacks replicates.

    Raises:
        ConfigError: There is no such metric.
    """
    means = [one for one in _means(study, rows, goal.metrics, study.name) if not one.missing]
    kept = [one for one in means if not any(goal.better(other.values, one.values) for other in means)]
    return sorted(kept, key=lambda ranked: goal.signed(ranked.values))


def _means(study: Study, rows: Sequence[dict[str, Any]], metrics: Sequence[str], where: str) -> list[RankedPoint]:
    names = [name for name in varied_params(study.vary) if name not in study.vary.repeat]
    known = [name for name in (rows[0] if rows else ()) if "." in name and not name.startswith("param ")]
    shown = known if any(".cost." in metric for metric in metrics) else [name for name in known if ".cost." not in name]
    for metric in metrics:
        if metric not in known:
            mend = f"run it first: etude run {study.file}" if not known else nearest(metric, shown)
            raise _fault("by", f"study {where!r} has no metric {metric!r}", metric, mend)
    groups: dict[str, tuple[dict[str, object], dict[tuple[str, ...], tuple[float, ...] | None]]] = {}
    nodes = [metric.partition(".")[0] for metric in metrics]
    for at, row in enumerate(rows):
        point = {name: row[f"param {name}"] for name in names}
        found = groups.setdefault(repr(point), (point, {}))[1]
        values = [row.get(metric) for metric in metrics]
        numbers = tuple(float(value) for value in values if value is not None and is_finite(value))
        behind = results_of(row)
        found[tuple(behind.get(node, f"row {at}") for node in nodes)] = numbers if len(numbers) == len(values) else None
    ranked = []
    for point, by_results in groups.values():
        whole = [values for values in by_results.values() if values is not None]
        if whole:
            means = tuple(math.fsum(column) / len(whole) for column in zip(*whole, strict=True))
            ranked.append(
                RankedPoint(point=point, values=means, replicates=len(whole), missing=len(by_results) - len(whole))
            )
    return ranked


def _fault(key: str, reason: str, value: object, mend: str) -> ConfigError:
    return ConfigError([Fault(f"vary.top.{key}", reason, value, mend)])
