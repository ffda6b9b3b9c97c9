"""Labelled texts from a user's file, or from a folder with one file per split."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from etude.errors import StepError, nearest, value_text
from etude.text.file_kinds import KINDS, FileSpec, read_tables
from etude.text.types import TextTable

_log = logging.getLogger(__name__)

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}
"""What a split may be called, and which split that is."""

_SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]{8,})?$")
"""How the hub's library ends the names of the files that hold a split in pieces."""
_LINES = ("seq.in", "label")
"""A folder of these two files, line by line text and label, is how corpora of spoken requests are often kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextColumns:
    """What the columns of a table are called."""

    text: str
    label: str
    id: str | None = None
    """Whole numbers that name the rows; None where rows are numbered through."""
    group: str | None = None
    """What belongs together and must not be divided, such as a speaker or a conversation."""
    split: str | None = None
    """The split of each row. None where a file is one split, or is yet to be split; a column of the name `split` is
    refused then, so that none is dropped unseen."""

    def names(self) -> tuple[str, ...]:
        """Those that are wanted, in a fixed order."""
        return tuple(name for name in (self.text, self.label, self.id, self.group, self.split) if name is not None)


def read_texts(source: Path, columns: TextColumns, spec: FileSpec) -> TextTable:
    """Labelled texts from a CSV, TSV, JSON, JSON Lines or Parquet file, or from a folder.

    A folder holds one file per split (`train.csv`, `banking_test.jsonl`, `data/train-00000-of-00002.parquet`), or one
    folder per split with `seq.in` and `label`, or with a folder of `.txt` files per label; without splits, a folder of
    `.txt` files per label. Rows without text or label are left out, and counted in the log.

    Args:
        source: A file, compressed with gzip or not, or a folder.
        columns: What the columns are called.
        spec: How the files are written.

    Raises:
        StepError: No such file, a kind that is not read, bytes that are not in the encoding, a column that is not
            there, no rows, an id that occurs twice, or a file whose split is not known.
    """
    if not source.is_dir():
        return with_ids(_read(source, columns, spec), str(source))
    parts = _split_folders(source, columns, spec) or _split_files(source, columns, spec)
    if not parts:
        parts = {"": _class_folders(source, spec)}
    elif "train" not in parts:
        kinds = ", ".join(f"train{suffix}" for suffix in KINDS)
        raise StepError(f"{source} holds no training texts. Mend: give the folder one of {kinds}, or name a file.")
    tables = [_of_split(part, name) if name else part for name, part in parts.items() if len(part)]
    return with_ids(pa.concat_tables(tables), str(source))


def _of_split(part: pa.Table, name: str) -> pa.Table:
    """The rows with the split that their file tells, unless a column of their own does."""
    if "split" in part.column_names:
        return part
    return part.append_column("split", pa.array([name] * len(part), pa.string()))


def split_of_name(name: str) -> str | None:
    """Which split a name tells of, such as `train`, `dev`, `test-00000-of-00001` or `banking_train_data`."""
    plain = re.sub(r"h[eo]ld[-_]out", "holdout", _SHARD.sub("", name.lower()))
    words = re.split(r"[^a-z]+", plain)
    splits = {SPLITS[word] for word in words if word in SPLITS}
    return splits.pop() if len(splits) == 1 else None


def select_columns(source: pa.Table, columns: TextColumns, place: str) -> pa.Table:
    """The columns under the names that all steps know, without rows that lack text or label."""
    for column in columns.names():
        if column not in source.column_names:
            raise StepError(f"{place} has no column {column!r}: {nearest(column, source.column_names)}")
    table = pa.table({"text": source[columns.text], "label": source[columns.label]})
    if columns.group is not None:
        table = table.append_column("group", source[columns.group])
    if columns.split is not None:
        table = table.append_column("split", _splits(source[columns.split], columns.split, place))
    elif "split" in source.column_names:
        raise StepError(
            f"{place} has a column 'split'. Mend: say `split: split` to use it, or take the column out to split anew."
        )
    if columns.id is not None:
        table = table.add_column(0, "id", _whole(source[columns.id], columns.id, place))
    from pyarrow import compute

    whole = table.filter(compute.and_(table["text"].is_valid(), table["label"].is_valid()))
    if len(whole) < len(table):
        lost = len(table) - len(whole)
        _log.warning("%s: %d of %d rows lack text or label and are left out", place, lost, len(table))
    return whole


def _splits(values: pa.ChunkedArray, column: str, place: str) -> pa.ChunkedArray:
    """The names of the three splits for those that a column holds."""
    names = {name: split_of_name(name or "") for name in values.unique().to_pylist()}
    unknown = [name for name, split in names.items() if split is None]
    if unknown:
        raise StepError(
            f"{place}: column {column!r} holds {value_text(unknown[0])}, which is no known split.\n"
            f"    Mend: call it one of {', '.join(SPLITS)}, or leave `split` out."
        )
    return pa.chunked_array([pa.array([names[name] for name in values.to_pylist()], pa.string())])


def with_row_numbers(table: pa.Table) -> TextTable:
    """The rows with their place as their id."""
    return table.add_column(0, "id", pa.array(range(len(table)), pa.int64()))


def _split_files(folder: Path, columns: TextColumns, spec: FileSpec) -> dict[str, pa.Table]:
    """The files of a folder, and of its folders where it has none itself, that hold splits."""
    files = {path: split_of_name(path.name.split(".")[0]) for path in _files(folder, spec)}
    by_split: dict[str, list[Path]] = defaultdict(list)
    for path, name in files.items():
        if name:
            by_split[name].append(path)
        elif _holds_texts(path, columns, spec):
            raise StepError(
                f"{path} holds texts, and its name tells no split.\n"
                f"    Mend: name it after its split ({', '.join(SPLITS)}), or move it out of the folder."
            )
        else:
            _log.info("%s holds no texts and is not read", path)
    parts = {}
    for name, paths in sorted(by_split.items(), key=lambda item: str(item[1][0])):
        if len({_SHARD.sub("", path.name.split(".")[0]) for path in paths}) > 1 or len(paths) > _shards(paths):
            names = ", ".join(str(path.relative_to(folder)) for path in paths)
            raise StepError(f"{folder} holds the {name} split more than once: {names}. Mend: keep one of them.")
        if len(paths) < _shards(paths):
            raise StepError(
                f"{folder} holds {len(paths)} of {_shards(paths)} pieces of the {name} split. Mend: fetch the others."
            )
        parts[name] = pa.concat_tables([_read(path, columns, spec, empty=name != "train") for path in paths])
    return parts


def _files(folder: Path, spec: FileSpec) -> list[Path]:
    """The files with tables in a folder, else in the folders of a data set as the hub keeps it."""
    for pattern in ("*", "data/*", "*/*"):
        paths = sorted(path for path in folder.glob(pattern) if path.is_file() and spec.kind(path))
        if any(split_of_name(path.name.split(".")[0]) for path in paths):
            return paths
    return []


def _shards(paths: list[Path]) -> int:
    """How many files a split that begins with these is in, by their names."""
    match = re.search(r"-of-(\d{5})", paths[0].name)
    return int(match[1]) if match else 1


def _holds_texts(path: Path, columns: TextColumns, spec: FileSpec) -> bool:
    try:
        tables = read_tables(path, columns.names(), spec)
    except StepError:
        return False
    return any({columns.text, columns.label} <= set(table.column_names) for table in tables.values())


def _split_folders(folder: Path, columns: TextColumns, spec: FileSpec) -> dict[str, pa.Table]:
    """The folders of a folder that are named after splits and hold lines of texts and labels, or a folder per label."""
    parts = {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        name = split_of_name(path.name)
        if name is None:
            continue
        lines = all((path / each).is_file() for each in _LINES)
        if lines or any(path.glob("*/*.txt")):
            if name in parts:
                raise StepError(f"{folder} holds the {name} split more than once. Mend: keep one folder of them.")
            parts[name] = _paired_lines(path, spec) if lines else _class_folders(path, spec)
    return parts


def _paired_lines(folder: Path, spec: FileSpec) -> pa.Table:
    texts, labels = ((folder / name).read_text(encoding=spec.encoding).splitlines() for name in _LINES)
    if len(texts) != len(labels):
        raise StepError(
            f"{folder}: {len(texts)} lines of texts in {_LINES[0]}, and {len(labels)} labels in {_LINES[1]}"
        )
    return pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())})


def _class_folders(folder: Path, spec: FileSpec) -> pa.Table:
    """A text in each file, under its label's name."""
    files = sorted(folder.glob("*/*.txt"))
    if not files:
        kinds = ", ".join(f"train{suffix}" for suffix in KINDS)
        raise StepError(
            f"{folder} holds no training texts. Mend: give the folder one of {kinds}, or a folder of .txt files for "
            "each label, or name a file."
        )
    columns = {
        "text": pa.array([path.read_text(encoding=spec.encoding).strip() for path in files], pa.string()),
        "label": pa.array([path.parent.name for path in files], pa.string()),
    }
    return pa.table(columns)


