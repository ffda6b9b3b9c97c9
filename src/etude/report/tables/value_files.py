"""One result as a file that other programs read: Parquet, NumPy's own form, a copy of a file or folder, or JSON."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from etude.interchange import json_text
from etude.report.tables.table_files import write_bytes, write_text


def write_value(value: Any, path: Path) -> Path:
    """Write a value beside others, under a name without a suffix; where it is now."""
    family = type(value).__module__.partition(".")[0]
    if isinstance(value, Path):
        return _copied(value, path)
    if family in ("pyarrow", "pandas", "polars"):
        return write_parquet(as_table(value), path.with_suffix(".parquet"))
    if family == "numpy" and getattr(value, "ndim", 0) > 0:
        return _saved(value, path.with_suffix(".npy"))
    if isinstance(value, bytes):
        write_bytes(path.with_suffix(".bin"), value)
        return path.with_suffix(".bin")
    target = path.with_suffix(".json")
    write_text(target, json_text(plain(value), indent=1))
    return target


def write_parquet(table: Any, path: Path) -> Path:
    """Write an Arrow table under another name in its folder, then rename it."""
    import pyarrow.parquet as pq

    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    pq.write_table(table, temporary)
    temporary.replace(path)
    return path


def plain(value: Any) -> Any:
    """A value as JSON has it: records by field, sets sorted, arrays as lists, tables as rows, anything else as text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(name): plain(item) for name, item in value.items()}
    if isinstance(value, Set):
        return sorted(map(plain, value), key=str)
    if isinstance(value, (list, tuple)):
        return [*map(plain, value)]
    if is_table(value):
        return plain(as_table(value).to_pylist())
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def is_table(value: Any) -> bool:
    """Whether a value is a table of pyarrow, pandas or polars."""
    family = (type(value).__module__.partition(".")[0], type(value).__name__)
    return family in (("pyarrow", "Table"), ("pandas", "DataFrame"), ("polars", "DataFrame"))


def _key(name: Any) -> Any:
    return name if isinstance(name, (str, int, float)) else str(name)


def as_table(value: Any) -> Any:
    """A table of pandas or polars as one of Arrow."""
    import pyarrow as pa

    family = type(value).__module__.partition(".")[0]
    if family == "pandas":
        return pa.Table.from_pandas(value)
    return value.to_arrow() if family == "polars" else value


def _saved(array: Any, path: Path) -> Path:
    import numpy as np

    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    temporary.replace(path)
    return path


def _copied(source: Path, path: Path) -> Path:
    target = path.with_suffix(source.suffix) if source.is_file() else path
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, temporary)
    if target.is_dir():
        shutil.rmtree(target)
    temporary.replace(target)
    return target
