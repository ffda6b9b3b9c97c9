"""Means with their spread, side by side: the groups of one study, or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from etude.analysis.summary import Estimate, Summary
from etude.errors import StepError, nearest
from etude.report.charts.labels import label_of, scale_of

MOST_GROUPS = 24


class Bar(NamedTuple):
    """One group in one study."""

    mean: float | None
    std: float | None
    """Sample standard deviation; None for fewer than two values."""
    n: int
    interval: tuple[float, float] | None
    """95 % by Student's t."""


class Mark(NamedTuple):
    """A value to read the bars by: a baseline that is no part of what varies."""

    title: str
    value: float


class Bars(NamedTuple):
    """One number over groups, in one study or in several."""

    metric: str
    """Dotted."""
    label: str
    """With its unit."""
    series: tuple[str, ...]
    """Names of the studies; one empty name for a study that stands alone."""
    groups: tuple[str, ...]
    values: tuple[tuple[Bar, ...], ...]
    """By series, then by group."""
    marks: tuple[Mark, ...]
    lower_is_better: bool
    left_out: int
    """Groups that are not shown, for there are too many: the worst, or the last where none is known to be worse."""
    repeat: str
    """The replicated param, empty where none is."""

    @property
    def counts(self) -> tuple[int, ...]:
        """The different numbers of values behind the means."""
        return tuple(sorted({bar.n for row in self.values for bar in row if bar.mean is not None}))

    @property
    def caption(self) -> str:
        """What the bars and their whiskers mean."""
        over = f" over {self.repeat}" if self.repeat else ""
        spread = any(bar.std is not None for row in self.values for bar in row)
        whiskers = "mean ± sample standard deviation" if spread else "one value each, no spread known"
        more = f"; {self.left_out} more group{'s' * (self.left_out > 1)} not shown" if self.left_out else ""
        better = "; lower is better" if self.lower_is_better else ""
        return f"{whiskers}{over}, {counted(self.counts)}{better}{more}"


def counted(counts: Sequence[int]) -> str:
    """`n = 3`, or `n = 2 to 3` where groups differ."""
    if not counts:
        return "n = 0"
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def bars(summary: Summary, metric: str, *, most: int = MOST_GROUPS) -> Bars:
    """The groups of one study in one metric; StepError where the study has no such metric."""
    return bars_of_studies({"": summary}, metric, most=most)


def bars_of_studies(summaries: Mapping[str, Summary], metric: str, *, most: int = MOST_GROUPS) -> Bars:
    """The groups of several studies in one metric, groups of the same name side by side.

    Args:
        summaries: Name to be shown → the study's summary.
        metric: Dotted.
        most: Groups shown at most; of more, the best are, or the first where it is not known what is better.

    Raises:
        StepError: No study has this metric.
    """
    known = [name for summary in summaries.values() for name in (*summary.metrics, *summary.costs)]
    if metric not in known:
        raise StepError(f"no study has {metric!r}: {nearest(metric, known)}")
    said = {direction for one in summaries.values() if (direction := one.direction(metric)) is not None}
    unit = _unit(summaries, metric)
    lower = said == {"lower"}
    found = {
        name: {group.name: _bar(group.estimates[metric], scale_of(metric, unit)) for group in summary.groups}
        for name, summary in summaries.items()
        if metric in (*summary.metrics, *summary.costs)
    }
    everyone = list(dict.fromkeys(group for row in found.values() for group in row))
    shown = _best(everyone, found, most, lower=lower) if len(said) == 1 else tuple(everyone[:most])
    nothing = Bar(None, None, 0, None)
    return Bars(
        metric=metric,
        label=label_of(metric, unit),
        series=tuple(found),
        groups=shown,
        values=tuple(tuple(row.get(group, nothing) for group in shown) for row in found.values()),
        marks=_marks({name: summaries[name] for name in found}, metric),
        lower_is_better=lower,
        left_out=len(everyone) - len(shown),
        repeat=", ".join(dict.fromkeys(one.repeat for one in summaries.values() if one.repeat)),
    )


def _bar(found: Estimate, scale: float) -> Bar:
    between = found.t_interval
    return Bar(
        None if found.mean is None else found.mean * scale,
        None if found.std is None else found.std * scale,
        found.n,
        (between.low * scale, between.high * scale) if between else None,
    )


def _best(groups: Sequence[str], found: Mapping[str, Mapping[str, Bar]], most: int, *, lower: bool) -> tuple[str, ...]:
    """As many groups as are to be shown, in their own order."""
    if len(groups) <= most:
        return tuple(groups)

    def badness(group: str) -> tuple[bool, float]:
        means = [row[group].mean for row in found.values() if group in row]
        known = [mean if lower else -mean for mean in means if mean is not None]
        return (not known, min(known, default=0.0))

    kept = set(sorted(groups, key=badness)[:most])
    return tuple(group for group in groups if group in kept)


def _unit(summaries: Mapping[str, Summary], metric: str) -> str:
    return next((unit for summary in summaries.values() if (unit := summary.units.get(metric))), "")


def _marks(summaries: Mapping[str, Summary], metric: str) -> tuple[Mark, ...]:
    """The references of all studies; what two have in common stands once."""
    found: dict[tuple[str, float], list[str]] = {}
    for name, summary in summaries.items():
        for reference in summary.references:
            value = reference.values.get(metric)
            if value is not None:
                found.setdefault((reference.title, value * scale_of(metric, _unit(summaries, metric))), []).append(name)
    return tuple(
        Mark(title if len(names) == len(summaries) else f"{title} ({', '.join(names)})", value)
        for (title, value), names in found.items()
    )
