"""Labelled texts from a user's file, or from a folder with one file per split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from etude.errors import StepError, nearest
from etude.text.types import TextTable

SPLITS = ("train", "validation", "test")


def read_texts(source: Path, *, text: str, label: str) -> TextTable:
    """Labelled texts from a CSV, TSV, JSON Lines or Parquet file, or from `train`, `test`, `validation` in a folder.

    Args:
        source: A file, or a folder that holds at least `train.*`.
        text: The column with the texts.
        label: The column with the labels; numbers are taken as their decimal text.

    Raises:
        StepError: No such file, a kind that is not read, or a column that is not there.
    """
    if not source.is_dir():
        return _numbered(_read(source, text, label))
    parts = {path.stem: path for path in sorted(source.iterdir()) if path.stem in SPLITS and path.suffix in _READERS}
    if "train" not in parts:
        kinds = ", ".join(f"train{suffix}" for suffix in _READERS)
        raise StepError(f"{source} holds no training texts. Mend: give the folder one of {kinds}, or name a file.")
    tables = [
        _read(path, text, label).append_column("split", pa.array([name] * rows, pa.string()))
        for name, path in parts.items()
        if (rows := len(_read(path, text, label))) or name == "train"
    ]
    return _numbered(pa.concat_tables(tables))


def _read(path: Path, text: str, label: str) -> pa.Table:
    reader = _READERS.get(path.suffix)
    if reader is None or not path.is_file():
        raise StepError(f"{path}: expected a file of kind {', '.join(_READERS)}, or a folder of such files.")
    found = reader(path)
    for column in (text, label):
        if column not in found.column_names:
            raise StepError(f"{path} has no column {column!r}: {nearest(column, found.column_names)}")
    table = pa.table({"text": found[text].cast(pa.string()), "label": found[label].cast(pa.string())})
    return table.filter(pa.compute.and_(table["text"].is_valid(), table["label"].is_valid()))


def _numbered(table: pa.Table) -> TextTable:
    return table.add_column(0, "id", pa.array(range(len(table)), pa.int64()))


def _csv(path: Path, delimiter: str = ",") -> Any:
    from pyarrow import csv

    return csv.read_csv(
        path, parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, quote_char='"')
    )


def _json_lines(path: Path) -> Any:
    from pyarrow import json

    return json.read_json(path)


def _parquet(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_table(path)


_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".csv": _csv,
    ".tsv": lambda path: _csv(path, "\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
