"""Whether what one step gives is what another takes."""

from __future__ import annotations

import collections
import collections.abc
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, NewType, Protocol, TypedDict, TypeVar

import pytest
from typing_extensions import TypeAliasType

from etude.graph.compatible import NoSuchItem, element_type, fits, item_type


class Base: ...


class Derived(Base): ...


@dataclass(frozen=True)
class Splits:
    train: list[str]
    test: list[int]


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict):
    rate: float


class HasName(Protocol):
    name: str


UserId = NewType("UserId", int)
Number = TypeAliasType("Number", int)
T = TypeVar("T")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (int, int),
        (int, float),
        (Derived, Base),
        (list[int], list[int]),
        (list[Derived], collections.abc.Sequence[Base]),
        (list, list[int]),
        (dict[str, int], collections.abc.Mapping[str, int]),
        (Options, dict),
        (int, int | str),
        (int | str, int | str | None),
        (Annotated[int, "unit"], int),
        (UserId, int),
        (Any, int),
        (int, Any),
        (int, object),
        (tuple[int, int], tuple[int, ...]),
        (tuple[int, int], list[int] | tuple[int, int]),
        (Literal["a"], str),
        (Literal["a"], Literal["a", "b"]),
        (None, int | None),
        (int, HasName),
        (Options, collections.abc.Mapping[str, object]),
        (dict, Options),
        (tuple[int, int], collections.abc.Sequence[int]),
        (tuple[int, ...], collections.abc.Sequence[int]),
        (tuple[int, ...], tuple[int, ...]),
        (Number, int),
        (Pair, tuple),
        (T, int),
        (int, T),
        (list[int], "said in words"),
        (Literal["a", "b"], str),
        (collections.OrderedDict[str, int], dict[str, int]),
    ],
)
def test_a_result_fits_where_every_value_of_it_does(given: object, wanted: object) -> None:
    assert fits(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (str, int),
        (float, int),
        (Base, Derived),
        (list[str], list[int]),
        (dict[str, str], dict[str, int]),
        (int | str, int),
        (int | None, int),
        (Splits, dict),
        (str, Literal["a"]),
        (Literal["a", "c"], Literal["a", "b"]),
        (tuple[int, str], tuple[int, int]),
        (int, list[int]),
        (tuple[int, str], tuple[int, ...]),
        (tuple[int, str], collections.abc.Sequence[int]),
        (tuple[int, int, int], tuple[int, int]),
        (tuple[int, int], tuple[int, int, int]),
        (Literal["a", 1], str),
        (bytes, float | str | None),
        (Pair, dict),
        (Pair, collections.abc.Mapping),
        (int, None),
    ],
)
def test_a_result_does_not_fit_where_some_value_of_it_does_not(given: object, wanted: object) -> None:
    assert not fits(given, wanted)


def test_an_item_has_the_type_of_its_field() -> None:
    assert item_type(Splits, "train") == list[str]
    assert item_type(Pair, "right") is str
    assert item_type(Options, "rate") is float
    assert item_type(dict[str, int], "anything") is int
    assert item_type(Splits | None, "test") == list[int]


def test_an_unknown_item_tells_the_known_ones() -> None:
    with pytest.raises(NoSuchItem) as caught:
        item_type(Splits, "tset")
    assert caught.value.known == ("train", "test")


def test_a_plain_number_has_no_items() -> None:
    with pytest.raises(NoSuchItem):
        item_type(int, "part")


def test_a_sequence_tells_what_it_holds() -> None:
    assert element_type(list[int]) is int
    assert element_type(collections.abc.Sequence[str]) is str
    assert element_type(list) is object
    assert element_type(str) is None
    assert element_type(int) is None
    assert element_type(collections.abc.Mapping[str, int]) is str
    assert element_type(Any) is element_type(object) is object


@pytest.mark.parametrize("annotation", [str, bytes, int, Splits, Literal["a"]])
def test_what_is_no_sequence_holds_nothing(annotation: object) -> None:
    assert element_type(annotation) is None


def test_items_of_what_is_not_known_may_be_anything() -> None:
    assert item_type(Any, "x") is object
    assert item_type(dict, "x") is object
    assert item_type(dict[str, int] | dict[str, str], "x") is object
