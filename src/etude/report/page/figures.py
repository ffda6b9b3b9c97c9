"""Charts as figures with captions; where there are many of a kind, one is chosen from a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etude.report.charts.bars import Bars
from etude.report.charts.confusion import Confusion
from etude.report.charts.curves import Curves
from etude.report.charts.drawing import Chart
from etude.report.charts.gallery import Gallery
from etude.report.charts.pareto import ParetoPoints
from etude.report.charts.plot import Plot
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.markup import Markup, joined, tag
from etude.report.page.picture_bars import picture_of_bars
from etude.report.page.picture_curves import picture_of_curves
from etude.report.page.picture_matrix import picture_of_confusion
from etude.report.page.picture_pareto import picture_of_pareto
from etude.report.page.picture_plot import picture_of_plot


class Choice(NamedTuple):
    """One of several figures."""

    name: str
    figure: Markup


def figures(charts: Gallery, prefix: str) -> Markup:
    """All charts of a summary by kind, each kind under its heading."""
    kinds: tuple[tuple[str, str, Sequence[Chart]], ...] = (
        ("Means by group", "Metric", charts.bars),
        ("Quality against cost", "Cost", charts.pareto),
        ("Learning curves", "Number", charts.curves),
        ("Confusion", "Group", charts.confusions),
    )
    parts = []
    for place, (title, label, found) in enumerate(kinds):
        if found:
            identity = f"{prefix}-chart-{place}"
            chosen = [Choice(name_of(chart), figure(chart, f"{identity}-{at}")) for at, chart in enumerate(found)]
            parts += [tag("h4", title), choosable(label, identity, chosen)]
    return joined(*parts)


def choosable(label: str, identity: str, choices: Sequence[Choice]) -> Markup:
    """Several figures, of which one is shown at a time; all of them where no script runs."""
    if len(choices) == 1:
        return choices[0].figure
    options = [tag("option", choice.name, value=at) for at, choice in enumerate(choices)]
    select = tag("select", *options, id=identity, data_chooses=f"{identity}-figures")
    control = tag("p", tag("label", f"{label} ", for_=identity), select, class_="needs-script")
    return joined(control, tag("div", *(choice.figure for choice in choices), id=f"{identity}-figures"))


def name_of(chart: Chart) -> str:
    """What a chart is called among others of its kind."""
    match chart:
        case Bars():
            return chart.metric
        case ParetoPoints():
            return f"{chart.quality} against {chart.cost_label}"
        case Curves():
            return f"{chart.node}: {chart.y_label}"
        case Confusion():
            return chart.name if chart.node == "" else f"{chart.name} ({chart.node})"
        case Plot():
            return chart.title


def figure(chart: Chart, prefix: str) -> Markup:
    """One chart with its caption."""
    return tag(
        "figure",
        _picture(chart, prefix),
        tag("figcaption", f"{name_of(chart)}: {chart.caption}."),
        _beside(chart, prefix),
    )


def _picture(chart: Chart, prefix: str) -> Markup:
    match chart:
        case Bars():
            return picture_of_bars(chart, prefix)
        case ParetoPoints():
            return picture_of_pareto(chart)
        case Curves():
            return picture_of_curves(chart)
        case Confusion():
            return picture_of_confusion(chart)
        case Plot():
            return picture_of_plot(chart, prefix)


def _beside(chart: Chart, prefix: str) -> Markup | None:
    """The commonest mistakes in words, for a matrix tells its numbers to the eye alone."""
    if not isinstance(chart, Confusion) or not chart.worst():
        return None
    columns = (Column("true class"), Column("predicted class"), Column("count", numeric=True))
    rows = [[Cell(true), Cell(said), Cell(str(count))] for true, said, count in chart.worst()]
    table = data_table(f"Commonest mistakes, {chart.name}", f"{prefix}-mistakes", columns, rows)
    return tag("details", tag("summary", "Commonest mistakes"), table)
