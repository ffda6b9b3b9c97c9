"""Metrics: results that are numbers with names, which is what goes into the record of a variant."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, Union, get_args, get_origin

from etude.store.codecs.annotations import (
    bare,
    class_of,
    fields_of,
    is_record,
    is_text,
    is_typeddict,
    memoise,
    values_of,
)

Metric = float | int | bool | str | None
_NUMBERS = (int, float, bool)
MOST = 1000
"""A result of more numbers is data: a vocabulary, an index."""
LONGEST_TEXT = 200
ALONE = "value"
"""The name of a number that is all of a result."""
_COST = re.compile(r"(?<![^.])cost(?=\.)")


def is_metrics(annotation: Any) -> bool:
    """Whether values of this type are metrics.

    That is a dataclass, a named tuple or a typed dict whose fields are numbers, text, None or further metrics, with at
    least one number among them; or a mapping from names to numbers, or to numbers, text and None.
    """
    return _is_metrics(bare(annotation))


@memoise
def _is_metrics(annotation: Any) -> bool:
    cls = class_of(annotation)
    if cls is not None and is_record(cls):
        return _has_numbers(cls)
    if cls is None or not issubclass(cls, Mapping) or len(get_args(annotation)) != 2:
        return False
    key, value = map(bare, get_args(annotation))
    return key is str and _is_label(value) and any(member in _NUMBERS for member in _members(value))


def may_be_metrics(annotation: Any) -> bool:
    """Whether values of this type may hold metrics: a number, or one with a name somewhere inside."""
    return _may_hold(bare(annotation), ())


def _may_hold(annotation: Any, within: tuple[Any, ...]) -> bool:
    if annotation in (object, dict, Mapping, tuple, *_NUMBERS) or is_metrics(annotation) or is_text(annotation):
        return True
    members = _members(annotation)
    if len(members) > 1:
        return any(_may_hold(member, within) for member in members)
    cls = class_of(annotation)
    if cls is None or annotation in within:
        return False
    if is_record(cls):
        try:
            fields = [bare(field) for field in fields_of(cls).values()]
        except NameError:
            return True
        held = [_may_hold(field, (*within, annotation)) for field in fields]
        return any(held) and all(holds or _is_label(field) for field, holds in zip(fields, held, strict=True))
    if _is_number_class(cls):
        return True
    inner: tuple[Any, ...] = ()
    if issubclass(cls, Mapping):
        inner = get_args(annotation)[1:] or (object,)
    elif cls is tuple:
        inner = get_args(annotation)
    return any(_may_hold(bare(each), (*within, annotation)) for each in inner if each is not Ellipsis)


def says_metrics_by_type(step: str) -> bool:
    """Whether a step's return type alone says that it gives metrics: étude's own do, but for what runs a command."""
    return step.startswith("etude.") and not step.startswith("etude.command.")


def metrics_in(value: object) -> dict[str, Metric]:
    """The numbers that a value holds by name, with the texts and gaps beside them; empty where it holds none.

    A single number is called `value`; the items of a tuple go by their place. A list is data and has no names, nor
    have arrays and tables; what holds more than `MOST` numbers is data as well. The numbers of a dataclass that holds
    other things too, as a fitted model does, are its own affair.
    """
    try:
        found = list(_leaves(value, "", 0))
    except RecursionError:
        return {}
    numbers = sum(_is_one_number(leaf) or isinstance(leaf, bool) for _, leaf in found)
    if not numbers or numbers > MOST:
        return {}
    flat: dict[str, Metric] = {}
    for name, leaf in found:
        column = column_name(name) or ALONE
        while column in flat:
            column += "_"
        flat[column] = leaf if isinstance(leaf, str | None) else _plain_number(leaf)
    return flat


def _leaves(value: object, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if is_record(type(value)) and not is_typeddict(type(value)):
        value = values_of(value)
        if not all(map(_is_made_of_numbers, value.values())):
            return
    elif isinstance(value, tuple):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if depth else str(key), depth + 1)
    elif value is None or _is_one_number(value) or isinstance(value, bool) or _is_label_text(value):
        yield name, value


def _is_made_of_numbers(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_made_of_numbers, value.values()))
    if is_record(type(value)):
        return all(map(_is_made_of_numbers, values_of(value).values()))
    return value is None or _is_one_number(value) or isinstance(value, bool | str)


def _is_label_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _plain_number(value: Any) -> Metric:
    number = value if isinstance(value, bool | int | float) else value.item()
    assert isinstance(number, bool | int | float)
    return number if type(number) in _NUMBERS else (int(number) if isinstance(number, int) else float(number))


def are_metrics(value: object) -> bool:
    """Whether a value without an annotation is metrics: a dict from names to numbers or None, which may be nested."""
    if not isinstance(value, dict) or all(inner is None for inner in value.values()):
        return False
    return all(isinstance(name, str) for name in value) and all(map(_is_metric_value, value.values()))


def few_numbers(value: object) -> bool:
    """Whether a value holds few enough numbers to be metrics, not data."""
    return next(islice(_leaves(value, "", 0), MOST, None), None) is None


def flatten_metrics(value: object) -> dict[str, Metric]:
    """Metrics as one level of dotted names: `{"test.f1": 0.9}`. TypeError for a value that is no metrics.

    No two have the same name and none that of a cost: see `column_name`; a second `test.f1` is `test.f1_`.
    """
    flat: dict[str, Metric] = {}
    _flatten(value, "", flat)
    return flat


def column_name(metric: str) -> str:
    """What a metric is called behind its node: `cost.x` is `cost_.x`, for `node.cost.x` is what étude measures."""
    return _COST.sub("cost_", metric) if "cost." in metric else metric


def _flatten(value: object, prefix: str, into: dict[str, Metric]) -> None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__qualname__} is no metrics: expected a dataclass or mapping of numbers")
    for name, inner in value.items():
        if inner is None or isinstance(inner, bool | int | float | str):
            column = column_name(f"{prefix}{name}")
            while column in into:
                column += "_"
            into[column] = inner
        else:
            _flatten(inner, f"{prefix}{name}.", into)


def _has_numbers(cls: Any) -> bool:
    try:
        hints = [bare(hint) for hint in fields_of(cls).values()]
    except NameError:
        return False
    if any(map(is_text, hints)):
        return False
    numbers = [hint for hint in hints if _is_number(hint) or is_metrics(hint)]
    return bool(numbers) and all(hint in numbers or _is_label(hint) for hint in hints)


def _is_number(annotation: Any) -> bool:
    members = _members(annotation)
    return any(member in _NUMBERS for member in members) and all(
        member in (*_NUMBERS, type(None)) for member in members
    )


def _is_label(annotation: Any) -> bool:
    def known(member: Any) -> bool:
        if get_origin(member) is Literal:
            return all(type(value) in (str, int, bool) for value in get_args(member))
        return member in (str, *_NUMBERS, type(None))

    return all(map(known, _members(annotation)))


def _members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(map(bare, get_args(annotation)))
    return (annotation,)


def _is_metric_value(value: object) -> bool:
    if isinstance(value, bool | int | float) or value is None:
        return True
    if any(base.__module__ == "numpy" and base.__name__ == "number" for base in type(value).__mro__):
        return True
    return are_metrics(value)


def numbers_in(value: object) -> list[str]:
    """The numbers that a value holds by name, dotted; `""` for a value that is a number itself.

    A sequence of numbers is one thing, without names of its own: `losses[3]` for three of them.
    """
    return list(_numbers_in(value, ""))


def _numbers_in(value: object, name: str) -> Iterator[str]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers_in(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        if value and all(map(_is_one_number, value)):
            yield f"{name}[{len(value)}]"
    elif _is_one_number(value):
        yield name


def _is_number_class(cls: type) -> bool:
    """Whether values of a class may be one number: NumPy's numbers, tensors."""
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in cls.__mro__}
    return bool(names & {"numpy.number", "numpy.bool", "numpy.bool_", "torch.Tensor"})


def _is_one_number(value: object) -> bool:
    """Whether a value is one number: of Python, of NumPy, or of an array or tensor without dimensions."""
    if isinstance(value, bool) or getattr(value, "ndim", 0) != 0:
        return False
    if isinstance(value, int | float):
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if type(value).__name__ in ("bool_", "bool") and kind == "b":
        return True
    is_tensor = type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "item")
    return kind in ("i", "u", "f") or is_tensor
