"""Quality against cost: which groups no other group beats in both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from etude.analysis.estimates import estimate
from etude.analysis.grouping import Row, is_finite, key_of
from etude.analysis.summary import Estimate, Summary
from etude.analysis.trust import Trusted, sum_of, trusted_values, with_shared_error
from etude.execute.node_metering import trust_of
from etude.report.charts.labels import label_of, scale_of

FEWEST_FOR_INTERVAL = 3
"""Of two values the interval is that wide that it hides the chart."""


MOST_TOLD = 12
"""More points than this would hide each other behind names and whiskers."""


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
    def told(self) -> frozenset[str]:
        """The points that have their name and their whiskers: all, or of many those on the front."""
        crowded = len(self.points) > MOST_TOLD
        return frozenset(point.name for point in self.points if point.on_front or not crowded)

    @property
    def caption(self) -> str:
        """What the points, the line and the whiskers mean."""
        counts = sorted({point.n for point in self.points})
        spread = any(point.quality_interval or point.cost_interval for point in self.points)
        crowded = len(self.told) < len(self.points)
        only = f"; names and whiskers of the front only, {len(self.points)} groups in all" if crowded else ""
        whiskers = "whiskers: 95 % interval of the mean" if spread else "too few replicates for intervals"
        n = f"n = {counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "") if counts else "n = 0"
        missing = f"; not measured: {', '.join(self.missing)}" if self.missing else ""
        covers = f"; cost of {self.covers}" if self.covers else ""
        return f"line: groups that no other beats in both; {whiskers}, {n}{only}{covers}{missing}"


def pareto_points(
    summary: Summary, quality: str, cost: str, costs: Mapping[str, Estimate] | None = None, covers: str = ""
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
    judged = on_front([(known[at].cost, known[at].quality if lower else -known[at].quality) for at in whole])
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


def on_front(values: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    """For each pair, both to be small, whether no other is at least as small in both and smaller in one."""
    best: float | None = None
    held = [False] * len(values)
    order = sorted(range(len(values)), key=lambda index: values[index])
    for place, index in enumerate(order):
        first, second = values[index]
        if best is None or second < best:
            best = second
            held[index] = True
        elif place and held[order[place - 1]] and values[order[place - 1]] == (first, second):
            held[index] = True
    return tuple(held)


def costs_of_variants(rows: Iterable[Row], summary: Summary, nodes: Sequence[str], cost: str) -> Mapping[str, Estimate]:
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
    return {name: with_shared_error(estimate(found), trusted[name]) for name, found in values.items()}


def _interval(found: Estimate, scale: float, lowest: float = -math.inf) -> tuple[float, float] | None:
    """The interval of a mean, cut where no value can be: there is no cost below nothing."""
    if found.interval is not None:
        return found.interval.low * scale, found.interval.high * scale
    if found.n < FEWEST_FOR_INTERVAL or found.t_interval is None or found.mean is None:
        return None
    low = max(found.t_interval.low, min(lowest, found.mean))
    return low * scale, found.t_interval.high * scale
