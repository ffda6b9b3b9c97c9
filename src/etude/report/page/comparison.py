"""Several studies side by side: the metrics that they share, under the names given to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etude.analysis.summary import Summary
from etude.digits import between_text, spread_text
from etude.report.charts.bars import Bars, bars_of_studies
from etude.report.charts.short_names import named_alike, shortly_named
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.figures import Choice, choosable, figure, name_of
from etude.report.page.findings import Findings
from etude.report.page.markup import Markup, joined, tag


def first_summaries(studies: Sequence[Findings]) -> Mapping[str, Summary]:
    """The name of each study → its first summary; a study without one is left out."""
    return {found.title: found.summaries[0].summary for found in studies if found.summaries}


def comparable(summaries: Mapping[str, Summary]) -> tuple[Bars, ...]:
    """A chart for each metric that at least two of the studies have."""
    if len(summaries) < 2:
        return ()
    metrics = dict.fromkeys(metric for summary in summaries.values() for metric in summary.metrics)
    shared = [metric for metric in metrics if sum(metric in one.metrics for one in summaries.values()) > 1]
    named = dict(zip(summaries, shortly_named(named_alike([*summaries.values()])), strict=True))
    return tuple(bars_of_studies(named, metric) for metric in shared)


def comparison_section(studies: Sequence[Findings]) -> Markup:
    """Charts and a table of what the studies share; a sentence where they share nothing."""
    charts = comparable(first_summaries(studies))
    if not charts:
        body = tag("p", "These studies have no metric in common, so there is nothing to lay side by side.")
    else:
        chosen = [Choice(name_of(chart), figure(chart, f"compare-{at}")) for at, chart in enumerate(charts)]
        body = joined(choosable("Metric", "compare-metric", chosen), _table(charts))
    return tag("section", tag("h2", "Comparison", id="compare-head"), body, aria_labelledby="compare-head")


def _table(charts: Sequence[Bars]) -> Markup:
    columns = (
        Column("study"),
        Column("group"),
        Column("metric"),
        Column("n", numeric=True),
        Column("mean ± std", numeric=True),
        Column("95 % interval", numeric=True),
    )
    rows = []
    for chart in charts:
        for series, values in zip(chart.series, chart.values, strict=True):
            for group, bar in zip(chart.groups, values, strict=True):
                if bar.mean is not None:
                    low, high = bar.interval or (None, None)
                    rows.append(
                        [
                            Cell(series),
                            Cell(group),
                            Cell(chart.metric),
                            Cell(str(bar.n), float(bar.n)),
                            Cell(spread_text(bar.mean, bar.std), bar.mean),
                            Cell(between_text(low, high), low),
                        ]
                    )
    return data_table("The studies side by side", "compare-table", columns, rows)
