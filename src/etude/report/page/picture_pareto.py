"""Quality against cost, inline."""

from __future__ import annotations

from etude.digits import between_text, half_width, number_text
from etude.report.charts.pareto import ParetoPoints, Point
from etude.report.drawing.draw_pareto import is_logarithmic
from etude.report.page.canvas import Axis, axis, bottom_axis, cut, left_axis, line, mark, picture, width_of, words
from etude.report.page.markup import Markup, joined, tag

WIDTH, HEIGHT = 860.0, 430.0
LEFT, TOP, BOTTOM = 78.0, 18.0, 372.0


def picture_of_pareto(chart: ParetoPoints) -> Markup:
    """Points with their 95 % intervals; those on the front filled and joined."""
    across = [value for point in chart.points for value in (point.cost, *(point.cost_interval or ()))]
    logarithmic = is_logarithmic([point.cost for point in chart.points]) and min(across) > 0
    up = axis(
        [each for point in chart.points for each in (point.quality, *(point.quality_interval or ()))], BOTTOM, TOP
    )
    along = axis(across, LEFT, WIDTH - 30, logarithmic=logarithmic)
    better = "less" if chart.lower_is_better else "more"
    front = [(along.at(point.cost), up.at(point.quality)) for point in chart.front]
    steps = [f"H{x:.1f}V{y:.1f}" for x, y in front[1:]]
    return picture(
        WIDTH,
        HEIGHT,
        f"{chart.quality_label} against {chart.cost_label}",
        bottom_axis(along, TOP, BOTTOM, f"{chart.cost_label}, less is better"),
        left_axis(up, LEFT, WIDTH - 30, f"{chart.quality_label}, {better} is better"),
        tag("path", d=f"M{front[0][0]:.1f} {front[0][1]:.1f}{''.join(steps)}", class_="front") if front else None,
        *(_point(point, chart, along, up) for point in sorted(chart.points, key=lambda each: each.on_front)),
        *_names(chart, along, up),
    )


def _point(point: Point, chart: ParetoPoints, along: Axis, up: Axis) -> Markup:
    x, y = along.at(point.cost), up.at(point.quality)
    whiskers = []
    told = point.name in chart.told
    if told and point.cost_interval and point.cost_interval[0] >= along.ticks[0]:
        whiskers.append(line(along.at(point.cost_interval[0]), y, along.at(point.cost_interval[1]), y, "whisker"))
    if told and point.quality_interval:
        whiskers.append(line(x, up.at(point.quality_interval[0]), x, up.at(point.quality_interval[1]), "whisker"))
    shape = (
        tag("circle", cx=x, cy=y, r=7, class_="best")
        if point.on_front
        else tag("path", d=f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", class_="other")
    )
    tip = (
        f"{point.name}: {chart.quality_label} {_told(point.quality, point.quality_interval)}, "
        f"{chart.cost_label} {_told(point.cost, point.cost_interval)}, n = {point.n}"
        f"{', on the front' if point.on_front else ''}"
    )
    return mark(tip, *whiskers, shape)


def _told(value: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return number_text(value)
    return f"{number_text(value, half_width(*interval))} (95 %: {between_text(*interval)})"


def _names(chart: ParetoPoints, along: Axis, up: Axis) -> list[Markup]:
    """Each name beside its point, towards the middle, where no other name lies."""
    taken: list[tuple[float, float, float]] = []
    drawn = []
    for point in sorted(chart.points, key=lambda each: (not each.on_front, each.cost, -each.quality)):
        if point.name not in chart.told:
            continue
        x, y = along.at(point.cost), up.at(point.quality)
        right = x < LEFT + 0.6 * (WIDTH - LEFT)
        name = cut(point.name, 280)
        width = width_of(name)
        start = x + 11 if right else x - 11 - width
        offsets = [-8.0, 18.0, *(5.0 + sign * (13.0 + 17.0 * step) for step in range(1, 9) for sign in (-1, 1))]
        free = [each for each in offsets if _is_free(taken, start, y + each, width)]
        if not free:
            continue
        place = y + free[0]
        taken.append((start, place, width))
        drawn.append(words(x + (11 if right else -11), place, name, anchor="start" if right else "end", css="name"))
    return [joined(*drawn)]


def _is_free(taken: list[tuple[float, float, float]], start: float, y: float, width: float) -> bool:
    return TOP < y < BOTTOM and not any(
        abs(y - other_y) < 15 and start < other + other_width and other < start + width
        for other, other_y, other_width in taken
    )
