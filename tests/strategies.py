"""Generators of values for property tests, shared by all test folders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from uuid import UUID

from hypothesis import strategies as st


class Colour(Enum):
    RED = "red"
    GREEN = 1


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Point:
    x: object
    y: object = 0


@dataclass(frozen=True)
class Pair:
    x: object
    y: object = 0


# Few values, so that two draws often meet; those that a careless written form would confuse are all here.
_TEXTS = st.one_of(
    st.sampled_from(
        ["", "1", "true", "none", "int:1", '"', "\\", '","', "=", "é", "\x00", "\ud800", "\ud83d\ude00", "😀"]
    ),
    st.text(alphabet='"\\,=:()[]{}a1\n\ud83d\ude00😀', max_size=4),
)
_FLOATS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 0.1, float("nan"), float("inf"), float("-inf"), 5e-324]), st.floats(width=64)
)
_ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=1), "CET")])
_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    _FLOATS,
    _TEXTS,
    st.sampled_from([b"", b"1", b"\x00", b"a"]),
    st.sampled_from([0j, 1j, complex(1, -0.0), complex(1, 0.0)]),
    st.sampled_from([Colour.RED, Colour.GREEN, Level.LOW, Level.HIGH]),
    st.sampled_from([Decimal(1), Decimal("1.0"), Decimal("NaN"), Fraction(1), Fraction(1, 2), UUID(int=1)]),
    st.sampled_from([date(2024, 1, 1), time(1), timedelta(1), timedelta(microseconds=1)]),
    st.builds(datetime, st.just(2024), st.just(1), st.integers(1, 2), fold=st.integers(0, 1), tzinfo=_ZONES),
)


def _hashable(children: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(
        st.lists(children, max_size=3).map(tuple),
        st.frozensets(children, max_size=3),
        st.builds(Point, children, children),
        st.builds(Pair, children, children),
    )


def keys() -> st.SearchStrategy[object]:
    """Values that may be keys of a mapping or elements of a set."""
    return st.recursive(_ATOMS, _hashable, max_leaves=4).filter(_is_key)


def _is_key(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return value == value  # NaN is no key: it is found by identity alone


def values() -> st.SearchStrategy[object]:
    """Nested values of every type that has a canonical form."""
    return st.recursive(
        _ATOMS,
        lambda children: st.one_of(
            st.lists(children, max_size=3),
            st.lists(children, max_size=3).map(tuple),
            st.dictionaries(keys(), children, max_size=3),
            st.sets(keys(), max_size=3),
            st.frozensets(keys(), max_size=3),
            st.builds(Point, children, children),
        ),
        max_leaves=8,
    )


def settings() -> st.SearchStrategy[dict[str, object]]:
    """Settings of a step: a mapping from names to nested values."""
    names = st.sampled_from(["epochs", "rate", "pooling", "seed", "two words", "x"])
    return st.dictionaries(names, values(), max_size=5)


def same(left: object, right: object) -> bool:
    """Whether two values are equal in value and type at every depth: slow, and independent of any written form."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            any(same(key, other) and same(value, right[other]) for other in right) for key, value in left.items()
        )
    if isinstance(left, (set, frozenset)):
        return len(left) == len(right) and all(any(same(one, other) for other in right) for one in left)
    if isinstance(left, (Point, Pair)):
        return same(left.x, right.x) and same(left.y, right.y)
    if isinstance(left, float):
        return (left != left and right != right) or (left == right and str(left) == str(right))
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    if isinstance(left, datetime):
        return (left.isoformat(), left.fold, str(left.tzinfo)) == (right.isoformat(), right.fold, str(right.tzinfo))
    return left == right
