"""Several studies side by side: the metrics that they share, under the names given to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etude.analysis.summary import Group, StudySummary
from etude.digits import between_text, spread_text
from etude.report.charts.bars import bars
from etude.report.charts.chart_names import label_of, scale_of, with_names_in_common, with_short_names
from etude.report.charts.plot import Plot
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.figures import FigureChoice, choosable, figure
from etude.report.page.findings import StudyFindings
from etude.report.page.markup import Markup, join, tag


def first_summaries(studies: Sequence[StudyFindings]) -> Mapping[str, StudySummary]:
    """The name of each study → its first summary; a study without one is left out."""
    return {study.title: study.summaries[0].summary for study in studies if study.summaries}


def comparison_charts(summaries: Mapping[str, StudySummary]) -> tuple[Plot, ...]:
    """A chart for each metric that at least two of the studies have."""
    alike = _alike(summaries)
    return tuple(bars(alike, metric) for metric in _shared(summaries))


def _shared(summaries: Mapping[str, StudySummary]) -> list[str]:
    metrics = dict.fromkeys(metric for summary in summaries.values() for metric in summary.metrics)
    return [metric for metric in metrics if sum(metric in one.metrics for one in summaries.values()) > 1]


def _alike(summaries: Mapping[str, StudySummary]) -> Mapping[str, StudySummary]:
    """The summaries with the same name for the same group."""
    return dict(zip(summaries, with_short_names(with_names_in_common([*summaries.values()])), strict=True))


def comparison_section(studies: Sequence[StudyFindings]) -> Markup:
    """Charts and a table of what the studies share; a sentence where they share nothing."""
    summaries = first_summaries(studies)
    charts = comparison_charts(summaries)
    if not charts:
        body = tag("p", "These studies have no metric in common, so there is nothing to lay side by side.")
    else:
        chosen = [FigureChoice(chart.title, figure(chart, f"compare-{at}")) for at, chart in enumerate(charts)]
        body = join(choosable("Metric", "compare-metric", chosen), _table(_alike(summaries), _shared(summaries)))
    return tag("section", tag("h2", "Comparison", id="compare-head"), body, aria_labelledby="compare-head")


def _table(summaries: Mapping[str, StudySummary], metrics: Sequence[str]) -> Markup:
    columns = (
        Column("study"),
        Column("group"),
        Column("metric"),
        Column("n", numeric=True),
        Column("mean ± std", numeric=True),
        Column("95 % interval", numeric=True),
    )
    rows = [
        _row(study, group, summary, metric)
        for metric in metrics
        for study, summary in summaries.items()
        if metric in summary.metrics
        for group in summary.groups
        if group.estimates[metric].mean is not None
    ]
    return data_table("The studies side by side", "compare-table", columns, rows)


def _row(study: str, group: Group, summary: StudySummary, metric: str) -> list[Cell]:
    one, unit = group.estimates[metric], summary.units.get(metric, "")
    factor, shown = scale_of(metric, unit), label_of(metric, unit).rpartition(" (")[2] if unit else ""
    mean = (one.mean or 0.0) * factor
    low, high = (one.t_interval.low * factor, one.t_interval.high * factor) if one.t_interval else (None, None)
    return [
        Cell(study),
        Cell(group.name),
        Cell(f"{metric} ({shown}" if shown else metric),
        Cell(one.counts, float(one.n)),
        Cell(spread_text(mean, None if one.std is None else one.std * factor), mean),
        Cell(between_text(low, high), low),
    ]
