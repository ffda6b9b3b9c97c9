"""Tables of text from the usual kinds of files, each also compressed with gzip."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from etude.errors import StepError, shown

KINDS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


def kind_of(path: Path) -> str | None:
    """The kind of a file by its name, compressed or not; None for one that is not read."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    return suffix if suffix in KINDS else None


def read_table(path: Path, columns: Sequence[str], encoding: str) -> pa.Table:
    """The named columns as text, with what else the file has; columns that it lacks are lacking.

    Args:
        path: A file of one of `KINDS`.
        columns: The columns that must be read as text, exactly as they are written.
        encoding: How text files are encoded, as Python names it; Parquet knows for itself.

    Raises:
        StepError: The file is not what its name says, or not in this encoding; with the line where that is known.
    """
    kind = kind_of(path)
    assert kind is not None
    if kind == ".parquet":
        return _parquet(path, columns)
    return _READERS[kind](path, _decoded(path, encoding), columns)


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if not path.name.lower().endswith(".gz"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise StepError(f"{path}: the file is no whole gzip archive ({error})") from error


def _decoded(path: Path, encoding: str) -> str:
    data = _content(path)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StepError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is no {encoding}.\n"
            "    Mend: save the file as UTF-8, or name its encoding, such as `encoding: latin-1`."
        ) from error
    except LookupError as error:
        raise StepError(f"encoding: {encoding!r} is none that Python knows. Mend: `utf-8`, `latin-1`, …") from error


def _separated(delimiter: str) -> Callable[[Path, str, Sequence[str]], pa.Table]:
    def read(path: Path, text: str, columns: Sequence[str]) -> pa.Table:
        from pyarrow import csv

        if not text.strip():
            return pa.table({})
        data = text.encode()
        # In one block: a row may be as long as it likes, and the type of a column is judged by all of it.
        whole = min(len(data) + 1, 2**31 - 1)
        try:
            return csv.read_csv(
                pa.BufferReader(data),
                read_options=csv.ReadOptions(block_size=whole),
                parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, quote_char='"'),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()), null_values=[""], strings_can_be_null=True
                ),
            )
        except pa.ArrowInvalid as error:
            raise StepError(f"{path}: {error}") from error

    return read


def _json(path: Path, text: str, columns: Sequence[str]) -> pa.Table:
    try:
        found = json.loads(text or "[]")
    except json.JSONDecodeError as error:
        raise StepError(
            f"{path}:{error.lineno}: {error.msg}.\n"
            "    Mend: write a list of objects, or one object per line in a `.jsonl` file."
        ) from error
    if not isinstance(found, list):
        raise StepError(f"{path}: expected a list of objects such as {{{', '.join(columns)}}}, got {shown(found)}")
    return _from_objects(path, list(enumerate(found, start=1)), columns)


def _json_lines(path: Path, text: str, columns: Sequence[str]) -> pa.Table:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append((number, json.loads(line)))
            except json.JSONDecodeError as error:
                raise StepError(f"{path}:{number}: {error.msg}, at column {error.colno}") from error
    return _from_objects(path, rows, columns)


def _from_objects(path: Path, rows: Sequence[tuple[int, Any]], columns: Sequence[str]) -> pa.Table:
    for number, row in rows:
        if not isinstance(row, dict):
            raise StepError(f"{path}: entry {number} is no object with named values: {shown(row)}")
    names = [column for column in columns if any(column in row for _, row in rows)]
    others = sorted({name for _, row in rows for name in row} - set(names))
    found = {
        name: pa.array([_text(path, number, row.get(name)) for number, row in rows], pa.string()) for name in names
    }
    return pa.table(found | {name: pa.nulls(len(rows)) for name in others})


def _text(path: Path, number: int, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise StepError(f"{path}: entry {number} holds half of a character (a lone surrogate): {shown(value)}")
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise StepError(f"{path}: entry {number}: expected text or a number, got {shown(value)}")


def _parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(_content(path)))
    except (pa.ArrowInvalid, OSError) as error:
        raise StepError(f"{path}: the file is no whole Parquet file ({error})") from error
    return with_class_names(table, columns, str(path))


def with_class_names(table: pa.Table, columns: Sequence[str], place: str) -> pa.Table:
    """The named columns as text; classes that the hub's library keeps as numbers get their names."""
    notes = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    features = notes.get("info", {}).get("features", {})
    for column in (column for column in columns if column in table.column_names):
        names = features.get(column, {}).get("names")
        values = table[column]
        if names and pa.types.is_integer(values.type):
            texts = [None if code is None or code < 0 else names[code] for code in values.to_pylist()]
            values = pa.chunked_array([pa.array(texts, pa.string())])
        try:
            values = values.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise StepError(f"{place}: column {column!r} holds {values.type}, which is no text") from error
        table = table.set_column(table.column_names.index(column), column, values)
    return table


_READERS: Mapping[str, Callable[[Path, str, Sequence[str]], pa.Table]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
