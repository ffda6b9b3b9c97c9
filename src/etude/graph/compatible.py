"""Whether what one step gives is what another takes, judged by annotations alone."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from typing import Any


class NoSuchItem(Exception):
    """A result has no item of that name. Carries the names that it has."""

    def __init__(self, known: tuple[str, ...]) -> None:
        super().__init__(known)
        self.known = known


def item_type(result: object, item: str) -> object:
    """The type of `node.item`: a field of a dataclass, named tuple or TypedDict, or a mapping's value.

    Raises:
        NoSuchItem: The result is known to have no such item.
    """
    result = plain(result)
    if _unknown(result):
        return object
    if _union(result):
        found = [item_type(part, item) for part in typing.get_args(result) if part is not types.NoneType]
        return found[0] if len(found) == 1 else object
    origin = typing.get_origin(result) or result
    if isinstance(origin, type) and (
        dataclasses.is_dataclass(origin) or hasattr(origin, "_fields") or hasattr(origin, "__required_keys__")
    ):
        fields = typing.get_type_hints(origin, include_extras=True)
        if item not in fields:
            raise NoSuchItem(tuple(fields))
        return fields[item]
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        arguments = typing.get_args(result)
        return arguments[1] if len(arguments) == 2 else object
    raise NoSuchItem(())


def fits(given: object, wanted: object) -> bool:
    """Whether every value of type `given` is a value of type `wanted`, as far as annotations tell.

    Types that say nothing (Any, object, a type variable, no annotation) fit everything, both ways.
    """
    given, wanted = plain(given), plain(wanted)
    if _unknown(given) or _unknown(wanted) or given == wanted:
        return True
    if _union(given):
        return all(fits(part, wanted) for part in typing.get_args(given))
    if _union(wanted):
        return any(fits(given, part) for part in typing.get_args(wanted))
    if typing.get_origin(given) is typing.Literal:
        values = typing.get_args(given)
        if typing.get_origin(wanted) is typing.Literal:
            return set(values) <= set(typing.get_args(wanted))
        return all(fits(type(value), wanted) for value in values)
    if typing.get_origin(wanted) is typing.Literal:
        return False
    return _class_fits(given, wanted)


def _class_fits(given: object, wanted: object) -> bool:
    given_class, wanted_class = (typing.get_origin(side) or side for side in (given, wanted))
    if not isinstance(given_class, type) or not isinstance(wanted_class, type):
        return True
    if getattr(wanted_class, "_is_protocol", False):
        return True
    if wanted_class is float and given_class is int:
        return True
    if typing.is_typeddict(given_class):
        given_class = dict
    if typing.is_typeddict(wanted_class):
        wanted_class = dict
    if _record(given_class) and wanted_class in (collections.abc.Mapping, dict):
        return False
    if not issubclass(given_class, wanted_class):
        return False
    return _arguments_fit(given, wanted, given_class, wanted_class)


def _arguments_fit(given: object, wanted: object, given_class: type, wanted_class: type) -> bool:
    left, right = typing.get_args(given), typing.get_args(wanted)
    if not left or not right:
        return True
    if given_class is tuple and wanted_class is not tuple and len(right) == 1:
        return all(fits(part, right[0]) for part in left if part is not Ellipsis)
    if given_class is tuple and wanted_class is tuple:
        if right[-1] is Ellipsis:
            return all(fits(part, right[0]) for part in left if part is not Ellipsis)
        return len(left) == len(right) and all(map(fits, left, right))
    return len(left) != len(right) or all(map(fits, left, right))


def element_type(sequence: object) -> object | None:
    """What a sequence type holds; None where the type is no sequence."""
    sequence = plain(sequence)
    if _unknown(sequence):
        return object
    origin = typing.get_origin(sequence) or sequence
    if not isinstance(origin, type) or issubclass(origin, (str, bytes)):
        return None
    if not issubclass(origin, collections.abc.Iterable):
        return None
    arguments = typing.get_args(sequence)
    return arguments[0] if arguments else object


def plain(annotation: object) -> object:
    """The annotation without `Annotated`, aliases and new types."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__") and type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif annotation is None:
            return types.NoneType
        else:
            return annotation


def _union(annotation: object) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _unknown(annotation: object) -> bool:
    return annotation in (Any, object) or isinstance(annotation, typing.TypeVar)


def _record(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
