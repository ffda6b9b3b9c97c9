"""Means as horizontal bars, inline."""

from __future__ import annotations

from collections.abc import Sequence

from etude.digits import between_text, number_text, spread_text
from etude.report.charts.bars import Bar, Bars
from etude.report.page.canvas import Axis, axis, bottom_axis, cut, line, mark, patterns, picture, width_of, words
from etude.report.page.markup import Markup, joined, tag

WIDTH = 860.0
DASHES = ("7 4", "2 3", "9 3 2 3", "4 4")


def picture_of_bars(chart: Bars, prefix: str) -> Markup:
    """Bars with whiskers of one standard deviation and the mean at their end; baselines as dashed lines."""
    many = len(chart.series)
    thick = 20.0 if many == 1 else 15.0
    pitch = many * thick + 14.0
    left = min(270.0, max((width_of(group) for group in chart.groups), default=40.0) + 16)
    top = 12.0 + 22.0 * (len(chart.marks) + (many if many > 1 else 0))
    bottom = top + max(1, len(chart.groups)) * pitch
    along = axis(_reach(chart), left, WIDTH - 70, zero=True)
    rows = [
        _row(chart, index, group, along, left, top + index * pitch, thick, prefix)
        for index, group in enumerate(chart.groups)
    ]
    return picture(
        WIDTH,
        bottom + 52,
        f"{chart.label} by group",
        patterns(prefix, many),
        bottom_axis(along, top, bottom, chart.label),
        *_marks(chart, along, left, top, bottom),
        *rows,
        line(along.at(0.0), top, along.at(0.0), bottom, "rule"),
        _legend(chart, left, prefix) if many > 1 else None,
    )


def _reach(chart: Bars) -> list[float]:
    known = [bar for row in chart.values for bar in row if bar.mean is not None]
    ends = [(bar.mean or 0.0) + sign * (bar.std or 0.0) for bar in known for sign in (1, -1)]
    return [*ends, *(each.value for each in chart.marks)]


def _row(
    chart: Bars, index: int, group: str, along: Axis, left: float, top: float, thick: float, prefix: str
) -> Markup:
    middle = top + 7 + len(chart.series) * thick / 2
    drawn = [words(left - 10, middle + 4, cut(group, left - 16), anchor="end")]
    for place, (series, values) in enumerate(zip(chart.series, chart.values, strict=True)):
        drawn.append(_bar(values[index], group, series, along, top + 7 + place * thick, thick - 2, f"{prefix}-{place}"))
    return joined(*drawn)


def _bar(bar: Bar, group: str, series: str, along: Axis, top: float, thick: float, fill: str) -> Markup:
    named = f"{group} ({series})" if series else group
    middle = top + thick / 2
    if bar.mean is None:
        return words(along.at(0.0) + 6, middle + 4, "–" if series else "not known", css="faint")
    zero, end = along.at(0.0), along.at(bar.mean)
    parts = [tag("rect", x=min(zero, end), y=top, width=abs(end - zero), height=thick, fill=f"url(#{fill})")]
    edge = end
    if bar.std:
        low, high = along.at(bar.mean - bar.std), along.at(bar.mean + bar.std)
        edge = high if bar.mean >= 0 else low
        parts += [line(low, middle, high, middle, "whisker")]
        parts += [line(at, middle - 4, at, middle + 4, "whisker") for at in (low, high)]
    anchor, away = ("start", 6) if bar.mean >= 0 else ("end", -6)
    parts.append(words(edge + away, middle + 4, number_text(bar.mean, bar.std), anchor=anchor, css="value"))
    return mark(tip_of(bar, named), *parts)


def tip_of(bar: Bar, name: str) -> str:
    """All that is known of a bar, in words."""
    assert bar.mean is not None
    between = f", 95 % interval {between_text(*bar.interval)}" if bar.interval else ""
    return f"{name}: {spread_text(bar.mean, bar.std)}, n = {bar.n}{between}"


def _marks(chart: Bars, along: Axis, left: float, top: float, bottom: float) -> Sequence[Markup]:
    drawn = []
    for index, each in enumerate(chart.marks):
        x, y, dash = along.at(each.value), 18.0 + 22.0 * index, DASHES[index % len(DASHES)]
        title = f"{each.title}: {number_text(each.value)}"
        drawn += [
            line(x, top, x, bottom, "baseline", stroke_dasharray=dash),
            mark(
                title,
                line(left, y - 4, left + 30, y - 4, "baseline", stroke_dasharray=dash),
                words(left + 38, y, cut(title, WIDTH - left - 60)),
            ),
        ]
    return drawn


def _legend(chart: Bars, left: float, prefix: str) -> Markup:
    start = 18.0 + 22.0 * len(chart.marks)
    return joined(
        *(
            joined(
                tag("rect", x=left, y=start + 22 * index - 13, width=30, height=14, fill=f"url(#{prefix}-{index})"),
                words(left + 38, start + 22 * index, cut(series, WIDTH - left - 60)),
            )
            for index, series in enumerate(chart.series)
        )
    )
