"""Which columns of the records are params, metrics and costs, and their rows as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etude.graph.metric import Metric
from etude.graph.pipeline import OWN_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of a table of records mean."""

    params: tuple[str, ...]
    repeat: str | None
    metrics: tuple[str, ...]
    """Dotted, `node.metric`; numbers only."""
    costs: tuple[str, ...]
    """Dotted, `node.cost.wall_s`."""
    declared: Mapping[str, Metric] = field(default_factory=dict)
    """What steps say of their metrics: dotted name → unit and direction."""
    trust: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Cost → the columns that say how far its values can be trusted: `quality`, `method`, `low`, `high`."""


def columns_of(records: pa.Table, *, repeat: str | None = None) -> Columns:
    """Read the meaning of the columns from the schema's metadata `etude`; without it, by their names.

    Args:
        records: One row per variant.
        repeat: The replicated param; None for the one that the metadata name.
    """
    said = _said(records)
    dotted = [name for name in records.column_names if "." in name]
    by_name = {
        "params": [name for name in records.column_names if "." not in name and name not in OWN_COLUMNS],
        "metrics": [name for name in dotted if ".cost." not in name],
        "costs": [name for name in dotted if ".cost." in name],
    }
    return Columns(
        params=_present(said.get("params", by_name["params"]), records),
        repeat=repeat or said.get("repeat"),
        metrics=_numeric(said.get("metrics", by_name["metrics"]), records),
        costs=_numeric(said.get("costs", by_name["costs"]), records),
        declared={name: Metric.from_json(one) for name, one in said.get("declared", {}).items()},
        trust=said.get("trust", {}),
    )


def rows_of(records: pa.Table) -> list[Mapping[str, Any]]:
    """The rows, in order, as mappings: the very values, also where a column holds them as JSON; None is missing."""
    rows: list[dict[str, Any]] = records.to_pylist()
    for name in _present(_said(records).get("json", ()), records):
        for row in rows:
            row[name] = None if row[name] is None else json.loads(row[name])
    return [*rows]


def _said(records: pa.Table) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((records.schema.metadata or {}).get(b"etude", b"{}"))
    return found


def _present(names: Sequence[str], records: pa.Table) -> tuple[str, ...]:
    return tuple(name for name in names if name in records.column_names)


def _numeric(names: Sequence[str], records: pa.Table) -> tuple[str, ...]:
    import pyarrow as pa

    kinds = {name: records.schema.field(name).type for name in _present(names, records)}
    number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return tuple(name for name, kind in kinds.items() if any(holds(kind) for holds in number))
