"""Tuples in plain JSON, where no annotation says where they are: a mapping with one odd key stands for each.

`(1, 2)` is written `{"()": [1, 2]}`. A mapping that has just this key already is written with another one around it,
`{"()": {"()": …}}`, so that every value comes back as it was.
"""

from __future__ import annotations

from typing import Any

MARK = "()"


def holds_tuple(value: Any) -> bool:
    """Whether a plain tuple stands in a value of plain mappings, lists and tuples, at any depth."""
    if type(value) is tuple:
        return True
    if type(value) is dict:
        return any(map(holds_tuple, value.values()))
    return type(value) is list and any(map(holds_tuple, value))


def mark_tuples(value: Any) -> Any:
    """The same with tuples as JSON has room for them."""
    if type(value) is tuple:
        return {MARK: [mark_tuples(inner) for inner in value]}
    if type(value) is list:
        return [mark_tuples(inner) for inner in value]
    if type(value) is dict:
        inside = {key: mark_tuples(inner) for key, inner in value.items()}
        return {MARK: inside} if set(value) == {MARK} else inside
    return value


def restore_tuples(value: Any) -> Any:
    """The value that was marked."""
    if isinstance(value, list):
        return [restore_tuples(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {MARK}:
        return {key: restore_tuples(inner) for key, inner in value.items()}
    inside = value[MARK]
    if isinstance(inside, list):
        return tuple(restore_tuples(inner) for inner in inside)
    return {key: restore_tuples(inner) for key, inner in inside.items()}
