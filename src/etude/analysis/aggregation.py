"""From the table of records to a summary: group, estimate, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from etude.analysis.baseline_comparison import comparisons
from etude.analysis.direction import is_cost, meaning_of
from etude.analysis.estimates import count_text, estimate_of
from etude.analysis.fairness import conditions_of
from etude.analysis.grouping import Row, group_rows, is_finite, key_of, name_of, plain
from etude.analysis.paired_tests import FEWEST_PAIRS
from etude.analysis.records import Columns, columns_of, rows_of
from etude.analysis.replicates import Replicate, Rows, refuse_unlike
from etude.analysis.summary import Group, Reference, Scalar, StudySummary
from etude.analysis.trust import with_trust
from etude.errors import StepError, nearest
from etude.graph.metric import Direction

if TYPE_CHECKING:
    import pyarrow as pa

MOST_TOLD = 6
"""Names that a note lists one by one."""
MOST_SHORT = 12
"""Groups short of replicates that are told one by one."""


def summarise(
    records: pa.Table,
    *,
    metrics: Sequence[str] | None = None,
    by: Sequence[str] | None = None,
    replicate: str | None = None,
    baseline: Mapping[str, Scalar] | None = None,
    references: Mapping[str, str] | None = None,
    lower_is_better: Sequence[str] = (),
    higher_is_better: Sequence[str] = (),
) -> StudySummary:
    """Group the records and say what each group comes to, and how the groups differ from their baseline.

    Args:
        records: One row per variant and replicate; what the columns mean stands in the schema's metadata `etude`.
        metrics: Dotted names; None for all metrics of nodes that are no references, quality before costs and lengths.
        by: Params to group by; None for all but the replicated one.
        replicate: The replicated param; None for the one that the records name.
        baseline: Params that make a group the baseline of those that differ from it in these params alone.
        references: Node → title: nodes whose metrics stand beside the groups, as rows of their own.
        lower_is_better: Metrics of which the smallest value is the best, where neither their step nor their name says.
        higher_is_better: The same of the largest; what stands here and above goes before what a step says.

    Raises:
        StepError: A name that the records do not have, or a baseline that is no group.
    """
    columns = columns_of(records, repeat=replicate)
    references = references or {}
    chosen = _metrics(columns, metrics, references)
    keys = _checked(by, columns.params, "by") if by is not None else _without(columns.params, columns.repeat)
    numbers = tuple(dict.fromkeys((*chosen, *columns.costs)))
    _checked(lower_is_better, numbers, "lower_is_better")
    _checked(higher_is_better, numbers, "higher_is_better")
    both = sorted({*lower_is_better} & {*higher_is_better})
    if both:
        raise StepError(f"{both[0]!r} is both in lower_is_better and in higher_is_better: leave it in one")
    known = {number: meaning_of(number, columns.declared) for number in numbers}
    better: dict[str, Direction | None] = {number: one.better for number, one in known.items()}
    for number in lower_is_better:
        better[number] = "lower"
    for number in higher_is_better:
        better[number] = "higher"
    unsaid = [name for name in chosen if better[name] is None and not _spoken_for(name, columns)]
    if metrics is None:
        chosen = tuple(sorted(chosen, key=lambda name: _rank(name, known[name].unit, better[name])))
    rows = rows_of(records)
    if not rows:
        raise StepError("the records have no rows: no variant was run")
    parts = group_rows(rows, keys)
    varied = _varied(keys, rows)
    left_out = [name for name in columns.params if name not in keys and name != columns.repeat]
    within = [name for name in left_out if any(_varied([name], part) for part in parts)]
    refuse_unlike(rows, keys, columns.repeat, within)
    replicates = [_replicates(part, columns.repeat, numbers) for part in parts]
    groups = tuple(_group(part, keys, varied, numbers_of) for part, numbers_of in zip(parts, replicates, strict=True))
    groups = tuple(with_trust(group, part, columns.trust) for group, part in zip(groups, parts, strict=True))
    conditions = [conditions_of(part, columns.repeat, chosen) for part in parts]
    compared = comparisons(groups, replicates, chosen, baseline, conditions) if baseline else ()
    return StudySummary(
        metrics=chosen,
        costs=columns.costs,
        varied=varied,
        repeat=columns.repeat,
        lower_is_better=tuple(number for number in numbers if better[number] == "lower"),
        higher_is_better=tuple(number for number in numbers if better[number] == "higher"),
        units={number: one.unit for number, one in known.items() if one.unit},
        groups=groups,
        comparisons=compared,
        references=tuple(_reference(node, title, rows, columns, chosen) for node, title in references.items()),
        notes=(*_averaged(within, columns.repeat), *_notes(rows, groups, chosen), *_undirected(unsaid)),
    )


def _varied(names: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    """The params that differ between rows."""
    return tuple(name for name in names if len({key_of({name: row[name]}) for row in rows}) > 1)


def _replicates(rows: Sequence[Row], repeat: str | None, numbers: Iterable[str]) -> Mapping[str, list[Replicate]]:
    by_replicate = Rows.of(rows, repeat)
    return {number: by_replicate.replicates(number) for number in numbers}


def _group(
    rows: Sequence[Row], keys: Sequence[str], varied: Sequence[str], replicates_of: Mapping[str, Sequence[Replicate]]
) -> Group:
    params = {key: plain(rows[0][key]) for key in keys}
    return Group(
        name=name_of(params, varied),
        params=params,
        replicates=len(rows),
        estimates={number: estimate_of(replicates) for number, replicates in replicates_of.items()},
    )


def _reference(node: str, title: str, rows: Sequence[Row], columns: Columns, metrics: Sequence[str]) -> Reference:
    own = {name.removeprefix(f"{node}."): name for name in columns.metrics if name.startswith(f"{node}.")}
    if not own:
        nodes = {name.partition(".")[0] for name in columns.metrics}
        raise StepError(f"references: no node {node!r} has metrics in the records: {nearest(node, nodes)}")
    values: dict[str, float | None] = {}
    notes = []
    for metric in metrics:
        short = metric.partition(".")[2]
        alike = [other for other in metrics if other.partition(".")[2] == short]
        if short not in own or len(alike) > 1:
            values[metric] = None
            continue
        distinct_values = {float(row[own[short]]) for row in rows if is_finite(row[own[short]])}
        values[metric] = distinct_values.pop() if len(distinct_values) == 1 else None
        if distinct_values:
            notes.append(f"{own[short]} is not the same in all variants")
    return Reference(node=node, title=title, values=values, note="; ".join(notes))


def _averaged(names: Sequence[str], repeat: str | None) -> Iterable[str]:
    if names:
        yield f"each value is the mean over {', '.join(names)} of one {repeat}: these are no replicates of each other"


def _notes(rows: Sequence[Row], groups: Sequence[Group], metrics: Sequence[str]) -> Iterable[str]:
    unfinished = [row for row in rows if row.get("status", "done") != "done"]
    if unfinished:
        named = [_named(row) for row in unfinished if row.get("variant")]
        more = f"; and {len(unfinished) - MOST_TOLD} more" if len(named) > MOST_TOLD else ""
        listed = f": {'; '.join(named[:MOST_TOLD])}{more}" if named else ""
        yield f"incomplete: {len(unfinished)} of {len(rows)} variants are not done{listed}"
    yield from _short(groups, metrics)
    yield from _few(groups, metrics)


def _named(row: Row) -> str:
    """A variant with what became of it: `model=b seed=1 (q failed: ValueError: …)`."""
    return f"{row['variant']} ({row.get('missing') or row['status']})"


def _short(groups: Sequence[Group], metrics: Sequence[str]) -> Iterable[str]:
    """The groups that lack replicates, with the cause: they are never the best."""
    short_groups: dict[tuple[str, str, str], list[str]] = {}
    for group in groups:
        for metric in metrics:
            one = group.estimates[metric]
            if one.missing and (one.n or any(other.estimates[metric].n for other in groups)):
                cause = "; ".join(part for part in one.note.split("; ") if " of " in part)
                short_groups.setdefault((group.name, one.counts, cause), []).append(metric)
    for (name, counts, cause), short in [*short_groups.items()][:MOST_SHORT]:
        told = "" if len(short) == len(metrics) else f" in {_listed(short)}"
        so = ", so it is not called the best" if len(groups) > 1 else ""
        yield f"{name} has {counts} replicates{told}{so}: {cause}"
    if len(short_groups) > MOST_SHORT:
        yield f"and {len(short_groups) - MOST_SHORT} more of such groups"


def _few(groups: Sequence[Group], metrics: Sequence[str]) -> Iterable[str]:
    """The groups of which too few replicates are known to claim anything, metric by metric."""
    if len(groups) < 2:
        return
    few_groups: dict[tuple[tuple[str, ...], int], list[str]] = {}
    for metric in metrics:
        counts = {group.name: group.estimates[metric].n for group in groups}
        few = tuple(name for name, n in counts.items() if n < FEWEST_PAIRS)
        if few:
            few_groups.setdefault((few, min(counts.values())), []).append(metric)
    for (few, fewest), of in few_groups.items():
        where = "" if len(of) == len(metrics) else f" in {_listed(of)}"
        if len(few) >= len(groups) - 1:
            whose = f"{count_text(fewest, 'replicate')} in the smallest group{where}"
            yield f"{whose}: too few to claim a difference between groups"
        else:
            yield f"fewer than {FEWEST_PAIRS} replicates{where} of {_listed(few)}: too few to claim a difference"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_TOLD]) + (f" and {len(names) - MOST_TOLD} more" if names[MOST_TOLD:] else "")


def _spoken_for(metric: str, columns: Columns) -> bool:
    """Whether its step says something of its numbers: what it leaves unsaid is then neither better nor worse."""
    return any(name.partition(".")[0] == metric.partition(".")[0] for name in columns.declared)


def _undirected(names: Sequence[str]) -> Iterable[str]:
    if names:
        told = "neither step nor study says whether less or more is better"
        yield f"no best group is marked for {_listed(names)}: {told}"


def _metrics(columns: Columns, wanted: Sequence[str] | None, references: Mapping[str, str]) -> tuple[str, ...]:
    if wanted is not None:
        return _checked(wanted, (*columns.metrics, *columns.costs), "metrics")
    return tuple(name for name in columns.metrics if name.partition(".")[0] not in references)


def _rank(metric: str, unit: str, better: Direction | None) -> int:
    """Where a metric stands if nobody orders them: what tells good from bad, then costs, then lengths and counts."""
    return 2 if better is None else int(is_cost(metric, unit, better))


def _checked(names: Sequence[str], known: Sequence[str], setting: str) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise StepError(f"{setting}: the records have no {name!r}: {nearest(name, known)}")
    return tuple(names)


def _without(names: Sequence[str], one: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name != one)
