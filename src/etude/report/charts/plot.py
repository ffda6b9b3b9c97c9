"""A chart as what stands on it: panels with scales and marks in the numbers of the data, for any renderer.

`drawing.py` draws it as PNG and SVG for print, `page/plot.js` in a browser, where marks tell their numbers when they
are pointed at. A new chart is a function that returns one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from etude.report.charts.chart_names import one_line
from etude.report.charts.palette import INK, RAMP

Anchor: TypeAlias = Literal["start", "middle", "end"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DIGITS = 15
LONGEST = 36
"""Letters of a name beside a panel."""


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
        low, high = sorted((self.low, self.high))
        slack = 1e-9 * (high - low)
        if self.logarithmic:
            near = [tick for tick in log_ticks(low, high) if low * 0.999 <= tick <= high * 1.001]
            near = near[:: max(1, math.ceil(len(near) / most))]
            return tuple(zip(near, tick_texts(near), strict=True))
        near = [tick for tick in ticks(low, high, most) if low - slack <= tick <= high + slack]
        near = [min(max(tick, low), high) for tick in near]
        return tuple(zip(near, _alike(tick_texts(near)), strict=True))


class Line(NamedTuple):
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    ink: str
    name: str = ""
    """In the legend; empty for none."""
    width: float = 2.0
    dash: int = 0
    """Number of the pattern of dashes; 0 for a whole line."""
    opacity: float = 1.0
    tip: str = ""
    """What it tells when it is pointed at; empty for nothing."""


class Area(NamedTuple):
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
    ink: str = ""
    """Of its own; empty for that of its kind."""


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
    ink: str = INK


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
    ink: str = ""
    """Of its own, on a ground of its own; empty for that of all texts."""


Mark: TypeAlias = Line | Area | Dots | Boxes | Rule | Whisker | Words


class Panel(NamedTuple):
    """One frame."""

    x: Scale
    y: Scale
    marks: tuple[Mark, ...]
    title: str = ""
    grid: str = "xy"
    """The sides whose ticks have lines across the panel."""
    square: bool = False
    """Whether both sides are as long as each other."""


class Key(NamedTuple):
    """What light and dark mean, where marks are shaded by a number."""

    label: str
    low: str
    high: str
    ramp: tuple[str, ...] = RAMP


class PlotTable(NamedTuple):
    """Numbers that a chart tells to the eye alone, in words."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
    table: PlotTable | None = None

    @property
    def rows(self) -> int:
        """Rows of panels."""
        return -(-len(self.panels) // self.columns)

    @property
    def legend(self) -> tuple[str, ...]:
        """The names of its marks, each once, areas last."""
        named = [mark for panel in self.panels for mark in panel.marks if isinstance(mark, Line | Dots | Boxes | Area)]
        ordered = sorted(named, key=lambda mark: isinstance(mark, Area))
        return tuple(dict.fromkeys(mark.name for mark in ordered if mark.name))

    @property
    def most_ticks(self) -> int:
        """Along one side of a panel."""
        return 6 if self.columns == 1 else 4

    @property
    def tips(self) -> tuple[tuple[str, str], ...]:
        """All that its marks tell when they are pointed at, each behind the name of its kind."""
        return tuple(
            (getattr(mark, "name", "") or panel.title, tip)
            for panel in self.panels
            for mark in panel.marks
            for tip in _tips(mark)
            if tip
        )


def _tips(mark: Mark) -> tuple[str, ...]:
    match mark:
        case Line():
            return (mark.tip,)
        case Dots():
            return tuple(dot.tip for dot in mark.dots)
        case Boxes():
            return tuple(box.tip for box in mark.boxes)
        case _:
            return ()


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


def stairs(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """A curve that holds each value until the next one, as the corners of its stairs."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners and corners[-1][1] != y:
            corners.append((x, corners[-1][1]))
        if len(corners) > 1 and corners[-1][1] == corners[-2][1] == y:
            corners.pop()
        corners.append((x, y))
    return tuple(corners)


def name_ticks(names: Iterable[str]) -> tuple[tuple[float, str], ...]:
    """A tick for each name, at 0, 1, 2 and so on."""
    return tuple((float(place), one_line(name, LONGEST)) for place, name in enumerate(names))


def counts_text(counts: Iterable[int]) -> str:
    """`n = 3`, or `n = 2 to 3` where they differ."""
    ordered = sorted(set(counts)) or [0]
    return f"n = {ordered[0]}" if len(ordered) == 1 else f"n = {ordered[0]} to {ordered[-1]}"


def more_text(count: int, name: str) -> str:
    """The end of a caption that says how many are not shown; empty for none."""
    return f"; {count} more {name}{'s' * (count > 1)} not shown" if count else ""


def time_scale(longest_s: float) -> tuple[float, str]:
    """What seconds are divided by, and the unit they then have, so that a time of this length reads well."""
    for unit, length_s in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if longest_s >= 3 * length_s:
            return length_s, unit
    return 1.0, "s"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that cover a range: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        half = abs(low) / 2 or 0.5
        low, high = low - half, high + half
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12 - math.floor(math.log10(step))) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around a range above 0, with 2 and 5 between where it is short."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    every = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    start = max((index for index, tick in enumerate(every) if tick <= low), default=0)
    end = min((index for index, tick in enumerate(every) if tick >= high), default=len(every) - 1)
    return every[start : end + 1]


def tick_texts(places: Sequence[float]) -> list[str]:
    """The numbers along an axis, in as many digits as tell them apart."""
    texts: list[str] = []
    for digits in range(6, _MOST_DIGITS + 1):
        texts = [short_number(tick, digits) for tick in places]
        if len(set(texts)) == len(set(places)):
            break
    return texts


def _alike(texts: Sequence[str]) -> Sequence[str]:
    """Numbers with as many decimals each, where none has an exponent: `0.700` beside `0.705`."""
    if any(not text.lstrip("-").replace(".", "", 1).isdecimal() for text in texts):
        return texts
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [f"{float(text):.{decimals}f}" for text in texts]


def short_number(value: float, digits: int = 6) -> str:
    """A round number without the noughts at its end; a far power of ten with its exponent raised."""
    if value and not 1e-3 <= abs(value) < 1e5:
        power = math.floor(math.log10(abs(value)) + 1e-9)
        factor = f"{value / 10.0**power:.{digits}g}"
        raised = f"10{str(power).translate(_RAISED)}"
        return raised if factor == "1" else f"{factor}·{raised}"
    return f"{value:.{digits}g}"
