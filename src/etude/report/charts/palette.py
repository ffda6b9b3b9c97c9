"""Colours that are told apart by people who do not see all colours; shape and order always say the same again."""

from __future__ import annotations

from collections.abc import Sequence

SERIES = ("#0072B2", "#D55E00", "#007A5A", "#A8487E", "#8A6100", "#4B4B4B", "#2E86C1", "#7A3E9D", "#556B00")
"""From Okabe and Ito, Color Universal Design, 2008; darkened so that each is 3:1 or more against white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
INK = "#1B1F24"
FAINT = "#5C6670"
MARK = "#4B4B4B"
RAMP = ("#C9D6E2", "#7FB0D8", "#0072B2", "#08306B")
"""From the least to the most: light enough to stand back, dark enough to be seen."""
SHARES = ("#F7FBFF", "#08306B")
"""From none to all, for matrices."""
DARK_FROM = 0.648
"""The share from which white can be read on its shade better than black; either has a contrast of 4.5 there."""


def colour(index: int) -> str:
    """The colour of the series with this number."""
    return SERIES[index % len(SERIES)]


def shade(share: float, ramp: Sequence[str] = RAMP) -> str:
    """The colour of a share from 0 to 1."""
    place = min(1.0, max(0.0, share)) * (len(ramp) - 1)
    at = min(len(ramp) - 2, int(place))
    ends = [[int(ramp[at + end][part : part + 2], 16) for part in (1, 3, 5)] for end in (0, 1)]
    mixed = (round(low + (high - low) * (place - at)) for low, high in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def ink_on(share: float) -> str:
    """The colour in which a number can be read on the shade of a share."""
    return "#ffffff" if share > DARK_FROM else "#000000"
