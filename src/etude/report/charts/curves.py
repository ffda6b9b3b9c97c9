"""Learning curves: a number over the steps of training, for each group and each of its replicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from etude.analysis.grouping import is_finite
from etude.digits import number_text
from etude.report.charts.chart_names import file_stem, label_of, one_line, scale_of
from etude.report.charts.palette import colour
from etude.report.charts.plot import Dot, Dots, Line, Mark, Panel, Plot, counts_text, more_text, scale, ticks
from etude.store.files.manifest import Manifest
from etude.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

AXES = ("step", "epoch")
MOST_CURVES = 9
MOST_POINTS = 400
MOST_DOTS = 12
MOST_CURVE_BYTES = 4_000_000
"""Larger tables are data, not curves."""
Points = Sequence[tuple[float, float]]


def is_curve(columns: Sequence[str], rows: int) -> bool:
    """Whether a table with these columns is a learning curve."""
    return rows > 1 and any(axis in columns for axis in AXES) and len(set(columns) - set(AXES)) > 0


def curve_tables(store: Store, manifest: Manifest) -> Iterator[tuple[str | None, pa.Table]]:
    """The items of a result that are learning curves, with their tables; None for the result itself."""
    items: list[Any] = (
        manifest.codec.get("items", []) if manifest.codec.get("codec") == "composite" else [[None, manifest.codec]]
    )
    sizes = {file.path: file.size for file in manifest.files}
    for item, codec in items:
        is_table = codec.get("codec") == "arrow" and codec.get("of") == "arrow"
        if is_table and sizes.get(codec["file"], 0) < MOST_CURVE_BYTES:
            table: pa.Table = store.read(manifest.fingerprint, item=item)
            if is_curve(table.column_names, table.num_rows):
                yield item, table


def learning_curves(
    node: str,
    groups: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]],
    units: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Plot, ...]:
    """A chart for each number that the tables have: thick the mean of each group, thin each of its replicates.

    Args:
        node: The node that gave them.
        groups: Group → for each replicate, the rows of its table.
        units: Column → its unit, as the table declares it.
    """
    tables = [rows for runs in groups.values() for rows in runs if rows]
    if not tables:
        return ()
    axis = next(axis for axis in AXES if axis in tables[0][0])
    columns = dict.fromkeys(name for rows in tables for name in rows[0] if name not in AXES)
    numeric = [name for name in columns if any(is_finite(row.get(name)) for rows in tables for row in rows)]
    return tuple(_chart(node, axis, column, units.get(column, ""), groups) for column in numeric)


def _chart(
    node: str, axis: str, column: str, unit: str, groups: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
) -> Plot:
    label, factor = label_of(column, unit), scale_of(column, unit)
    shown = {name: _points(groups[name], axis, column, factor) for name in [*groups][:MOST_CURVES]}
    marks: list[Mark] = []
    for index, (name, runs) in enumerate(shown.items()):
        marks += _curve(name, runs, index, len(shown), label, axis)
    places = [point for runs in shown.values() for run in runs for point in run]
    across = scale((x for x, _ in places), axis, pad=0.02)
    low, high = (min((x for x, _ in places), default=0.0), max((x for x, _ in places), default=1.0))
    whole = tuple((tick, f"{tick:.0f}") for tick in ticks(low, high, 8) if tick == round(tick) and low <= tick <= high)
    panel = Panel(across._replace(marks=whole), scale((y for _, y in places), label), tuple(marks))
    n = counts_text(len(runs) for runs in shown.values())
    caption = f"thick: mean where every replicate has a value; thin: each replicate, {n}"
    caption += more_text(len(groups) - len(shown), "group")
    return Plot(file_stem(f"{node}.{column}_curves"), f"{node}: {label}", caption, (panel,), height=4.0)


def _points(runs: Sequence[Sequence[Mapping[str, Any]]], axis: str, column: str, factor: float) -> list[Points]:
    """Of each replicate the points at which both numbers are known."""
    return [
        sorted(
            {
                float(row[axis]): float(row[column]) * factor
                for row in rows
                if is_finite(row.get(axis)) and is_finite(row.get(column))
            }.items()
        )
        for rows in runs
    ]


def _curve(name: str, runs: Sequence[Points], index: int, many: int, label: str, axis: str) -> Iterator[Mark]:
    ink, legend = colour(index), one_line(name, 40) if many > 1 else ""
    values = [dict(run) for run in runs]
    common = sorted(set.intersection(*(set(each) for each in values))) if values else []
    mean = [(at, sum(each[at] for each in values) / len(values)) for at in common]
    for run in runs if len(runs) > 1 else ():
        yield Line(tuple(_thinned(run, MOST_POINTS)), ink, legend, width=0.8, opacity=0.45)
    yield Line(tuple(_thinned(mean, MOST_POINTS)), ink, legend, width=2.2)
    dots = (
        Dot(x, y, ink, f"{name}: {label} {number_text(y)} at {axis} {number_text(x)}, n = {len(runs)}")
        for x, y in _thinned(mean, MOST_DOTS)
    )
    yield Dots(tuple(dots), index, 7.5, legend)


def _thinned(points: Points, most: int) -> Points:
    """As many points as a chart can show, the first and the last among them."""
    if len(points) <= most:
        return points
    last = len(points) - 1
    return [points[round(index * last / (most - 1))] for index in range(most)]
