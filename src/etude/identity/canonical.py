"""The written form of a value: exact, tagged by type, the same in every process and on every machine.

Two values have one text if and only if they are the same value of the same type:

    None, True, 5, 0.5      none  true  int:5  float:0x1.0000000000000p-1      (every NaN is float:nan)
    "a", b"a", 1j           "a"  bytes:61  complex(float:0x0.0p+0,float:0x1.0000000000000p+0)
    [1], (1,), {"a": 1}     [int:1]  (int:1)  {"a"=int:1}                      (keys sorted by their texts)
    {1}, frozenset({1})     set{int:1}  frozenset{int:1}                       (elements sorted by their texts)
    Pooling.MEAN            enum("project.pool:Pooling","MEAN")
    Spec(epochs=3)          data("project.spec:Spec"){"epochs"=int:3}          (fields sorted by name)

Dates, times, Decimal, Fraction, UUID and NumPy scalars are tagged likewise. Anything else has no fixed written form and
is refused; `repr` is never a fallback. `difference.py` reads the texts back.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from json.encoder import encode_basestring
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from etude.errors import Fault, IdentityError

DEEPEST = 200
"""Values nested deeper than this are refused: a setting is never so deep unless it contains itself."""

_LONG_BITS = 2048  # beyond, decimal text is slow and an interpreter may be set to refuse it
_TOO_DEEP = f"nested more than {DEEPEST} deep"

_Writer = Callable[[Any, int], str]


def canonical(value: object, name: str = "value") -> str:
    """The written form of a value.

    Args:
        value: None, a bool, number, text, bytes, list, tuple, dict, set, enum member, frozen dataclass, date, time,
            Decimal, Fraction, UUID or NumPy scalar, nested at most `DEEPEST` deep.
        name: What the value is called in an error message.

    Raises:
        IdentityError: Some part has no fixed written form. Names its path inside the value, its type and the mend.
    """
    try:
        return _write(value, 0)
    except _Refused as refused:
        raise IdentityError(refused.message(name)) from None


class _Refused(Exception):
    """Rises through the containers, each of which adds its step of the path."""

    def __init__(self, value: object, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.type = type(value)
        self.reason = reason
        self.mend = mend
        self.trail: list[tuple[object, str]] = []

    def message(self, name: str) -> str:
        trail = self.trail[::-1]
        reason = self.reason
        if reason == _TOO_DEEP and (again := _first_repeated([id(container) for container, _ in trail])) is not None:
            trail, reason = trail[:again], "the value contains itself"
        steps = [step for _, step in trail]
        if len(steps) > 12:
            steps = [*steps[:11], "…"]
        kind = _qualified(self.type)
        return str(Fault(path=name + "".join(steps), reason=f"{reason} (type {kind})", mend=self.mend))


def _first_repeated(items: list[int]) -> int | None:
    seen: set[int] = set()
    for index, item in enumerate(items):
        if item in seen:
            return index
        seen.add(item)
    return None


def _write(value: object, depth: int) -> str:
    return (_WRITERS.get(type(value)) or _writer_of(type(value)))(value, depth)


def _text(value: str, depth: int = 0) -> str:
    quoted = encode_basestring(value)
    # A lone surrogate has no UTF-8 form; written \udc80, which no other text is, since a backslash is written \\.
    return quoted if quoted.isascii() else quoted.encode("utf-8", "backslashreplace").decode("utf-8")


def _integer(value: int, depth: int = 0) -> str:
    return f"int:{value}" if value.bit_length() <= _LONG_BITS else f"int:{value:#x}"


def _float(value: float, depth: int = 0) -> str:
    return f"float:{value.hex()}"


def _items(values: Iterable[object], container: object, depth: int) -> list[str]:
    if depth >= DEEPEST:
        raise _Refused(container, _TOO_DEEP, "make the value flat, or give it as an input file")
    texts: list[str] = []
    try:
        for value in values:
            texts.append(_write(value, depth + 1))  # noqa: PERF401 (the length tells where it failed)
    except _Refused as refused:
        refused.trail.append((container, f"[{len(texts)}]"))
        raise
    return texts


def _list(value: list[object], depth: int) -> str:
    return f"[{','.join(_items(value, value, depth))}]"


def _tuple(value: tuple[object, ...], depth: int) -> str:
    return f"({','.join(_items(value, value, depth))})"


def _set(value: set[object], depth: int) -> str:
    return f"set{{{','.join(sorted(_members(value, depth)))}}}"


def _frozenset(value: frozenset[object], depth: int) -> str:
    return f"frozenset{{{','.join(sorted(_members(value, depth)))}}}"


def _members(value: set[object] | frozenset[object], depth: int) -> list[str]:
    try:
        return _items(value, value, depth)
    except _Refused as refused:
        if refused.trail:
            refused.trail[-1] = (value, "{…}")
        raise


def _dict(value: dict[object, object], depth: int) -> str:
    if depth >= DEEPEST:
        raise _Refused(value, _TOO_DEEP, "make the value flat, or give it as an input file")
    texts: dict[str, str] = {}
    key: object = None
    try:
        for key, item in value.items():
            written = _text(key) if type(key) is str else _key(key, depth)
            texts[written] = (_WRITERS.get(type(item)) or _writer_of(type(item)))(item, depth + 1)
    except _Refused as refused:
        refused.trail.append((value, _step(key)))
        raise
    if len(texts) != len(value):
        raise _Refused(value, "two keys have one written form (NaN twice)", "use each key once")
    return "{" + ",".join([f"{key}={texts[key]}" for key in sorted(texts)]) + "}"


def _key(key: object, depth: int) -> str:
    try:
        return _write(key, depth + 1)
    except _Refused as refused:
        refused.reason = f"as a key: {refused.reason}"
        refused.trail.clear()
        raise


def _step(key: object) -> str:
    """One step of a path, as a message shows it."""
    if isinstance(key, str):
        return f".{key}" if key.isidentifier() else f"[{_text(key)}]"
    return f"[{key!r}]" if isinstance(key, (int, float)) else f"[{type(key).__qualname__}]"


def _timezone(zone: tzinfo) -> str:
    if type(zone) is timezone:
        return f"offset({_text(zone.tzname(None))})"
    if type(zone) is ZoneInfo and zone.key is not None:
        return f"zone({_text(zone.key)})"
    raise _Refused(zone, "a time zone of its own making has no fixed written form", "use timezone.utc or ZoneInfo")


def _moment(value: datetime | time, depth: int) -> str:
    parts = [_text(value.isoformat())]
    if value.tzinfo is not None:
        parts.append(_timezone(value.tzinfo))
    if value.fold:
        parts.append("int:1")
    return f"{type(value).__name__}({','.join(parts)})"


_WRITERS: dict[type, _Writer] = {
    type(None): lambda value, depth: "none",
    bool: lambda value, depth: "true" if value else "false",
    int: _integer,
    float: _float,
    str: _text,
    bytes: lambda value, depth: f"bytes:{value.hex()}",
    complex: lambda value, depth: f"complex({_float(value.real)},{_float(value.imag)})",
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
    datetime: _moment,
    time: _moment,
    date: lambda value, depth: f'date("{value.isoformat()}")',
    timedelta: lambda value, depth: f"timedelta(int:{value.days},int:{value.seconds},int:{value.microseconds})",
    Decimal: lambda value, depth: f'decimal("{value}")',
    Fraction: lambda value, depth: f"fraction({_integer(value.numerator)},{_integer(value.denominator)})",
    UUID: lambda value, depth: f'uuid("{value}")',
}


def _writer_for(kind: type[Any]) -> _Writer:
    """How a type outside the table is written, or a writer that refuses it."""
    if issubclass(kind, enum.Enum):
        return _enum_writer(kind)
    if hasattr(kind, "__dataclass_fields__"):
        return _dataclass_writer(kind)
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.generic):
        return _numpy
    return _refuser(*_why_not(kind))


_writer_of = cast("Callable[[type[Any]], _Writer]", lru_cache(maxsize=1024)(_writer_for))


def _refuser(reason: str, mend: str) -> _Writer:
    def refuse(value: object, depth: int) -> str:
        raise _Refused(value, reason, mend)

    return refuse


def _why_not(kind: type) -> tuple[str, str]:
    if issubclass(kind, PurePath):
        return "a path is a place, not a value", "use InputFile/InputFolder for what is read, placement for what is not"
    base = next((known for known in _WRITERS if issubclass(kind, known)), None)
    if base is not None:
        return f"a subclass of {base.__name__} may hold more than its {base.__name__}", f"write {base.__name__}(value)"
    if hasattr(kind, "__array__"):
        return "an array is data, not a setting", "give it as an input, or write value.tolist()"
    if hasattr(kind, "__next__"):
        return "an iterator can be read only once", "write list(value)"
    if issubclass(kind, type) or any("__call__" in vars(base) for base in kind.__mro__):
        return "a function or class has no fixed written form", "name it by text, and look it up inside the step"
    return "an object has no fixed written form", "use numbers, text, lists, mappings, an enum or a frozen dataclass"


def _qualified(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}:{kind.__qualname__}"


def _local(kind: type) -> _Writer | None:
    """A refusal of a type that its qualified name does not tell apart from others."""
    if "<locals>" not in kind.__qualname__:
        return None
    return _refuser("a class made inside a function has no name of its own", "move the class to the top of its module")


def _enum_writer(kind: type[enum.Enum]) -> _Writer:
    name = _text(f"{kind.__module__}:{kind.__qualname__}")

    def member(value: enum.Enum, depth: int) -> str:
        return f"enum({name},{_text(value.name)})"

    def flags(value: enum.Flag, depth: int) -> str:
        rest, names = value.value, []
        for flag in value:
            rest &= ~flag.value
            names.append(_text(str(flag.name)))
        return f"enum({name},[{','.join(names)}],{_integer(rest)})"

    return _local(kind) or (flags if issubclass(kind, enum.Flag) else member)


def _dataclass_writer(kind: type) -> _Writer:
    parameters = vars(kind).get("__dataclass_params__")
    if parameters is None:
        return _refuser("a subclass that is no dataclass itself may hold more than the fields", "decorate it as well")
    if not parameters.frozen:
        return _refuser("a dataclass that can be changed has no fixed written form", "write @dataclass(frozen=True)")
    base = next((known for known in _WRITERS if issubclass(kind, known)), None)
    if base is not None:
        return _refuser(f"a dataclass that is also a {base.__name__} holds more than its fields", "hold it in a field")
    name = _text(f"{kind.__module__}:{kind.__qualname__}")
    fields = sorted(field.name for field in dataclasses.fields(kind))

    def write(value: object, depth: int) -> str:
        if depth >= DEEPEST:
            raise _Refused(value, _TOO_DEEP, "make the value flat, or give it as an input file")
        texts: list[str] = []
        try:
            for field in fields:
                texts.append(f"{_text(field)}={_write(_field(value, field), depth + 1)}")  # noqa: PERF401 (as above)
        except _Refused as refused:
            refused.trail.append((value, f".{fields[len(texts)]}"))
            raise
        return f"data({name}){{{','.join(texts)}}}"

    return _local(kind) or write


def _field(value: object, name: str) -> object:
    try:
        return getattr(value, name)
    except AttributeError:
        raise _Refused(value, f"the field {name} was never set", "set it in __post_init__, or give a default") from None


def _numpy(value: Any, depth: int) -> str:
    """A NumPy scalar, by its dtype and the plain value that it equals."""
    kind = value.dtype.kind
    if kind in "mM":
        plain: object = int(value.view("i8"))
    elif kind in "biuSU" or (kind in "fc" and value.dtype.itemsize in (2, 4, 8, 16) and value.dtype.char not in "gG"):
        plain = value.item()
    else:
        raise _Refused(value, f"dtype {value.dtype} is not the same on every machine", "write float(value)")
    return f'numpy("{value.dtype.name}",{_write(plain, depth)})'
