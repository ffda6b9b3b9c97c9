"""A summary laid out as a table: what stands in which cell, before anything is said of how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etude.analysis.summary import Estimate, Scalar, Summary
from etude.digits import Spread, spread, spread_text


class Cell(NamedTuple):
    """A mean with its spread."""

    mean: float | None
    std: float | None
    best: bool = False

    def shown(self) -> Spread | None:
        """Both rounded to the digits that the spread allows; None where nothing is known."""
        return None if self.mean is None else spread(self.mean, self.std)

    def text(self) -> str:
        """The same as one text."""
        return spread_text(self.mean, self.std)


class Line(NamedTuple):
    """One row of the table."""

    labels: tuple[str, ...]
    """One per label column."""
    n: str
    """Values behind the means: `5`, `3–5` if metrics differ, `2 of 5` if some are missing; empty for references."""
    cells: tuple[Cell, ...]
    """One per metric."""


class Layout(NamedTuple):
    """A table of means: groups first, then the references to read them by."""

    label_columns: tuple[str, ...]
    metric_columns: tuple[str, ...]
    groups: tuple[Line, ...]
    references: tuple[Line, ...]
    notes: tuple[str, ...]


def laid_out(summary: Summary) -> Layout:
    """The table of a summary's metrics, best means marked."""
    best = {metric: _best(summary, metric) for metric in summary.metrics}
    groups = [
        Line(
            labels=tuple(spoken(group.params[name]) for name in summary.varied) or (group.name,),
            n=_counts([group.estimates[metric] for metric in summary.metrics]),
            cells=tuple(
                Cell(found.mean, found.std, group.name in best[metric])
                for metric in summary.metrics
                for found in [group.estimates[metric]]
            ),
        )
        for group in summary.groups
    ]
    width = max(1, len(summary.varied))
    references = [
        Line(
            labels=(reference.title, *[""] * (width - 1)),
            n="",
            cells=tuple(Cell(reference.values.get(metric), None) for metric in summary.metrics),
        )
        for reference in summary.references
    ]
    return Layout(
        label_columns=summary.varied or ("group",),
        metric_columns=short_names(summary.metrics),
        groups=tuple(groups),
        references=tuple(references),
        notes=(*summary.notes, *(f"{one.title}: {one.note}" for one in summary.references if one.note)),
    )


def short_names(metrics: Sequence[str]) -> tuple[str, ...]:
    """Metrics without their node's name where all are of one node."""
    nodes = {metric.partition(".")[0] for metric in metrics}
    return tuple(metric.partition(".")[2] or metric for metric in metrics) if len(nodes) == 1 else tuple(metrics)


def spoken(value: Scalar) -> str:
    """A param's value as a table shows it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _best(summary: Summary, metric: str) -> frozenset[str]:
    """The groups to be marked; none of one."""
    return frozenset() if len(summary.groups) < 2 else summary.best(metric)


def _counts(estimates: Sequence[Estimate]) -> str:
    counts = sorted({one.n for one in estimates})
    if not counts:
        return ""
    least = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    whole = max(one.n + one.missing for one in estimates)
    return f"{least} of {whole}" if any(one.missing for one in estimates) else least
