"""A summary as a LaTeX table, to be put into a paper with `\\input`; it needs the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from etude.analysis.summary import StudySummary
from etude.digits import Number
from etude.report.tables.latex_width import (
    GAP_PT,
    LINE_PT,
    RULES_PT,
    TEXT_HEIGHT_PT,
    TEXT_WIDTH_PT,
    blocks,
    fill_lines,
    number_width,
    pieces,
    stack_lines,
    width_of,
)
from etude.report.tables.means_table import MeanCell, MeansTable, TableRow, means_table

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": "--",
    "±": r"$\pm$",
}


_NOT_FINITE = {"nan": r"\mathrm{nan}", "inf": r"\infty", "-inf": r"-\infty"}


def latex_text(summary: StudySummary) -> str:
    """A `tabular` with rules of booktabs: mean ± standard deviation, the best mean of a column in bold.

    Of more metrics than a page is wide there are several, one below the other, each with the labels in front; of more
    rows than a page is tall likewise, each with the heads above. Together they are taller than a page then, so they
    belong into the text itself: no float breaks.
    """
    layout = means_table(summary)
    names = [
        *layout.label_columns,
        *layout.metric_columns,
        *(label for line in _lines(layout) for label in line.label_texts()),
    ]
    widths = [_column_width(layout, at) for at in range(len(layout.metric_columns))]
    labels, fixed = _label_widths(layout, max(widths, default=0.0))
    parts = blocks(sum(labels) + GAP_PT * len(labels) + _n_width(layout) + GAP_PT, widths)
    pages = _pages(layout, labels if fixed else None)
    tables = [(part, rows) for part in parts for rows in pages]
    lines = ["% Needs \\usepackage{booktabs}.", *_hint(names)]
    if len(parts) > 1:
        lines.append(f"% {len(parts)} tables below each other: together they would be wider than the page.")
    if len(pages) > 1:
        lines.append(f"% {len(pages)} tables below each other: together they would be taller than the page.")
    if sum(_height(layout, rows, labels if fixed else None) for _, rows in tables) > TEXT_HEIGHT_PT:
        lines.append(
            "% Together they need more than one page: \\input them in the text, outside of any table environment."
        )
    for at, (part, rows) in enumerate(tables):
        lines += ["", "\\medskip", ""] if at else []
        lines.append("\\noindent")
        lines += _tabular(layout, part, rows, labels if fixed else None)
    return "\n".join([*lines, *_comments(layout)]) + "\n"


def _pages(layout: MeansTable, fixed: Sequence[float] | None) -> list[list[TableRow]]:
    """The rows in as few tables as are no taller than a page each."""
    pages: list[list[TableRow]] = [[]]
    for line in _lines(layout):
        if pages[-1] and _height(layout, [*pages[-1], line], fixed) > TEXT_HEIGHT_PT:
            pages.append([])
        pages[-1].append(line)
    return pages


def _height(layout: MeansTable, rows: Sequence[TableRow], fixed: Sequence[float] | None) -> float:
    """Points that a table of these rows takes at most, whichever of the columns it has."""
    columns = enumerate(layout.metric_columns)
    head = max(
        [
            _rows_of(layout.label_columns, fixed),
            *(len(stack_lines(name, _cells_width(layout, at))) for at, name in columns),
        ]
    )
    return RULES_PT + LINE_PT * (head + sum(_rows_of(line.label_texts(), fixed) for line in rows) + 1)


def _rows_of(labels: Sequence[str], fixed: Sequence[float] | None) -> int:
    """Lines that the labels of a row take."""
    return 1 if fixed is None else max(len(fill_lines(*each)) for each in zip(labels, fixed, strict=True))


def _tabular(layout: MeansTable, part: range, rows: Sequence[TableRow], fixed: Sequence[float] | None) -> list[str]:
    """Some columns and rows; labels in columns of fixed widths where they are too long to stand on one line."""
    count = len(layout.label_columns)
    form = "l" * count if fixed is None else "".join(f"p{{{width:.0f}pt}}" for width in fixed)
    heads = [*_labels(layout.label_columns, fixed), "$n$"]
    heads += [_stacked(layout.metric_columns[at], _cells_width(layout, at)) for at in part]
    groups = [line for line in rows if line.role != "reference"]
    references = [line for line in rows if line.role == "reference"]
    short = any(line.cells[at].short for line in groups for at in part)
    note = f"\\multicolumn{{{count + 1 + len(part)}}}{{l}}{{$^\\dagger$ replicates are missing}} \\\\"
    return [
        f"\\begin{{tabular}}{{{form}r{'r' * len(part)}}}",
        "\\toprule",
        _row(heads),
        "\\midrule",
        *(_line(line, part, fixed) for line in groups),
        *(["\\midrule"] if groups and references else []),
        *(_line(line, part, fixed) for line in references),
        "\\bottomrule",
        *([note] if short else []),
        "\\end{tabular}",
    ]


def _lines(layout: MeansTable) -> tuple[TableRow, ...]:
    return (*layout.groups, *layout.references)


def _label_widths(layout: MeansTable, column: float) -> tuple[list[float], bool]:
    """The widths of the label columns, and whether they are fixed: where one metric would not fit beside them."""
    rows = [layout.label_columns, *(line.label_texts() for line in _lines(layout))]
    wanted = [max(map(width_of, labels)) for labels in zip(*rows, strict=True)]
    room = TEXT_WIDTH_PT - column - _n_width(layout) - GAP_PT * (len(wanted) + 2)
    if sum(wanted) <= room:
        return wanted, False
    share = max(room, TEXT_WIDTH_PT / 4) / len(wanted)
    least = min(max(width_of(piece) for row in rows for label in row for piece in pieces(label) or [""]), share)
    spare = max(0.0, room - least * len(wanted))
    over = [max(0.0, width - least) for width in wanted]
    return [least + spare * each / (sum(over) or 1.0) for each in over], True


def _n_width(layout: MeansTable) -> float:
    return max([width_of("n"), *(width_of(line.n) for line in _lines(layout))])


def _cells_width(layout: MeansTable, at: int) -> float:
    return max((number_width(line.cells[at].text()) for line in _lines(layout)), default=0.0)


def _column_width(layout: MeansTable, at: int) -> float:
    cells = _cells_width(layout, at)
    return max(cells, *map(width_of, stack_lines(layout.metric_columns[at], cells)))


def _stacked(head: str, most: float) -> str:
    lines = [escape(line.rstrip()) for line in stack_lines(head, most)]
    inside = r" \\ ".join(lines)
    return inside if len(lines) == 1 else rf"\shortstack[r]{{{inside}}}"


def _labels(texts: Sequence[str], fixed: Sequence[float] | None) -> list[str]:
    if fixed is None:
        return [*map(escape, texts)]
    broken = ["\\allowbreak{}".join(map(escape, pieces(*each))) for each in zip(texts, fixed, strict=True)]
    return [f"\\raggedright {text}" if text else "" for text in broken]


def escape(text: str) -> str:
    """Text with every character that LaTeX would take as a command written so that it is printed.

    Brackets and stars are among them: after the end of a row they would be its optional argument.
    """
    printed = "".join(mark for mark in " ".join(text.split()) if mark.isprintable())
    return "".join(_ESCAPED.get(mark, mark) for mark in printed)


def _line(line: TableRow, part: range, fixed: Sequence[float] | None) -> str:
    return _row([*_labels(line.label_texts(), fixed), escape(line.n), *(_cell(line.cells[at]) for at in part)])


def _cell(cell: MeanCell) -> str:
    return f"{_number(cell)}$^\\dagger$" if cell.short and cell.mean is not None else _number(cell)


def _number(cell: MeanCell) -> str:
    shown = cell.shown()
    if shown is None:
        return "--"
    value, unsure = shown
    digits = f"\\mathbf{{{_digits(value)}}}" if cell.best else _digits(value)
    if unsure is None:
        between = cell.between()
        return f"${digits}{_power(value)}$" + (f" ({_mathematical(between)})" if between else "")
    if value.power and value.power == unsure.power:
        return f"$({digits} \\pm {_digits(unsure)}){_power(value)}$"
    return f"${digits}{_power(value)} \\pm {_digits(unsure)}{_power(unsure)}$"


def _mathematical(text: str) -> str:
    """The numbers of an interval as mathematics."""
    ends = [Number(digits, int(power or 0)) for digits, _, power in (end.partition("e") for end in text.split(" to "))]
    return " to ".join(f"${_digits(end)}{_power(end)}$" for end in ends)


def _digits(shown: Number) -> str:
    return _NOT_FINITE.get(shown.digits, shown.digits)


def _power(shown: Number) -> str:
    return f" \\times 10^{{{shown.power}}}" if shown.power else ""


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _hint(names: Sequence[str]) -> list[str]:
    """What the document needs besides, where names go beyond the letters that every engine and font has."""
    if all(map(str.isascii, names)):
        return []
    return [
        "% Names hold characters beyond ASCII: add \\usepackage[T1]{fontenc}, or compile with XeLaTeX or LuaLaTeX",
        "% and a font that has them.",
    ]


def _comments(layout: MeansTable) -> list[str]:
    return [f"% {' '.join(note.split())}" for note in layout.notes]
