"""Whatever a step returns comes back as it was, or is refused by name with the mend; never a raw error."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from etude.errors import StepError
from etude.store import Store
from storing import round_trip

FIELDS = np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])
FRAME = pd.DataFrame({"g": pd.Categorical(["a", "b", "a"]), "h": [1, 2, 1], "v": [1.0, 2.0, 3.0]})


@pytest.fixture(scope="module")
def worn() -> Iterator[Store]:
    """A store that many examples share."""
    with tempfile.TemporaryDirectory() as folder:
        yield Store.open(Path(folder) / "store")


def is_same(was: Any, back: Any) -> bool:
    """Whether two values are equal bit for bit, of the same type throughout."""
    if type(was) is not type(back):
        return False
    if isinstance(was, pd.DataFrame):
        pd.testing.assert_frame_equal(back, was)
        return True
    if isinstance(was, pa.Table):
        return bool(back.schema == was.schema and back.equals(was))
    if isinstance(was, np.ndarray):
        return back.dtype == was.dtype and back.shape == was.shape and back.tobytes() == was.tobytes()
    if isinstance(was, np.generic):
        return back.dtype == was.dtype and (back.tobytes() == was.tobytes() or repr(back) == repr(was))
    if isinstance(was, dict):
        return list(was) == list(back) and all(is_same(was[key], back[key]) for key in was)
    if isinstance(was, list):
        return len(was) == len(back) and all(map(is_same, was, back))
    return bool(repr(was) == repr(back))


@pytest.mark.parametrize(
    "value",
    [
        FIELDS[0],
        np.array([((1, 2),)], dtype=[("x", [("y", "i4"), ("z", ">i4")])])[0],
        np.void(b"abc"),
        np.str_("a\0"),
        np.str_("a\0b\0\0"),
        np.str_("a\0b"),
        np.str_(""),
        np.bytes_(b"a\0"),
        np.bytes_(b"\0\0"),
        np.datetime64("2020-01-01"),
        np.datetime64("NaT"),
        np.datetime64(5, "ns"),
        np.timedelta64(5),
        np.timedelta64(5, "s"),
        np.array(3.5),
        FIELDS.reshape(())[()],
        np.arange(3, dtype=">i4"),
        np.arange(3, dtype=">i4")[1],
        np.array(["2020", "NaT"], "M8[D]"),
        FRAME,
        FRAME.set_index("g"),
        FRAME.set_index(["h", "v"]),
        FRAME.set_index(["g", "h"]),
        FRAME.set_index(["h", "v"]).iloc[:0],
        FRAME.iloc[:0],
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame({"x": [1]}, index=pd.CategoricalIndex(["a"], categories=["b", "a"], ordered=True)),
        pd.DataFrame({"x": [1]}, index=pd.interval_range(0, 1)),
        pa.table({"a": pa.nulls(3)}),
        pa.table({"a": pa.array(["x", None], pa.string_view())}),
        {"a": [None, {"b": None}], "c": np.arange(2), "d": None},
    ],
    ids=lambda value: f"{type(value).__name__} {value!r}"[:60],
)
def test_odd_values_come_back_as_they_were(store: Store, value: Any) -> None:
    assert is_same(value, round_trip(store, value))


@pytest.mark.parametrize(
    ("value", "mend"),
    [
        (FIELDS.view(np.recarray)[0], "view"),
        (np.ma.array([1, 2], mask=[0, 1]), "mask"),
        (FRAME.pivot_table(index="h", columns="g", values="v", observed=False), "columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "columns"),
        (pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}), "plain type"),
        (pa.table({"r": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3]), pa.array(["a", None]))}), "run_end_decode"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_refused_with_the_mend(store: Store, value: Any, mend: str) -> None:
    with pytest.raises(StepError, match=f"(?s)Mend: .*{mend}"):
        round_trip(store, value)


def back_or_refused(store: Store, value: Any) -> tuple[Any, str]:
    """A value as it comes back, or why it was not stored."""
    try:
        return round_trip(store, value), ""
    except StepError as refusal:
        return None, str(refusal)


DTYPES = (
    npst.scalar_dtypes()
    | npst.byte_string_dtypes(max_len=5)
    | npst.unicode_string_dtypes(max_len=5)
    | npst.array_dtypes(max_size=3, allow_subarrays=True)
    | npst.nested_dtypes(max_leaves=4)
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
SCALARS = DTYPES.flatmap(lambda dtype: npst.arrays(dtype, (1,))).map(lambda array: array[0])
TEXTS = st.text(st.sampled_from("a\0é"), max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=ARRAYS | SCALARS | TEXTS.map(np.str_))
def test_arrays_and_scalars_of_any_dtype_come_back_or_are_refused(worn: Store, value: Any) -> None:
    back, refusal = back_or_refused(worn, value)
    assert "Mend" in refusal if refusal else is_same(value, back)


LABELS = st.sampled_from(["a", "b", "c", None])
COLUMNS = st.sampled_from(["int", "float", "text", "category", "date", "bool"])


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Frames with columns of several types, an index of one or more of them, or labels that are odd."""
    rows = draw(st.integers(0, 4))
    columns: dict[str, Any] = {}
    for name, kind in zip("uvwx", draw(st.lists(COLUMNS, min_size=1, max_size=4)), strict=False):
        words = draw(st.lists(LABELS, min_size=rows, max_size=rows))
        numbers = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
        columns[name] = {
            "int": lambda n=numbers: pd.Series(n, dtype="int64"),
            "float": lambda n=numbers: pd.Series(n, dtype="float64") / 3,
            "text": lambda w=words: pd.Series([word or "" for word in w], dtype="object"),
            "category": lambda w=words: pd.Series(pd.Categorical(w, categories=["c", "b", "a"])),
            "date": lambda n=numbers: pd.Series(pd.to_datetime(n, unit="D")),
            "bool": lambda n=numbers: pd.Series(n, dtype="int64") > 1,
        }[kind]()
    frame = pd.DataFrame(columns)
    index = draw(st.lists(st.sampled_from(sorted(columns)), unique=True, max_size=2))
    return frame.set_index(index) if index and len(index) < len(columns) else frame


def test_a_frame_whose_index_would_come_back_of_another_type_is_refused_at_any_level(worn: Store) -> None:
    texts = pd.Series(["a", "b"], dtype="object")
    frame = pd.DataFrame({"number": [0, 1], "text": texts, "value": [0, 0]})
    for levels in (["text"], ["number", "text"]):
        _, refusal = back_or_refused(worn, frame.set_index(levels))
        assert "the index plain labels" in refusal
    plain = frame.astype({"text": "str"}).set_index(["number", "text"])
    back, refusal = back_or_refused(worn, plain)
    assert not refusal
    assert is_same(plain, back)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame=frames())
def test_frames_come_back_or_are_refused(worn: Store, frame: pd.DataFrame) -> None:
    back, refusal = back_or_refused(worn, frame)
    assert "Mend" in refusal if refusal else is_same(frame, back)
