"""A plot's panels, inline: every mark that knows something tells it when it is pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from etude.report.charts.labels import one_line
from etude.report.charts.palette import MARK
from etude.report.charts.plot import (
    Band,
    Boxes,
    Dots,
    Key,
    Line,
    Mark,
    Panel,
    Plot,
    Rule,
    Whisker,
    Words,
    shaded,
)
from etude.report.page.canvas import line, mark, picture, width_of, words
from etude.report.page.markup import Markup, joined, tag
from etude.report.page.picture_curves import SHAPES

INCH = 860.0 / 7.2
POINT = 1.35
"""Units of the picture to a point of print."""
TURN = 35.0
OPEN = (6,)
"""Shapes made of lines alone."""
MOST_REACHED = 250
"""Marks of a picture up to which each can be reached with the keyboard; more would be a long way to what follows."""
WIDEST = 1120.0
"""As wide as the page."""
BELOW_TURNED = 62.0
"""Room for words that rise from below a panel."""


class Frame(NamedTuple):
    """Where a panel stands in the picture."""

    panel: Panel
    left: float
    right: float
    top: float
    bottom: float

    def x(self, value: float) -> float:
        """The place of a value across."""
        return self.left + self.panel.x.at(value) * (self.right - self.left)

    def y(self, value: float) -> float:
        """The place of a value up."""
        return self.bottom - self.panel.y.at(value) * (self.bottom - self.top)


def picture_of_plot(chart: Plot, prefix: str) -> Markup:
    """All panels in rows; the legend's buttons hide and show what they name."""
    width = min(WIDEST, round(chart.width * INCH))
    frames, height = _frames(chart, width)
    reached = sum(_told(each) for frame in frames for each in frame.panel.marks) <= MOST_REACHED
    clips = [
        tag(
            "clipPath",
            tag("rect", x=f.left, y=f.top, width=f.right - f.left, height=f.bottom - f.top),
            id=f"{prefix}-c{at}",
        )
        for at, f in enumerate(frames)
    ]
    drawn = picture(
        width,
        height,
        chart.title,
        tag("defs", *clips),
        *(_panel(frame, chart, f"{prefix}-c{at}", reached=reached) for at, frame in enumerate(frames)),
    )
    key = _key(chart.key) if chart.key else None
    legend = _legend(chart) if chart.legend else None
    return joined(tag("div", legend, key, class_="keys") if legend or key else None, drawn)


def _frames(chart: Plot, width: float) -> tuple[list[Frame], float]:
    heights = chart.heights or (chart.height,) * chart.rows
    frames, top = [], 4.0
    each = width / chart.columns
    lefts = [
        max(_beside(panel, chart.columns) for panel in chart.panels[column :: chart.columns])
        for column in range(min(chart.columns, len(chart.panels)))
    ]
    for row, inches in enumerate(heights):
        tall = inches * INCH * (0.92 if chart.columns == 1 else 1.0)
        for column, panel in enumerate(chart.panels[row * chart.columns : (row + 1) * chart.columns]):
            start, above = each * column, 24.0 if panel.title else 10.0
            bottom = top + tall - _below(panel)
            frames.append(Frame(panel, start + lefts[column], start + each - 14.0, top + above, bottom))
        top += tall
    return frames, top + 2.0


def _beside(panel: Panel, columns: int) -> float:
    """Room at the left: the same for all panels of a column, so that their sides stand in one line."""
    if panel.y.bare:
        return 6.0
    widest = max((width_of(text) for _, text in panel.y.ticks(4 if columns > 1 else 6)), default=0.0)
    return widest + (34.0 if panel.y.label or columns == 1 else 14.0)


def _below(panel: Panel) -> float:
    if panel.x.bare:
        return BELOW_TURNED if any(isinstance(each, Words) and each.turned for each in panel.marks) else 6.0
    return 24.0 + (18.0 if panel.x.label else 0.0) + (34.0 if panel.x.turned else 0.0)


def _panel(frame: Frame, chart: Plot, clip: str, *, reached: bool) -> Markup:
    panel = frame.panel
    middle = (frame.left + frame.right) / 2
    title = words(frame.left, frame.top - 9, one_line(panel.title, 26), css="axis") if panel.title else None
    marks = [_mark(each, frame, chart, clip, reached=reached) for each in panel.marks]
    sides = [_across(frame, middle, chart.columns), _up(frame, chart.columns)]
    return tag("g", title, *sides, *marks)


