"""What a step takes and gives, read from its annotations."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from etude.errors import EtudeError, Fault, nearest
from etude.graph.command_lines import inputs_of
from etude.graph.step import CommandLine, Context, FileInput, Placement, options_of

EMPTY: Any = inspect.Parameter.empty


class NotAStep(EtudeError):
    """A reference does not lead to a usable step. Carries reason and mend."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(f"{reason}. {mend}" if mend else reason)
        self.reason = reason
        self.mend = mend


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A positional parameter: the result of another node."""

    name: str
    annotation: object
    required: bool
    many: bool = False
    """`*parts`: takes every remaining source in order."""
    by_name: bool = False
    """Whether it is passed by its name, for a setting stands before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A keyword-only parameter: a value from the study file."""

    name: str
    annotation: object
    default: object = EMPTY
    placement: bool = False
    reads: tuple[FileInput, ...] = ()
    """What it names, where that is a file or folder whose content is identity (`InputFile`, `InputFolder`)."""

    @property
    def required(self) -> bool:
        return self.default is EMPTY


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Signature:
    """What one step takes and gives."""

    reference: str
    """`module:function`."""
    function: Callable[..., Any]
    inputs: tuple[Input, ...]
    settings: Mapping[str, Setting]
    returns: object
    """The return annotation; `object` where there is none."""
    context: bool
    """Whether it takes `ctx`."""
    deterministic: bool
    validators: dict[str, Any]
    """Setting → pydantic TypeAdapter, built when first needed."""
    plain: bool = False
    """Whether the function is not marked as a step: then what a study gives by name is a setting."""
    command: str = ""
    """The setting that is a command line, whose `{names}` are inputs."""

    def settings_faults(self, given: Mapping[str, object], path: str) -> list[Fault]:
        """Everything that is wrong with the settings of one node: unknown, missing, of the wrong type."""
        faults = [
            Fault(
                f"{path}.{name}",
                f"{self.reference} has no setting {name!r}",
                given[name],
                self._no_setting(name),
            )
            for name in given
            if name not in self.settings
        ]
        for name, setting in self.settings.items():
            if name not in given:
                if setting.required:
                    reason = f"{self.reference} needs the setting {name!r} ({type_text(setting.annotation)})"
                    faults.append(Fault(path, reason, mend=f"add `{name}: …` under `with:`"))
                continue
            try:
                self.validated(name, given[name])
            except ValueError as error:
                faults.extend(_value_faults(error, f"{path}.{name}", given[name], setting))
        return faults

    def _no_setting(self, name: str) -> str:
        if any(name == given.name for given in self.inputs):
            return f"{name!r} is an input: put it under `from:`"
        return nearest(name, self.settings)

    def validated(self, name: str, value: object) -> object:
        """The value as the step's annotation wants it, strictly: `"1"` is no number and `true` is no 1.

        Raises:
            ValueError: The value does not fit the annotation.
        """
        setting = self.settings[name]
        adapter = self.validators.get(name)
        if adapter is None:
            from pydantic import TypeAdapter

            annotation: Any = setting.annotation
            adapter = self.validators[name] = TypeAdapter(annotation)
        try:
            written = json.dumps(value)
        except TypeError as error:
            raise ValueError(f"a value of a study is made of numbers, text, lists and mappings: {error}") from error
        return adapter.validate_json(written, strict=True)


def _value_faults(error: ValueError, path: str, value: object, setting: Setting) -> list[Fault]:
    details = getattr(error, "errors", None)
    if details is None:
        return [Fault(path, str(error), value)]
    found = []
    for detail in details(include_url=False):
        inside = "".join(
            f".{part}" for part in detail["loc"] if not str(part).startswith(("function-", "constrained-"))
        )
        reason = f"expected {type_text(setting.annotation)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
        found.append(Fault(path + inside, reason, detail.get("input", value)))
    return found


def signature_of(reference: str, function: object, given: Mapping[str, object] = MappingProxyType({})) -> Signature:
    """Read a step's signature.

    Args:
        reference: `module:function`.
        function: What it leads to. A function without `@step` is a step too: of its positional parameters those in
            `given` are settings, the others inputs, and settings need no annotation.
        given: What a study gives under `with:`.

    Raises:
        NotAStep: The object is no function, or its annotations cannot be used.
    """
    if not callable(function):
        raise NotAStep(f"{reference} is an object of {type(function).__qualname__}, no function", "name a function")
    options = options_of(function)
    _require_function(reference, function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError) as error:
        raise NotAStep(
            f"an annotation of {reference} cannot be resolved: {error}",
            "import the type where the module is read, not under TYPE_CHECKING alone",
        ) from error
    inputs: list[Input] = []
    settings: dict[str, Setting] = {}
    context = False
    for parameter in inspect.signature(function).parameters.values():
        name, annotation = parameter.name, hints.get(parameter.name, EMPTY)
        if name == "ctx" or annotation is Context:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                raise NotAStep(f"{reference}: ctx must be keyword-only", "move it behind the `*`")
            context = True
        elif parameter.kind is parameter.VAR_KEYWORD and command_setting(settings):
            inputs += [
                Input(name=named, annotation=object, required=True, by_name=True)
                for named in inputs_of(str(given.get(command_setting(settings), "")))
            ]
        elif parameter.kind is parameter.VAR_KEYWORD:
            raise NotAStep(f"{reference} takes **{name}", "name every setting: what is not named cannot be checked")
        elif parameter.kind is parameter.KEYWORD_ONLY or (
            options is None and name in given and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ):
            if annotation is EMPTY and options is not None:
                raise NotAStep(f"{reference}: the setting {name!r} has no type", f"annotate it: `{name}: float`")
            settings[name] = _setting(reference, parameter, object if annotation is EMPTY else annotation)
        else:
            many = parameter.kind is parameter.VAR_POSITIONAL
            required = parameter.default is EMPTY and not many
            wanted = object if annotation is EMPTY else annotation
            inputs.append(
                Input(name=name, annotation=wanted, required=required, many=many, by_name=bool(settings) and not many)
            )
    return Signature(
        reference=reference,
        function=function,
        inputs=tuple(inputs),
        settings=settings,
        returns=hints.get("return", object),
        context=context,
        deterministic=options is None or options.deterministic,
        validators={},
        plain=options is None,
        command=command_setting(settings),
    )


def command_setting(settings: Mapping[str, Setting]) -> str:
    """The setting that is a command line; empty where none is."""
    return next((name for name, setting in settings.items() if CommandLine in _mark_types(setting.annotation)), "")


def _mark_types(annotation: object) -> set[type]:
    return {type(mark) for mark in getattr(annotation, "__metadata__", ())}


def _require_function(reference: str, function: object) -> None:
    """Refuse what is no plain function, before its parameters are looked at."""
    if not inspect.isroutine(function):
        what = "a class" if isinstance(function, type) else f"an object of {type(function).__qualname__}"
        raise NotAStep(f"{reference} is {what}, no function", "write a function that makes and calls it")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise NotAStep(f"{reference} is async, and nothing awaits it", "write `def`, with asyncio.run(…) inside")
    if inspect.isgeneratorfunction(function):
        raise NotAStep(f"{reference} yields its results one by one", "return a list of them, or a Path to a file")


def _setting(reference: str, parameter: inspect.Parameter, annotation: object) -> Setting:
    marks = getattr(annotation, "__metadata__", ())
    is_placement = any(isinstance(mark, Placement) for mark in marks)
    reads = tuple(mark for mark in (*marks, *_marks_inside(annotation)) if isinstance(mark, FileInput))
    if not reads and not is_placement and _bare(annotation) is Path:
        raise NotAStep(
            f"{reference}: the setting {parameter.name!r} is a Path, and a path alone says nothing of its content",
            "use InputFile or InputFolder for what is read, Annotated[Path, placement] for what changes no result",
        )
    return Setting(
        name=parameter.name, annotation=annotation, default=parameter.default, placement=is_placement, reads=reads
    )


def _marks_inside(annotation: object) -> Iterator[object]:
    """The marks of the members of a union, and of the items of a list or tuple."""
    for part in typing.get_args(annotation):
        yield from getattr(part, "__metadata__", ())
        yield from _marks_inside(part) if not hasattr(part, "__metadata__") else ()


def _bare(annotation: object) -> object:
    return typing.get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def type_text(annotation: object) -> str:
    """An annotation as a person would write it."""
    if hasattr(annotation, "__metadata__"):
        return type_text(typing.get_args(annotation)[0])
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    text = str(annotation).replace("typing.", "").replace("collections.abc.", "")
    return text.removeprefix("<class '").removesuffix("'>")
