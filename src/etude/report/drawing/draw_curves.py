"""Learning curves: a thick line for each group, a thin one for each of its replicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etude.report.charts.curves import Curves
from etude.report.charts.labels import one_line
from etude.report.charts.palette import MARKERS, colour
from etude.report.drawing.caption import write_caption

if TYPE_CHECKING:
    from matplotlib.figure import Figure


TWO_ABREAST = 28
"""Characters of the longest name of which two fit side by side in a legend."""


def draw_curves(chart: Curves, figure: Figure) -> None:
    """One panel with all groups, told apart by colour and by mark."""
    from matplotlib.ticker import MaxNLocator

    from etude.report.charts.drawing import WIDTH_IN

    figure.set_size_inches(WIDTH_IN, 4.8 + 0.12 * len(chart.curves))
    axes = figure.add_subplot()
    for index, curve in enumerate(chart.curves):
        if len(curve.runs) > 1:
            for run in curve.runs:
                axes.plot([x for x, _ in run], [y for _, y in run], color=colour(index), linewidth=0.8, alpha=0.45)
        axes.plot(
            [x for x, _ in curve.mean],
            [y for _, y in curve.mean],
            color=colour(index),
            linewidth=2.2,
            marker=MARKERS[index % len(MARKERS)],
            markevery=max(1, len(curve.mean) // 10),
            markersize=7,
            label=one_line(curve.name, 40),
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid()
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    if len(chart.curves) > 1:
        longest = max(len(curve.name) for curve in chart.curves)
        figure.legend(loc="outside upper left", ncols=2 if longest <= TWO_ABREAST else 1)
    write_caption(figure, chart.caption)
