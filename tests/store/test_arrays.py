"""NumPy arrays and scalars come back with their dtype, shape and order, and cannot be written into."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from etude.errors import StepError
from etude.store import Store
from storing import round_trip, stored

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
dtypes = st.one_of(
    nps.boolean_dtypes(),
    nps.integer_dtypes(),
    nps.unsigned_integer_dtypes(),
    nps.floating_dtypes(),
    nps.complex_number_dtypes(),
    nps.unicode_string_dtypes(max_len=5),
    nps.byte_string_dtypes(max_len=5),
    nps.datetime64_dtypes(),
    nps.array_dtypes(min_size=1, max_size=3),
)
arrays = nps.arrays(dtypes, nps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))


@many
@given(arrays)
def test_arrays_come_back_with_dtype_and_bytes(store: Store, array: np.ndarray[Any, Any]) -> None:
    back = round_trip(store, array)
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@many
@given(arrays)
def test_writing_an_array_twice_gives_one_content_digest(store: Store, array: np.ndarray[Any, Any]) -> None:
    assert stored(store, array).content == stored(store, array.copy(order="K")).content


@many
@given(arrays)
def test_scalars_come_back_with_their_numpy_type(store: Store, array: np.ndarray[Any, Any]) -> None:
    for value in array.ravel()[:1]:
        if not isinstance(value, np.void):
            back = round_trip(store, value)
            assert type(back) is type(value)
            assert back.tobytes() == np.asarray(value).tobytes()


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_loaded_array_cannot_be_written_into(store: Store, size: int) -> None:
    back = round_trip(store, np.zeros(size))
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1.0


def test_memory_order_is_kept_and_strides_are_not(store: Store) -> None:
    assert round_trip(store, np.ones((3, 4), order="F")).flags.f_contiguous
    strided = np.arange(20)[::3]
    assert np.array_equal(round_trip(store, strided), strided)


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}, None], dtype=object),
        np.array(["a"], dtype=np.dtypes.StringDType()),
        np.ma.masked_array([1, 2], mask=[True, False]),
        np.array([(1, {})], dtype=[("a", int), ("b", object)]),
        np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    ],
    ids=lambda value: f"{type(value).__name__} {value.dtype}",
)
def test_arrays_that_would_not_come_back_are_refused_with_a_mend(store: Store, value: Any) -> None:
    with pytest.raises(StepError, match="Mend: return it"):
        stored(store, value)


def test_an_annotated_array_is_checked(store: Store) -> None:
    with pytest.raises(StepError, match="expected ndarray by the return annotation, got list"):
        stored(store, [1.0], np.ndarray)


def test_an_annotated_scalar_type_comes_back_as_that(store: Store) -> None:
    assert type(round_trip(store, np.float32(0.1), np.float32, as_type=np.float32)) is np.float32


def test_a_reader_of_something_else_is_told_both_types(store: Store) -> None:
    with pytest.raises(StepError, match=r"a stored ndarray is no list\[float\]"):
        round_trip(store, np.zeros(3), as_type=list[float])


LARGE = np.arange(60_000.0).reshape(200, 300)


@pytest.mark.parametrize(
    "array",
    [
        LARGE,
        np.asfortranarray(LARGE),
        LARGE[::2, ::3],
        LARGE.T[::2],
        LARGE.reshape(20, 10, 300).transpose(1, 0, 2),
        LARGE.astype("datetime64[s]"),
        LARGE.astype("U8"),
        LARGE.astype(">c16"),
        np.broadcast_to(np.arange(3.0), (9000, 3)),
        np.zeros(9000, dtype=[("a", "f8"), ("b", "U3")]),
    ],
    ids=["C", "F", "strided", "strided F", "permuted", "dates", "text", "complex", "broadcast", "records"],
)
def test_large_arrays_of_any_layout_come_back(store: Store, array: np.ndarray[Any, Any]) -> None:
    manifest = stored(store, array)
    back = store.read(manifest.fingerprint)
    assert (back.dtype, back.flags.f_contiguous) == (array.dtype, array.flags.f_contiguous)
    assert np.array_equal(back, array)
    assert stored(store, np.array(array, order="K")).size == manifest.size
