"""What all inline pictures share: the frame, axes, marks that tell their numbers, and text that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from etude.report.charts.labels import one_line
from etude.report.charts.palette import HATCHES, colour
from etude.report.page.markup import Attribute, Child, Markup, joined, tag
from etude.report.page.ticks import log_ticks, tick_texts, ticks

LETTER = 8.2
"""Mean width of a letter at the size of the pictures' text, in their units, of the widest font that is asked for."""
WIDE = 600.0
"""Pictures wider than this are not made as small as a narrow page would have them."""


class Axis(NamedTuple):
    """Numbers along one side."""

    ticks: tuple[float, ...]
    start: float
    end: float
    """Places of the first and the last tick, in units of the picture."""
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a value stands."""
        low, high, here = self.ticks[0], self.ticks[-1], value
        if self.logarithmic:
            low, high, here = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def told(self) -> Iterable[tuple[float, str]]:
        """Each tick with its text."""
        return zip(self.ticks, tick_texts(self.ticks), strict=True)


def axis(values: Sequence[float], start: float, end: float, *, zero: bool = False, logarithmic: bool = False) -> Axis:
    """An axis that holds these values, with round numbers."""
    known = [*values, *([0.0] if zero else [])] or [0.0, 1.0]
    low, high = min(known), max(known)
    return Axis(tuple(log_ticks(low, high) if logarithmic else ticks(low, high)), start, end, logarithmic)


def width_of(text: str) -> float:
    """About how wide a text is."""
    return len(text) * LETTER


def picture(width: float, height: float, name: str, *content: Child, interactive: bool = True) -> Markup:
    """An inline picture with its name for those who do not see it, in a frame that scrolls where the page is narrow."""
    svg = tag(
        "svg",
        *content,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        class_="wide" if width > WIDE else None,
        role="group" if interactive else "img",
        aria_label=name,
    )
    return tag("div", svg, class_="scroll", tabindex=0, role="group", aria_label=f"{name}, scrolls")


def mark(tip: str, *content: Child, series: int | None = None, css: str = "mark") -> Markup:
    """Something in a picture that tells its numbers when it is pointed at or reached with the keyboard."""
    return tag("g", *content, class_=css, tabindex=0, role="img", aria_label=tip, data_tip=tip, data_series=series)


def words(x: float, y: float, text: str, *, anchor: str = "start", css: str | None = None, **more: Attribute) -> Markup:
    """A text in a picture."""
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=css, **more)


def line(x1: float, y1: float, x2: float, y2: float, css: str, **more: Attribute) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css, **more)


def bottom_axis(along: Axis, top: float, bottom: float, label: str) -> Markup:
    """Grid lines, numbers and a name below."""
    middle = (along.start + along.end) / 2
    return joined(
        *(line(along.at(tick), top, along.at(tick), bottom, "grid") for tick in along.ticks),
        line(along.start, bottom, along.end, bottom, "rule"),
        *(words(along.at(tick), bottom + 18, text, anchor="middle") for tick, text in along.told()),
        words(middle, bottom + 40, label, anchor="middle", css="axis"),
    )


def left_axis(up: Axis, left: float, right: float, label: str) -> Markup:
    """Grid lines, numbers and a name at the left."""
    middle = (up.start + up.end) / 2
    return joined(
        *(line(left, up.at(tick), right, up.at(tick), "grid") for tick in up.ticks),
        *(words(left - 8, up.at(tick) + 4, text, anchor="end") for tick, text in up.told()),
        words(0, 0, label, anchor="middle", css="axis", transform=f"translate(16 {middle:.1f}) rotate(-90)"),
    )


def patterns(prefix: str, count: int) -> Markup:
    """Fills for several series: a colour each, and stripes that tell them apart without it."""
    drawn: dict[str, Callable[[str], Markup]] = {
        "//": lambda ink: tag("path", d="M0 8L8 0M-2 2L2 -2M6 10L10 6", stroke="#fff", stroke_width=1.4),
        "..": lambda ink: tag("circle", cx=4, cy=4, r=1.5, fill="#fff"),
        "xx": lambda ink: tag("path", d="M0 0L8 8M0 8L8 0", stroke="#fff", stroke_width=1.1),
    }
    return tag(
        "defs",
        *(
            tag(
                "pattern",
                tag("rect", width=8, height=8, fill=colour(index)),
                drawn[HATCHES[index % len(HATCHES)]](colour(index)) if HATCHES[index % len(HATCHES)] in drawn else None,
                id=f"{prefix}-{index}",
                width=8,
                height=8,
                patternUnits="userSpaceOnUse",
            )
            for index in range(count)
        ),
    )


def cut(text: str, width: float) -> str:
    """A text on one line that fits."""
    return one_line(text, max(4, int(width / LETTER)))
