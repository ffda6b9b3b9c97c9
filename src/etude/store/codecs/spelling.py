"""Types as they are written in a manifest, and found again: `["dict", "str", "mypackage.data:Point"]`.

Only names of classes are stored, never code or objects. They serve a reader that does not say what it wants.
"""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from etude.errors import StoreError
from etude.store.codecs.annotations import bare, union_of

Spelled = Any
"""JSON: a name, a list of an origin and its arguments, or None for a type that cannot be spelled."""

_VALUES = ("datetime", "decimal", "uuid", "enum", "collections", "fractions", "pathlib", "ipaddress")
"""Modules of the standard library of which values are stored."""
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_ABSTRACT = {name: getattr(collections.abc, name) for name in collections.abc.__all__}


def spelling_of(annotation: object) -> Spelled:
    """How a type is written; None where it has no name that can be found again."""
    annotation = bare(annotation)
    if annotation is type(None):
        return "None"
    if annotation is object:
        return "Any"
    if annotation is Ellipsis:
        return "..."
    origin = get_origin(annotation)
    if origin is Literal:
        values = list(get_args(annotation))
        return ["Literal", *values] if all(type(value) in (str, int, bool) for value in values) else None
    if origin in (Union, types.UnionType):
        return _spelled_generic("Union", annotation)
    if origin is not None:
        return _spelled_generic(spelling_of(origin), annotation)
    if not isinstance(annotation, type):
        return None
    if annotation.__module__ == "builtins" or _ABSTRACT.get(annotation.__name__) is annotation:
        return annotation.__name__
    return f"{annotation.__module__}:{annotation.__qualname__}"


def _spelled_generic(origin: Spelled, annotation: object) -> Spelled:
    parts = [origin, *map(spelling_of, get_args(annotation))]
    return None if None in parts else parts


def type_of_spelling(written: Spelled) -> Any:
    """The type that was spelled so.

    Raises:
        StoreError: Its module cannot be imported or has no such class any more.
    """
    return _built(written)  # never remembered: a module that was edited is imported anew, and its classes with it


def read_as(written: Spelled) -> str:
    """A spelled type as people read it: `dict[str, Point]`."""
    if isinstance(written, list):
        head, *rest = written
        inner = ", ".join(repr(part) if head == "Literal" else read_as(part) for part in rest)
        return inner.replace(", ", " | ") if head == "Union" else f"{head}[{inner}]"
    return str(written).rpartition(":")[2]


def classes_in(tree: Mapping[str, Any]) -> frozenset[str]:
    """The classes that reading a stored value makes, as `module:Name`: their code runs when the value is used."""
    return frozenset(_classes_in(tree))


def _classes_in(tree: Mapping[str, Any]) -> Iterator[str]:
    yield from _named_in(tree.get("type"))
    if tree["codec"] == "composite":
        for _, inner in tree["items"]:
            yield from _classes_in(inner)


def _named_in(written: Spelled) -> Iterator[str]:
    if isinstance(written, str) and ":" in written:
        yield written
    elif isinstance(written, list) and written[0] != "Literal":
        for part in written:
            yield from _named_in(part)


def _built(written: Spelled) -> Any:
    if isinstance(written, list):
        head, *rest = written
        if head == "Literal":
            return Literal[tuple(rest)]
        arguments = tuple(map(_built, rest))
        return union_of(arguments) if head == "Union" else _built(head)[arguments]
    if not isinstance(written, str):
        raise StoreError(f"a stored value says that its type is {written!r}, which is none.")
    if written in ("None", "Any", "..."):
        return {"None": type(None), "Any": Any, "...": Ellipsis}[written]
    module, _, name = written.rpartition(":")
    if not module:
        value = _ABSTRACT.get(name) or getattr(builtins, name, None)
        if not isinstance(value, type):
            raise StoreError(f"a stored value says that it is a {name}, which is no class.")
        return value
    return _class(module, name)


def _class(module: str, name: str) -> type:
    if not _is_importable(module):
        raise StoreError(
            f"a stored value says that it is a {module}.{name}, and this project has imported no such module.\n"
            "    Mend: annotate the input that reads it, or import the module where the step is written."
        )
    try:
        value: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise StoreError(
            f"a stored value is a {module}.{name}, which cannot be imported ({error}).\n"
            "    Mend: annotate the input that reads it, for instance with dict for its plain form."
        ) from error
    if not isinstance(value, type):
        raise StoreError(f"a stored value says it is a {module}.{name}, but that is no class.")
    return value


def _is_importable(module: str) -> bool:
    """Whether a stored type may be looked up in this module: never is code imported on the word of a manifest alone.

    That is so where the reader has imported it, for the types of the standard library's values, for étude itself, and
    for the modules of a package of the project, which the reader has imported a part of.
    """
    top = module.partition(".")[0]
    if module in sys.modules or top in _VALUES or top == "etude":
        return True
    package = sys.modules.get(top)
    return top != module and package is not None and not _is_installed(package)


def _is_installed(package: types.ModuleType) -> bool:
    """Whether a package came with Python or from an index, and is none of the project's own."""
    places = [*(getattr(package, "__path__", None) or ()), getattr(package, "__file__", None) or ""]
    return any(place.startswith(_INSTALLED) for place in places) or not any(places)
