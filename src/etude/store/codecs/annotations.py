"""Annotations without their dress, and the records (dataclasses, named tuples, typed dicts) among them."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import (
    Annotated,
    Any,
    ForwardRef,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

R = TypeVar("R")


def memoise(function: Callable[[Any], R]) -> Callable[[Any], R]:
    """Remember what a function says of each annotation; those that cannot be hashed are asked each time."""
    known = lru_cache(maxsize=1024)(function)

    def ask(annotation: Any) -> R:
        try:
            hash(annotation)
        except TypeError:
            return function(annotation)
        return known(annotation)

    return ask


def bare(annotation: Any) -> Any:
    """An annotation without metadata, new-type and alias names; `object` where it says nothing."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif get_origin(annotation) in (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar):
            annotation = get_args(annotation)[0]
        else:
            break
    if annotation is None:
        return type(None)
    if annotation is Any or annotation is inspect.Parameter.empty or isinstance(annotation, TypeVar):
        return object
    return annotation


def union_of(members: tuple[Any, ...]) -> Any:
    """The union of these types."""
    return Union[members]  # noqa: UP007


def class_of(annotation: Any) -> type | None:
    """The class that an annotation is, or is a parametrised form of."""
    origin = get_origin(annotation) or annotation
    return origin if isinstance(origin, type) else None


def is_text(annotation: Any) -> bool:
    """Whether an annotation was left as text and never looked up."""
    return isinstance(annotation, str | ForwardRef)


def is_namedtuple(cls: Any) -> bool:
    """Whether a class is a named tuple."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def is_typeddict(cls: Any) -> bool:
    """Whether a class is a typed dict, of `typing` or of `typing_extensions`."""
    return isinstance(cls, type) and hasattr(cls, "__required_keys__") and hasattr(cls, "__total__")


def is_record(cls: Any) -> bool:
    """Whether a class has named, typed fields that a value of it is made from."""
    return dataclasses.is_dataclass(cls) or is_namedtuple(cls) or is_typeddict(cls)


@memoise
def fields_of(cls: Any) -> Mapping[str, Any]:
    """Field → annotation, of all fields that make a value of this record.

    Raises:
        NameError: An annotation names something that cannot be found from the record's module.
    """
    hints = get_type_hints(cls, include_extras=True)
    if dataclasses.is_dataclass(cls):
        return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}
    if is_namedtuple(cls):
        return {name: hints.get(name, object) for name in cls._fields}
    return hints


def values_of(record: Any) -> dict[str, Any]:
    """Field → value of a record, in the order of its fields."""
    if isinstance(record, dict):
        return record
    return {name: getattr(record, name) for name in fields_of(type(record))}


def readable(annotation: Any) -> str:
    """An annotation as people write it."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return "None" if annotation is type(None) else annotation.__qualname__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")
