"""A summary as Markdown: the table of means, the comparisons, and what must be known to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etude.analysis.summary import Comparison, Summary
from etude.report.layout import Cell, Line, laid_out, short_names


def markdown_text(summary: Summary) -> str:
    """Mean ± sample standard deviation, the best mean of a column in bold; below it the comparisons that were made."""
    layout = laid_out(summary)
    heads = [*layout.label_columns, "n", *layout.metric_columns]
    lines = _table(heads, len(layout.label_columns), map(_cells, (*layout.groups, *layout.references)))
    tested = [one for one in summary.comparisons if one.claim != "not tested"]
    if tested:
        heads = ["metric", "group", "against", "pairs", "difference", "95 % interval", "p (Holm)", "effect", "shown"]
        lines += ["", *_table(heads, 3, (_comparison(one, summary) for one in tested))]
    notes = [*layout.notes, *sorted({one.note for one in summary.comparisons if one.note})]
    return "\n".join([*lines, *([""] if notes else []), *(f"- {escaped(note)}" for note in notes)]) + "\n"


def escaped(text: str) -> str:
    """Text that neither ends a cell nor is taken as markup."""
    return "".join(
        f"\\{character}" if character in "\\|*_`<>[]#" else character for character in " ".join(text.split())
    )


def _table(heads: Sequence[str], left: int, rows: Iterable[Sequence[str]]) -> list[str]:
    rule = [":--" if index < left else "--:" for index in range(len(heads))]
    return [_row([escaped(head) for head in heads]), _row(rule), *map(_row, rows)]


def _cells(line: Line) -> list[str]:
    return [*map(escaped, line.labels), line.n, *map(_cell, line.cells)]


def _cell(cell: Cell) -> str:
    numbers = cell.numbers()
    if numbers is None:
        return "–"
    mean, std = numbers
    shown = f"{mean} ± {std}" if std else mean
    return f"**{shown}**" if cell.best else shown


def _comparison(one: Comparison, summary: Summary) -> list[str]:
    names = dict(zip(summary.metrics, short_names(summary.metrics), strict=True))
    between = f"{one.interval.low:+.4g} to {one.interval.high:+.4g}" if one.interval else "–"
    return [
        *map(escaped, (names[one.metric], one.group, one.baseline)),
        str(one.pairs),
        _number(one.difference, "+.4g"),
        between,
        _number(one.p_t_holm, ".3g"),
        _number(one.effect, "+.2f"),
        one.claim,
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
