"""A summary as Markdown: the table of means, the comparisons, and what must be known to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etude.analysis.summary import Comparison, StudySummary
from etude.digits import OF_P, between_text, half_width, number_text, signed_text
from etude.report.tables.means_table import MeanCell, TableRow, means_table, short_names


def markdown_text(summary: StudySummary) -> str:
    """Mean ± sample standard deviation, the best mean of a column in bold; below it the comparisons that were made."""
    layout = means_table(summary)
    heads = [*layout.label_columns, "n", *layout.metric_columns]
    lines = _table(heads, len(layout.label_columns), map(_cells, (*layout.groups, *layout.references)))
    tested = [one for one in summary.comparisons if one.claim != "not tested"]
    if tested:
        heads = ["metric", "group", "against", "pairs", "difference", "95 % interval", "p (Holm)", "effect", "shown"]
        lines += ["", *_table(heads, 3, (_comparison(one, summary) for one in tested))]
    notes = [*layout.notes, *sorted({one.note for one in summary.comparisons if one.note})]
    return "\n".join([*lines, *([""] if notes else []), *(f"- {escape(note)}" for note in notes)]) + "\n"


def escape(text: str) -> str:
    """Text that neither ends a cell nor is taken as markup."""
    return "".join(
        f"\\{character}" if character in "\\|*_`<>[]#" else character for character in " ".join(text.split())
    )


def _table(heads: Sequence[str], left: int, rows: Iterable[Sequence[str]]) -> list[str]:
    rule = [":--" if index < left else "--:" for index in range(len(heads))]
    return [_row([escape(head) for head in heads]), _row(rule), *map(_row, rows)]


def _cells(line: TableRow) -> list[str]:
    return [*map(escape, line.label_texts()), line.n, *map(_cell, line.cells)]


def _cell(cell: MeanCell) -> str:
    return f"**{cell.text()}**" if cell.best else cell.text()


def _comparison(one: Comparison, summary: StudySummary) -> list[str]:
    names = dict(zip(summary.metrics, short_names(summary.metrics), strict=True))
    low, high = (one.interval.low, one.interval.high) if one.interval else (None, None)
    return [
        *map(escape, (names[one.metric], one.group, one.baseline)),
        str(one.pairs),
        signed_text(one.difference, half_width(low, high)),
        between_text(low, high, signed=True),
        number_text(one.p_t_holm, digits=OF_P),
        signed_text(one.effect, digits=OF_P),
        one.claim,
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
