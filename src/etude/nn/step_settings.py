"""Settings that several steps share, written once: each field of a frozen dataclass is a setting of the step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter
from typing import Any, TypeVar, get_type_hints

R = TypeVar("R")


def settings_from(spec: type[Any], **defaults: object) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Have a step take the fields of a dataclass as keyword-only settings, and work with one value of that class.

    Args:
        spec: A dataclass that is built by name. The step has one keyword-only parameter annotated with it; in its place
            stand the fields, with their annotations and defaults.
        defaults: What the step has by default where that is not the field's own.

    Raises:
        TypeError: The step has no such parameter, or one of its own is called as a field.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        own = inspect.signature(function).parameters
        hints = get_type_hints(function, include_extras=True)
        places = [name for name in own if hints.get(name) is spec]
        kinds = get_type_hints(spec, include_extras=True)
        taken = {field.name: _parameter(field, kinds[field.name], defaults) for field in fields(spec)}
        if len(places) != 1 or taken.keys() & own.keys() or defaults.keys() - taken.keys():
            raise TypeError(f"{function.__name__}: expected one parameter of type {spec.__name__}, and no field's name")
        kept = [value.replace(annotation=hints.get(name, value.annotation)) for name, value in own.items()]
        parameters = [value for value in kept if value.name != places[0]] + list(taken.values())
        preset = {name: value.default for name, value in taken.items() if value.default is not Parameter.empty}

        @wraps(function)
        def step(*inputs: Any, **settings: Any) -> R:
            shared = {name: settings.pop(name) for name in taken.keys() & settings.keys()}
            return function(*inputs, **settings, **{places[0]: spec(**{**preset, **shared})})

        returns = hints.get("return", Parameter.empty)
        step.__signature__ = inspect.Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
        step.__annotations__ = {value.name: value.annotation for value in parameters} | {"return": returns}
        return step

    return decorate


def _parameter(field: Any, kind: object, defaults: dict[str, object]) -> Parameter:
    own = Parameter.empty if field.default is MISSING else field.default
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=defaults.get(field.name, own), annotation=kind)
