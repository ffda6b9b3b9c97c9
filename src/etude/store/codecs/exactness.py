"""Whether a value that was read back is the one that was written: equal, and of the same types throughout."""

from __future__ import annotations

import dataclasses
from datetime import datetime, time, timezone
from enum import Enum
from typing import Any

from etude.errors import value_text
from etude.store.codecs.annotations import is_namedtuple

PLAIN = (bool, int, float, str, type(None))
"""The types that JSON itself tells apart."""

_PLAIN = frozenset(PLAIN)


def difference(was: Any, back: Any, *, typed: bool) -> str | None:
    """Where a value that was read back differs from the one that was written, and how; None where it does not.

    NumPy scalars may come back as the Python numbers that they equal.

    Args:
        was: What was written.
        back: What was read.
        typed: Whether an annotation was read by, so that an integer may come back as a float and a subclass of `dict`
            or `str` as its base, since that is what the annotation says.
    """
    return _difference(was, back, "", typed=typed)


def is_numpy_scalar(value: Any) -> bool:
    """Whether a value is a number, text or date of NumPy's own types. Imports nothing."""
    return any(base.__module__ == "numpy" and base.__name__ == "generic" for base in type(value).__mro__)


def _difference(was: Any, back: Any, at: str, *, typed: bool) -> str | None:
    """Where a value that was read back differs from the one that was written; None where it does not."""
    kind = type(back)
    if kind in (list, tuple) or is_namedtuple(kind):
        return _difference_of_sequences(was, back, at, typed=typed)
    if kind is dict:
        return _difference_of_mappings(was, back, at, typed=typed)
    if kind in PLAIN:
        return None if _is_same_plain(was, back, typed=typed) else _told(was, back, at)
    if type(was) is not kind:
        return _told(was, back, at)
    if kind in (set, frozenset):
        partners = {inner: inner for inner in back}
        return next((_told(was, back, at) for inner in was if inner not in partners), None) or _first_difference(
            ((inner, partners[inner], f"{at}{{…}}") for inner in was), typed=typed
        )
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return _first_difference(((getattr(was, n), getattr(back, n), f"{at}.{n}") for n in names), typed=typed)
    if kind in (datetime, time):
        same = was == back and was.utcoffset() == back.utcoffset() and _is_fixed(was.tzinfo)
        return None if same else _told(was, back, at)
    return None if was == back or repr(was) == repr(back) else _told(was, back, at)


def _difference_of_sequences(was: Any, back: Any, at: str, *, typed: bool) -> str | None:
    if type(was) is not type(back) or len(was) != len(back):
        return _told(was, back, at)
    if _is_plainly_same(was, back):
        return None
    return _first_difference(((a, b, f"{at}[{i}]") for i, (a, b) in enumerate(zip(was, back))), typed=typed)


def _difference_of_mappings(was: Any, back: Any, at: str, *, typed: bool) -> str | None:
    if not (isinstance(was, dict) if typed else type(was) is dict) or len(was) != len(back):
        return _told(was, back, at)
    if _is_plainly_same(list(was), list(back)) and _is_plainly_same(list(was.values()), list(back.values())):
        return None
    keys = _first_difference(((a, b, f"{at}[{a!r}] (key)") for a, b in zip(was, back)), typed=typed)
    return keys or _first_difference(((was[a], back[b], f"{at}[{a!r}]") for a, b in zip(was, back)), typed=typed)


def _is_plainly_same(was: Any, back: Any) -> bool:
    """Whether two sequences are equal, of equal and plain types: the usual case, seen without a look at each item."""
    kinds = list(map(type, back))
    return _PLAIN.issuperset(kinds) and was == back and list(map(type, was)) == kinds


def _first_difference(pairs: Any, *, typed: bool) -> str | None:
    for was, back, at in pairs:
        if found_one := _difference(was, back, at, typed=typed):
            return found_one
    return None


def _is_same_plain(was: Any, back: Any, *, typed: bool) -> bool:
    if is_numpy_scalar(was):
        was = was.item()
    if isinstance(was, Enum) or (isinstance(was, bool) != isinstance(back, bool)):
        return False
    if type(was) is not type(back):
        widened = isinstance(back, float) and isinstance(was, int)
        if not typed or not (widened or isinstance(was, type(back))):
            return False
    return bool(was == back) or (was != was and back != back)


def _is_fixed(zone: Any) -> bool:
    """Whether a time zone is no more than an offset, which is what comes back."""
    return zone is None or isinstance(zone, timezone) or type(zone).__name__ == "TzInfo"


def _told(was: Any, back: Any, at: str) -> str:
    place = f"at {at}, " if at else ""
    if type(was) is type(back):
        return f"{place}{value_text(was)} would come back as {value_text(back)}"
    return f"{place}{value_text(was)} ({type(was).__qualname__}) would come back as a {type(back).__qualname__}"
