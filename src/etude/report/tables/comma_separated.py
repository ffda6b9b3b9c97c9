"""A summary as CSV (RFC 4180): one row per group and reference, every number in full."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from etude.analysis.summary import GroupEstimate, StudySummary
from etude.interchange import json_text, safe_cell
from etude.report.tables.means_table import apart, spoken

NUMBERS = ("n", "missing", "mean", "std", "median", "iqm")
TRUST = ("quality", "method", "low", "high")
"""Of a physical number, behind the others: how it was got, and the ends of the interval of its mean."""


def csv_text(summary: StudySummary) -> str:
    """Columns: `kind` (group or reference), `name`, `role` (baseline or reference), the varied params, all numbers.

    The parts of a number are `n`, `missing` (replicates without a value), `mean`, `std`, `median`, `iqm`; of a physical
    number also `quality`, `method`, `low` and `high`, of one with a unit `unit`. What is not known is an empty field.
    Costs stand behind the metrics. A param that is called like another column is `param.<name>`.
    """
    numbers = (*summary.metrics, *(cost for cost in summary.costs if cost not in summary.metrics))
    columns = [(number, part) for number in numbers for part in _parts(summary, number)]
    heads = [f"{number}_{part}" for number, part in columns]
    labels = apart(summary.varied, ["kind", "name", "role", *heads], "param.")
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    baselines = {one.baseline for one in summary.comparisons}

    def write(cells: list[str]) -> None:
        writer.writerow(map(safe_cell, cells))

    write(["kind", "name", "role", *labels, *heads])
    for group in summary.groups:
        params = [spoken(group.params[name]) for name in summary.varied]
        found = [_field(summary, group.estimates[number], number, part) for number, part in columns]
        role = "baseline" if group.name in baselines else ""
        write(["group", group.name, role, *params, *found])
    for reference in summary.references:
        blank = [""] * len(summary.varied)
        values = [reference.values.get(number) if part == "mean" else None for number, part in columns]
        write(["reference", reference.title, "reference", *blank, *map(_text, values)])
    return out.getvalue()


def _parts(summary: StudySummary, number: str) -> tuple[str, ...]:
    physical = any(group.estimates[number].quality for group in summary.groups)
    return NUMBERS + (TRUST if physical else ()) + (("unit",) if number in summary.units else ())


def _field(summary: StudySummary, found: GroupEstimate, number: str, part: str) -> str:
    if part == "unit":
        return summary.units[number]
    if part in ("low", "high"):
        return _text(getattr(found.interval, part, None))
    return _text(getattr(found, part))


def _text(value: str | float | None) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def rows_text(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Rows as CSV: numbers in full, what is missing empty, lists and mappings as JSON."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(map(safe_cell, columns))
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return json_text(value) if isinstance(value, (list, tuple, dict)) else safe_cell(value)
