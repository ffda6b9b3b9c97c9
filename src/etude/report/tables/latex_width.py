"""How wide and tall a table comes out in LaTeX, so that it can be put on a page before any engine has seen it."""

from __future__ import annotations

import math
from collections.abc import Sequence

TEXT_WIDTH_PT = 345.0
"""Of the standard classes at ten points, the narrowest text that is usual."""
TEXT_HEIGHT_PT = 530.0
"""Of the same classes (550 on letter paper), with room for what parts a table from the text."""
LINE_PT = 12.0
"""One row."""
RULES_PT = 24.0
"""Of a table's rules, with the space around them."""
GAP_PT = 12.0
"""Between two columns: twice `\\tabcolsep`."""
LONGEST_WORD = 16
"""Characters that stand together in a heading or label at most before a line may end."""

_WIDTHS_PT = {
    2.9: "il.,:;!'|",
    4.0: "fjrstI()[] -/",
    4.6: "cez`",
    5.1: "ago0123456789",
    5.6: 'bdhknpquvxySJ_?"#$',
    6.9: "ELFPZ",
    7.9: "wABCDGHKNOQRTUVXY=+<>~^&",
    9.3: "mM@%{}*\\",
}
"""Rounded up from Computer Modern Roman at ten points (cmr10); braces, stars and slashes come from other fonts."""
_WIDTH_PT = {mark: width for width, marks in _WIDTHS_PT.items() for mark in marks}
_WIDEST_PT = 11.0
"""Of any other mark, `W` among them."""


def width_of(text: str) -> float:
    """Points that a printed text takes at most, in Computer Modern at ten points."""
    return sum(_WIDTH_PT.get(mark, _WIDEST_PT) for mark in text)


_MATHS_PT = {".": 2.9, "±": 12.5, "e": 22.5, "+": 0.0, "–": 5.1, " ": 3.4} | dict.fromkeys("0123456789", 5.8)


def number_width(text: str) -> float:
    """Points that a cell of numbers takes at most: digits in bold, signs with their space, a factor of ten for an e."""
    return sum(_MATHS_PT.get(mark, 8.0) for mark in text.replace(" ± ", "±"))


def pieces(text: str, most: float = math.inf) -> list[str]:
    """A text in parts between which a line may end: after blanks and marks, in a long run of letters, and no wider."""
    parts = [""]
    for mark in text:
        last = parts[-1]
        over = len(last) >= LONGEST_WORD or width_of(last + mark) > most
        if last and (over or (not last[-1].isalnum() and mark.isalnum())):
            parts.append("")
        parts[-1] += mark
    return [piece for piece in parts if piece]


def stack_lines(text: str, most: float) -> list[str]:
    """A text in lines that are no wider than this, as far as its pieces allow."""
    return _lines(pieces(text), most)


def fill_lines(text: str, most: float) -> list[str]:
    """The lines of a text in a column of this width: as `stack_lines`, and long pieces are broken."""
    return _lines(pieces(text, most), most)


def _lines(parts: Sequence[str], most: float) -> list[str]:
    lines: list[str] = []
    for piece in parts:
        if lines and width_of(lines[-1] + piece) <= most:
            lines[-1] += piece
        else:
            lines.append(piece)
    return lines or [""]


def blocks(labels: float, columns: Sequence[float], most: float = TEXT_WIDTH_PT) -> list[range]:
    """Columns side by side in as few tables as fit, each with the labels in front; at least one column each.

    Args:
        labels: Width of all that stands in front of the columns, with its gaps.
        columns: Width of each column without its gap.
        most: Width of the page.
    """
    ranges: list[range] = []
    start, used = 0, labels
    for at, width in enumerate(columns):
        if at > start and used + width + GAP_PT > most:
            ranges.append(range(start, at))
            start, used = at, labels
        used += width + GAP_PT
    return [*ranges, range(start, len(columns))]
