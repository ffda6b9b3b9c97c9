"""What an annotation says about how its values are stored, before there is any value."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import types
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, auto
from inspect import isabstract, signature
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin

from etude.store.codecs.annotations import bare, class_of, fields_of, is_record, is_text, memoise, readable
from etude.store.codecs.choice import leaf_for
from etude.store.codecs.leaf import belongs


class Kind(Enum):
    JSON = auto()
    OPEN = auto()
    """Decided by the value: the annotation says nothing, or not enough."""
    LEAF = auto()
    """One codec of its own: an array, a table, a tensor, a path."""
    COMPOSITE = auto()
    """Items that need codecs of their own."""
    UNION = auto()
    """One of several, not all of them JSON."""
    NEVER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    kind: Kind
    reason: str = ""
    """Why it can never be stored, and what to do instead."""


_JSON, _OPEN, _LEAF, _COMPOSITE, _UNION = (
    Shape(kind=kind) for kind in (Kind.JSON, Kind.OPEN, Kind.LEAF, Kind.COMPOSITE, Kind.UNION)
)
_SCALARS = (
    *(bool, int, float, str, bytes, complex, type(None), Enum, uuid.UUID, decimal.Decimal),
    *(datetime.date, datetime.time, datetime.timedelta),
)
_SEQUENCES = (
    list,
    tuple,
    collections.deque,
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Iterable,
)
_CALLABLE: Any = collections.abc.Callable
_SAVE_IT = "save it into a folder below ctx.scratch and return that Path"
_LAZY = (collections.abc.Iterator, collections.abc.AsyncIterable, collections.abc.Awaitable)
_FOREIGN = (
    ((("torch", "Module"),), "return its state_dict() as Mapping[str, Tensor]"),
    ((("polars", "Series"),), "return it as a data frame (`to_frame()`)"),
    ((("pyarrow", "RecordBatch"), ("pyarrow", "ChunkedArray"), ("pyarrow", "Array")), "return a pyarrow.Table"),
    ((("datasets", "IterableDataset"), ("datasets", "IterableDatasetDict")), "return a Dataset: take what is needed"),
)


def reason_not_storable(annotation: Any) -> str | None:
    """Why values of this type can never be stored, with the mend; None where they can, or where the value decides."""
    shape = shape_of(annotation)
    return shape.reason if shape.kind is Kind.NEVER else None


@memoise
def shape_of(annotation: Any) -> Shape:
    """What an annotation says about how its values are stored."""
    return _shape(annotation, ())


def _shape(annotation: Any, above: tuple[Any, ...]) -> Shape:
    annotation = bare(annotation)
    if is_text(annotation):
        return _never(f"the annotation {annotation!r} is text that was never looked up")
    if annotation is object:
        return _OPEN
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _JSON
    if origin in (Union, types.UnionType):
        return _shape_of_union(arguments, above)
    cls = class_of(annotation)
    if cls is None:
        return _never(f"{readable(annotation)} is no type that a value can be read back as")
    if is_record(cls):
        return _shape_of_record(cls, above)
    return _shape_of_class(cls, annotation, arguments, above)


def _shape_of_class(cls: type, annotation: Any, arguments: tuple[Any, ...], above: tuple[Any, ...]) -> Shape:
    if leaf_for(cls) is not None:
        return _LEAF
    if issubclass(cls, _SCALARS) or hasattr(cls, "model_fields"):
        return _JSON
    if issubclass(cls, Mapping):
        return _shape_of_mapping(annotation, arguments, above)
    if issubclass(cls, set | frozenset | collections.abc.Set):
        return _shape_of_set(annotation, arguments, above)
    if issubclass(cls, _LAZY):
        return _never(f"{readable(annotation)} can be read only once. Mend: {mend_for(cls)}")
    if cls in _SEQUENCES:
        return _together([_shape(part, above) for part in arguments if part is not Ellipsis]) if arguments else _OPEN
    if cls is not _CALLABLE and (getattr(cls, "_is_protocol", False) or isabstract(cls)):
        return _OPEN
    return _never(f"{cls.__module__}.{cls.__qualname__} has no codec. Mend: {mend_for(cls)}")


def mend_for(cls: type) -> str:
    """What to return in place of a value that cannot be stored."""
    for names, mend in _FOREIGN:
        if belongs(cls, names):
            return mend
    if issubclass(cls, _LAZY):
        return "return a list, or a Path to a file"
    if issubclass(cls, PurePath):
        return "return a pathlib.Path to a file or folder that exists"
    if issubclass(cls, _CALLABLE):
        return f"return what it is made from (settings, arrays), or {_SAVE_IT}"
    return f"return a frozen dataclass, arrays or a table, or {_SAVE_IT}"


def _shape_of_union(members: tuple[Any, ...], above: tuple[Any, ...]) -> Shape:
    shapes = [_shape(member, above) for member in members]
    together = _together(shapes)
    return _UNION if together is _COMPOSITE else together


def _shape_of_record(cls: type, above: tuple[Any, ...]) -> Shape:
    if cls in above:
        return _JSON
    if is_dataclass(cls) and not _can_be_made(cls):
        return _never(
            f"{cls.__qualname__} cannot be made again from its fields: it has an InitVar, or no __init__ of its own. "
            "Mend: make it a plain frozen dataclass"
        )
    try:
        hints = fields_of(cls)
    except (NameError, AttributeError) as error:
        return _never(f"the annotations of {cls.__qualname__} cannot be looked up: {error}")
    named = {name: _shape(hint, (*above, cls)) for name, hint in hints.items()}
    for name, shape in named.items():
        if shape.kind is Kind.NEVER:
            return _never(f"{cls.__qualname__}.{name}: {shape.reason}")
    return _together(named.values())


def _can_be_made(cls: Any) -> bool:
    known = {field.name for field in fields(cls)}
    return cls.__dataclass_params__.init and all(name in known for name in signature(cls).parameters)


def _shape_of_mapping(annotation: Any, arguments: tuple[Any, ...], above: tuple[Any, ...]) -> Shape:
    if len(arguments) != 2:
        return _together([_shape(part, above) for part in arguments]) if arguments else _OPEN
    key, value = (_shape(part, above) for part in arguments)
    if key.kind not in (Kind.JSON, Kind.OPEN):
        return key if key.kind is Kind.NEVER else _never(f"{readable(annotation)}: its keys are no plain values")
    if value.kind in (Kind.COMPOSITE, Kind.LEAF, Kind.UNION) and bare(arguments[0]) not in (str, int, object):
        return _never(f"{readable(annotation)}: keys of stored items are text or integers. Mend: use str as key")
    return _together([key, value])


def _shape_of_set(annotation: Any, arguments: tuple[Any, ...], above: tuple[Any, ...]) -> Shape:
    shape = _together([_shape(part, above) for part in arguments])
    if shape.kind in (Kind.COMPOSITE, Kind.UNION):
        return _never(f"{readable(annotation)}: a set holds plain values only. Mend: return a list")
    return shape if shape.kind is Kind.NEVER else _JSON


def _together(shapes: Iterable[Shape]) -> Shape:
    """What a whole is, made of parts of these shapes."""
    shapes = list(shapes)
    for shape in shapes:
        if shape.kind is Kind.NEVER:
            return shape
    kinds = {shape.kind for shape in shapes}
    if kinds & {Kind.LEAF, Kind.COMPOSITE, Kind.UNION}:
        return _COMPOSITE
    return _OPEN if Kind.OPEN in kinds else _JSON


def _never(reason: str) -> Shape:
    return Shape(kind=Kind.NEVER, reason=reason)
