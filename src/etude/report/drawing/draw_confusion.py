"""A confusion matrix as a table of shades, each row's shares; counts are written where they can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etude.report.charts.confusion import Confusion, folded
from etude.report.charts.labels import one_line
from etude.report.charts.palette import SCALE, ink_on
from etude.report.drawing.caption import write_caption

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_WRITTEN = 14
"""Classes up to which counts are written into the cells."""


def draw_confusion(chart: Confusion, figure: Figure) -> None:
    """Rows are true classes, columns predicted ones."""
    from matplotlib.colors import LinearSegmentedColormap

    shown = folded(chart)
    size = len(shown.labels)
    side = 3.2 + 0.34 * size
    figure.set_size_inches(max(6.0, side + 1.2), side)
    axes = figure.add_subplot()
    shares = [[count / max(1, sum(row)) for count in row] for row in shown.counts]
    scale = LinearSegmentedColormap.from_list("share", SCALE)
    image = axes.imshow(shares or [[0.0]], cmap=scale, vmin=0.0, vmax=1.0, aspect="equal")
    names = [one_line(label, 24) for label in shown.labels]
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if size <= MOST_WRITTEN:
        for true, row in enumerate(shown.counts):
            for said, count in enumerate(row):
                ink = ink_on(shares[true][said])
                axes.text(said, true, str(count), ha="center", va="center", color=ink, fontsize=10)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(one_line(shown.name))
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the true class")
    write_caption(figure, chart.caption)
