"""Colours that are told apart by people who do not see all colours; shape and order always say the same again."""

from __future__ import annotations

SERIES = ("#0072B2", "#D55E00", "#007A5A", "#A8487E", "#8A6100", "#4B4B4B", "#2E86C1", "#7A3E9D")
"""From Okabe and Ito, Color Universal Design, 2008; darkened so that each is 3:1 or more against white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
INK = "#1B1F24"
FAINT = "#5C6670"
MARK = "#4B4B4B"
SCALE = ("#F7FBFF", "#08306B")
"""From none to all, for matrices."""


def colour(index: int) -> str:
    """The colour of the series with this number."""
    return SERIES[index % len(SERIES)]
