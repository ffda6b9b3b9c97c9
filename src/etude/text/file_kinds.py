"""Tables of text from the usual kinds of files, each also compressed with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import re
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from etude.errors import StepError, value_text

KINDS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
LINE_KINDS = (".txt", ".label", ".train", ".valid", ".test", ".ft")
"""Files of plain lines, which are read where `format` says what a line is."""

FileFormat: TypeAlias = Literal["auto", "csv", "tsv", "json", "jsonl", "parquet", "fasttext", "label_text"]
Quoting: TypeAlias = Literal["auto", "double", "none"]

_log = logging.getLogger(__name__)
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """How files of text are written."""

    format: FileFormat = "auto"
    """`auto` goes by the name; `fasttext` has lines such as `__label__yes some text`, `label_text` such as `yes some
    text`."""
    encoding: str = "utf-8"
    """As Python names it; Parquet knows for itself."""
    delimiter: str | None = None
    """What stands between the fields of a row; None for the tabulator in TSV and, in CSV, the first of `,` `;`
    tabulator `|` that parts the first line into fields with the wanted names."""
    quoting: Quoting = "auto"
    """`double`: a field that begins with `"` ends with the next `"` that is not doubled. `none`: `"` is a character as
    any other. `auto` is `double` for CSV and `none` for TSV, whose standard knows no quotes."""
    header: bool = True
    """Whether the first row holds the columns' names; without, they are called `0`, `1`, …"""

    def kind(self, path: Path) -> str | None:
        """The kind of a file, by `format` or else by its name, compressed or not; None for one that is not read."""
        suffix = Path(path.name.lower().removesuffix(".gz")).suffix
        if self.format == "auto":
            return suffix if suffix in KINDS else None
        return f".{self.format}" if suffix in KINDS or suffix in LINE_KINDS or not suffix else None


def read_tables(path: Path, columns: Sequence[str], spec: FileSpec) -> dict[str, pa.Table]:
    """The named columns as text, with what else the file has; columns that it lacks are lacking.

    Args:
        path: A file of a kind that the spec knows.
        columns: The columns that must be read as text, exactly as they are written; the first two are text and label.
        spec: How it is written.

    Returns:
        One table without a name, or those of a JSON file such as `{train: […], test: […]}` by their names.

    Raises:
        StepError: The file is not what its name says, or not in this encoding; with the line where that is known.
    """
    kind = spec.kind(path)
    assert kind is not None
    if kind == ".parquet":
        return {"": _parquet(path, columns)}
    text = _decoded(path, spec.encoding)
    if kind == ".json":
        return _json(path, text, columns)
    if kind in (".csv", ".tsv"):
        return {"": _separated(path, text, columns, spec, tabs=kind == ".tsv")}
    if kind in (".fasttext", ".label_text"):
        return {"": _labelled_lines(path, text, columns, mark="__label__" if kind == ".fasttext" else "")}
    return {"": _json_lines(path, text, columns)}


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


