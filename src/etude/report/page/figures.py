"""Charts as figures with captions; where there are many of a kind, one is chosen from a list.

`plot.js` draws them in the browser from their data, which stand beside them as JSON; where no script runs, what their
marks tell stands there as a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from etude.report.charts.gallery import Gallery
from etude.report.charts.palette import shade
from etude.report.charts.plot import Mark, Panel, Plot, PlotTable, Scale
from etude.report.page.data_tables import Cell, Column, data_table, plain_table
from etude.report.page.markup import Markup, join, raw, tag

MOST_TOLD = 300
"""Marks told in words where no script runs."""
KEY_STEPS = 8


class FigureChoice(NamedTuple):
    """One of several figures."""

    name: str
    figure: Markup


def figures(charts: Gallery, prefix: str) -> Markup:
    """All charts of a summary by kind, each kind under its heading."""
    kinds: tuple[tuple[str, str, Sequence[Plot]], ...] = (
        ("Means by group", "Metric", charts.bars),
        ("Quality against cost", "Cost", charts.pareto),
        ("Learning curves", "Number", charts.curves),
        ("Confusion", "Group", charts.confusions),
    )
    parts = []
    for place, (title, label, plots) in enumerate(kinds):
        if plots:
            identity = f"{prefix}-chart-{place}"
            chosen = [FigureChoice(plot.title, figure(plot, f"{identity}-{at}")) for at, plot in enumerate(plots)]
            parts += [tag("h4", title), choosable(label, identity, chosen)]
    return join(*parts)


def choosable(label: str, identity: str, choices: Sequence[FigureChoice]) -> Markup:
    """Several figures, of which one is shown at a time; all of them where no script runs."""
    if len(choices) == 1:
        return choices[0].figure
    options = [tag("option", choice.name, value=at) for at, choice in enumerate(choices)]
    select = tag("select", *options, id=identity, data_chooses=f"{identity}-figures")
    control = tag("p", tag("label", f"{label} ", for_=identity), select, class_="needs-script")
    return join(control, tag("div", *(choice.figure for choice in choices), id=f"{identity}-figures"))


def figure(plot: Plot, identity: str) -> Markup:
    """One chart: its place, its data, its caption, and its numbers in words."""
    return tag(
        "figure",
        tag("div", class_="plot", id=identity),
        tag("script", raw(plot_text(plot)), type="application/json"),
        tag("noscript", _tips(plot)),
        tag("figcaption", f"{plot.title}: {plot.caption}."),
        _table(plot.table, f"{identity}-table") if plot.table else None,
    )


def _tips(plot: Plot) -> Markup:
    heads = (Column("shown"), Column("what it tells"))
    told = plot.tips
    more = tag("p", f"and {len(told) - MOST_TOLD} more, which the records hold") if len(told) > MOST_TOLD else None
    rows = [[Cell(name or "–"), Cell(tip, css="long")] for name, tip in told[:MOST_TOLD]]
    return join(plain_table(f"{plot.title}, in words", heads, rows), more)


def _table(table: PlotTable, identity: str) -> Markup:
    *_, last = table.heads
    columns = [Column(head, numeric=head == last) for head in table.heads]
    rows = [[*map(Cell, row)] for row in table.rows]
    return tag("details", tag("summary", table.title), data_table(table.title, identity, columns, rows))


def plot_text(plot: Plot) -> str:
    """A plot as JSON that can stand in a script element: `<` is written so that no text ends it."""
    return json.dumps(plot_json(plot), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def plot_json(plot: Plot) -> dict[str, Any]:
    """All that is drawn in a browser, as plain values; what is as it is left out is not there.

    A scale has its ticks, chosen as for print. Dots, boxes and points are lists of their fields.
    """
    key = plot.key
    steps = [shade(at / (KEY_STEPS - 1), key.ramp) for at in range(KEY_STEPS)] if key else []
    return {
        "title": plot.title,
        "columns": plot.columns,
        "heights": plot.heights or (plot.height,) * plot.rows,
        "width": plot.width,
        "legend": plot.legend,
        "key": {"label": key.label, "low": key.low, "high": key.high, "steps": steps} if key else None,
        "panels": [_panel_json(panel, plot.most_ticks) for panel in plot.panels],
    }


def _panel_json(panel: Panel, most_ticks: int) -> dict[str, Any]:
    return {
        **_changed(panel._replace(marks=())),
        "x": _scale_json(panel.x, most_ticks),
        "y": _scale_json(panel.y, most_ticks),
        "grid": panel.grid,
        "marks": [{"kind": type(mark).__name__.lower(), **_changed(mark)} for mark in panel.marks],
    }


def _scale_json(scale: Scale, most_ticks: int) -> dict[str, Any]:
    return {**_changed(scale._replace(marks=())), "ticks": scale.ticks(most_ticks)}


def _changed(record: Mark | Panel | Scale) -> dict[str, Any]:
    """The fields of a record that are not as they are left out, numbers in nine digits."""
    defaults = record._field_defaults
    fields = record._asdict()
    return {name: _rounded(value) for name, value in fields.items() if name not in defaults or value != defaults[name]}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return [_rounded(each) for each in value] if isinstance(value, tuple) else value
