"""A summary as a LaTeX table, to be put into a paper with `\\input`; it needs the package booktabs."""

from __future__ import annotations

from etude.analysis.summary import Summary
from etude.digits import Number
from etude.report.layout import Cell, Layout, Line, laid_out

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


def latex_text(summary: Summary) -> str:
    """A `tabular` with rules of booktabs: mean ± standard deviation, the best mean of a column in bold."""
    layout = laid_out(summary)
    labels, metrics = len(layout.label_columns), len(layout.metric_columns)
    heads = [*map(escaped, layout.label_columns), "$n$", *map(escaped, layout.metric_columns)]
    lines = [
        "% Needs \\usepackage{booktabs}.",
        *_hint(heads, layout),
        f"\\begin{{tabular}}{{{'l' * labels}r{'r' * metrics}}}",
        "\\toprule",
        _row(heads),
        "\\midrule",
        *(_line(line) for line in layout.groups),
        *(["\\midrule", *(_line(line) for line in layout.references)] if layout.references else []),
        "\\bottomrule",
        "\\end{tabular}",
        *_comments(layout),
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text with every character that LaTeX would take as a command written so that it is printed.

    Brackets and stars are among them: after the end of a row they would be its optional argument.
    """
    printed = "".join(mark for mark in " ".join(text.split()) if mark.isprintable())
    return "".join(_ESCAPED.get(mark, mark) for mark in printed)


def _line(line: Line) -> str:
    return _row([*map(escaped, line.labels), escaped(line.n), *map(_cell, line.cells)])


def _cell(cell: Cell) -> str:
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


def _hint(heads: list[str], layout: Layout) -> list[str]:
    """What the document needs besides, where names go beyond the letters that every engine and font has."""
    names = [*heads, *(label for line in (*layout.groups, *layout.references) for label in line.labels)]
    if all(map(str.isascii, names)):
        return []
    return [
        "% Names hold characters beyond ASCII: add \\usepackage[T1]{fontenc}, or compile with XeLaTeX or LuaLaTeX",
        "% and a font that has them.",
    ]


def _comments(layout: Layout) -> list[str]:
    return [f"% {' '.join(note.split())}" for note in layout.notes]