def _separated(path: Path, text: str, columns: Sequence[str], spec: FileSpec, *, tabs: bool) -> pa.Table:
    from pyarrow import csv as arrow_csv

    if not text.strip():
        return pa.table({})
    quoted = spec.quoting == "double" or (spec.quoting == "auto" and not tabs)
    delimiter = spec.delimiter or ("\t" if tabs else _delimiter(text, columns, spec))
    rows = _checked_rows(path, text, delimiter, quoted=quoted)
    data = text.encode()
    # In one block: a row may be as long as it likes, and the type of a column is judged by all of it.
    whole = min(len(data) + 1, 2**31 - 1)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(
                block_size=whole, column_names=None if spec.header else [str(at) for at in range(rows.width)]
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=quoted, quote_char='"' if quoted else False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise StepError(f"{path}: {error}") from error
    if len(table) != rows.count - spec.header:
        raise StepError(
            f"{path}: {len(table)} rows were read, and {rows.count - spec.header} are written in it.\n"
            "    Mend: say how the file is written with `delimiter` and `quoting` (`double` or `none`)."
        )
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What the rows of a file are by the rules of the format, counted before they are read."""

    count: int
    width: int


def _delimiter(text: str, columns: Sequence[str], spec: FileSpec) -> str:
    """The first usual delimiter that parts the first line into fields with the wanted names."""
    first = text.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")
    for delimiter in _DELIMITERS:
        names = {name.strip().strip('"') for name in first.split(delimiter)}
        if (names >= set(columns[:2])) if spec.header else len(names) > 1:
            return delimiter
    return ","


def _checked_rows(path: Path, text: str, delimiter: str, *, quoted: bool) -> _Rows:
    """Count the rows of a file and its columns, and refuse or tell quotation marks that make no sense.

    A quotation mark that opens a field by mistake swallows what follows up to the next one. By the rules of the format
    (RFC 4180) only a delimiter or the end of the row may follow a closing mark, so that such a field is found.
    """
    if '"' not in text or not quoted:
        lines = _lines(text)
        wrapped = sum(_is_wrapped(field) for line in lines[1:] for field in line.split(delimiter)) if '"' in text else 0
        if wrapped:
            _log.warning(
                "%s: %d fields begin and end with a quotation mark, which is kept as a part of the text; if the marks "
                "only enclose the fields, say `quoting: double`",
                path,
                wrapped,
            )
        return _Rows(count=len(lines), width=len(lines[0].split(delimiter)))
    most, spread, count, width, line = csv.field_size_limit(sys.maxsize), 0, 0, 0, 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            if fields:
                count, width = count + 1, width or len(fields)
                spread += reader.line_num - line > 1
            line = reader.line_num
    except csv.Error as error:
        raise StepError(
            f"{path}:{line + 1}: a quotation mark opens a field and none closes it as it should: {error}.\n"
            "    Mend: double each quotation mark within a quoted field, or say `quoting: none` if the marks are part "
            "of the text."
        ) from error
    finally:
        csv.field_size_limit(most)
    if spread:
        _log.warning("%s: %d of %d rows go over more than one line, by quotation marks", path, spread, count)
    return _Rows(count=count, width=width)


def _is_wrapped(field: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == '"'


def _labelled_lines(path: Path, text: str, columns: Sequence[str], *, mark: str) -> pa.Table:
    """A label and a text in each line, parted by white space."""
    texts, labels = [], []
    for number, line in enumerate(_lines(text), start=1):
        label, _, rest = line.partition("\t" if "\t" in line and not mark else " ")
        if not label.startswith(mark) or not rest.strip():
            raise StepError(f"{path}:{number}: expected `{mark}LABEL text`, got {value_text(line)}")
        if mark and rest.lstrip().startswith(mark):
            raise StepError(
                f"{path}:{number}: the text has more than one label: {value_text(line)}. Mend: leave one to each."
            )
        texts.append(rest.strip())
        labels.append(label.removeprefix(mark))
    return pa.table({columns[0]: pa.array(texts, pa.string()), columns[1]: pa.array(labels, pa.string())})


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"\r\n|\r|\n", text) if line]


def _json(path: Path, text: str, columns: Sequence[str]) -> dict[str, pa.Table]:
    try:
        content = json.loads(text or "[]")
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return {"": _json_lines(path, text, columns)}
        raise StepError(
            f"{path}:{error.lineno}: {error.msg}.\n    Mend: write a list of objects, or one object per line."
        ) from error
    tables = {"": content}
    if isinstance(content, dict) and not set(columns[:2]) <= content.keys():
        lists = {str(key): rows for key, rows in content.items() if isinstance(rows, list | dict) and rows}
        tables = {"": next(iter(lists.values()))} if len(lists) == 1 else lists or tables
    return {
        name: _from_objects(path, list(enumerate(_json_rows(path, rows, columns), start=1)), columns)
        for name, rows in tables.items()
    }


def _json_rows(path: Path, content: Any, columns: Sequence[str]) -> Sequence[Any]:
    """Rows of a list of objects, or of an object with a list (or an object by row) for each column."""
    if isinstance(content, list):
        return content
    values = content.values() if isinstance(content, dict) and set(columns[:2]) <= content.keys() else ()
    if values and all(isinstance(each, list) for each in values):
        if len({len(each) for each in values}) > 1:
            sizes = ", ".join(f"{name}: {len(each)}" for name, each in content.items())
            raise StepError(f"{path}: the columns are not of one length ({sizes}).")
        return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
    if values and all(isinstance(each, dict) for each in values):
        keys = list(content[columns[0]])
        return [{name: column.get(key) for name, column in content.items()} for key in keys]
    raise StepError(f"{path}: expected a list of objects such as {{{', '.join(columns)}}}, got {value_text(content)}")


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
            raise StepError(f"{path}: entry {number} is no object with named values: {value_text(row)}")
    names = [column for column in columns if any(column in row for _, row in rows)]
    others = sorted({name for _, row in rows for name in row} - set(names))
    arrays = {
        name: pa.array([_text(path, number, row.get(name)) for number, row in rows], pa.string()) for name in names
    }
    return pa.table(arrays | {name: pa.nulls(len(rows)) for name in others})


def _text(path: Path, number: int, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise StepError(f"{path}: entry {number} holds half of a character (a lone surrogate): {value_text(value)}")
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise StepError(f"{path}: entry {number}: expected text or a number, got {value_text(value)}")


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
