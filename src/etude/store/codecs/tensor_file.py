"""The safetensors format: a header with names, dtypes and shapes, then the bytes of each tensor.

Written here piece by piece, so that a state dict is hashed on its way to the disk and never copied as a whole; any
other reader of safetensors reads it too.

Source: https://github.com/huggingface/safetensors, "Format". Tensors stand by falling item size, then by name, so that
each is aligned and equal tensors give equal bytes.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

ITEM_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "C64": 8,
    "BOOL": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "F8_E4M3": 1,
    "F8_E4M3FNUZ": 1,
    "F8_E5M2": 1,
    "F8_E5M2FNUZ": 1,
    "F8_E8M0": 1,
}
"""Dtype as the format names it → bytes per item."""

_MAPPED = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """One tensor to be written."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Callable[[], Any]
    """Gives its bytes, C-ordered and little-endian; asked for when its turn comes."""

    @property
    def size(self) -> int:
        """Bytes."""
        size = ITEM_BYTES[self.dtype]
        for length in self.shape:
            size *= length
        return size


class Stored(NamedTuple):
    """Where one tensor stands in a file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    """Bytes from the start of the file."""
    size: int
    """Bytes."""


def write(entries: Iterable[TensorEntry], draft: Draft, file: str) -> None:
    """Write tensors as one file."""
    ordered = sorted(entries, key=lambda entry: (-ITEM_BYTES[entry.dtype], entry.name))
    header, at = {}, 0
    for entry in ordered:
        offsets = [at, at := at + entry.size]
        header[entry.name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with draft.writing(file) as into:
        into.write(len(text).to_bytes(8, "little") + text)
        for entry in ordered:
            into.write(entry.data())


def read(content: Content, file: str, *, writable: bool) -> tuple[Any, dict[str, Stored]]:
    """A file's bytes, once checked, and where each tensor stands in them.

    Args:
        content: The result that holds the file.
        file: Its name there.
        writable: Whether the bytes may be changed. Changes stay in memory and never reach the file.
    """
    buffer: Any
    if content.size(file) < _MAPPED:
        data = content.read(file)
        buffer = bytearray(data) if writable else data
    else:
        access = mmap.ACCESS_COPY if writable else mmap.ACCESS_READ
        with content.path(file).open("rb") as opened:
            buffer = mmap.mmap(opened.fileno(), 0, access=access)
    length = int.from_bytes(buffer[:8], "little")
    header = json.loads(bytes(buffer[8 : 8 + length]))
    begin = 8 + length
    return buffer, {
        name: Stored(
            field["dtype"],
            tuple(field["shape"]),
            begin + field["data_offsets"][0],
            field["data_offsets"][1] - field["data_offsets"][0],
        )
        for name, field in header.items()
    }
