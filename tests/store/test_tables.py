"""Tables come back equal with their schema, without a copy; equal tables have equal content."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etude.errors import StepError
from etude.store import Store
from storing import round_trip, stored

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
columns = {
    "i": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "f": (pa.float64(), st.floats(allow_nan=False)),
    "b": (pa.bool_(), st.booleans()),
    "s": (pa.string(), text),
    "l": (pa.list_(pa.int32()), st.lists(st.integers(-5, 5), max_size=3)),
    "r": (pa.struct([("x", pa.float32()), ("y", pa.string())]), st.fixed_dictionaries({"x": st.just(1.5), "y": text})),
    "c": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["u", "v"])),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from(sorted(columns)), unique=True))
    rows = draw(st.integers(0, 6))
    made = {
        name: pa.array(draw(st.lists(st.none() | columns[name][1], min_size=rows, max_size=rows)), columns[name][0])
        for name in names
    }
    metadata = draw(st.none() | st.dictionaries(text, text, min_size=1, max_size=3))
    return pa.table(made).replace_schema_metadata(metadata)


@many
@given(tables())
def test_tables_come_back_equal_with_their_schema(store: Store, table: pa.Table) -> None:
    back = round_trip(store, table)
    assert back.schema.equals(table.schema, check_metadata=True)
    assert back.equals(table)


@many
@given(tables(), st.integers(0, 6))
def test_chunks_and_offsets_do_not_change_the_content(store: Store, table: pa.Table, at: int) -> None:
    pieces = pa.concat_tables([table.slice(0, at), table.slice(at)])
    padded = pa.concat_tables([table, table]).combine_chunks().slice(table.num_rows)
    contents = {stored(store, each).content for each in (table, pieces, padded)}
    assert len(contents) == 1


def test_garbage_below_nulls_does_not_change_the_content(store: Store) -> None:
    def with_garbage(value: int) -> pa.Table:
        data = pa.py_buffer(np.array([1, value, 3]).tobytes())
        return pa.table({"a": pa.Array.from_buffers(pa.int64(), 3, [pa.py_buffer(b"\x05"), data])})

    assert with_garbage(1).equals(with_garbage(7))
    assert stored(store, with_garbage(1)).content == stored(store, with_garbage(7)).content


def test_a_large_table_is_loaded_without_a_copy(store: Store) -> None:
    manifest = stored(store, pa.table({"a": np.arange(1_000_000)}))
    before = pa.total_allocated_bytes()
    table = store.read(manifest.fingerprint)
    assert pa.total_allocated_bytes() - before < 100_000
    assert table.column("a")[999_999].as_py() == 999_999


def test_batches_larger_than_one_are_split_at_fixed_places(store: Store) -> None:
    table = pa.table({"a": np.arange(300_000), "b": np.arange(300_000) % 2 == 0})
    assert round_trip(store, table).equals(table)
    pieces = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    assert stored(store, table).content == stored(store, pieces).content


FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan]}),
    pd.DataFrame({"a": [1, 2]}, index=["u", "v"]),
    pd.DataFrame({"a": [1, 2, 3]}, index=pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a")], names=["i", "j"])),
    pd.DataFrame({"t": pd.to_datetime(["2020-01-01", "2021-01-01"], utc=True), "k": pd.Categorical(["a", "b"])}),
    pd.DataFrame({"d": [date(2020, 1, 1), None], "n": [Decimal("1.10"), Decimal("2.20")]}),
    pd.DataFrame(),
    pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}, index=pd.RangeIndex(5, 7)),
]


@pytest.mark.parametrize("frame", FRAMES, ids=range(len(FRAMES)))
def test_pandas_frames_come_back_as_they_are(store: Store, frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(round_trip(store, frame), frame)
    pd.testing.assert_frame_equal(round_trip(store, frame, pd.DataFrame, as_type=pd.DataFrame), frame)


def test_content_of_a_frame_names_no_versions(store: Store) -> None:
    schema = round_trip(store, pd.DataFrame({"a": [1]}), as_type=pa.Table).schema
    assert pd.__version__.encode() not in schema.metadata[b"pandas"]


POLARS = [
    pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [[1], [2, 3]]}),
    pl.DataFrame({"a": ["u", "v"]}, schema={"a": pl.Enum(["u", "v"])}),
    pl.DataFrame({"a": [1.5, float("nan")]}),
    pl.DataFrame(),
]


@pytest.mark.parametrize("frame", POLARS, ids=range(len(POLARS)))
def test_polars_frames_come_back_as_they_are(store: Store, frame: pl.DataFrame) -> None:
    back = round_trip(store, frame)
    assert back.schema == frame.schema
    assert back.equals(frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, "x"]}, dtype=object),
        pd.DataFrame({"a": [{"k": 1}, None]}, dtype=object),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({1: [1], "b": [2]}),
        pl.DataFrame({"a": [object()]}, schema={"a": pl.Object}),
    ],
    ids=["mixed", "dicts", "two of one name", "mixed names", "objects"],
)
def test_frames_that_arrow_cannot_hold_are_refused(store: Store, frame: Any) -> None:
    with pytest.raises(StepError, match="data frame"):
        stored(store, frame)


def test_a_reader_may_ask_for_another_kind_of_table(store: Store) -> None:
    table = pa.table({"a": [1, 2]})
    assert round_trip(store, table, as_type=pd.DataFrame)["a"].tolist() == [1, 2]
    assert round_trip(store, table, as_type=pl.DataFrame)["a"].to_list() == [1, 2]
    assert round_trip(store, pl.DataFrame(table), as_type=pa.Table).column("a").to_pylist() == [1, 2]


def test_a_reader_of_no_table_is_told_both_types(store: Store) -> None:
    with pytest.raises(StepError, match=r"a stored pyarrow.Table is no dict\[str, int\]"):
        round_trip(store, pa.table({"a": [1]}), as_type=dict[str, int])
