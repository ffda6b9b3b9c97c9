"""Quality against cost as named points, the front as a stepped line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etude.report.charts.labels import one_line
from etude.report.charts.palette import FAINT, INK, SERIES
from etude.report.charts.pareto import ParetoPoints, Point
from etude.report.drawing.caption import write_caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOGARITHMIC_FROM = 20.0
"""Costs whose largest is more than this many times the smallest stand on a logarithmic axis."""


def is_logarithmic(costs: list[float]) -> bool:
    """Whether costs span too much for an even axis."""
    return bool(costs) and min(costs) > 0 and max(costs) / min(costs) > LOGARITHMIC_FROM


def draw_pareto(chart: ParetoPoints, figure: Figure) -> None:
    """Points with their intervals; those on the front filled and joined."""
    from matplotlib.ticker import MaxNLocator

    from etude.report.charts.drawing import WIDTH_IN

    figure.set_size_inches(WIDTH_IN, 5.2)
    axes = figure.add_subplot()
    front = chart.front
    axes.step(
        [point.cost for point in front],
        [point.quality for point in front],
        where="post",
        color=SERIES[0],
        linewidth=1.6,
        alpha=0.7,
        zorder=1,
    )
    for point in chart.points:
        _point(axes, point, whiskers=point.name in chart.told)
    if is_logarithmic([point.cost for point in chart.points]):
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.14)
    axes.grid()
    axes.set_xlabel(f"{chart.cost_label}, less is better")
    axes.set_ylabel(f"{chart.quality_label}, {'less' if chart.lower_is_better else 'more'} is better")
    _name_points(axes, chart)
    write_caption(figure, chart.caption)


def _point(axes: Axes, point: Point, *, whiskers: bool) -> None:
    axes.errorbar(
        point.cost,
        point.quality,
        xerr=_around(point.cost, point.cost_interval) if whiskers else None,
        yerr=_around(point.quality, point.quality_interval) if whiskers else None,
        fmt="o" if point.on_front else "D",
        markersize=9 if point.on_front else 7.5,
        color=SERIES[0] if point.on_front else FAINT,
        markerfacecolor=SERIES[0] if point.on_front else "white",
        markeredgewidth=1.6,
        elinewidth=1.2,
        capsize=3,
        zorder=3 if point.on_front else 2,
    )


def _around(value: float, interval: tuple[float, float] | None) -> list[list[float]] | None:
    return None if interval is None else [[value - interval[0]], [interval[1] - value]]


def _name_points(axes: Axes, chart: ParetoPoints) -> None:
    """Write each name beside its point, towards the middle, and below or above names that are there already."""
    axes.get_xlim(), axes.get_ylim()  # settles the limits, on which the places rest
    to_axes = axes.transData + axes.transAxes.inverted()
    taken: list[tuple[float, float]] = []
    for point in sorted(chart.points, key=lambda each: (not each.on_front, each.cost, -each.quality)):
        if point.name not in chart.told:
            continue
        x, y = to_axes.transform((point.cost, point.quality))
        right = bool(x < 0.6)
        steps = sorted((0.03 + step * sign * 0.05 for step in range(12) for sign in (1, -1)), key=abs)
        offset = next((each for each in steps if _is_free(taken, x, y + each)), None)
        if offset is None:
            continue
        taken.append((x, y + offset))
        axes.annotate(
            one_line(point.name, 44),
            (point.cost, point.quality),
            xytext=(9 if right else -9, offset * 280 - 4),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if offset > 0 else "center",
            fontsize=11,
            color=INK if point.on_front else FAINT,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.75},
            zorder=4,
        )


def _is_free(taken: list[tuple[float, float]], x: float, y: float) -> bool:
    """Whether a name of middling length there would lie on no other."""
    reach = 0.4
    return 0 < y < 0.97 and not any(
        abs(y - other_y) < 0.048 and (abs(x - other_x) < reach) for other_x, other_y in taken
    )
