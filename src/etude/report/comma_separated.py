"""A summary as CSV (RFC 4180): one row per group and reference, every number in full."""

from __future__ import annotations

import csv
import io

from etude.analysis.summary import Summary
from etude.report.layout import spoken

NUMBERS = ("n", "missing", "mean", "std", "median", "iqm")


def csv_text(summary: Summary) -> str:
    """Columns: `kind` (group or reference), `name`, the varied params, and the parts of each number.

    These are `n`, `missing` (replicates without a value), `mean`, `std`, `median`, `iqm`. What is not known is an empty
    field. Costs stand behind the metrics.
    """
    numbers = (*summary.metrics, *(cost for cost in summary.costs if cost not in summary.metrics))
    out = io.StringIO(newline="")
    write = csv.writer(out).writerow
    write(["kind", "name", *summary.varied, *(f"{number}_{part}" for number in numbers for part in NUMBERS)])
    for group in summary.groups:
        params = [spoken(group.params[name]) for name in summary.varied]
        found = [getattr(group.estimates[number], part) for number in numbers for part in NUMBERS]
        write(["group", group.name, *params, *map(_field, found)])
    for reference in summary.references:
        blank = [""] * len(summary.varied)
        found = [reference.values.get(number) if part == "mean" else None for number in numbers for part in NUMBERS]
        write(["reference", reference.title, *blank, *map(_field, found)])
    return out.getvalue()


def _field(value: float | None) -> str:
    return "" if value is None else repr(value)
