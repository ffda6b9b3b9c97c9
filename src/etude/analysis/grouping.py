"""Rows of the records in groups, by the values of some params."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from etude.analysis.summary import Scalar

Row: TypeAlias = Mapping[str, Any]


def group_rows(rows: Sequence[Row], keys: Sequence[str]) -> list[list[Row]]:
    """Rows with equal values in these columns together, in the order first met."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of({key: row[key] for key in keys}), []).append(row)
    return list(groups.values())


def key_of(params: Mapping[str, Any]) -> str:
    """Params as text that is the same for equal ones: 1 and 1.0 are equal, "1" and true are others."""
    return json.dumps({name: _number(value) for name, value in params.items()}, sort_keys=True)


def name_of(params: Mapping[str, Scalar], shown: Sequence[str]) -> str:
    """Some of the params as people write them: `pooling=max, dropout=0.1`."""
    return ", ".join(f"{name}={_spoken(params[name])}" for name in shown) or "all"


def plain(value: Any) -> Scalar:
    """A param's value as a group keeps it: lists and mappings as JSON text."""
    return value if isinstance(value, str | int | float | None) else json.dumps(value)


def results_of(row: Row) -> Mapping[str, str]:
    """Node → fingerprint of its result in this row; empty where the records do not say."""
    said = row.get("results")
    found = json.loads(said) if isinstance(said, str) and said.startswith("{") else {}
    return found if isinstance(found, dict) else {}


def is_finite(value: object) -> bool:
    """Whether a value is a number that can be reckoned with."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def _spoken(value: Scalar) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
