"""A chart as what stands on it: panels with scales and marks in the numbers of the data, for any renderer.

One record is drawn as PNG and SVG for print and inline in the page, where marks tell their numbers when pointed at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from etude.report.page.ticks import log_ticks, tick_texts, ticks

Anchor: TypeAlias = Literal["start", "middle", "end"]

RAMP = ("#C9D6E2", "#7FB0D8", "#0072B2", "#08306B")
"""From the least to the most: light enough to stand back, dark enough to be seen."""


class Scale(NamedTuple):
    """One side of a panel."""

    low: float
    high: float
    """The ends of the side, both in the numbers of the data, `low` below `high`."""
    label: str = ""
    logarithmic: bool = False
    marks: tuple[tuple[float, str], ...] = ()
    """Where a tick stands, and its text; chosen from the range where none is given."""
    bare: bool = False
    """Neither line nor ticks."""
    turned: bool = False
    """Whether the ticks' texts rise to the right, for they are long."""

    def at(self, value: float) -> float:
        """Where a value stands, from 0 to 1 between the ends."""
        low, high, here = self.low, self.high, value
        if self.logarithmic:
            low, high, here = math.log10(low), math.log10(high), math.log10(max(value, 1e-300))
        return (here - low) / (high - low)

    def ticks(self, most: int = 6) -> tuple[tuple[float, str], ...]:
        """Ticks within the ends, each with its text."""
        if self.bare or self.marks:
            return () if self.bare else self.marks
        slack = 1e-9 * (self.high - self.low)
        if self.logarithmic:
            found = [tick for tick in log_ticks(self.low, self.high) if self.low * 0.999 <= tick <= self.high * 1.001]
            found = found[:: max(1, math.ceil(len(found) / most))]
        else:
            near = [t for t in ticks(self.low, self.high, most) if self.low - slack <= t <= self.high + slack]
            found = [min(max(tick, self.low), self.high) for tick in near]
        return tuple(zip(found, tick_texts(found), strict=True))


class Line(NamedTuple):
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    ink: str
    name: str = ""
    """In the legend; empty for none."""
    width: float = 2.0
    dashed: bool = False
    opacity: float = 1.0
    tip: str = ""
    """What it tells when it is pointed at; empty for nothing."""


class Band(NamedTuple):
    """An area between two curves."""

    points: tuple[tuple[float, float, float], ...]
    """Place, lower and upper end."""
    ink: str
    name: str = ""


class Dot(NamedTuple):
    """One point."""

    x: float
    y: float
    ink: str
    tip: str = ""


class Dots(NamedTuple):
    """Points of one kind."""

    dots: tuple[Dot, ...]
    shape: int = 0
    """Number of the mark."""
    size: float = 5.0
    """Across, in points."""
    name: str = ""
    hollow: bool = False
    opacity: float = 1.0


class Box(NamedTuple):
    """One rectangle."""

    left: float
    right: float
    low: float
    high: float
    tip: str = ""


class Boxes(NamedTuple):
    """Rectangles of one kind."""

    boxes: tuple[Box, ...]
    ink: str
    name: str = ""
    opacity: float = 1.0
    hatch: int = 0
    """Number of the pattern that tells them apart where colour does not."""
    apart: bool = False
    """Whether a thin gap parts each from the next."""


class Rule(NamedTuple):
    """A line right across the panel, at a value."""

    value: float
    text: str = ""
    level: bool = True
    """Whether it is level, at a value of y; else it stands upright, at a value of x."""


class Whisker(NamedTuple):
    """An interval."""

    low: float
    high: float
    at: float
    level: bool = True
    """Whether it lies along x, at a value of y."""


class Words(NamedTuple):
    """A text at a point."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    strong: bool = False
    faint: bool = False
    aside: float = 0.0
    """Points to the right of the point; negative to the left."""
    above: float = 0.0
    """Points above the point."""
    turned: bool = False
    """Whether it rises to the right, so that long texts stand side by side."""


Mark: TypeAlias = Line | Band | Dots | Boxes | Rule | Whisker | Words


class Panel(NamedTuple):
    """One frame."""

    x: Scale
    y: Scale
    marks: tuple[Mark, ...]
    title: str = ""
    grid: str = "xy"
    """The sides whose ticks have lines across the panel."""


class Key(NamedTuple):
    """What light and dark mean, where marks are shaded by a number."""

    label: str
    low: str
    high: str


class Plot(NamedTuple):
    """A chart of panels."""

    name: str
    """As a file's name begins."""
    title: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 1
    height: float = 3.4
    """Of one row of panels, in inches at the full width."""
    heights: tuple[float, ...] = ()
    """Of each row, where they differ."""
    width: float = 7.2
    key: Key | None = None

    @property
    def rows(self) -> int:
        """Rows of panels."""
        return -(-len(self.panels) // self.columns)

    @property
    def legend(self) -> tuple[str, ...]:
        """The names of its marks, each once."""
        named = [mark.name for panel in self.panels for mark in panel.marks if isinstance(mark, Line | Dots | Boxes)]
        named = [*named, *(mark.name for panel in self.panels for mark in panel.marks if isinstance(mark, Band))]
        found = tuple(dict.fromkeys(name for name in named if name))
        return found if len(found) > 1 or self.key is not None else ()


def scale(
    values: Iterable[float], label: str = "", *, logarithmic: bool = False, zero: bool = False, pad: float = 0.04
) -> Scale:
    """A scale that holds these values with a little room."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not logarithmic)]
    if zero:
        known.append(0.0)
    low, high = min(known, default=0.0 if not logarithmic else 1.0), max(known, default=1.0)
    if logarithmic:
        room = (high / low) ** pad if high > low else 2.0
        return Scale(low / room, high * room, label, True)
    room = (high - low) * pad or abs(low) * 0.1 or 0.5
    return Scale(0.0 if zero and low == 0 else low - room, high + room, label)


def stepped(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """A curve that holds each value until the next one, as the corners of its stairs."""
    found: list[tuple[float, float]] = []
    for x, y in points:
        if found and found[-1][1] != y:
            found.append((x, found[-1][1]))
        if len(found) > 1 and found[-1][1] == found[-2][1] == y:
            found.pop()
        found.append((x, y))
    return tuple(found)


def shaded(share: float) -> str:
    """The ink of a share from 0 to 1."""
    place = min(1.0, max(0.0, share)) * (len(RAMP) - 1)
    at = min(len(RAMP) - 2, int(place))
    ends = [[int(RAMP[at + end][part : part + 2], 16) for part in (1, 3, 5)] for end in (0, 1)]
    mixed = (round(low + (high - low) * (place - at)) for low, high in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def time_scale(longest_s: float) -> tuple[float, str]:
    """What seconds are divided by, and the unit they then have, so that a time of this length reads well."""
    for unit, length_s in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if longest_s >= 3 * length_s:
            return length_s, unit
    return 1.0, "s"
