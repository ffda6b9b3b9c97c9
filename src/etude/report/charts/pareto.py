"""Quality against cost: which groups no other group beats in both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import NamedTuple

from etude.analysis.estimates import estimate
from etude.analysis.grouping import Row, is_finite, key_of
from etude.analysis.search.front import nondominated_mask
from etude.analysis.summary import GroupEstimate, StudySummary
from etude.analysis.trust import Trusted, sum_of, trusted_values, with_shared_error
from etude.digits import between_text, half_width, number_text
from etude.execute.node_metering import trust_of
from etude.report.charts.chart_names import file_stem, label_of, one_line, scale_of
from etude.report.charts.palette import FAINT, SERIES
from etude.report.charts.plot import (
    Anchor,
    Dot,
    Dots,
    Line,
    Mark,
    Panel,
    Plot,
    Scale,
    Whisker,
    Words,
    counts_text,
    scale,
)

FEWEST_FOR_INTERVAL = 3
"""Of two values the interval is that wide that it hides the chart."""


MOST_NAMED = 12
"""More points than this would hide each other behind names and whiskers."""
LOGARITHMIC_FROM = 20.0
"""Costs whose largest is more than this many times the smallest stand on a logarithmic axis."""
HEIGHT_IN = 4.2
PANEL_PT = (440.0, 250.0)
"""About how wide and high the panel is, so that names can be kept apart."""
LETTER_PT = 6.0


class Point(NamedTuple):
    """One group."""

    name: str
    quality: float
    quality_interval: tuple[float, float] | None
    """95 % by Student's t; None for fewer than three values."""
    cost: float
    cost_interval: tuple[float, float] | None
    n: int
    on_front: bool
    """Whether no other group is at least as good in both and better in one."""


class ParetoPoints(NamedTuple):
    """Groups by their quality and one cost."""

    quality: str
    """Dotted."""
    cost: str
    """Dotted name of a metric, or the cost's own name (`energy_j`) where it is that of a whole variant."""
    quality_label: str
    cost_label: str
    lower_is_better: bool
    """Of the quality; less cost is always better."""
    points: tuple[Point, ...]
    missing: tuple[str, ...]
    """Groups of which one of the two is not known."""
    covers: str
    """What the cost is the cost of."""

    @property
    def front(self) -> tuple[Point, ...]:
        """The points that no other beats, from cheap to dear."""
        return tuple(sorted((point for point in self.points if point.on_front), key=lambda point: point.cost))

    @property
    def named(self) -> frozenset[str]:
        """The points that have their name and their whiskers: all, or of many those on the front."""
        crowded = len(self.points) > MOST_NAMED
        return frozenset(point.name for point in self.points if point.on_front or not crowded)


def pareto_points(
    summary: StudySummary, quality: str, cost: str, costs: Mapping[str, GroupEstimate] | None = None, covers: str = ""
) -> ParetoPoints:
    """The groups of a study by quality and cost.

    Args:
        summary: The study.
        quality: Dotted name of a metric.
        cost: Dotted name of a metric or cost of the summary; the name of `costs` where they are given.
        costs: Group → cost, for one that the summary does not hold.
        covers: What the cost is the cost of.
    """
    lower = quality in summary.lower_is_better
    units = [summary.units.get(number, "") for number in (quality, cost)]
    known: list[Point] = []
    whole: list[int] = []
    missing = []
    for group in summary.groups:
        good, spent = group.estimates[quality], costs[group.name] if costs else group.estimates[cost]
        if good.mean is None or spent.mean is None:
            missing.append(group.name)
            continue
        if not good.missing and not spent.missing:
            whole.append(len(known))
        scales = scale_of(quality, units[0]), scale_of(cost, units[1])
        known.append(
            Point(
                group.name,
                good.mean * scales[0],
                _interval(good, scales[0]),
                spent.mean * scales[1],
                _interval(spent, scales[1], lowest=0.0),
                min(good.n, spent.n),
                on_front=False,
            )
        )
    # A group of which replicates are missing beats none: those that failed may be the bad ones.
    judged = nondominated_mask([(known[at].cost, known[at].quality if lower else -known[at].quality) for at in whole])
    best = {at for at, held in zip(whole, judged, strict=True) if held}
    return ParetoPoints(
        quality=quality,
        cost=cost,
        quality_label=label_of(quality, units[0]),
        cost_label=label_of(cost, units[1]),
        lower_is_better=lower,
        points=tuple(point._replace(on_front=at in best) for at, point in enumerate(known)),
        missing=tuple(missing),
        covers=covers,
    )


