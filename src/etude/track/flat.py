"""Nested values under dotted names, as trackers want them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from etude.track.tracked import Plain


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Plain]:
    """Every plain value under the dotted path to it: `{"a": {"b": 1}}` gives `{"a.b": 1}`.

    A list of plain values, and an empty mapping or list, stays whole, as JSON text; numbers that are not finite are
    text as well, for no tracker can compare them.
    """
    found: dict[str, Plain] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            found |= flattened(value, f"{path}.")
        elif isinstance(value, (list, tuple)) and any(isinstance(inner, (Mapping, list, tuple)) for inner in value):
            found |= flattened(dict(enumerate(value)), f"{path}.")  # type: ignore[arg-type]
        else:
            found[path] = _plain(value)
    return found


def _plain(value: Any) -> Plain:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def number(value: object) -> float | None:
    """A finite number that a tracker can draw; None for anything else. True is 1."""
    if not isinstance(value, (bool, int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
