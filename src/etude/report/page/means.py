"""The tables of a summary: what each group comes to, and how groups differ from their baseline."""

from __future__ import annotations

from etude.analysis.summary import Comparison, GroupEstimate, StudySummary
from etude.digits import OF_P, OF_UNCERTAINTY, UNKNOWN, between_text, half_width, number_text, signed_text
from etude.report.charts.chart_names import label_of
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.markup import Markup, join, tag
from etude.report.tables.means_table import MeanCell, means_table, short_names


def table_of_means(summary: StudySummary, title: str, identity: str) -> Markup:
    """Mean ± sample standard deviation, the best of each metric marked; baselines at the foot."""
    layout = means_table(summary)
    columns = [
        *(Column(name) for name in layout.label_columns),
        Column("n", numeric=True),
        *(Column(name, numeric=True) for name in layout.metric_columns),
    ]
    rows = [
        [*map(Cell, line.label_texts()), Cell(line.n), *map(_mean, line.cells)]
        for line in (*layout.groups, *layout.references)
    ]
    name = f"{title}: mean ± sample standard deviation{f' over {summary.repeat}' if summary.repeat else ''}"
    notes = [tag("li", note) for note in layout.notes if note not in summary.notes]
    return join(
        data_table(name, identity, columns, rows, foot=len(layout.references)),
        tag("ul", *notes, class_="notes") if notes else None,
    )


def _mean(cell: MeanCell) -> Cell:
    shown = cell.text()
    if cell.best:
        return Cell(join(tag("strong", shown), tag("span", " best", class_="unseen")), cell.mean, "best")
    return Cell(shown, cell.mean)


def table_of_costs(summary: StudySummary, title: str, identity: str) -> Markup | None:
    """Every estimate in full: mean, deviation, median, interquartile mean, extremes and both intervals."""
    heads = ["n", "mean", "std", "median", "IQM", "lowest", "highest", "95 % (t)", "95 % (bootstrap)"]
    last = ["note"]
    physical = any(one.quality for group in summary.groups for one in group.estimates.values())
    if physical:
        heads, last = [*heads, "95 % (with the method's error)"], ["quality and method", *last]
    columns = [Column("number"), Column("group"), *(Column(head, numeric=True) for head in heads), *map(Column, last)]
    rows = [
        [Cell(number), Cell(group.name), *_estimate(group.estimates[number], physical=physical)]
        for number in dict.fromkeys((*summary.metrics, *summary.costs))
        for group in summary.groups
        if number in group.estimates
    ]
    if not rows:
        return None
    table = data_table(f"{title}: all statistics", identity, columns, rows)
    return tag("details", tag("summary", "All statistics, costs included"), table)


def _estimate(one: GroupEstimate, *, physical: bool) -> list[Cell]:
    numbers = (one.mean, one.std, one.median, one.iqm, one.low, one.high)
    between = [
        Cell(between_text(each.low, each.high), each.low) if each else Cell(UNKNOWN)
        for each in (one.t_interval, one.bootstrap, *([one.interval] if physical else []))
    ]
    if physical:
        told = ": ".join(word for word in (one.quality, one.method) if word)
        between.append(Cell(told, css="long" if told else ""))
    unsure = half_width(one.interval.low, one.interval.high) if one.interval else one.std
    shown = [Cell(number_text(value, unsure), value) for value in numbers]
    shown[1] = Cell(number_text(one.std, digits=OF_UNCERTAINTY), one.std)
    return [Cell(str(one.n)), *shown, *between, Cell(one.note, css="long" if one.note else "")]


def table_of_comparisons(summary: StudySummary, title: str, identity: str) -> Markup | None:
    """Each group against its baseline; nothing where none was named."""
    if not summary.comparisons:
        return None
    heads = (
        Column("metric"),
        Column("group"),
        Column("against"),
        Column("pairs", numeric=True),
        Column("difference", numeric=True),
        Column("95 % interval", numeric=True),
        Column("p (t, Holm)", numeric=True),
        Column("p (sign flip, Holm)", numeric=True),
        Column("effect", numeric=True),
        Column("shown"),
    )
    names = dict(zip(summary.metrics, short_names(summary.metrics), strict=True))
    rows = [_comparison(one, names.get(one.metric, label_of(one.metric))) for one in summary.comparisons]
    notes = sorted({one.note for one in summary.comparisons if one.note})
    table = data_table(f"{title}: groups against their baseline, replicate by replicate", identity, heads, rows)
    if all(one.claim == "not tested" for one in summary.comparisons):
        table = tag("details", tag("summary", "Differences from the baseline, none of them tested"), table)
    return join(table, tag("ul", *(tag("li", note) for note in notes), class_="notes") if notes else None)


def _comparison(one: Comparison, metric: str) -> list[Cell]:
    low, high = (one.interval.low, one.interval.high) if one.interval else (None, None)
    return [
        Cell(metric),
        Cell(one.group),
        Cell(one.baseline),
        Cell(str(one.pairs)),
        Cell(signed_text(one.difference, half_width(low, high)), one.difference),
        Cell(between_text(low, high, signed=True), low),
        Cell(number_text(one.p_t_holm, digits=OF_P), one.p_t_holm),
        Cell(number_text(one.p_sign_holm, digits=OF_P), one.p_sign_holm),
        Cell(signed_text(one.effect, digits=OF_P), one.effect),
        Cell(one.claim),
    ]
