"""Learning curves: a number over the steps of training, for each group and each of its replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from etude.analysis.grouping import is_finite
from etude.report.charts.labels import label_of, scale_of

AXES = ("step", "epoch")
MOST_CURVES = 9
MOST_POINTS = 400


class Curve(NamedTuple):
    """One group."""

    name: str
    runs: tuple[tuple[tuple[float, float], ...], ...]
    """For each replicate its points."""
    mean: tuple[tuple[float, float], ...]
    """Where every replicate has a value."""


class Curves(NamedTuple):
    """One number over training."""

    node: str
    column: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    left_out: int

    @property
    def caption(self) -> str:
        """What the lines mean."""
        counts = sorted({len(curve.runs) for curve in self.curves})
        n = f"n = {counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "") if counts else "n = 0"
        more = f"; {self.left_out} more group{'s' * (self.left_out > 1)} not shown" if self.left_out else ""
        return f"thick: mean where every replicate has a value; thin: each replicate, {n}{more}"


def is_curve(columns: Sequence[str], rows: int) -> bool:
    """Whether a table with these columns is a learning curve."""
    return rows > 1 and any(axis in columns for axis in AXES) and len(set(columns) - set(AXES)) > 0


def learning_curves(
    node: str,
    found: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]],
    units: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Curves, ...]:
    """A chart for each number that the tables have.

    Args:
        node: The node that gave them.
        found: Group → for each replicate, the rows of its table.
        units: Column → its unit, as the table declares it.
    """
    tables = [rows for runs in found.values() for rows in runs if rows]
    if not tables:
        return ()
    axis = next(axis for axis in AXES if axis in tables[0][0])
    columns = dict.fromkeys(name for rows in tables for name in rows[0] if name not in AXES)
    numeric = [name for name in columns if any(is_finite(row.get(name)) for rows in tables for row in rows)]
    names = list(found)
    return tuple(
        Curves(
            node=node,
            column=column,
            x_label=axis,
            y_label=label_of(column, units.get(column, "")),
            curves=tuple(
                _curve(name, found[name], axis, column, scale_of(column, units.get(column, "")))
                for name in names[:MOST_CURVES]
            ),
            left_out=max(0, len(names) - MOST_CURVES),
        )
        for column in numeric
    )


def _curve(name: str, runs: Sequence[Sequence[Mapping[str, Any]]], axis: str, column: str, scale: float) -> Curve:
    def is_point(row: Mapping[str, Any]) -> bool:
        return is_finite(row.get(axis)) and is_finite(row.get(column))

    points = [{float(row[axis]): float(row[column]) * scale for row in rows if is_point(row)} for rows in runs]
    common = sorted(set.intersection(*(set(each) for each in points))) if points else []
    mean = [(at, sum(each[at] for each in points) / len(points)) for at in common]
    return Curve(name, tuple(_thinned(sorted(each.items())) for each in points), _thinned(mean))


def _thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """As many points as a chart can show, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return tuple(points)
    last = len(points) - 1
    return tuple(points[round(index * last / (MOST_POINTS - 1))] for index in range(MOST_POINTS))
