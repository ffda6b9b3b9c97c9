"""Means as horizontal bars from zero, so that long names can be read and lengths can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etude.digits import number_text
from etude.report.charts.bars import Bar, Bars
from etude.report.charts.labels import one_line
from etude.report.charts.palette import HATCHES, INK, MARK, colour
from etude.report.drawing.caption import write_caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 3)))


def draw_bars(chart: Bars, figure: Figure) -> None:
    """Bars with their spread and their numbers; baselines as vertical lines."""
    from etude.report.charts.drawing import WIDTH_IN

    many = len(chart.series)
    thick = 0.8 / many
    legend = len(chart.marks) + (many if many > 1 else 0)
    rows = max(1, len(chart.groups)) * (1.0 if many == 1 else 0.55 * many + 0.25)
    figure.set_size_inches(WIDTH_IN, 1.75 + 0.42 * rows + 0.24 * legend)
    axes = figure.add_subplot()
    for index, (series, row) in enumerate(zip(chart.series, chart.values, strict=True)):
        places = [place - 0.4 + thick * (index + 0.5) for place in range(len(chart.groups))]
        _series(axes, places, row, thick, index, one_line(series), crossed=bool(chart.marks))
    for mark, dash in zip(chart.marks, DASHES * len(chart.marks), strict=False):
        label = f"{one_line(mark.title)}: {number_text(mark.value)}"
        axes.axvline(mark.value, color=MARK, linewidth=1.6, linestyle=dash, label=label)
    axes.set_yticks(range(len(chart.groups)), [one_line(group, 40) for group in chart.groups])
    axes.set_ylim(max(1, len(chart.groups)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=INK, linewidth=1.0)
    axes.margins(x=0.16)
    axes.grid(axis="x")
    axes.set_xlabel(chart.label)
    if legend:
        figure.legend(loc="outside upper left", ncols=1 if chart.marks or many > 3 else many)
    write_caption(figure, chart.caption)


def _series(
    axes: Axes, places: list[float], row: tuple[Bar, ...], thick: float, index: int, name: str, *, crossed: bool
) -> None:
    known = [(place, bar.mean, bar.std) for place, bar in zip(places, row, strict=True) if bar.mean is not None]
    axes.barh(
        [place for place, _, _ in known],
        [mean for _, mean, _ in known],
        height=thick * 0.9,
        color=colour(index),
        hatch=HATCHES[index % len(HATCHES)],
        edgecolor="white",
        linewidth=0,
        label=name or "_nolegend_",
    )
    axes.errorbar(
        [mean for _, mean, _ in known],
        [place for place, _, _ in known],
        xerr=[std or 0.0 for _, _, std in known],
        fmt="none",
        ecolor=INK,
        elinewidth=1.6,
        capsize=4,
        label="_nolegend_",
    )
    for place, mean, std in known:
        edge = mean + (std or 0.0) if mean >= 0 else mean - (std or 0.0)
        side = "left" if mean >= 0 else "right"
        axes.annotate(
            number_text(mean, std),
            (edge, place),
            xytext=(6 if mean >= 0 else -6, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=10.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85} if crossed else None,
        )
