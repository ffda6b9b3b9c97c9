"""A chart's record as image files: the same bytes for the same record."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from etude.report.charts.bars import Bars
from etude.report.charts.confusion import Confusion
from etude.report.charts.curves import Curves
from etude.report.charts.palette import FAINT, INK
from etude.report.charts.pareto import ParetoPoints
from etude.report.charts.plot import Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Chart = Bars | ParetoPoints | Curves | Confusion | Plot

WIDTH_IN = 7.2
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


class Images(NamedTuple):
    """One drawing in two formats."""

    png: bytes
    svg: bytes


def drawn(chart: Chart) -> Images:
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
        _drawer(chart)(figure)
        ConstrainedLayoutEngine().execute(figure)
        png, svg = io.BytesIO(), io.BytesIO()
        # Laid out once, and written by the canvases themselves: `savefig` would lay out and draw for each format anew.
        raster.print_png(png, metadata={"Software": None}, pil_kwargs={"compress_level": 3})  # type: ignore[no-untyped-call]
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return Images(png.getvalue(), svg.getvalue())


def _drawer(chart: Chart) -> Callable[[Figure], None]:
    from functools import partial

    from etude.report.drawing.draw_bars import draw_bars
    from etude.report.drawing.draw_confusion import draw_confusion
    from etude.report.drawing.draw_curves import draw_curves
    from etude.report.drawing.draw_pareto import draw_pareto
    from etude.report.drawing.draw_plot import draw_plot

    match chart:
        case Bars():
            return partial(draw_bars, chart)
        case ParetoPoints():
            return partial(draw_pareto, chart)
        case Curves():
            return partial(draw_curves, chart)
        case Confusion():
            return partial(draw_confusion, chart)
        case Plot():
            return partial(draw_plot, chart)
