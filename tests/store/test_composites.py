"""Values of several kinds: each item has its own file and is read alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from etude.errors import DamagedArtifact, StepError
from etude.store import Store
from storing import Batch, Point, Quality, Splits, Words, files_below, round_trip, stored

many = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
leaves = st.one_of(
    st.integers(0, 5).map(lambda n: np.arange(n)),
    st.text(max_size=3).map(lambda word: np.array([word, "x"])),
    st.integers(0, 3).map(lambda n: pa.table({"n": list(range(n))})),
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.binary(min_size=1, max_size=3),
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.dictionaries(st.integers(-3, 12), inner, max_size=3)
    ),
    max_leaves=8,
)
# A table beside everything makes the whole a composite, whatever else is in it.
composites = trees.map(lambda tree: {"tree": tree, "table": pa.table({"a": [1]})})


def needs_annotation(value: Any) -> bool:
    """Whether something in it is what JSON cannot tell apart: an integer key, bytes."""
    if isinstance(value, dict):
        return any(type(key) is int for key in value) or any(map(needs_annotation, value.values()))
    return isinstance(value, bytes) or (isinstance(value, list | tuple) and any(map(needs_annotation, value)))


@many
@given(composites)
def test_composites_come_back_as_they_are_or_are_refused(store: Store, value: Any) -> None:
    try:
        manifest = stored(store, value)
    except StepError:
        assert needs_annotation(value["tree"])
    else:
        assert described(store.read(manifest.fingerprint)) == described(value)
        assert described(store.read(manifest.fingerprint, item="tree")) == described(value["tree"])


@many
@given(st.dictionaries(st.text(max_size=4), leaves, min_size=1))
def test_the_order_in_which_items_were_put_in_is_no_content(store: Store, items: dict[str, Any]) -> None:
    one, two = {"a table": TRAIN, **items}, {**dict(reversed(items.items())), "a table": TRAIN}
    assert stored(store, one).content == stored(store, two).content


TRAIN, TEST = pa.table({"text": ["a", "b"]}), pa.table({"text": ["c"]})


def test_a_named_tuple_of_tables_comes_back(store: Store) -> None:
    back = round_trip(store, Splits(TRAIN, TEST, 3), Splits)
    assert type(back) is Splits
    assert (back.train, back.test, back.classes) == (TRAIN, TEST, 3)


def test_a_dataclass_of_arrays_comes_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    value = Batch(np.ones(3), np.zeros(2), ("a", "b"), tmp_path / "made")
    back = round_trip(store, value, Batch)
    assert (type(back), back.labels) == (Batch, ("a", "b"))
    assert back.x.tolist() == [1, 1, 1]
    assert back.folder.is_dir()
    assert round_trip(store, Batch(np.ones(3), np.zeros(2), ())).folder is None


def test_reading_one_item_reads_no_other_file(store: Store) -> None:
    manifest = stored(store, Splits(TRAIN, TEST, 3), Splits)
    folder = store.root / manifest.fingerprint[:2] / manifest.fingerprint
    damaged = folder / "value" / "train.arrow"
    damaged.chmod(0o644)
    damaged.write_bytes(b"\0" * damaged.stat().st_size)
    assert store.read(manifest.fingerprint, item="test") == TEST
    assert store.read(manifest.fingerprint, item="classes", as_type=int) == 3
    with pytest.raises(DamagedArtifact, match="train"):
        store.read(manifest.fingerprint, item="train")


@pytest.mark.parametrize(
    ("value", "annotation", "item", "expected"),
    [
        (Quality(0.5, 3), Quality, "count", 3),
        (Point(1.0, 2.0), Point, "y", 2.0),
        ({"a": [1]}, object, "a", [1]),
        ({"text": "x"}, Words, "text", "x"),
        ({"a": Quality(0.5, 3)}, dict[str, Quality], "a", Quality(0.5, 3)),
    ],
    ids=repr,
)
def test_items_of_json_values_can_be_read_too(
    store: Store, value: Any, annotation: Any, item: str, expected: Any
) -> None:
    fingerprint = stored(store, value, annotation).fingerprint
    assert store.read(fingerprint, item=item) == expected
    assert store.read(fingerprint, item=item, as_type=type(expected)) == expected


def test_an_unknown_item_is_told_with_the_nearest(store: Store) -> None:
    with pytest.raises(StepError, match="no item 'trian': did you mean 'train'"):
        store.read(stored(store, Splits(TRAIN, TEST, 3)).fingerprint, item="trian")
    with pytest.raises(StepError, match="nothing is known here"):
        store.read(stored(store, [1, 2]).fingerprint, item="0")


@pytest.mark.parametrize(
    "value",
    [
        {"b": TRAIN, "a": np.ones(2), "n": None, "q": [1, 2]},
        [TRAIN, 1.5, np.ones(2)],
        (np.ones(2), 0.5),
        {3: np.ones(2), 1: np.zeros(1)},
        {"deep": {"er": [TRAIN, {"x": np.ones(1)}]}},
        {"..": TRAIN, "": TEST, "a/b": 1, "a%2Fb": np.ones(1), "x" * 300: 2, "manifest.json": 3},
        [],
        (np.ones(1), TRAIN, "x" * 100_000, b"\xff"),
    ],
    ids=["dict", "list", "tuple", "integer keys", "nested", "odd names", "empty", "long text"],
)
def test_mixed_containers_come_back_without_an_annotation(store: Store, value: Any) -> None:
    back = round_trip(store, value)
    assert type(back) is type(value)
    assert described(back) == described(value)


def described(value: Any) -> Any:
    """A value that can be compared, its order and types kept."""
    if isinstance(value, dict):
        return [(key, described(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [type(value), *map(described, value)]
    return (value.dtype, value.tolist()) if isinstance(value, np.ndarray) else value


def test_the_order_of_items_is_kept_but_is_not_content(store: Store) -> None:
    one = stored(store, {"b": TRAIN, "a": np.ones(1)})
    two = stored(store, {"a": np.ones(1), "b": TRAIN})
    assert one.content == two.content
    assert list(store.read(one.fingerprint)) == ["b", "a"]
    assert list(store.read(two.fingerprint)) == ["a", "b"]


def test_an_item_may_be_called_order(store: Store) -> None:
    one, two = stored(store, {"order": TRAIN, "x": 1}), stored(store, {"order": TEST, "x": 1})
    assert one.content != two.content
    assert stored(store, {"order": 1, "x": TRAIN}).content != stored(store, {"order": 2, "x": TRAIN}).content


def test_annotated_containers_are_stored_item_by_item(store: Store) -> None:
    assert round_trip(store, {"a": TRAIN}, dict[str, pa.Table]) == {"a": TRAIN}
    assert round_trip(store, [TRAIN], Sequence[pa.Table], as_type=Sequence[pa.Table]) == [TRAIN]
    assert round_trip(store, (TRAIN, 3), tuple[pa.Table, int]) == (TRAIN, 3)
    assert round_trip(store, {}, dict[str, pa.Table], as_type=dict[str, pa.Table]) == {}


def test_a_union_is_stored_as_the_member_that_it_is(store: Store) -> None:
    for value in (None, TRAIN, 3, "x"):
        assert round_trip(store, value, pa.Table | int | str | None, as_type=pa.Table | int | str | None) == value


def test_a_consumer_may_name_a_record_for_a_stored_mapping(store: Store) -> None:
    back = round_trip(store, {"train": TRAIN, "test": TEST, "classes": 3}, as_type=Splits)
    assert back == Splits(TRAIN, TEST, 3)
    assert set(round_trip(store, Splits(TRAIN, TEST, 3), as_type=dict)) == {"train", "test", "classes"}


def test_a_record_that_does_not_fit_is_told_by_field(store: Store) -> None:
    with pytest.raises(StepError, match="is no Splits: it has no item 'classes'"):
        round_trip(store, {"train": TRAIN, "test": TEST}, as_type=Splits)
    with pytest.raises(StepError, match="is no Splits: it has an item 'other'"):
        round_trip(store, {"train": TRAIN, "test": TEST, "classes": 1, "other": 2}, as_type=Splits)


@pytest.mark.parametrize(
    ("value", "annotation", "place"),
    [
        ({"a": TRAIN, "b": 3}, dict[str, pa.Table], "item b: expected Table"),
        ((TRAIN, "x"), tuple[pa.Table, int], "item 1: cannot store 'x' as int"),
        (Splits(TRAIN, [1], 3), Splits, "item test: expected Table"),
        (np.ones(1), Splits, "expected Splits by the return annotation, got ndarray"),
        ({"deep": {"er": np.array([None])}}, object, "item deep/er: an array of dtype object"),
    ],
)  # fmt: skip
def test_an_item_of_the_wrong_type_is_told_by_name(store: Store, value: Any, annotation: Any, place: str) -> None:
    with pytest.raises(StepError) as caught:
        stored(store, value, annotation)
    assert place in str(caught.value)
    assert not list(store.entries())


def test_a_typed_dict_with_arrays_keeps_its_fields(store: Store) -> None:
    back = round_trip(store, {"x": np.ones(1), "name": "a"}, Sample, as_type=Sample)
    assert (back["x"].tolist(), back["name"]) == ([1.0], "a")
    with pytest.raises(StepError, match="no field 'z'"):
        stored(store, {"x": np.ones(1), "z": 1}, Sample)


class Sample(TypedDict, total=False):
    x: np.ndarray
    name: str


def test_a_record_with_open_fields_is_json_where_its_values_are(store: Store) -> None:
    assert stored(store, Loose(1, {"a": [1.5]}), Loose).codec["codec"] == "json"
    manifest = stored(store, Loose(1, {"a": np.ones(2)}), Loose)
    assert store.read(manifest.fingerprint).more["a"].tolist() == [1, 1]


@dataclass(frozen=True)
class Loose:
    size: int
    more: Any


def test_every_file_of_a_result_is_in_its_manifest_and_read_only(store: Store, tmp_path: Path) -> None:
    manifest = stored(store, {"t": TRAIN, "a": [np.ones(1), np.array(["x"])], "s": "x" * 100_000})
    folder = store.root / manifest.fingerprint[:2] / manifest.fingerprint
    paths = {str(path.relative_to(folder)) for path in files_below(folder)}
    assert paths == {file.path for file in manifest.files} | {"manifest.json"}
    assert all(path.stat().st_mode & 0o222 == 0 for path in files_below(folder))


def test_mappings_of_a_reader_give_their_items_their_types(store: Store) -> None:
    back = round_trip(store, {"a": TRAIN, "b": TEST}, as_type=Mapping[str, pa.Table])
    assert back["b"] == TEST
    with pytest.raises(StepError, match="is no ndarray"):
        round_trip(store, {"a": TRAIN}, as_type=Mapping[str, np.ndarray])