def _across(frame: Frame, middle: float, columns: int) -> Markup:
    scale = frame.panel.x
    if scale.bare:
        return joined()
    ticks = [(frame.x(place), text) for place, text in scale.ticks(4 if columns > 1 else 6)]
    grid = [line(x, frame.top, x, frame.bottom, "grid") for x, _ in ticks] if "x" in frame.panel.grid else []
    if scale.turned:
        texts = [
            words(
                0, 0, text, anchor="end", transform=f"translate({x + 4:.1f} {frame.bottom + 14:.1f}) rotate(-{TURN:g})"
            )
            for x, text in ticks
        ]
    else:
        texts = [words(x, frame.bottom + 17, text, anchor="middle") for x, text in ticks]
    name = words(middle, frame.bottom + (72 if scale.turned else 37), scale.label, anchor="middle", css="axis")
    return joined(
        *grid, line(frame.left, frame.bottom, frame.right, frame.bottom, "rule"), *texts, name if scale.label else None
    )


def _up(frame: Frame, columns: int) -> Markup:
    scale = frame.panel.y
    if scale.bare:
        return joined()
    ticks = [(frame.y(place), text) for place, text in scale.ticks(4 if columns > 1 else 6)]
    grid = [line(frame.left, y, frame.right, y, "grid") for y, _ in ticks] if "y" in frame.panel.grid else []
    texts = [words(frame.left - 6, y + 4, text, anchor="end") for y, text in ticks]
    beside = max((width_of(text) for _, text in ticks), default=0.0)
    at, middle = frame.left - beside - 18, (frame.top + frame.bottom) / 2
    turned = f"translate({at:.1f} {middle:.1f}) rotate(-90)"
    name = words(0, 0, scale.label, anchor="middle", css="axis", transform=turned) if scale.label else None
    return joined(*grid, line(frame.left, frame.top, frame.left, frame.bottom, "rule"), *texts, name)


def _mark(each: Mark, frame: Frame, chart: Plot, clip: str, *, reached: bool) -> Markup | None:
    name = getattr(each, "name", "")
    drawn = joined(*_drawn(each, frame, reached=reached))
    cut = f"url(#{clip})" if isinstance(each, Line | Band | Boxes) else None
    if not name or name not in chart.legend:
        return tag("g", drawn, clip_path=cut) if cut else drawn
    return tag("g", drawn, class_="series", data_series=chart.legend.index(name), clip_path=cut)


def _drawn(each: Mark, frame: Frame, *, reached: bool) -> Iterator[Markup]:
    match each:
        case Line():
            through = "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in each.points)
            if through:
                style = {"stroke_dasharray": "8 5"} if each.dashed else {}
                shape = tag(
                    "path", d=f"M{through}", fill="none", stroke=each.ink, stroke_width=each.width * POINT,
                    stroke_opacity=each.opacity, stroke_linejoin="round", **style,
                )  # fmt: skip
                yield _telling(each.tip, shape, reached, "mark line")
        case Band():
            there = "L".join(f"{frame.x(x):.1f} {frame.y(low):.1f}" for x, low, _ in each.points)
            back = "L".join(f"{frame.x(x):.1f} {frame.y(high):.1f}" for x, _, high in reversed(each.points))
            yield tag("path", d=f"M{there}L{back}Z", fill=each.ink, fill_opacity=0.2)
        case Dots():
            for dot in each.dots:
                place = f"translate({frame.x(dot.x):.1f} {frame.y(dot.y):.1f}) scale({each.size * POINT / 11:.2f})"
                outlined = each.hollow or each.shape in OPEN
                shape = tag(
                    "path", d=SHAPES[each.shape % len(SHAPES)], transform=place, stroke_width=2.0,
                    fill="#fff" if each.hollow else dot.ink, stroke=dot.ink if outlined else "#fff",
                    opacity=each.opacity if each.opacity < 1 else None,
                )  # fmt: skip
                yield _telling(dot.tip, shape, reached)
        case Boxes():
            for box in each.boxes:
                left, right = sorted((frame.x(box.left), frame.x(box.right)))
                top, bottom = sorted((frame.y(box.low), frame.y(box.high)))
                shape = tag(
                    "rect", x=left, y=top, width=max(0.3, right - left), height=bottom - top, fill=each.ink,
                    fill_opacity=each.opacity if each.opacity < 1 else None,
                    stroke="#fff" if each.apart else None, stroke_width=0.6 if each.apart else None,
                )  # fmt: skip
                yield _telling(box.tip, shape, reached)
        case Rule():
            yield _rule(each, frame)
        case Whisker():
            ends = (frame.x(each.low), frame.y(each.at), frame.x(each.high), frame.y(each.at))
            if not each.level:
                ends = (frame.x(each.at), frame.y(each.low), frame.x(each.at), frame.y(each.high))
            yield line(*ends, "whisker")
        case Words():
            yield _words(each, frame)


