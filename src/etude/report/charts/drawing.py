"""Draws plots for print with matplotlib, as PNG and SVG: the same bytes for the same record."""

from __future__ import annotations

import io
import textwrap
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from etude.report.charts.chart_names import one_line
from etude.report.charts.palette import FAINT, HATCHES, INK, MARK, MARKERS
from etude.report.charts.plot import Area, Boxes, Dots, Key, Line, Mark, Panel, Plot, Rule, Scale, Whisker, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200

STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "svg.hashsalt": "etude",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 12,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-3, 5),
    "grid.color": "#D9DEE3",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


LOOKS = (
    "axes.",
    "errorbar.",
    "figure.",
    "font.",
    "grid.",
    "hatch.",
    "image.",
    "legend.",
    "lines.",
    "markers.",
    "patch.",
    "path.",
    "savefig.",
    "svg.",
    "text.",
    "xtick.",
    "ytick.",
    "xaxis.",
    "yaxis.",
)
"""Settings that a user's own matplotlib may have changed and that would change our drawings."""


_ALIGNED = {"start": "left", "middle": "center", "end": "right"}
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 3)))
_HALO = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
MOST_BESIDE = 4
"""Entries of the legend in a row."""
LEGEND_LETTERS = 84
"""That fit into one row of the legend."""
TURN = 35.0
"""Degrees by which turned words rise."""
SMALL_FROM = 3
"""Columns from which letters are smaller."""
CAP_PT = 3.0
"""Half the length of the bars that end a whisker."""


class Images(NamedTuple):
    """One drawing in two formats."""

    png: bytes
    svg: bytes


