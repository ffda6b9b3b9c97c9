"""Tables as Arrow IPC files, mapped into memory without a copy; pandas and polars data frames by way of Arrow.

Equal tables give equal bytes, whatever their chunks, offsets and the garbage under their nulls.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from etude.errors import StepError
from etude.store.codecs.annotations import class_of
from etude.store.codecs.leaf import Tree, TypeName, belongs
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_ARROW: tuple[TypeName, ...] = (("pyarrow", "Table"),)
_PANDAS: tuple[TypeName, ...] = (("pandas", "DataFrame"),)
_POLARS: tuple[TypeName, ...] = (("polars", "DataFrame"),)
_ROWS = 1 << 17
"""Rows per record batch."""
_PANDAS_OBJECTS = {"string", "empty", "bytes", "date", "decimal", "boolean", "time"}


class TableCodec:
    """One table per file, uncompressed."""

    name = "arrow"
    types = _ARROW + _PANDAS + _POLARS

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        table, kind = _as_arrow(value)
        file = f"{at}.arrow"
        _write(table, draft, file)
        return {"codec": self.name, "file": file, "of": kind}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        import pyarrow as pa

        table = pa.ipc.open_file(pa.memory_map(str(content.path(tree["file"])), "r")).read_all()
        cls = class_of(wanted)
        kind = tree["of"] if cls is None or not belongs(cls, self.types) else _kind(cls)
        if kind == "pandas":
            return _to_pandas(table)
        return _to_polars(table) if kind == "polars" else table


def _kind(cls: type) -> str:
    if belongs(cls, _PANDAS):
        return "pandas"
    return "polars" if belongs(cls, _POLARS) else "arrow"


def _as_arrow(value: Any) -> tuple[pa.Table, str]:
    kind = _kind(type(value))
    if kind == "pandas":
        return _from_pandas(value), kind
    return (_from_polars(value), kind) if kind == "polars" else (value, kind)


def _write(table: pa.Table, draft: Draft, file: str) -> None:
    import pyarrow as pa

    _require_kinds(table)
    table = table.unify_dictionaries()
    if table.schema.metadata:
        table = table.replace_schema_metadata(dict(sorted(table.schema.metadata.items())))
    with draft.writing(file) as into, pa.ipc.new_file(pa.PythonFile(into, mode="w"), table.schema) as out:
        for start in range(0, table.num_rows, _ROWS):
            for batch in _canonical(table.slice(start, _ROWS)).to_batches():
                out.write_batch(batch)
        if not table.num_rows and any(pa.types.is_dictionary(kind) for kind in table.schema.types):
            out.write_batch(_empty_batch(table))  # else their dictionaries were lost


def _empty_batch(table: pa.Table) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _require_kinds(table: pa.Table) -> None:
    """StepError for a column of a type that Arrow itself can hardly work with."""

    for field in table.schema:
        if _holds_runs(field.type):
            raise StepError(
                f"column {field.name!r} is run-end encoded ({field.type}), which is not stored.\n"
                "    Mend: decode it (`pyarrow.compute.run_end_decode`)."
            )


def _holds_runs(kind: pa.DataType) -> bool:
    return str(kind).startswith("run_end_encoded") or any(
        _holds_runs(kind.field(index).type) for index in range(kind.num_fields)
    )


def _canonical(table: pa.Table) -> pa.Table:
    """The same rows in one chunk, with zeros under nulls and behind the ends of bitmaps."""
    import numpy as np
    import pyarrow as pa

    rows = pa.py_buffer(np.arange(table.num_rows, dtype=np.int64))
    every = pa.Array.from_buffers(pa.int64(), table.num_rows, [None, rows])  # `pa.array` would load pandas
    columns = [column.take(every) if _is_loose(column) else column for column in table.columns]
    return pa.Table.from_arrays(columns, schema=table.schema).combine_chunks()


def _is_loose(column: pa.ChunkedArray) -> bool:
    """Whether bytes that no value is made of may differ between equal columns, and Arrow can put them right."""
    if str(column.type).startswith(("string_view", "binary_view")):
        return False
    return bool(column.null_count) or _has_bitmaps(column.type)


def _has_bitmaps(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_dictionary(kind))


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    if frame.columns.inferred_type.startswith("mixed"):
        raise StepError(
            "the column names of the data frame are of several types.\n"
            "    Mend: make them all text (`frame.columns.map(str)`)."
        )
    for name, column in frame.items():
        if column.dtype == object and (kind := pd.api.types.infer_dtype(column)) not in _PANDAS_OBJECTS:
            raise StepError(
                f"column {name!r} of the data frame holds {kind} objects, which are not stored.\n"
                "    Mend: give it one type (`astype`), or return a pyarrow.Table."
            )
    try:
        table = _without_versions(pa.Table.from_pandas(frame))
        is_same = _is_same(_to_pandas(table), frame)
    except Exception as error:  # whatever pandas and Arrow find odd, for which each has errors of many kinds
        raise StepError(
            f"the data frame cannot be written as Arrow: {str(error).rstrip('.')}.\n"
            "    Mend: give it plain labels (`frame.columns = frame.columns.map(str)`, `reset_index()`) that differ, "
            "columns of one plain type, or return a pyarrow.Table."
        ) from error
    if not is_same:
        raise StepError(
            "the data frame would not come back from Arrow as it is.\n"
            "    Mend: give every column one plain type and the index plain labels, or return a pyarrow.Table."
        )
    return table


def _is_same(back: pd.DataFrame, frame: pd.DataFrame) -> bool:
    return bool(
        back.equals(frame)
        and list(back.dtypes) == list(frame.dtypes)
        and back.index.equals(frame.index)
        and _level_types(back.index) == _level_types(frame.index)
        and back.index.names == frame.index.names
        and back.columns.dtype == frame.columns.dtype
        and back.attrs == frame.attrs
    )


def _level_types(index: pd.Index) -> list[object]:
    """The types of all levels of an index: one of several levels is itself of type object whatever they hold."""
    return [index.get_level_values(level).dtype for level in range(index.nlevels)]


def _without_versions(table: pa.Table) -> pa.Table:
    """The table without the versions of pandas and pyarrow, which would make equal values differ."""
    metadata = dict(table.schema.metadata or {})
    notes = json.loads(metadata[b"pandas"])
    for name in ("creator", "pandas_version"):
        notes.pop(name, None)
    metadata[b"pandas"] = json.dumps(notes, sort_keys=True).encode()
    return table.replace_schema_metadata(metadata)


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas()


def _from_polars(frame: pl.DataFrame) -> pa.Table:
    import polars as pl
    import pyarrow as pa

    try:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    except (pa.ArrowException, pl.exceptions.PolarsError, ValueError, TypeError) as error:
        raise StepError(f"the data frame cannot be written as Arrow: {error}") from error
    back = _to_polars(table)
    if back.schema != frame.schema or not back.equals(frame, null_equal=True):
        raise StepError(
            f"the data frame would not come back from Arrow as it is ({frame.schema} as {back.schema}).\n"
            "    Mend: cast such columns to plain types."
        )
    return table


def _to_polars(table: pa.Table) -> pl.DataFrame:
    import polars as pl

    frame = pl.from_arrow(table)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()