def _read(path: Path, columns: TextColumns, spec: FileSpec, *, empty: bool = False) -> pa.Table:
    if spec.kind(path) is None or not path.is_file():
        raise StepError(
            f"{path}: expected a file of kind {', '.join(KINDS)} (or .gz), or a folder of such files.\n"
            "    Mend: say what a file of another name holds with `format`, such as fasttext or label_text."
        )
    tables = read_tables(path, (*columns.names(), *([] if columns.split else ["split"])), spec)
    return pa.concat_tables([_named(table, name, columns, path, empty=empty) for name, table in tables.items()])


def _named(rows: pa.Table, name: str, columns: TextColumns, path: Path, *, empty: bool) -> pa.Table:
    """The rows of one table of a file, with its split where the table is named after one."""
    place = f"{path}, {name}," if name else str(path)
    if name and split_of_name(name) is None:
        raise StepError(
            f"{path}: the list {name!r} is named after no split.\n"
            f"    Mend: call it one of {', '.join(SPLITS)}, or keep the lists in files of their own."
        )
    if not len(rows):
        if empty:
            return rows
        raise StepError(f"{place} holds no rows. Mend: name a file with labelled texts.")
    table = select_columns(rows, columns, place)
    if not len(table) and not empty:
        raise StepError(f"{place}: none of the {len(rows)} rows has both {columns.text!r} and {columns.label!r}.")
    return _of_split(table, split_of_name(name) or "") if name else table


def _whole(ids: pa.ChunkedArray, column: str, place: str) -> pa.ChunkedArray:
    try:
        whole = ids.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise StepError(
            f"{place}: the ids in column {column!r} are no whole numbers ({error}).\n"
            "    Mend: leave `id` out; rows are then numbered through."
        ) from error
    if whole.null_count:
        raise StepError(f"{place}: {whole.null_count} rows have no id in column {column!r}")
    return whole


def with_ids(table: pa.Table, place: str) -> TextTable:
    """The rows with their ids, or numbered through where they have none.

    Raises:
        StepError: An id occurs twice.
    """
    if "id" not in table.column_names:
        return with_row_numbers(table)
    twice = sorted(name for name, count in Counter(table["id"].to_pylist()).items() if count > 1)
    if twice:
        raise StepError(
            f"{place}: {len(twice)} ids occur more than once: {value_text(twice[:5])}.\n"
            "    Mend: make them unique, or leave `id` out; rows are then numbered through."
        )
    return table
