"""Tables that can be sorted and filtered, and are whole without either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etude.report.page.markup import Markup, join, tag

FILTER_FROM = 10
"""Rows from which a table has a field to filter it."""


class Cell(NamedTuple):
    """What stands in one place of a table."""

    content: str
    key: float | str | None = None
    """What it is sorted by, where that is not its text."""
    css: str = ""


class Column(NamedTuple):
    """One column."""

    head: str
    numeric: bool = False


def data_table(
    name: str, identity: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], foot: int = 0
) -> Markup:
    """A table with a caption, its first column the head of each row.

    Args:
        name: The caption.
        identity: Unique in the page.
        columns: From left to right.
        rows: As many cells as columns each.
        foot: Rows at the end that stay there however it is sorted.
    """
    body, last = rows[: len(rows) - foot], rows[len(rows) - foot :]
    table = tag(
        "table",
        tag("caption", name),
        tag("thead", tag("tr", *(_head(column) for column in columns))),
        tag("tbody", *(_row(row, columns) for row in body)),
        tag("tfoot", *(_row(row, columns) for row in last)) if last else None,
        id=identity,
    )
    scrolled = tag("div", table, class_="scroll", tabindex=0, role="group", aria_label=f"{name}, scrolls")
    return tag(
        "div", _filter(name, identity, len(body)) if len(body) >= FILTER_FROM else None, scrolled, class_="table"
    )


def plain_table(name: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Markup:
    """A table that is only read."""
    heads = (tag("th", column.head, scope="col") for column in columns)
    body = tag("tbody", *(_row(row, columns) for row in rows))
    return tag("table", tag("caption", name), tag("thead", tag("tr", *heads)), body)


def _head(column: Column) -> Markup:
    button = tag("button", column.head, tag("span", class_="arrow", aria_hidden="true"), type="button", class_="sort")
    return tag("th", button, scope="col", class_="number" if column.numeric else None, aria_sort="none")


def _row(row: Sequence[Cell], columns: Sequence[Column]) -> Markup:
    assert len(row) == len(columns)
    return tag("tr", *(_cell(cell, column, first=not at) for at, (cell, column) in enumerate(zip(row, columns))))


def _cell(cell: Cell, column: Column, *, first: bool) -> Markup:
    css = " ".join(part for part in ("number" if column.numeric else "", cell.css) if part) or None
    key = repr(cell.key) if isinstance(cell.key, float) else cell.key
    if first:
        return tag("th", cell.content, scope="row", class_=css, data_key=key)
    return tag("td", cell.content, class_=css, data_key=key)


def _filter(name: str, identity: str, rows: int) -> Markup:
    field = tag("input", type="search", id=f"{identity}-filter", data_filters=identity, autocomplete="off")
    label = tag("label", f"Filter “{name}” ", for_=f"{identity}-filter")
    shown = tag("output", f"{rows} rows", for_=f"{identity}-filter", id=f"{identity}-shown")
    return tag("p", join(label, field, " ", shown), class_="filter needs-script")