def _telling(tip: str, shape: Markup, reached: bool, css: str = "mark") -> Markup:
    """A shape that tells its tip when it is pointed at, and, where that is no long way, when it is reached."""
    if not tip:
        return shape
    return mark(tip, shape, css=css) if reached else tag("g", shape, class_=css, data_tip=tip)


def _rule(each: Rule, frame: Frame) -> Markup:
    if each.level:
        y = frame.y(each.value)
        below = y < frame.top + 22
        text = words(frame.right - 3, y + (15 if below else -5), each.text, anchor="end", css="value faint")
        drawn = line(frame.left, y, frame.right, y, "baseline", stroke_dasharray="8 5")
    else:
        x = frame.x(each.value)
        right = frame.panel.x.at(each.value) < 0.6
        anchor = "start" if right else "end"
        text = words(x + (5 if right else -5), frame.top + 13, each.text, anchor=anchor, css="value faint")
        drawn = line(x, frame.top, x, frame.bottom, "baseline", stroke_dasharray="8 5")
    return joined(drawn, text if each.text else None)


def _words(each: Words, frame: Frame) -> Markup:
    x, y = frame.x(each.x) + each.aside * POINT, frame.y(each.y) - each.above * POINT
    css = " ".join(["value", *(["axis"] if each.strong else []), *(["faint"] if each.faint else [])])
    if each.turned:
        return words(
            0, 0, each.text, anchor=each.anchor, css=css, transform=f"translate({x:.1f} {y + 8:.1f}) rotate(-{TURN:g})"
        )
    return words(x, y + 4, each.text, anchor=each.anchor, css=css)


def _told(each: Mark) -> int:
    match each:
        case Line():
            return bool(each.tip)
        case Dots():
            return sum(bool(dot.tip) for dot in each.dots)
        case Boxes():
            return sum(bool(box.tip) for box in each.boxes)
        case _:
            return 0


def _legend(chart: Plot) -> Markup:
    named = {
        name: each
        for panel in reversed(chart.panels)
        for each in reversed(panel.marks)
        if (name := getattr(each, "name", "")) in chart.legend and name
    }
    buttons = [
        tag("button", _sample(named[name]), name, type="button", class_="legend", aria_pressed="true", data_series=at)
        for at, name in enumerate(chart.legend)
    ]
    return tag("div", *buttons, class_="legends", role="group", aria_label="Shown")


def _sample(each: Mark) -> Markup:
    match each:
        case Line():
            dash = "6 4" if each.dashed else None
            shape = tag("path", d="M0 7h26", stroke=each.ink, stroke_width=each.width * POINT, stroke_dasharray=dash)
        case Dots():
            ink = each.dots[0].ink if each.dots else MARK
            fill = "#fff" if each.hollow else ink
            shape = tag("path", d=SHAPES[each.shape % len(SHAPES)], transform="translate(13 7)", fill=fill, stroke=ink)
        case Boxes() | Band():
            opacity = each.opacity if isinstance(each, Boxes) else 0.2
            shape = tag("rect", x=2, y=1, width=22, height=12, fill=each.ink, fill_opacity=opacity)
        case _:
            shape = joined()
    return tag("svg", shape, width=26, height=14, aria_hidden="true")


def _key(key: Key) -> Markup:
    """A strip from light to dark with what its ends mean."""
    parts = [tag("rect", x=at * 20, y=2, width=20.5, height=10, fill=shaded(at / 7)) for at in range(8)]
    strip = tag("svg", *parts, width=160, height=14, aria_hidden="true")
    return tag("p", f"{key.label}: {key.low} ", strip, f" {key.high}", class_="key")
