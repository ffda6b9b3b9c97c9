"""A value as lines of text: what it is, how large it is, what is in it. Nothing is cut but what says so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.pretty import pretty_repr

from etude.digits import UNKNOWN, short_text
from etude.report.tables.value_files import as_table, is_table
from etude.units import readable_bytes

MOST_CELLS = 10_000_000
"""Of larger tables and arrays an even sample is counted, and that is said."""
MOST_COLUMNS = 40
MOST_FIELDS = 40
MOST_FILES = 20
MOST_ITEMS = 10
MOST_LABELS = 12
MOST_TEXT = 2000
HEAD_ROWS = 5
LONGEST_CELL = 40
BINS = 16
LEAST_DRAWN = 30
"""Of fewer numbers no histogram is drawn."""
BAR_WIDTH = 20
_BARS = "▁▂▃▄▅▆▇█"
_LABELS_WITHIN = 1000
"""Values with more different ones than `MOST_LABELS` among so many are no labels."""


def value_lines(value: Any, folder: Path, width: int = 100) -> Iterator[str]:
    """A value for people, line by line.

    Args:
        value: Anything that a step returns.
        folder: Where images and figures are written, to be looked at; made if need be.
        width: Columns of the terminal: rows of tables are fitted to it, nothing else.
    """
    return map(_printable, _lines(value, folder, width))


def _lines(value: Any, folder: Path, width: int) -> Iterator[str]:
    family = type(value).__module__.partition(".")[0]
    if is_table(value):
        yield from _table_lines(as_table(value), width)
    elif family == "datasets" and hasattr(value, "features"):
        yield from _data_set_lines(value, width)
    elif family == "torch" and str(getattr(value, "layout", "")) == "torch.strided" and value.ndim > 0:
        yield from _array_lines(_numpy_of(value), str(value.dtype).removeprefix("torch."))
    elif isinstance(value, np.ndarray) and value.ndim > 0:
        yield from _array_lines(value, str(value.dtype))
    elif isinstance(value, Path):
        yield from _path_lines(value)
    elif family in ("matplotlib", "PIL", "plotly", "altair") and (write := _picture_writer(value)) is not None:
        yield from _picture_lines(value, write, folder)
    elif isinstance(value, str):
        yield from _text_lines(value)
    elif isinstance(value, bytes):
        yield f"{readable_bytes(len(value))} of bytes"
    elif (items := _fields_of(value)) is not None:
        yield from _field_lines(value, items, folder, width)
    elif isinstance(value, (list, tuple)) and value:
        yield from _sequence_lines(value)
    else:
        yield from _repr_lines(value)


def _fields_of(value: Any) -> dict[str, Any] | None:
    """The parts of a record or mapping by name; None of what has none."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    return {str(name): item for name, item in value.items()} if isinstance(value, Mapping) and value else None


def _field_lines(value: Any, items: Mapping[str, Any], folder: Path, width: int) -> Iterator[str]:
    kind = "" if isinstance(value, Mapping) else f"{type(value).__name__}, "
    yield f"{kind}{_count(len(items), 'field')}"
    shown = dict(islice(items.items(), MOST_FIELDS))
    pad = max((len(name) for name, item in shown.items() if _is_short(item)), default=0)
    for name, item in shown.items():
        if _is_short(item):
            yield f"  {name:<{pad}}  {_whole(item)}"
        else:
            yield f"  {name}"
            for line in _lines(item, folder / _file_name(name), width - 4):
                yield f"    {line}"
    if len(items) > len(shown):
        yield f"  and {_count(len(items) - len(shown), 'more field', 'more fields')}"


def _is_short(item: Any) -> bool:
    """Whether it is one number, or a text of one short line."""
    if isinstance(item, str):
        return len(item) <= 60 and "\n" not in item
    return item is None or isinstance(item, (bool, int, float, complex, np.generic))


