"""Means with their spread, side by side: the groups of one study, or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etude.analysis.summary import GroupEstimate, StudySummary
from etude.digits import between_text, number_text, spread_text
from etude.errors import StepError, nearest
from etude.report.charts.chart_names import file_stem, label_of, one_line, scale_of
from etude.report.charts.palette import HATCHES, INK, MARK, colour
from etude.report.charts.plot import (
    Box,
    Boxes,
    Line,
    Mark,
    Panel,
    Plot,
    Scale,
    Whisker,
    Words,
    counts_text,
    more_text,
    name_ticks,
)

MOST_GROUPS = 24
SHORT = "†"
"""Behind a mean of which replicates are missing, as in the tables."""
Estimates = Mapping[str, Mapping[str, GroupEstimate]]
"""Study → group → what the metric comes to."""


def bars(summaries: Mapping[str, StudySummary], metric: str, *, most: int = MOST_GROUPS) -> Plot:
    """The groups of one or several studies in one metric, groups of the same name side by side.

    Bars begin at zero, so that lengths can be compared; whiskers are one standard deviation. Baselines and groups of
    which replicates are missing are marked as in the tables; references are dashed lines.

    Args:
        summaries: Name to be shown → the study's summary; an empty name for a study that stands alone.
        metric: Dotted.
        most: Groups shown at most; of more, the best are, or the first where it is not known what is better.

    Raises:
        StepError: No study has this metric.
    """
    numbers = [number for summary in summaries.values() for number in (*summary.metrics, *summary.costs)]
    if metric not in numbers:
        raise StepError(f"no study has {metric!r}: {nearest(metric, numbers)}")
    having = {name: one for name, one in summaries.items() if metric in (*one.metrics, *one.costs)}
    unit = next((unit for one in having.values() if (unit := one.units.get(metric))), "")
    factor = scale_of(metric, unit)
    estimates = {name: {group.name: group.estimates[metric] for group in one.groups} for name, one in having.items()}
    groups = list(dict.fromkeys(group for row in estimates.values() for group in row))
    directions = {direction for one in having.values() if (direction := one.direction(metric)) is not None}
    lower = directions == {"lower"}
    shown = _best(groups, estimates, most, lower=lower) if len(directions) == 1 else groups[:most]
    baselines = {name: {one.baseline for one in summary.comparisons} for name, summary in having.items()}
    everywhere = {
        group for group in shown if all(group in baselines[name] for name, row in estimates.items() if group in row)
    }
    references = _references(having, metric, factor, len(shown))
    boxes: list[Mark] = []
    beside: list[Mark] = []
    for index, (name, row) in enumerate(estimates.items()):
        series, numbers_of_it = _series(name, row, shown, baselines[name] - everywhere, index, len(estimates), factor)
        boxes.append(series)
        beside += numbers_of_it
    zero = Line(((0.0, -0.5), (0.0, len(shown) - 0.5)), INK, width=1.0)
    names = [f"{one_line(group, 25)} (baseline)" if group in everywhere else group for group in shown]
    panel = Panel(
        _across(estimates, shown, [line.points[0][0] for line in references], label_of(metric, unit), factor),
        Scale(max(1, len(shown)) - 0.5, -0.5, marks=name_ticks(names)),
        (*boxes, *references, zero, *beside),
        grid="x",
    )
    rows = max(1, len(shown)) * (1.0 if len(having) == 1 else 0.55 * len(having) + 0.25)
    caption = _caption(estimates, shown, having, lower=lower) + more_text(len(groups) - len(shown), "group")
    return Plot(file_stem(metric), metric, caption, (panel,), height=0.85 + 0.38 * rows)


def _best(groups: Sequence[str], estimates: Estimates, most: int, *, lower: bool) -> list[str]:
    """As many groups as are to be shown, in their own order."""

    def badness(group: str) -> tuple[bool, float]:
        means = [row[group].mean for row in estimates.values() if group in row]
        signed = [mean if lower else -mean for mean in means if mean is not None]
        return (not signed, min(signed, default=0.0))

    best = set(sorted(groups, key=badness)[:most])
    return [group for group in groups if group in best]


def _series(
    name: str,
    row: Mapping[str, GroupEstimate],
    shown: Sequence[str],
    baselines: set[str],
    index: int,
    many: int,
    factor: float,
) -> tuple[Boxes, list[Mark]]:
    """The bars of one study, and their whiskers and numbers."""
    boxes: list[Box] = []
    beside: list[Mark] = []
    thick = 0.8 / many
    for place, group in enumerate(shown):
        one, at = row.get(group), place - 0.4 + thick * (index + 0.5)
        if one is None or one.mean is None:
            beside.append(Words(0.0, at, "–" if many > 1 else "not known", faint=True, aside=6.0))
            continue
        mean, std = one.mean * factor, None if one.std is None else one.std * factor
        tip = _tip(one, f"{group} ({name})" if name else group, factor)
        boxes.append(Box(min(0.0, mean), max(0.0, mean), at - thick * 0.45, at + thick * 0.45, tip))
        if std:
            beside.append(Whisker(mean - std, mean + std, at))
        side = 1.0 if mean >= 0 else -1.0
        text = number_text(mean, std) + (f" {SHORT}" if one.missing else "")
        text += " (baseline)" if group in baselines else ""
        beside.append(Words(mean + side * (std or 0.0), at, text, "start" if mean >= 0 else "end", aside=6.0 * side))
    return Boxes(tuple(boxes), colour(index), one_line(name), hatch=index % len(HATCHES)), beside


def _tip(one: GroupEstimate, name: str, factor: float) -> str:
    """All that is known of a bar, in words."""
    assert one.mean is not None
    std = None if one.std is None else one.std * factor
    interval = one.t_interval
    between = f", 95 % interval {between_text(interval.low * factor, interval.high * factor)}" if interval else ""
    return f"{name}: {spread_text(one.mean * factor, std)}, n = {one.counts}{between}"


def _across(
    estimates: Estimates, shown: Sequence[str], references: Sequence[float], label: str, factor: float
) -> Scale:
    """From zero to beyond the longest bar, with room for its number."""
    known = [row[group] for row in estimates.values() for group in shown if group in row]
    ends = [(one.mean + sign * (one.std or 0.0)) * factor for one in known if one.mean is not None for sign in (1, -1)]
    low, high = min([0.0, *ends, *references]), max([0.0, *ends, *references])
    room = 0.2 * (high - low) or 1.0
    return Scale(low - room if low < 0 else 0.0, high + room if high > 0 or low == 0 else 0.0, label)


def _references(summaries: Mapping[str, StudySummary], metric: str, factor: float, rows: int) -> list[Line]:
    """The references of all studies; what two have in common stands once."""
    studies: dict[tuple[str, float], list[str]] = {}
    for name, summary in summaries.items():
        for reference in summary.references:
            value = reference.values.get(metric)
            if value is not None:
                studies.setdefault((reference.title, value * factor), []).append(name)
    lines: list[Line] = []
    for (title, value), names in studies.items():
        whose = "" if len(names) == len(summaries) else f" ({', '.join(names)})"
        ends = (value, -0.5), (value, max(1, rows) - 0.5)
        name = f"{one_line(title + whose)}: {number_text(value)}"
        lines.append(Line(ends, MARK, name, width=1.6, dash=len(lines) + 1, tip=name))
    return lines


def _caption(estimates: Estimates, shown: Sequence[str], summaries: Mapping[str, StudySummary], *, lower: bool) -> str:
    """What the bars and their whiskers mean."""
    known = [
        row[group] for row in estimates.values() for group in shown if group in row and row[group].mean is not None
    ]
    repeat = ", ".join(dict.fromkeys(one.repeat for one in summaries.values() if one.repeat))
    spread = any(one.std is not None for one in known)
    whiskers = "mean ± sample standard deviation" if spread else "one value each, no spread known"
    over = f" over {repeat}" if repeat else ""
    better = "; lower is better" if lower else ""
    short = f"; {SHORT} replicates are missing" if any(one.missing for one in known) else ""
    return f"{whiskers}{over}, {counts_text(one.n for one in known)}{better}{short}"
