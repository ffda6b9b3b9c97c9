"""Whether what one step gives is what another takes."""

from __future__ import annotations

import collections.abc
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict

import pytest

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


UserId = NewType("UserId", int)


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
