"""Annotations as pydantic can read them: the same values, where it would refuse the type or read it lazily."""

from __future__ import annotations

import collections.abc
import sys
import types
from functools import lru_cache
from typing import Any, Union, get_args, get_origin

from etude.store.codecs.annotations import bare, is_typeddict, union_of

_READ_AS_LIST = (collections.abc.Iterable, collections.abc.Collection, collections.abc.Reversible)


def for_pydantic(annotation: Any) -> Any:
    """The annotation with iterables read as lists, and typed dicts in the form that pydantic takes on Python 3.11."""
    bared = bare(annotation)
    origin, arguments = get_origin(bared), get_args(bared)
    if is_typeddict(bared) and type(bared).__module__ == "typing" and sys.version_info < (3, 12):
        return _typed_dict(bared)
    if (origin or bared) in _READ_AS_LIST:
        return list[for_pydantic(arguments[0])] if arguments else list  # type: ignore[misc]
    if not arguments or origin is None or bared is not annotation:
        return annotation
    parts = tuple(for_pydantic(part) if _is_type(part) else part for part in arguments)
    if parts == arguments:
        return annotation
    return union_of(parts) if origin in (Union, types.UnionType) else origin[parts]


def _is_type(part: Any) -> bool:
    return isinstance(part, type) or get_origin(part) is not None or part is Any


@lru_cache(maxsize=256)
def _typed_dict(cls: Any) -> Any:
    from typing import NotRequired, Required, get_type_hints

    from typing_extensions import TypedDict

    hints = get_type_hints(cls)
    required = cls.__required_keys__
    fields = {
        name: Required[for_pydantic(hint)] if name in required else NotRequired[for_pydantic(hint)]
        for name, hint in hints.items()
    }
    return TypedDict(cls.__name__, fields)  # type: ignore[operator]
