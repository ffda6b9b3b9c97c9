"""The line below a drawing that says what its marks mean."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from etude.report.charts.palette import FAINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_caption(figure: Figure, text: str) -> None:
    """Write it at the foot of the figure, wrapped to its width."""
    lines = textwrap.wrap(text, width=max(30, int(figure.get_figwidth() * 12.5)), max_lines=4, placeholder=" …")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=10, color=FAINT)
