"""A summary as a table in the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from etude.analysis.summary import Summary
from etude.report.layout import Cell, laid_out


def terminal_table(summary: Summary, title: str = "") -> Table:
    """Mean ± sample standard deviation, the best mean of a column in bold green, references below the groups."""
    layout = laid_out(summary)
    table = Table(
        title=title or None, title_justify="left", header_style="bold", caption="\n".join(layout.notes) or None
    )
    table.caption_justify = "left"
    for name in layout.label_columns:
        table.add_column(Text(name))
    for name in ("n", *layout.metric_columns):
        table.add_column(Text(name), justify="right")
    for line in layout.groups:
        table.add_row(*map(Text, line.labels), Text(line.n), *map(_cell, line.cells))
    if layout.references:
        table.add_section()
    for line in layout.references:
        table.add_row(*map(Text, line.labels), Text(line.n), *map(_cell, line.cells), style="dim")
    return table


def _cell(cell: Cell) -> Text:
    numbers = cell.numbers()
    if numbers is None:
        return Text("–")
    mean, std = numbers
    return Text(f"{mean} ± {std}" if std else mean, style="bold green" if cell.best else "")
