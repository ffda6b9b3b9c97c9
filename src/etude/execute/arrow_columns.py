"""Arrow columns of plain values, made of buffers: `pyarrow.array` would load pandas wherever that is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_TEXT = 2**31 - 1
"""Bytes that the 32-bit offsets of a column of text can tell apart."""


def column(values: Sequence[Any], kind: type | None) -> pa.Array:
    """A column of values of one kind; None is null.

    Args:
        values: Values of this kind, and None.
        kind: `bool`, `int`, `float` or `str`; None where there is no value but None.

    Raises:
        OverflowError: A whole number does not fit into 64 bits.
    """
    import numpy as np
    import pyarrow as pa

    if kind is None:
        return pa.nulls(len(values))
    known = np.array([value is not None for value in values], dtype=bool)
    valid = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    if kind is str:
        texts = [(value or "").encode() for value in values]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        if ends[-1] > _MOST_TEXT:
            return pa.array(values, pa.string())
        buffers = [valid, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(texts))]
        return pa.Array.from_buffers(pa.string(), len(values), buffers)
    if kind is bool:
        bits = np.packbits(np.array([value or False for value in values], dtype=bool), bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(values), [valid, pa.py_buffer(bits)])
    type_ = pa.int64() if kind is int else pa.float64()
    numbers = np.array([0 if value is None else value for value in values], np.int64 if kind is int else np.float64)
    return pa.Array.from_buffers(type_, len(values), [valid, pa.py_buffer(numbers)])
