"""The table of records: one row per variant, with its params, its metrics and what every node cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etude.analysis.records import rows_of
from etude.errors import DamagedArtifact
from etude.execute.arrow_columns import column
from etude.execute.node_metering import CONDITIONS, cost_columns, trust_of
from etude.execute.task import RefRow, ref_row
from etude.identity.observed import unseeded_generators
from etude.store.codecs import flatten_metrics
from etude.store.files.manifest import Manifest
from etude.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from etude.graph.node import Node

_INT64 = 2**63
_TOO_LARGE = 2**1024
MARK = 16
"""Digits of a fingerprint by which `results` tells one result from another."""
MOST_TOLD = 200
"""Characters of an error in `missing`."""


def record_table(store: Store, rows: Sequence[RefRow], settings: Mapping[str, object]) -> pa.Table:
    """Gather one row per variant.

    Columns: `variant`, `status`, the params by name, metrics as `node.metric`, costs as `node.cost.wall_s`; then
    `missing` (why a row is not complete), `results` (JSON: node → the first digits of its result's fingerprint, which
    tell results that rows share) and `accepted`, the nodes whose result was adopted from other code. What is missing is
    null. The schema's metadata `etude` tells which column is what.
    """
    read: dict[str, dict[str, object]] = {}
    flat = [row_values(store, row, read) for row in rows]
    return as_table(flat, settings)


def current_records(store: Store, records: Node) -> pa.Table:
    """The table of records as the store has it now.

    A result that is gone although all that was made of it is there has its metrics and costs from the stored table.
    """
    read: dict[str, dict[str, object]] = {}
    rows = [ref_row(row) for row in records.rows]
    flat = [row_values(store, row, read) for row in rows]
    if any(values["status"] == "incomplete" for values in flat) and (earlier := _stored_rows(store, records)):
        flat = [_completed(store, *each) for each in zip(rows, flat, earlier, strict=True)]
    return as_table(flat, records.settings)


def _stored_rows(store: Store, records: Node) -> list[dict[str, object]]:
    """The rows of the table of records that is stored; none where there is none."""
    if not isinstance(store.inspect(records.fingerprint), Manifest):
        return []
    try:
        rows = [dict(row) for row in rows_of(store.read(records.fingerprint))]
    except DamagedArtifact:
        return []
    return rows if len(rows) == len(records.rows) else []


def _completed(
    store: Store, row: RefRow, values: dict[str, object], earlier: Mapping[str, object]
) -> dict[str, object]:
    """A row with what the stored table says of results that are gone."""
    gone = [name for name, fingerprint, _ in row.nodes if not isinstance(store.inspect(fingerprint), Manifest)]
    if not gone or earlier.get("status") != "done":
        return values
    known = {name: value for name, value in earlier.items() if name.partition(".")[0] in gone and "." in name}
    return {**values, **known, "status": "done", "missing": None}


def as_table(rows: Sequence[Mapping[str, object]], settings: Mapping[str, object]) -> pa.Table:
    """Rows as an Arrow table with every column that any row has, in the order first met.

    A column of whole and of broken numbers is one of broken numbers. Values that no type of column tells apart (text
    beside numbers, lists) are written as JSON text; the metadata's `json` names such columns, and `rows_of` gives
    back the very values.
    """
    import pyarrow as pa

    columns = list(dict.fromkeys(name for row in rows for name in row))
    params = [str(name) for name in _list(settings.get("params"))]
    trust = trust_of(columns)
    attributes = {name for parts in trust.values() for name in parts.values()}
    arrays, written = [], []
    for name in columns:
        values = [row.get(name) for row in rows]
        kind = _kind_of(values, name in params)
        written += [name] if kind is list else []
        arrays.append(_array(values, kind))
    meaning = {
        "params": params,
        "varied": _list(settings.get("varied")),
        "repeat": settings.get("repeat"),
        "declared": settings.get("declared") or {},
        "json": written,
        "metrics": [name for name in columns if "." in name and ".cost." not in name],
        "costs": [
            name for name in columns if ".cost." in name and not _is_about_a_cost(name) and name not in attributes
        ],
        "trust": trust,
    }
    table = pa.table(dict(zip(columns, arrays, strict=True)))
    return table.replace_schema_metadata({"etude": json.dumps(meaning)})


def _measured_in(manifest: Manifest) -> object:
    """The run in which a result was computed, not the one that has adopted it."""
    made_by = manifest.provenance.get("made_by")
    return (made_by if isinstance(made_by, Mapping) else manifest.provenance).get("run")


def _is_about_a_cost(name: str) -> bool:
    """Whether a column tells how a cost came about, and is none itself."""
    return name.endswith("_quality") or name.rpartition(".cost.")[2] in CONDITIONS


def row_values(store: Store, row: RefRow, read: dict[str, dict[str, object]]) -> dict[str, object]:
    """One row of the table of records, by column.

    Args:
        store: Where the results are.
        row: The variant.
        read: Fingerprint → columns of the results that were read before; those read now are added.
    """
    values: dict[str, object] = {"variant": row.variant, "status": row.status or "done", **row.params}
    accepted, by_chance, missing = [], [], []
    for name, fingerprint, _ in row.nodes:
        manifest = store.inspect(fingerprint)
        if not isinstance(manifest, Manifest):
            values["status"] = "incomplete"
            missing.append((name, fingerprint))
            continue
        if fingerprint not in read:
            costs = {f"{name}.cost.{column}": value for column, value in cost_columns(manifest.cost).items()}
            costs[f"{name}.cost.run"] = _measured_in(manifest)
            own = _metrics(store, name, manifest)
            read[fingerprint] = own | costs
        values.update(read[fingerprint])
        if manifest.provenance.get("accepted"):
            accepted.append(name)
        if unseeded_generators(manifest.observed):
            by_chance.append(name)
    values["missing"] = _why_missing(store, missing) if missing else None
    values["results"] = (
        json.dumps({name: fingerprint[:MARK] for name, fingerprint, _ in row.nodes}) if row.nodes else None
    )
    values["accepted"] = " ".join(accepted) or None
    if by_chance:
        values["by_chance"] = " ".join(by_chance)
    return values


def _why_missing(store: Store, nodes: Sequence[tuple[str, str]]) -> str:
    """The nodes that failed, each with its error; where none did, those that were not computed."""
    failures = [(name, store.failure(fingerprint)) for name, fingerprint in nodes]
    failed = [f"{name} failed: {_first_line(failure.get('error'))}" for name, failure in failures if failure]
    return "; ".join(failed) or f"not computed: {', '.join(name for name, _ in nodes)}"


def _first_line(error: object) -> str:
    return next(iter(str(error or "").splitlines()), "")[:MOST_TOLD]


def _metrics(store: Store, name: str, manifest: Manifest) -> dict[str, object]:
    """What a result brings into the record: all of it where it is made of numbers, else the numbers that it holds."""
    held = manifest.codec.get("metrics")
    if not held:
        return {}
    flat = json.loads(held) if isinstance(held, str) else flatten_metrics(store.read(manifest.fingerprint))
    return {f"{name}.{metric}": value for metric, value in flat.items()}


def _kind_of(values: Sequence[Any], param: bool) -> type | None:
    """The type of a column; `list` where values are to be written as JSON text, None where there is no value."""
    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    if not kinds:
        return None
    if kinds in ({bool}, {str}, {float}):
        return next(iter(kinds))
    if kinds == {int} and all(-_INT64 <= value < _INT64 for value in known):
        return int
    fits = _is_exact if param else _is_like_a_float
    return float if kinds <= {int, float} and all(map(fits, known)) else list


def _array(values: Sequence[Any], kind: type | None) -> pa.Array:
    """A column of that kind."""
    if kind is float:
        return column([None if value is None else float(value) for value in values], float)
    if kind is list:
        return column([None if value is None else json.dumps(value) for value in values], str)
    return column(values, kind)


def _is_exact(value: int | float) -> bool:
    """Whether a broken number has the very value."""
    return type(value) is float or (_is_like_a_float(value) and int(float(value)) == value)


def _is_like_a_float(value: int | float) -> bool:
    return abs(value) < _TOO_LARGE if type(value) is int else True


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []
