"""Labelled texts from a user's file, or from a folder with one file per split."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import compute

from etude.errors import StepError, nearest, shown
from etude.text.file_kinds import KINDS, kind_of, read_table
from etude.text.types import TextTable

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""What a split's file may be called, and which split that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of a table are called."""

    text: str
    label: str
    id: str | None = None
    """Whole numbers that name the rows; None where rows are numbered through."""
    group: str | None = None
    """What belongs together and must not be divided, such as a speaker or a conversation."""

    def names(self) -> tuple[str, ...]:
        """Those that are wanted, in a fixed order."""
        return tuple(name for name in (self.text, self.label, self.id, self.group) if name is not None)


def read_texts(
    source: Path,
    *,
    text: str,
    label: str,
    id: str | None = None,
    group: str | None = None,
    encoding: str = "utf-8",
) -> TextTable:
    """Labelled texts from a CSV, TSV, JSON, JSON Lines or Parquet file, or from one file per split in a folder.

    Rows without text or label are left out.

    Args:
        source: A file, compressed with gzip or not, or a folder that holds at least `train.*`.
        text: The column with the texts.
        label: The column with the labels; numbers are taken as their decimal text.
        id: The column with whole numbers that name the rows; None to number them through.
        group: The column that says what belongs together; None for nothing.
        encoding: How text files are encoded.

    Raises:
        StepError: No such file, a kind that is not read, bytes that are not in the encoding, a column that is not
            there, no rows, or an id that occurs twice.
    """
    columns = Columns(text=text, label=label, id=id, group=group)
    if not source.is_dir():
        return identified(_read(source, columns, encoding), str(source))
    tables = []
    for path, name in _parts(source).items():
        part = _read(path, columns, encoding, empty=name != "train")
        if len(part):
            tables.append(part.append_column("split", pa.array([name] * len(part), pa.string())))
    return identified(pa.concat_tables(tables), str(source))


def labelled(found: pa.Table, columns: Columns, place: str) -> pa.Table:
    """The columns under the names that all steps know, without rows that lack text or label."""
    for column in columns.names():
        if column not in found.column_names:
            raise StepError(f"{place} has no column {column!r}: {nearest(column, found.column_names)}")
    table = pa.table({"text": found[columns.text], "label": found[columns.label]})
    if columns.group is not None:
        table = table.append_column("group", found[columns.group])
    if columns.id is not None:
        table = table.add_column(0, "id", _whole(found[columns.id], columns.id, place))
    return table.filter(compute.and_(table["text"].is_valid(), table["label"].is_valid()))


def numbered(table: pa.Table) -> TextTable:
    """The rows with their place as their id."""
    return table.add_column(0, "id", pa.array(range(len(table)), pa.int64()))


def _parts(folder: Path) -> dict[Path, str]:
    """The files of a folder that hold splits, in the order of their names."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        name = SPLITS.get(path.name.split(".")[0])
        if name and kind_of(path):
            found[name].append(path)
    if "train" not in found:
        kinds = ", ".join(f"train{suffix}" for suffix in KINDS)
        raise StepError(f"{folder} holds no training texts. Mend: give the folder one of {kinds}, or name a file.")
    for name, paths in found.items():
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise StepError(f"{folder} holds the {name} split more than once: {names}. Mend: keep one of them.")
    return dict(sorted((paths[0], name) for name, paths in found.items()))


def _read(path: Path, columns: Columns, encoding: str, *, empty: bool = False) -> pa.Table:
    if kind_of(path) is None or not path.is_file():
        raise StepError(f"{path}: expected a file of kind {', '.join(KINDS)} (or .gz), or a folder of such files.")
    found = read_table(path, columns.names(), encoding)
    if not len(found):
        if empty:
            return found
        raise StepError(f"{path} holds no rows. Mend: name a file with labelled texts.")
    table = labelled(found, columns, str(path))
    if not len(table) and not empty:
        raise StepError(f"{path}: none of the {len(found)} rows has both {columns.text!r} and {columns.label!r}.")
    return table


def _whole(ids: pa.ChunkedArray, column: str, place: str) -> pa.ChunkedArray:
    try:
        found = ids.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise StepError(
            f"{place}: the ids in column {column!r} are no whole numbers ({error}).\n"
            "    Mend: leave `id` out; rows are then numbered through."
        ) from error
    if found.null_count:
        raise StepError(f"{place}: {found.null_count} rows have no id in column {column!r}")
    return found


def identified(table: pa.Table, place: str) -> TextTable:
    """The rows with their ids, or numbered through where they have none.

    Raises:
        StepError: An id occurs twice.
    """
    if "id" not in table.column_names:
        return numbered(table)
    twice = sorted(name for name, count in Counter(table["id"].to_pylist()).items() if count > 1)
    if twice:
        raise StepError(
            f"{place}: {len(twice)} ids occur more than once: {shown(twice[:5])}.\n"
            "    Mend: make them unique, or leave `id` out; rows are then numbered through."
        )
    return table
