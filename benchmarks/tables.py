"""Tables of measurements, for the terminal and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.table import Table as Drawn

WIDTH = 120
"""Columns of text where the output is no terminal."""


@dataclass(slots=True)
class Table:
    """One table: what was measured, in which units, and what there is to know of it."""

    title: str
    columns: tuple[str, ...]
    note: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def row(self, *cells: str) -> None:
        """Add a row, one cell for each column."""
        assert len(cells) == len(self.columns), f"{self.title}: {cells}"
        self.rows.append(cells)


class Show(Protocol):
    """Takes a finished table."""

    def __call__(self, table: Table) -> None: ...


def on_terminal(table: Table) -> None:
    """Draw a table."""
    drawn = Drawn(title=table.title, title_justify="left", caption=table.note or None, caption_justify="left")
    for index, name in enumerate(table.columns):
        drawn.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print()
    console.print(drawn)


def as_markdown(table: Table) -> None:
    """Print a table as documentation has it."""
    print(f"\n### {table.title}\n")
    print(_line(table.columns))
    print(_line(["---", *["---:"] * (len(table.columns) - 1)]))
    for row in table.rows:
        print(_line(row))
    if table.note:
        print(f"\n{table.note}")


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