def pareto_chart(points: ParetoPoints) -> Plot:
    """Points with their intervals; those on the front filled and joined, their names where no other lies."""
    costs = [point.cost for point in points.points]
    logarithmic = min(costs, default=0.0) > 0 and max(costs) / min(costs) > LOGARITHMIC_FROM
    reached = [value for point in points.points for value in (point.cost, *(point.cost_interval or ()))]
    less = "less" if points.lower_is_better else "more"
    across = scale(reached, f"{points.cost_label}, less is better", logarithmic=logarithmic, pad=0.1)
    heights = [value for point in points.points for value in (point.quality, *(point.quality_interval or ()))]
    up = scale(heights, f"{points.quality_label}, {less} is better", pad=0.1)
    front = points.front
    steps = [(point.cost, before.quality) for before, point in pairwise(front)]
    corners = [corner for pair in zip_longest(((p.cost, p.quality) for p in front), steps) for corner in pair if corner]
    marks: list[Mark] = [Line(tuple(corners), SERIES[0], width=1.6, opacity=0.7)]
    for point in points.points:
        if point.name in points.named:
            ink = SERIES[0] if point.on_front else FAINT
            if point.cost_interval:
                low, high = (min(max(end, across.low), across.high) for end in point.cost_interval)
                marks.append(Whisker(low, high, point.quality, ink=ink))
            if point.quality_interval:
                marks.append(Whisker(*point.quality_interval, point.cost, level=False, ink=ink))
    for held, shape, size, ink in ((False, 3, 8.0, FAINT), (True, 0, 9.0, SERIES[0])):
        chosen = [point for point in points.points if point.on_front == held]
        dots = tuple(Dot(point.cost, point.quality, ink, _tip(points, point)) for point in chosen)
        marks.append(Dots(dots, shape, size, hollow=not held))
    panel = Panel(across, up, (*marks, *_names(points, across, up)))
    stem, title = f"{points.quality}_against_{points.cost}", f"{points.quality} against {points.cost_label}"
    return Plot(file_stem(stem), title, _caption(points), (panel,), height=HEIGHT_IN)


def _caption(points: ParetoPoints) -> str:
    """What the points, the line and the whiskers mean."""
    spread = any(point.quality_interval or point.cost_interval for point in points.points)
    crowded = len(points.named) < len(points.points)
    only = f"; names and whiskers of the front only, {len(points.points)} groups in all" if crowded else ""
    whiskers = "whiskers: 95 % interval of the mean" if spread else "too few replicates for intervals"
    missing = f"; not measured: {', '.join(points.missing)}" if points.missing else ""
    covers = f"; cost of {points.covers}" if points.covers else ""
    n = counts_text(point.n for point in points.points)
    return f"line: groups that no other beats in both; {whiskers}, {n}{only}{covers}{missing}"


def _tip(points: ParetoPoints, point: Point) -> str:
    def number(value: float, interval: tuple[float, float] | None) -> str:
        if interval is None:
            return number_text(value)
        return f"{number_text(value, half_width(*interval))} (95 %: {between_text(*interval)})"

    return (
        f"{point.name}: {points.quality_label} {number(point.quality, point.quality_interval)}, "
        f"{points.cost_label} {number(point.cost, point.cost_interval)}, n = {point.n}"
        f"{', on the front' if point.on_front else ''}"
    )


def _names(points: ParetoPoints, across: Scale, up: Scale) -> Iterator[Words]:
    """Each name beside its point, towards the middle, below or above names that are there already."""
    taken: list[tuple[float, float, float]] = []
    for point in sorted(points.points, key=lambda each: (not each.on_front, each.cost, -each.quality)):
        if point.name not in points.named:
            continue
        name, right = one_line(point.name, 44), across.at(point.cost) < 0.6
        x, y = across.at(point.cost) * PANEL_PT[0], up.at(point.quality) * PANEL_PT[1]
        width = LETTER_PT * len(name)
        start = x + 9.0 if right else x - 9.0 - width
        offsets = sorted((sign * (9.0 + 12.5 * step) for step in range(9) for sign in (1, -1)), key=abs)
        free = [each for each in offsets if _is_free(taken, start, y + each, width)]
        if free:
            taken.append((start, y + free[0], width))
            anchor: Anchor = "start" if right else "end"
            aside = 9.0 if right else -9.0
            yield Words(point.cost, point.quality, name, anchor, faint=not point.on_front, aside=aside, above=free[0])


def _is_free(taken: Sequence[tuple[float, float, float]], start: float, y: float, width: float) -> bool:
    return 5 < y < PANEL_PT[1] - 5 and not any(
        abs(y - other_y) < 12 and start < other + other_width and other < start + width
        for other, other_y, other_width in taken
    )


def costs_of_variants(
    rows: Iterable[Row], summary: StudySummary, nodes: Sequence[str], cost: str
) -> Mapping[str, GroupEstimate]:
    """What each group's variants cost over some nodes, one that variants share counted in full for each.

    A variant of which one node is not measured is not known.

    Args:
        rows: The records.
        summary: Tells the groups.
        nodes: The nodes that are summed.
        cost: `energy_j`, `wall_s`, …
    """
    by = {key_of(group.params): group.name for group in summary.groups}
    trust = trust_of([f"{node}.cost.{cost}" for node in nodes])
    values: dict[str, list[float | None]] = {group.name: [] for group in summary.groups}
    trusted: dict[str, list[Trusted]] = {group.name: [] for group in summary.groups}
    for row in rows:
        name = by.get(key_of({param: row.get(param) for param in summary.groups[0].params}))
        if name is not None:
            parts = [row.get(f"{node}.cost.{cost}") for node in nodes]
            known = [float(part) for part in parts if part is not None and is_finite(part)]
            whole = len(known) == len(parts)
            values[name].append(sum(known) if whole else None)
            if whole and trust:
                trusted[name].append(sum_of([trusted_values([row], number, trust[number])[0] for number in trust]))
    return {name: with_shared_error(estimate(costs), trusted[name]) for name, costs in values.items()}


def _interval(one: GroupEstimate, scale: float, lowest: float = -math.inf) -> tuple[float, float] | None:
    """The interval of a mean, cut where no value can be: there is no cost below nothing."""
    if one.interval is not None:
        return one.interval.low * scale, one.interval.high * scale
    if one.n < FEWEST_FOR_INTERVAL or one.t_interval is None or one.mean is None:
        return None
    low = max(one.t_interval.low, min(lowest, one.mean))
    return low * scale, one.t_interval.high * scale