def _table_lines(table: Any, width: int) -> Iterator[str]:
    rows, columns = table.num_rows, table.num_columns
    yield f"table, {_count(rows, 'row')}, {_count(columns, 'column')}, {readable_bytes(table.nbytes)}"
    looked = table
    if rows * columns > MOST_CELLS and rows > 1:
        looked = table.take(pa.array(np.linspace(0, rows - 1, max(1000, MOST_CELLS // columns)).astype(np.int64)))
        yield f"counted below: {looked.num_rows:,} rows, evenly spaced"
    names = table.column_names[:MOST_COLUMNS]
    pad, types = max(map(len, names), default=0), [str(field.type) for field in table.schema][:MOST_COLUMNS]
    type_pad = min(30, max(map(len, types), default=0))
    for index, (name, kind) in enumerate(zip(names, types, strict=True)):
        first, *rest = _column_lines(looked.column(index))
        yield f"  {name:<{pad}}  {kind:<{type_pad}}  {first}".rstrip()
        yield from (f"  {'':<{pad}}    {line}" for line in rest)
    if columns > len(names):
        yield f"  and {_count(columns - len(names), 'more column', 'more columns')}"
    if rows:
        yield f"first {_count(min(rows, HEAD_ROWS), 'row')}" if rows > 1 else "its row"
        yield from _row_lines(table.slice(0, HEAD_ROWS), width)


def _row_lines(head: Any, width: int) -> Iterator[str]:
    """Rows, with as many columns as fit."""
    shown: list[list[str]] = []
    used = 0
    for index, name in enumerate(head.column_names[:MOST_COLUMNS]):
        cells = [name, *(_cell(value) for value in head.column(index).to_pylist())]
        used += max(map(len, cells)) + 2
        if used > width and shown:
            break
        shown.append([cell.rjust(max(map(len, cells))) for cell in cells])
    yield from ("  " + "  ".join(cells) for cells in zip(*shown, strict=True))
    if len(shown) < head.num_columns:
        yield f"  ({_count(head.num_columns - len(shown), 'more column', 'more columns')}: --csv FILE writes all)"


def _column_lines(column: Any) -> list[str]:
    """What is in a column: labels and how often each, or the range, or the lengths; and how many are missing."""
    kind = column.type
    missing = f"{column.null_count:,} missing" if column.null_count else ""
    if pa.types.is_dictionary(kind):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], type=kind.value_type)
        kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if pa.types.is_boolean(kind) or ((text or pa.types.is_integer(kind)) and _has_labels(column)):
        counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(column.drop_null()).to_pylist()}
        if len(counts) <= MOST_LABELS:
            return [_join(_count(len(counts), "label"), missing), *label_lines(counts)]
    if numeric:
        return [_join(_range_text(column.drop_null().to_numpy()), missing)]
    if text:
        return [_join(f"lengths {_range_text(pc.utf8_length(column.drop_null()).to_numpy())}", missing)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_join(f"lengths {_range_text(pc.list_value_length(column.drop_null()).to_numpy())}", missing)]
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        ends = pc.min_max(column).as_py()
        if ends["min"] is None:
            return [missing]
        return [_join(f"{ends['min']} to {ends['max']}", missing)]
    return [missing]


def _has_labels(column: Any) -> bool:
    return len(pc.unique(column.slice(0, _LABELS_WITHIN))) <= MOST_LABELS < len(column)


def label_lines(counts: Mapping[Any, int]) -> list[str]:
    """A bar for each label, in the order of the labels, with its count and share."""
    total, most = sum(counts.values()), max(counts.values(), default=1)
    names = {_cell(label): counts[label] for label in sorted(counts, key=lambda label: (str(type(label)), label))}
    pad, digits = max(map(len, names), default=0), len(f"{most:,}")
    return [
        f"{name:<{pad}}  {'█' * max(1, round(BAR_WIDTH * count / most)):<{BAR_WIDTH}}"
        f"  {count:>{digits},}  {100 * count / total:.3g} %"
        for name, count in names.items()
    ]


def _range_text(numbers: Any, *, spread: bool = False) -> str:
    """The range and mean of numbers, a histogram where they are many, and how many are not finite.

    With `spread` the sample standard deviation too.
    """
    if not len(numbers):
        return "no values"
    finite = numbers[np.isfinite(numbers)] if numbers.dtype.kind == "f" else numbers
    strange = "" if len(finite) == len(numbers) else f"{len(numbers) - len(finite):,} not finite"
    if not len(finite):
        return strange
    low, high = finite.min().item(), finite.max().item()
    if low == high:
        return _join(f"all {_cell(low)}", strange)
    text = f"{_cell(low)} to {_cell(high)}"
    with np.errstate(over="ignore", invalid="ignore"):  # near the largest float a mean is not known, and not told
        moments = {"mean": float(finite.mean(dtype=np.float64))}
        if spread:
            moments["std"] = float(finite.std(dtype=np.float64, ddof=1))
    text = _join(text, *(f"{name} {short_text(value)}" for name, value in moments.items() if math.isfinite(value)))
    return _join(f"{text}  {_histogram(finite, low, high)}".rstrip(), strange)


def _histogram(numbers: Any, low: float, high: float) -> str:
    """A bar for each of equal parts of a range, of 8 heights; empty for few numbers, or where floats cannot part it."""
    if len(numbers) < LEAST_DRAWN or not math.isfinite(float(high) - float(low)):
        return ""
    bins = min(BINS, int(high - low) + 1) if numbers.dtype.kind in "iu" else BINS
    ends = (low - 0.5, high + 0.5) if bins < BINS else (low, high)
    try:
        counts, _ = np.histogram(numbers, bins=bins, range=ends)
    except ValueError:  # the range is too narrow to be parted
        return ""
    return "".join(_BARS[math.ceil((len(_BARS) - 1) * count / counts.max())] for count in counts)


def _array_lines(array: Any, kind: str) -> Iterator[str]:
    shape = " × ".join(map(str, array.shape))
    yield f"array of {kind}, {shape}, {readable_bytes(array.nbytes)}"
    flat = array.reshape(-1)
    if len(flat) > MOST_CELLS:
        flat = flat[:: math.ceil(len(flat) / MOST_CELLS)]
        yield f"counted below: {len(flat):,} values, evenly spaced"
    if array.dtype.kind in "biufUS" and len(flat):
        column = flat.astype(np.float32) if array.dtype == np.float16 else flat
        values = pa.chunked_array([pa.array(np.ascontiguousarray(column))]) if array.dtype.kind != "f" else None
        lines = [_range_text(column, spread=True)] if values is None else _column_lines(values)
        yield from (f"  {line}" for line in lines if line)
    with np.printoptions(threshold=60, edgeitems=3, linewidth=100, precision=5):
        yield from (f"  {line}" for line in str(array).splitlines())


def _numpy_of(tensor: Any) -> Any:
    tensor = tensor.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:  # of a type that NumPy does not have, such as bfloat16
        return tensor.float().numpy()


def _data_set_lines(value: Any, width: int) -> Iterator[str]:
    """A data set of the `datasets` library: its features, then as a table."""
    for name, feature in value.features.items():
        yield f"feature {name}: {feature}"
    count = max(1, MOST_CELLS // max(1, len(value.features)))
    part = value if len(value) <= count else value.select(range(count))
    if len(value) > count:
        yield f"{_count(len(value), 'row')}; below, the first {count:,}"
    yield from _table_lines(part.with_format("arrow")[:], width)


def _path_lines(path: Path) -> Iterator[str]:
    if not path.is_dir():
        yield f"file {path}, {readable_bytes(path.stat().st_size)}" if path.exists() else f"file {path}, not there"
        return
    files = sorted(file for file in path.rglob("*") if file.is_file())
    yield f"folder {path}, {_count(len(files), 'file')}, {readable_bytes(sum(file.stat().st_size for file in files))}"
    for file in files[:MOST_FILES]:
        yield f"  {file.relative_to(path)}  {readable_bytes(file.stat().st_size)}"
    if len(files) > MOST_FILES:
        yield f"  and {_count(len(files) - MOST_FILES, 'more file', 'more files')}"


def _picture_writer(value: Any) -> tuple[str, Callable[[Path], object]] | None:
    """How a picture is written, and as what; None of what is none."""
    if hasattr(value, "savefig"):
        return ".png", lambda path: value.savefig(path)
    if hasattr(value, "write_html"):
        return ".html", lambda path: value.write_html(path)
    if hasattr(value, "to_html") and hasattr(value, "save"):
        return ".html", lambda path: value.save(str(path))
    return (".png", lambda path: value.save(path)) if hasattr(value, "getbands") else None


def _picture_lines(value: Any, writer: tuple[str, Callable[[Path], object]], folder: Path) -> Iterator[str]:
    suffix, write = writer
    path = folder.with_name(f"{folder.name}{suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    size = f", {value.width} × {value.height} {value.mode}" if hasattr(value, "getbands") else ""
    yield f"{'image' if size else 'figure'}{size}: {path}"


def _text_lines(text: str) -> Iterator[str]:
    yield _count(len(text), "character")
    yield from (f"  {line}" for line in text[:MOST_TEXT].splitlines())
    if len(text) > MOST_TEXT:
        yield f"  … and {len(text) - MOST_TEXT:,} more"


def _sequence_lines(value: Sequence[Any]) -> Iterator[str]:
    """A list: how many, of what; its labels, the range of its numbers or of the lengths of its parts; its head."""
    kinds = {type(item).__name__ for item in value}
    yield f"{type(value).__name__} of {len(value):,} {' or '.join(sorted(kinds))}"
    if kinds <= {"str", "bool", "int", "float"} and len(kinds) == 1 and len(value) > MOST_ITEMS:
        counts = Counter(value) if len(set(value[:_LABELS_WITHIN])) <= MOST_LABELS else Counter()
        if counts and len(counts) <= MOST_LABELS and kinds != {"float"}:
            yield from (f"  {line}" for line in label_lines(counts))
        elif kinds == {"str"}:
            yield f"  lengths {_range_text(np.fromiter(map(len, value), np.int64, len(value)))}"
        elif kinds == {"float"} or max(map(abs, value)) < 2**62:
            yield f"  {_range_text(np.array(value))}"
    elif kinds <= {"list", "tuple"}:
        yield f"  lengths {_range_text(np.fromiter(map(len, value), np.int64, len(value)))}"
    yield from (f"  {_item_text(item)}" for item in value[:MOST_ITEMS])
    if len(value) > MOST_ITEMS:
        yield f"  and {len(value) - MOST_ITEMS:,} more"


def _item_text(item: Any) -> str:
    if _is_short(item) and item != "":
        return _whole(item)
    return pretty_repr(item, max_width=10**6, max_length=20, max_string=100)


def _repr_lines(value: Any) -> Iterator[str]:
    if isinstance(value, Set) and len(value) > MOST_ITEMS:
        yield f"{type(value).__name__} of {len(value):,}"
    text = pretty_repr(value, max_width=100, max_length=20, max_string=400)
    yield from (text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + " …").splitlines()


def _whole(value: Any) -> str:
    """A short value, all of it."""
    return UNKNOWN if value is None else str(value.item() if isinstance(value, np.generic) else value)


def _cell(value: Any) -> str:
    """A value in one line of a table, cut where it is long; numbers to six digits."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (bool, int)):
        return _whole(value)
    if isinstance(value, float):
        return short_text(value, 6)
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def _printable(line: str) -> str:
    """The line with escapes for what a terminal would obey or cannot show."""
    if line.isprintable():
        return line
    return "".join(
        mark if mark.isprintable() or mark == "\t" else mark.encode("unicode_escape").decode() for mark in line
    )


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name) or "_"
