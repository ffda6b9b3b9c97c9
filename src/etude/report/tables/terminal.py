"""A summary as a table in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from etude.analysis.summary import StudySummary
from etude.digits import short_text
from etude.report.tables.means_table import MeanCell, MeansTable, TableRow, means_table

MOST_GROUPS = 60
"""Rows of a table in the terminal: a search of thousands has its table in a file."""
LONG_NUMBER = 9
_FRACTION = re.compile(r"-?\d+\.\d+(e[-+]?\d+)?")


class TerminalTable:
    """Means ± sample standard deviations, the best of a column in bold green, references below the groups.

    It shows as many metrics as the terminal is wide, at least one, and says how many it leaves to the exported tables.
    """

    def __init__(self, summary: StudySummary, title: str = "") -> None:
        self._layout = means_table(summary)
        self._title = title

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        most = len(self._layout.metric_columns)
        tables = (_table(self._layout, self._title, shown) for shown in range(most, 0, -1))
        widest = options.update(width=10_000)
        for shown, table in zip(range(most, 0, -1), tables, strict=True):
            if shown == 1 or console.measure(table, options=widest).maximum <= options.max_width:
                yield table
                yield from _notes(self._layout, most - shown)
                break


def _notes(layout: MeansTable, hidden: int) -> Iterator[Text]:
    """What must be known to read the table: below it, as wide as the terminal is."""
    if hidden:
        yield Text(f"and {hidden} more {'metric' if hidden == 1 else 'metrics'} in the exported tables", style="dim")
    if len(layout.groups) > MOST_GROUPS:
        more = len(layout.groups) - MOST_GROUPS
        yield Text(f"and {more} more {'group' if more == 1 else 'groups'} in the exported tables", style="dim")
    for note in layout.notes:
        yield Text(note, style="dim")


def _table(layout: MeansTable, title: str, shown: int) -> Table:
    table = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
    for name in layout.label_columns:
        table.add_column(Text(name), overflow="fold")
    for name in ("n", *layout.metric_columns[:shown]):
        table.add_column(Text(name), justify="right", no_wrap=True)
    for line in layout.groups[:MOST_GROUPS]:
        table.add_row(*_row(line, shown))
    if layout.references:
        table.add_section()
    for line in layout.references:
        table.add_row(*_row(line, shown), style="dim")
    return table


def _row(line: TableRow, shown: int) -> list[Text]:
    return [*(Text(_short(label)) for label in line.label_texts()), Text(line.n), *map(_cell, line.cells[:shown])]


def _short(label: str) -> str:
    """A long fraction in six digits: the exported tables have them all."""
    return short_text(float(label), 6) if len(label) > LONG_NUMBER and _FRACTION.fullmatch(label) else label


def _cell(cell: MeanCell) -> Text:
    return Text(cell.text(), style="bold green" if cell.best else "")
