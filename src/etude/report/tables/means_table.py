"""A summary laid out as a table: what stands in which cell, before anything is said of how it is drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from etude.analysis.summary import GroupEstimate, Scalar, StudySummary
from etude.digits import UNKNOWN, Spread, between_text, half_width, number, spread
from etude.meter.sources.quantity import Quality, worst

SHORT = "†"
"""Behind a mean of which replicates are missing."""
BETWEEN = "95 % by the spread over replicates and the error of the method, which they share"


class MeanCell(NamedTuple):
    """A mean with its spread."""

    mean: float | None
    std: float | None
    best: bool = False
    trusted: bool = False
    """Whether it is a physical number, which has an interval and no bare spread: that would hide its method's error."""
    interval: tuple[float, float] | None = None
    """Of a physical number, by the error of its method and the spread."""
    short: bool = False
    """Whether replicates are missing: then it is never the best."""

    def shown(self) -> Spread | None:
        """Mean and spread, rounded to the digits that the spread or the interval allows; None for nothing known."""
        if self.mean is None:
            return None
        if not self.trusted:
            return spread(self.mean, self.std)
        return Spread(number(self.mean, half_width(*self.interval) if self.interval else None), None)

    def between(self) -> str:
        """The interval of a physical number as text; empty where there is none."""
        return between_text(*self.interval) if self.interval and self.mean is not None else ""

    def text(self) -> str:
        """All of it as one text: `0.809 ± 0.013`, `0.61 (0.14 to 1.54)`."""
        shown, between = self.shown(), self.between()
        told = UNKNOWN if shown is None else f"{shown} ({between})" if between else str(shown)
        return f"{told} {SHORT}" if self.short and shown is not None else told


class TableRow(NamedTuple):
    """One row of the table."""

    labels: tuple[str, ...]
    """One per label column."""
    n: str
    """Values behind the means: `5`, `3–5` if metrics differ, `2 of 5` if some are missing; empty for references."""
    cells: tuple[MeanCell, ...]
    """One per metric."""
    role: str = ""
    """`baseline` for a group that others are compared with, `reference` for what is no group."""

    def label_texts(self) -> tuple[str, ...]:
        """The labels, the role behind the first."""
        first, *others = self.labels
        return (f"{first} ({self.role})" if self.role else first, *others)


class MeansTable(NamedTuple):
    """A table of means: groups first, then the references to read them by."""

    label_columns: tuple[str, ...]
    metric_columns: tuple[str, ...]
    groups: tuple[TableRow, ...]
    references: tuple[TableRow, ...]
    notes: tuple[str, ...]


def means_table(summary: StudySummary) -> MeansTable:
    """The table of a summary's metrics, best means marked."""
    best = {metric: _best(summary, metric) for metric in summary.metrics}
    baselines = {one.baseline for one in summary.comparisons}
    groups = [
        TableRow(
            labels=tuple(spoken(group.params[name]) for name in summary.varied) or (group.name,),
            n=_counts([group.estimates[metric] for metric in summary.metrics]),
            cells=tuple(
                _cell(one, best=group.name in best[metric])
                for metric in summary.metrics
                for one in [group.estimates[metric]]
            ),
            role="baseline" if group.name in baselines else "",
        )
        for group in summary.groups
    ]
    width = max(1, len(summary.varied))
    references = [
        TableRow(
            labels=(reference.title, *[""] * (width - 1)),
            n="",
            cells=tuple(MeanCell(reference.values.get(metric), None) for metric in summary.metrics),
            role="reference",
        )
        for reference in summary.references
    ]
    names = short_names(summary.metrics)
    heads = [_head(summary, metric, name) for metric, name in zip(summary.metrics, names, strict=True)]
    columns = apart(heads, ("n",), "metric ")
    notes = [*summary.notes, *_methods(summary), *_windows_left_out(summary)]
    if any(cell.short and cell.mean is not None for line in groups for cell in line.cells):
        notes.append(f"{SHORT} replicates are missing")
    notes += [f"{one.title}: {one.note}" for one in summary.references if one.note]
    return MeansTable(
        label_columns=apart(summary.varied or ("group",), ("n", *names, *columns), "param "),
        metric_columns=columns,
        groups=tuple(groups),
        references=tuple(references),
        notes=tuple(notes),
    )


def _cell(one: GroupEstimate, *, best: bool) -> MeanCell:
    between = (one.interval.low, one.interval.high) if one.interval else None
    return MeanCell(one.mean, one.std, best, bool(one.quality), between, bool(one.missing))


def _head(summary: StudySummary, metric: str, name: str) -> str:
    """What stands above a column: the metric's name, its unit and, of a physical number, how it was got."""
    words = [summary.units.get(metric, ""), quality_of(summary, metric)]
    told = ", ".join(word for word in words if word)
    return f"{name} ({told})" if told else name


def quality_of(summary: StudySummary, metric: str) -> str:
    """The worst quality of a physical number in any group; empty for other numbers."""
    qualities = [group.estimates[metric].quality for group in summary.groups]
    return str(worst(Quality(quality) for quality in qualities if quality)) if any(qualities) else ""


def _methods(summary: StudySummary) -> Iterator[str]:
    """How the physical numbers of the table were got, where groups differ for each."""
    for metric, name in zip(summary.metrics, short_names(summary.metrics), strict=True):
        by: dict[tuple[str, str], list[str]] = {}
        for group in summary.groups:
            one = group.estimates[metric]
            if one.quality:
                by.setdefault((one.quality, one.method), []).append(group.name)
        for (quality, method), names in by.items():
            whose = f" in {', '.join(names)}" if len(by) > 1 else ""
            yield f"{name}: {quality}{whose} ({method or 'method not told'}); in brackets {BETWEEN}"


def _windows_left_out(summary: StudySummary) -> Iterator[str]:
    """Nodes with more kinds of windows than the records have columns for."""
    for cost in summary.costs:
        if not cost.endswith(".cost.windows_left_out"):
            continue
        left = max((group.estimates[cost].high or 0 for group in summary.groups), default=0)
        if left:
            yield f"{cost.partition('.')[0]}: {left:.0f} kinds of windows are in the manifest alone, not in the records"


def apart(names: Sequence[str], others: Collection[str], prefix: str) -> tuple[str, ...]:
    """Names of columns, those that others have as well under a prefix that tells them apart."""
    columns: list[str] = []
    for name in names:
        while name in others or name in columns:
            name = f"{prefix}{name}"
        columns.append(name)
    return tuple(columns)


def short_names(metrics: Sequence[str]) -> tuple[str, ...]:
    """Metrics without their node's name where all are of one node."""
    nodes = {metric.partition(".")[0] for metric in metrics}
    return tuple(metric.partition(".")[2] or metric for metric in metrics) if len(nodes) == 1 else tuple(metrics)


def spoken(value: Scalar) -> str:
    """A param's value as a table shows it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _best(summary: StudySummary, metric: str) -> frozenset[str]:
    """The groups to be marked; none of one."""
    return frozenset() if len(summary.groups) < 2 else summary.best(metric)


def _counts(estimates: Sequence[GroupEstimate]) -> str:
    counts = sorted({one.n for one in estimates})
    if not counts:
        return ""
    least = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    whole = max(one.n + one.missing for one in estimates)
    return f"{least} of {whole}" if any(one.missing for one in estimates) else least
