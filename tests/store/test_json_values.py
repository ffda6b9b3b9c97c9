"""Values that are stored as JSON come back equal, of the same types, or are refused."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, NewType
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from etude.errors import StepError
from etude.store import Store
from storing import Colour, Everything, Point, Quality, Words, files_below, round_trip, stored

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
everything = st.builds(
    Everything,
    numbers=st.lists(st.integers()).map(tuple),
    names=st.frozensets(st.text(st.characters(exclude_categories=["Cs"]))),
    by_layer=st.dictionaries(st.integers(), st.floats()),
    colour=st.sampled_from(Colour),
    raw=st.binary(),
    nested=st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.floats())),
)


def same(left: Any, right: Any) -> bool:
    """Equal with equal types, where NaN equals itself and the order of mappings counts."""
    return repr(left) == repr(right) and type(left) is type(right)


@many
@given(plain)
def test_plain_values_come_back_exactly_without_an_annotation(store: Store, value: Any) -> None:
    assert same(round_trip(store, value), value)


@many
@given(everything)
def test_a_dataclass_comes_back_exactly_by_its_annotation(store: Store, value: Everything) -> None:
    back = round_trip(store, value, Everything)
    assert type(back) is Everything
    assert back.names == value.names
    assert same(back.numbers, value.numbers)
    assert same(back.by_layer, value.by_layer)
    assert same((back.colour, back.raw, back.nested), (value.colour, value.raw, value.nested))


@many
@given(plain)
def test_writing_twice_gives_one_content_digest(store: Store, value: Any) -> None:
    assert stored(store, value).content == stored(store, value).content


@many
@given(st.text(st.characters(), min_size=1))
def test_any_text_comes_back_lone_surrogates_too(store: Store, text: str) -> None:
    assert round_trip(store, {text: text}) == {text: text}


class Named(BaseModel):
    name: str
    size: int = 0


Metres = NewType("Metres", float)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ((1, 2), tuple[int, ...]),
        ((1, "a"), tuple[int, str]),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        ({3: "c", 1: "a"}, dict[int, str]),
        ({Colour.RED: 1.5}, dict[Colour, float]),
        ({date(2020, 1, 2): [1]}, dict[date, list[int]]),
        (Colour.BLUE, Colour),
        (b"\xff\x00", bytes),
        (datetime(2020, 1, 2, 3, 4, 5, 6), datetime),
        (timedelta(days=-1, microseconds=1), timedelta),
        (Decimal("1.10"), Decimal),
        (UUID(int=7), UUID),
        (complex(1, -2), complex),
        (Point(1.0, 2.0), Point),
        ([Point(1.0, math.inf)], list[Point]),
        ({"text": "a"}, Words),
        ([{"tokens": [1]}], list[Words]),
        ("a", Literal["a", "b"]),
        (None, int | None),
        (2**80, int),
        (Named(name="a"), Named),
        ([1.5], list[Metres]),
        ([3], list[Annotated[int, Field(gt=2)]]),
        (Counter("aab"), Counter[str]),
    ],
    ids=repr,
)
def test_annotated_values_come_back_as_they_were(store: Store, value: Any, annotation: Any) -> None:
    assert same(round_trip(store, value, annotation), value)
    assert same(round_trip(store, value, annotation, as_type=annotation), value)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
def test_a_time_with_a_zone_keeps_its_offset(store: Store, zone: timezone) -> None:
    value = datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=zone)
    back = round_trip(store, value, datetime)
    assert back == value
    assert back.utcoffset() == value.utcoffset()


@pytest.mark.parametrize(
    "value", [Quality(0.5, 3), Colour.RED, Point(1.0, 2.0), date(2020, 1, 2), Named(name="a")], ids=repr
)
def test_a_value_of_a_class_speaks_for_itself_without_an_annotation(store: Store, value: Any) -> None:
    assert same(round_trip(store, value), value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({1: 2}, "key"),
        ({"a": ({1: 2},)}, "key"),
        ({"a": ({1, 2},)}, "'a'"),
        ({"a": b"x"}, "'a'"),
        ({1, 2}, "set"),
        ([Colour.RED], "[0]"),
    ],
    ids=repr,
)
def test_what_json_cannot_tell_apart_is_refused_without_an_annotation(store: Store, value: Any, place: str) -> None:
    with pytest.raises(StepError, match="annotate the step's return type") as caught:
        stored(store, value)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ({"a": "x"}, dict[str, float]),
        ([1, 2], tuple[int, ...]),
        (True, int),
        ("2020-01-01", date | str),
        ({"a": (1, 2)}, dict[str, Any]),
        (datetime(2020, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")), datetime),
        (Quality("a", 3), Quality),  # type: ignore[arg-type]
        ([1, 2], Sequence[str]),
    ],
    ids=repr,
)
def test_what_would_not_come_back_as_it_is_is_refused(store: Store, value: Any, annotation: Any) -> None:
    with pytest.raises(StepError, match="Mend: return what the annotation says"):
        stored(store, value, annotation)


def test_an_instance_of_a_subclass_is_not_cut_down_to_its_base(store: Store) -> None:
    @dataclass(frozen=True)
    class Longer(Quality):
        extra: int = 1

    with pytest.raises(StepError, match="Quality"):
        stored(store, Longer(0.5, 1), Quality)


def test_numpy_numbers_inside_become_python_numbers(store: Store) -> None:
    back = round_trip(store, {"a": np.float32(0.5), "b": np.int64(3)}, dict[str, float])
    assert same(back, {"a": 0.5, "b": 3.0}) or same(back, {"a": 0.5, "b": 3})


def test_integers_may_stand_where_floats_are_annotated(store: Store) -> None:
    assert round_trip(store, Quality(1, 3), Quality) == Quality(1.0, 3)


def test_the_order_of_a_mapping_is_part_of_a_plain_value(store: Store) -> None:
    assert list(round_trip(store, {"b": 1, "a": 2})) == ["b", "a"]
    assert stored(store, {"b": 1, "a": 2}).content != stored(store, {"a": 2, "b": 1}).content


def test_iterables_are_read_as_lists_not_as_iterators(store: Store) -> None:
    assert round_trip(store, [1, 2], list[int], as_type=Iterable[int]) == [1, 2]


def test_a_reader_gets_the_type_that_it_names(store: Store) -> None:
    assert round_trip(store, Quality(0.5, 3), Quality, as_type=dict[str, Any])["count"] == 3
    assert round_trip(store, {"accuracy": 0.5, "count": 3}, as_type=Quality) == Quality(0.5, 3)
    assert round_trip(store, [1, 2], as_type=tuple[int, ...]) == (1, 2)
    assert round_trip(store, {"a": 1.0}, as_type=Mapping[str, float]) == {"a": 1.0}


def test_a_reader_of_a_base_class_gets_the_whole_value(store: Store) -> None:
    back = round_trip(store, Richer(0.5, 3, extra=7), Richer, as_type=Quality)
    assert back == Richer(0.5, 3, extra=7)


@dataclass(frozen=True)
class Richer(Quality):
    extra: int = 0


@pytest.mark.parametrize(
    ("value", "wanted"), [({"a": "x"}, dict[str, int]), ([1], str), (Quality(0.5, 3), Point), (3, np.ndarray)]
)
def test_a_reader_of_another_type_is_told_both(store: Store, value: Any, wanted: Any) -> None:
    with pytest.raises(StepError, match=r"a stored .* is no "):
        round_trip(store, value, as_type=wanted)


def test_a_default_dict_comes_back_as_the_annotation_says(store: Store) -> None:
    value = defaultdict(float, a=1.0)
    assert round_trip(store, value, dict[str, float]) == {"a": 1.0}
    with pytest.raises(StepError):
        stored(store, value)


def test_a_value_that_holds_itself_is_refused(store: Store) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(StepError):
        stored(store, loop)


def test_a_value_with_no_codec_is_refused_with_what_to_return_instead(store: Store) -> None:
    with pytest.raises(StepError, match=r"fractions\.Fraction.*\n?.*Mend"):
        stored(store, {"a": Fraction(1, 2)})


def test_a_generator_is_not_used_up_but_refused(store: Store) -> None:
    numbers = (i for i in range(3))
    with pytest.raises(StepError, match=r"generator(.|\n)*return a list"):
        stored(store, numbers)
    assert list(numbers) == [0, 1, 2]


def test_small_values_stand_in_the_manifest_and_large_ones_in_a_file(store: Store) -> None:
    assert stored(store, list(range(10))).files == ()
    assert [file.path for file in stored(store, list(range(10_000))).files] == ["value.json"]


@pytest.mark.parametrize("size", [10, 70_000])
def test_text_and_bytes_of_any_size_come_back(store: Store, size: int) -> None:
    for value in ("é" * size, b"\xff" * size):
        for annotation in (object, type(value)):
            assert same(round_trip(store, value, annotation), value)


def test_long_text_is_a_file_of_just_that(store: Store) -> None:
    manifest = stored(store, "line\n" * 20_000, str)
    (file,) = files_below(Path(store.root / manifest.fingerprint[:2]))[1:]
    assert file.read_text() == "line\n" * 20_000


def test_a_set_is_written_in_the_same_order_by_every_process(store: Store, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from etude.store import Store; from storing import stored\n"
        "print(stored(Store.open(Path(sys.argv[1])), {str(i) for i in range(50)}, set[str]).content)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / f"store{seed}")],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(digests) == 1


with_tuples = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["()", "a", "", "()()"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(with_tuples)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_tuples_in_plain_containers_come_back_as_tuples(store: Store, value: Any) -> None:
    assert same(round_trip(store, value), value)


def test_a_value_with_tuples_is_read_as_the_type_that_is_wanted(store: Store) -> None:
    assert round_trip(store, {"a": (1, 2)}, as_type=dict[str, list[int]]) == {"a": [1, 2]}
    manifest = stored(store, {"a": (1, 2), "b": 3})
    assert store.read(manifest.fingerprint, item="a") == (1, 2)


def test_a_named_tuple_in_a_plain_container_is_not_taken_for_a_tuple(store: Store) -> None:
    with pytest.raises(StepError, match="annotate the step's return type"):
        stored(store, {"a": Point(1.0, 2.0)})
