"""A plot's panels, drawn for print."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from etude.report.charts.labels import one_line
from etude.report.charts.palette import FAINT, HATCHES, INK, MARK, MARKERS
from etude.report.charts.plot import (
    RAMP,
    Band,
    Boxes,
    Dots,
    Key,
    Line,
    Mark,
    Panel,
    Plot,
    Rule,
    Scale,
    Whisker,
    Words,
)
from etude.report.drawing.caption import write_caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ALIGNED = {"start": "left", "middle": "center", "end": "right"}
HALO = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
MOST_BESIDE = 4
"""Entries of the legend in a row."""
TURN = 35.0
"""Degrees by which turned words rise."""
SMALL_FROM = 3
"""Columns from which letters are smaller."""


def draw_plot(chart: Plot, figure: Figure) -> None:
    """All panels in rows, the legend above, what the marks mean below."""
    heights = chart.heights or (chart.height,) * chart.rows
    legend_rows = -(-len(chart.legend) // MOST_BESIDE)
    figure.set_size_inches(chart.width, sum(heights) + 0.55 + 0.28 * legend_rows)
    grid = figure.add_gridspec(chart.rows, chart.columns, height_ratios=list(heights))
    small = chart.columns >= SMALL_FROM
    for at, panel in enumerate(chart.panels):
        axes = figure.add_subplot(grid[at // chart.columns, at % chart.columns])
        _draw_panel(axes, panel, small=small)
    if chart.legend:
        _write_legend(figure, chart)
    if chart.key is not None:
        _draw_key(figure, chart.key)
    write_caption(figure, chart.caption)


def _draw_panel(axes: Axes, panel: Panel, *, small: bool) -> None:
    for order, mark in enumerate(panel.marks):
        _draw(axes, mark, panel, order + 2.0)
    _set(axes, "x", panel.x, small=small)
    _set(axes, "y", panel.y, small=small)
    for side in "xy":
        if side in panel.grid:
            axes.grid(axis=side)  # type: ignore[arg-type]
    if panel.title:
        axes.set_title(one_line(panel.title, 24 if small else 60), fontsize=9.5 if small else 12)


def _set(axes: Axes, side: str, scale: Scale, *, small: bool) -> None:
    along = axes.xaxis if side == "x" else axes.yaxis
    if scale.logarithmic:
        (axes.set_xscale if side == "x" else axes.set_yscale)("log")
    (axes.set_xlim if side == "x" else axes.set_ylim)(scale.low, scale.high)
    ticks = scale.ticks(4 if small else 6)
    along.set_ticks([place for place, _ in ticks], labels=[one_line(text, 24) for _, text in ticks], minor=False)
    along.set_ticks([], minor=True)
    if scale.turned:
        for text in along.get_ticklabels():
            text.set(rotation=TURN, rotation_mode="anchor", ha="right", va="top")
    along.set_tick_params(labelsize=9 if small else 10.5, length=0 if scale.bare else 3)
    if scale.bare:
        axes.spines["bottom" if side == "x" else "left"].set_visible(False)
    if scale.label:
        (axes.set_xlabel if side == "x" else axes.set_ylabel)(scale.label, fontsize=10 if small else 12)


def _draw(axes: Axes, mark: Mark, panel: Panel, order: float) -> None:
    match mark:
        case Line():
            xs, ys = [x for x, _ in mark.points], [y for _, y in mark.points]
            style: dict[str, Any] = {"linestyle": (0, (4, 2))} if mark.dashed else {"solid_capstyle": "round"}
            axes.plot(
                xs, ys, color=mark.ink, linewidth=mark.width, alpha=mark.opacity, zorder=order, clip_on=True, **style
            )
        case Band():
            across, low, high = ([point[part] for point in mark.points] for part in range(3))
            axes.fill_between(across, low, high, color=mark.ink, alpha=0.2, linewidth=0, zorder=order)
        case Dots():
            inks = [dot.ink for dot in mark.dots]
            axes.scatter(
                [dot.x for dot in mark.dots],
                [dot.y for dot in mark.dots],
                s=mark.size**2,
                c="white" if mark.hollow else inks,
                edgecolors=inks if mark.hollow else "white",
                linewidths=1.3 if mark.hollow else 0.4,
                marker=MARKERS[mark.shape % len(MARKERS)],
                alpha=mark.opacity,
                zorder=order,
                clip_on=False,
            )
        case Boxes():
            _draw_boxes(axes, mark, order)
        case Rule():
            _draw_rule(axes, mark, panel)
        case Whisker():
            along = ([mark.low, mark.high], [mark.at, mark.at])
            axes.plot(*(along if mark.level else along[::-1]), color=INK, linewidth=1.2, zorder=order)
        case Words():
            axes.annotate(
                mark.text,
                (mark.x, mark.y),
                xytext=(mark.aside, mark.above),
                textcoords="offset points",
                ha=_ALIGNED[mark.anchor],
                va="top" if mark.turned else "center",
                rotation=TURN if mark.turned else 0.0,
                rotation_mode="anchor" if mark.turned else "default",
                fontsize=9.5,
                fontweight="bold" if mark.strong else "normal",
                color=FAINT if mark.faint else INK,
                annotation_clip=False,
                bbox=HALO,
                zorder=order + 0.5,
            )


def _draw_boxes(axes: Axes, mark: Boxes, order: float) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    drawn = [Rectangle((box.left, box.low), box.right - box.left, box.high - box.low) for box in mark.boxes]
    hatch = HATCHES[mark.hatch % len(HATCHES)]
    axes.add_collection(
        PatchCollection(
            drawn,
            facecolor=mark.ink,
            edgecolor="white",
            linewidth=0.3 if mark.apart else 0.0,
            alpha=mark.opacity,
            hatch=hatch or None,
            zorder=order,
        )
    )


def _draw_rule(axes: Axes, mark: Rule, panel: Panel) -> None:
    line: dict[str, Any] = {"color": MARK, "linewidth": 1.4, "linestyle": (0, (6, 3)), "zorder": 3.5}
    if mark.level:
        axes.axhline(mark.value, **line)
        low = panel.y.at(mark.value) < 0.9
        place = (1.0, mark.value)
        where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom" if low else "top"}
        offset = (-2, 3 if low else -3)
    else:
        axes.axvline(mark.value, **line)
        place = (mark.value, 1.0)
        right = panel.x.at(mark.value) < 0.6
        where = {"xycoords": ("data", "axes fraction"), "ha": "left" if right else "right", "va": "top"}
        offset = (4 if right else -4, -2)
    if mark.text:
        axes.annotate(
            mark.text,
            place,
            xytext=offset,
            textcoords="offset points",
            fontsize=10,
            color=MARK,
            bbox=HALO,
            zorder=20,
            **where,
        )


def _write_legend(figure: Figure, chart: Plot) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Any] = {}
    for mark in (mark for panel in chart.panels for mark in panel.marks):
        match mark:
            case Line(name=name) if name:
                shown = Line2D([], [], color=mark.ink, linewidth=mark.width, linestyle="--" if mark.dashed else "-")
                found.setdefault(name, shown)
            case Dots(name=name) if name and mark.dots:
                ink = mark.dots[0].ink
                face = "white" if mark.hollow else ink
                shape = MARKERS[mark.shape % len(MARKERS)]
                shown = Line2D([], [], color=ink, markerfacecolor=face, marker=shape, markersize=7, linestyle="")
                found.setdefault(name, shown)
            case Boxes(name=name) if name:
                hatch = HATCHES[mark.hatch % len(HATCHES)]
                found.setdefault(name, Patch(facecolor=mark.ink, edgecolor="white", hatch=hatch, alpha=mark.opacity))
            case Band(name=name) if name:
                found.setdefault(name, Patch(facecolor=mark.ink, alpha=0.2))
            case _:
                pass
    labels = [textwrap.shorten(one_line(name, 60), 60) for name in found]
    figure.legend(
        list(found.values()), labels, loc="outside upper left", ncols=min(MOST_BESIDE, len(found)), fontsize=10.5
    )


def _draw_key(figure: Figure, key: Key) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    ramp = LinearSegmentedColormap.from_list("ramp", list(RAMP))
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), ramp), ax=figure.axes, shrink=0.6, pad=0.02, aspect=36, fraction=0.02
    )
    bar.set_ticks([0.0, 1.0], labels=[key.low, key.high])
    bar.ax.tick_params(labelsize=9.5, length=0)
    bar.set_label(key.label, fontsize=10.5)
    bar.outline.set_visible(False)