def images(chart: Plot) -> Images:
    """Draw a chart. Nothing of matplotlib's own state is left changed, and no window system is needed."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A mark that the font lacks is drawn as a box; a warning for each would drown what the run says.
        warnings.filterwarnings("ignore", message="Glyph")
        defaults: dict[Any, Any] = matplotlib.rcParamsDefault
        plain = {key: defaults[key] for key in defaults if key.startswith(LOOKS)}
        matplotlib.rcParams.update({**plain, **STYLE})
        figure = Figure(dpi=DOTS_PER_INCH)
        raster = FigureCanvasAgg(figure)
        _draw_plot(figure, chart)
        ConstrainedLayoutEngine().execute(figure)
        png, svg = io.BytesIO(), io.BytesIO()
        # Laid out once, and written by the canvases themselves: `savefig` would lay out and draw for each format anew.
        raster.print_png(png, metadata={"Software": None}, pil_kwargs={"compress_level": 3})  # type: ignore[no-untyped-call]
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return Images(png.getvalue(), svg.getvalue())


def _draw_plot(figure: Figure, chart: Plot) -> None:
    """All panels in rows, the legend above, what the marks mean below."""
    heights = chart.heights or (chart.height,) * chart.rows
    longest = max((len(one_line(name)) for name in chart.legend), default=0)
    beside = max(1, min(MOST_BESIDE, len(chart.legend), LEGEND_LETTERS // (longest + 6)))
    legend_rows = -(-len(chart.legend) // beside)
    figure.set_size_inches(chart.width, sum(heights) + 0.55 + 0.28 * legend_rows)
    grid = figure.add_gridspec(chart.rows, chart.columns, height_ratios=list(heights))
    small = chart.columns >= SMALL_FROM
    for at, panel in enumerate(chart.panels):
        axes = figure.add_subplot(grid[at // chart.columns, at % chart.columns])
        _draw_panel(axes, panel, chart.most_ticks, small=small)
    if chart.legend:
        _write_legend(figure, chart, beside)
    if chart.key is not None:
        _draw_key(figure, chart.key)
    lines = textwrap.wrap(chart.caption, max(30, int(chart.width * 12.5)), max_lines=4, placeholder=" …")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=10, color=FAINT)


def _draw_panel(axes: Axes, panel: Panel, most: int, *, small: bool) -> None:
    for order, mark in enumerate(panel.marks):
        _draw(axes, mark, panel, order + 2.0)
    _set(axes, "x", panel.x, most, small=small)
    _set(axes, "y", panel.y, most, small=small)
    for side in "xy":
        if side in panel.grid:
            axes.grid(axis=side)  # type: ignore[arg-type]
    if panel.square:
        axes.set_aspect("equal")
    if panel.title:
        axes.set_title(one_line(panel.title, 24 if small else 60), fontsize=9.5 if small else 12)


def _set(axes: Axes, side: str, scale: Scale, most: int, *, small: bool) -> None:
    along = axes.xaxis if side == "x" else axes.yaxis
    if scale.logarithmic:
        (axes.set_xscale if side == "x" else axes.set_yscale)("log")
    (axes.set_xlim if side == "x" else axes.set_ylim)(scale.low, scale.high)
    ticks = scale.ticks(most)
    along.set_ticks([place for place, _ in ticks], labels=[text for _, text in ticks], minor=False)
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
            axes.plot(
                xs,
                ys,
                color=mark.ink,
                linewidth=mark.width,
                alpha=mark.opacity,
                linestyle=_dash(mark),
                solid_capstyle="round",
                zorder=order,
            )
        case Area():
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
            ends: dict[str, Any] = {"marker": "|" if mark.level else "_", "markersize": 2 * CAP_PT}
            axes.plot(*(along if mark.level else along[::-1]), color=mark.ink, linewidth=1.2, zorder=order, **ends)
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
                color=mark.ink or (FAINT if mark.faint else INK),
                annotation_clip=False,
                bbox=None if mark.ink else _HALO,
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
            facecolor=[box.ink or mark.ink for box in mark.boxes],
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
            bbox=_HALO,
            zorder=20,
            **where,
        )


def _dash(mark: Line) -> Any:
    return _DASHES[mark.dash if mark.dash < 2 else 1 + (mark.dash - 1) % (len(_DASHES) - 1)]


def _write_legend(figure: Figure, chart: Plot, beside: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    samples: list[Any] = []
    for name in chart.legend:
        marks = [each for panel in chart.panels for each in panel.marks if getattr(each, "name", "") == name]
        line = max((each for each in marks if isinstance(each, Line)), key=lambda each: each.width, default=None)
        dots = next((each for each in marks if isinstance(each, Dots)), None)
        if line is not None or dots is not None:
            ink = line.ink if line is not None else dots.dots[0].ink if dots is not None and dots.dots else MARK
            sample = Line2D([], [], color=ink, linestyle="" if line is None else _dash(line))
            sample.set_linewidth(1.0 if line is None else line.width)
            if dots is not None:
                face = "white" if dots.hollow else ink
                sample.set(marker=MARKERS[dots.shape % len(MARKERS)], markerfacecolor=face, markersize=7)
            samples.append(sample)
        else:
            (area, *_) = (each for each in marks if isinstance(each, Boxes | Area))
            hatch = HATCHES[area.hatch % len(HATCHES)] if isinstance(area, Boxes) else ""
            opacity = area.opacity if isinstance(area, Boxes) else 0.2
            samples.append(Patch(facecolor=area.ink, edgecolor="white", hatch=hatch, alpha=opacity))
    labels = [one_line(name) for name in chart.legend]
    figure.legend(samples, labels, loc="outside upper left", ncols=beside, fontsize=10.5)


def _draw_key(figure: Figure, key: Key) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    ramp = LinearSegmentedColormap.from_list("ramp", list(key.ramp))
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), ramp), ax=figure.axes, shrink=0.6, pad=0.02, aspect=36, fraction=0.02
    )
    bar.set_ticks([0.0, 1.0], labels=[key.low, key.high])
    bar.ax.tick_params(labelsize=9.5, length=0)
    bar.set_label(key.label, fontsize=10.5)
    bar.outline.set_visible(False)
