"""What was changed in a text, so exactly that it can be undone.

Positions count characters (code points), as Python's own indices do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeAlias

import pyarrow as pa

EDITS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("was", pa.string())]))
"""The type of a table's column `edits`."""


class TextChange(NamedTuple):
    """What to do to a text: put `by` in the place of `length` characters from `at` on."""

    at: int
    length: int
    by: str


class Edit(NamedTuple):
    """What was done to a text: from `start` to `end` stands what is new; before, `was` stood there."""

    start: int
    end: int
    was: str


EditedText: TypeAlias = tuple[str, list[Edit]]


def apply_changes(text: str, changes: Sequence[TextChange]) -> EditedText:
    """The text after changes that are in order and do not overlap, and the edits that undo them."""
    parts: list[str] = []
    edits: list[Edit] = []
    done = length = 0
    for at, removed, by in changes:
        start = length + at - done
        parts += (text[done:at], by)
        done, length = at + removed, start + len(by)
        edits.append(Edit(start, length, text[at:done]))
    parts.append(text[done:])
    return "".join(parts), edits


def restore(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text as it was before it was edited, byte for byte."""
    parts: list[str] = []
    done = 0
    for start, end, was in edits:
        parts += (text[done:start], was)
        done = end
    parts.append(text[done:])
    return "".join(parts)


def edits_column(rows: Sequence[Sequence[Edit]]) -> pa.Array:
    """The edits of each row as a column of a table."""
    flat = [edit for row in rows for edit in row]
    starts, ends, texts = zip(*flat, strict=True) if flat else ((), (), ())
    parts = [pa.array(starts, pa.int32()), pa.array(ends, pa.int32()), pa.array(texts, pa.string())]
    offsets = pa.array([0, *accumulate(map(len, rows))], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(parts, fields=list(EDITS.value_type)))


def edits_of(table: pa.Table) -> list[list[Edit]]:
    """The edits of each row of a table with a column `edits`."""
    return [[Edit(edit["start"], edit["end"], edit["was"]) for edit in row] for row in table["edits"].to_pylist()]
