"""JSON values: everything that a step returns which is small, plain and exact.

What is written is read back at once and compared, so that a value comes back as it was or is refused. Without an
annotation that is what JSON itself tells apart, and tuples; with one, pydantic builds dataclasses, sets, dates and so
on. Numbers are exact (any integer, any float with NaN and the infinities), the order of a mapping is kept, and a set is
written in a fixed order. NumPy scalars inside become Python numbers.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import types
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, get_args

from etude.errors import StepError, value_text
from etude.store.codecs.annotations import (
    bare,
    class_of,
    fields_of,
    is_record,
    memoise,
    readable,
    values_of,
)
from etude.store.codecs.exactness import PLAIN, difference, is_numpy_scalar
from etude.store.codecs.metrics import are_metrics, few_numbers, is_metrics
from etude.store.codecs.rewriting import for_pydantic
from etude.store.codecs.spelling import read_as, spelling_of, type_of_spelling
from etude.store.codecs.tuples import holds_tuple, mark_tuples, restore_tuples
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

INLINE = 2048
"""Bytes up to which a value stands in the manifest itself instead of a file of its own."""

Tree = dict[str, Any]
_WRITTEN_BY_PYDANTIC = ("datetime", "decimal", "uuid", "collections")


class NotJson(Exception):
    """A value holds something that has a codec of its own; the message names its type."""


def encode(value: Any, annotation: Any, draft: Draft, at: str) -> Tree:
    """Write a value as JSON.

    Raises:
        NotJson: Something in it needs another codec.
        StepError: It would not come back as it is.
    """
    text = to_json(value)
    back = json.loads(text) if annotation is object else _valid(text, annotation, value)
    fault = difference(value, back, typed=annotation is not object)
    tree: Tree = {"codec": "json"}
    if fault and annotation is object and _holds_tuple(value):
        text = to_json(mark_tuples(value))
        fault = difference(value, restore_tuples(json.loads(text)), typed=False)
        tree["tuples"] = True
    if fault:
        raise _refusal(value, annotation, fault)
    if annotation is not object and not _is_plain(annotation):
        tree["type"] = spelling_of(annotation)
    by_value = annotation in (object, dict, Mapping) and are_metrics(value)
    if (by_value or is_metrics(annotation)) and few_numbers(value):
        tree["metrics"] = True
    inline = len(text) <= INLINE and not _has_surrogates(text)
    if inline:
        tree["text"] = text.decode()
    else:
        tree["file"] = f"{at}.json"
        draft.put(tree["file"], text)
    return tree


def decode(tree: Tree, content: Content, wanted: Any) -> Any:
    """The value, as the type that is wanted, else as the type that was stored.

    Raises:
        StepError: The value is not of the wanted type.
        DamagedArtifact: The file is not what was stored.
    """
    text = _text(tree, content)
    if tree.get("tuples"):
        value = restore_tuples(json.loads(text))
        return value if wanted is object else from_json(to_json(value), wanted, type(value).__qualname__)
    if wanted is not object:
        return from_json(text, wanted, read_as(tree.get("type") or "JSON"))
    stored = tree.get("type")
    return json.loads(text) if stored is None else from_json(text, type_of_spelling(stored), read_as(stored))


def item(tree: Tree, content: Content, name: str, wanted: Any) -> Any:
    """One item of a stored mapping or record. KeyError where it has none of that name."""
    value = _named(decode(tree, content, object))[name]
    return value if wanted is object else from_json(to_json(value), wanted, type(value).__qualname__)


def items_of(tree: Tree, content: Content) -> list[str]:
    """The names of the items that can be read alone; none where the value has no named items."""
    return list(_named(decode(tree, content, object)))


def _holds_tuple(value: Any) -> bool:
    try:
        return holds_tuple(value)
    except RecursionError:
        return False


def _named(value: Any) -> Mapping[str, Any]:
    """Item → value of a mapping or record; nothing for any other value."""
    if isinstance(value, Mapping):
        return {name: item for name, item in value.items() if isinstance(name, str)}
    return values_of(value) if is_record(type(value)) else {}


def to_json(value: Any) -> bytes:
    """A value as JSON text. NotJson where something in it has another codec, StepError where nothing can be done."""
    try:
        try:
            text = _encoder().encode(value)
        except TypeError:
            text = _encoder().encode(_simplified_throughout(value))
    except RecursionError:
        raise StepError("the value is nested too deeply to be stored as JSON, or holds itself") from None
    except ValueError as error:
        raise StepError(f"the value cannot be stored as JSON: {error}") from None
    return text.encode("utf-8", "surrogatepass")


def from_json(text: bytes, wanted: Any, stored: str) -> Any:
    """A value of the wanted type from JSON text. StepError, naming both types, where it is of another."""
    from pydantic import ValidationError

    try:
        return adapter(wanted).validate_json(b"[" + text + b"]", strict=True)[0]
    except ValidationError as error:
        raise StepError(f"a stored {stored} is no {readable(wanted)}: {_first(error)}") from None


@memoise
def adapter(annotation: Any) -> Any:
    """What reads JSON as `list[annotation]` (a list, so that settings for bytes reach records too).

    Raises:
        StepError: pydantic knows no way to read such a type.
    """
    from pydantic import ConfigDict, TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        target: Any = types.GenericAlias(list, for_pydantic(annotation))
        return TypeAdapter(target, config=ConfigDict(val_json_bytes="base64"))
    except (PydanticUserError, NameError) as error:
        reason = str(error).partition("\n")[0]
        raise StepError(f"{readable(annotation)} cannot be stored as JSON: {reason}") from error


@lru_cache(maxsize=1)
def _encoder() -> json.JSONEncoder:
    return json.JSONEncoder(default=_simplified, ensure_ascii=False, separators=(",", ":"))


def _text(tree: Tree, content: Content) -> bytes:
    return tree["text"].encode() if "text" in tree else content.read(tree["file"])


def _valid(text: bytes, annotation: Any, value: Any) -> Any:
    try:
        return from_json(text, annotation, type(value).__qualname__)
    except StepError as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise _refusal(value, annotation, reason) from error


def _refusal(value: Any, annotation: Any, fault: str) -> StepError:
    if annotation is object:
        mend = "annotate the step's return type (as in `-> dict[int, float]`), so that it can be read back as it is"
        return StepError(
            f"cannot store a {type(value).__qualname__} without a return annotation: {fault}.\n    Mend: {mend}."
        )
    mend = "return what the annotation says, or annotate what is returned"
    return StepError(f"cannot store {value_text(value)} as {readable(annotation)}: {fault}.\n    Mend: {mend}.")


def _first(error: Any) -> str:
    """Where and what the first fault is; the outermost list is ours."""
    found_first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in found_first["loc"][1:])
    return f"{place}: {found_first['msg']}" if place else str(found_first["msg"])


def _is_plain(annotation: Any) -> bool:
    """Whether JSON alone tells what the value was, so that no type need be noted."""
    annotation = bare(annotation)
    cls = class_of(annotation)
    if cls in (list, dict):
        key, *_ = get_args(annotation) or (str,)
        return (cls is list or bare(key) is str) and all(map(_is_plain, get_args(annotation)))
    return cls in (*PLAIN, object)


def _has_surrogates(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


def _simplified(value: Any) -> Any:
    """One step towards JSON for what JSON itself does not know."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in fields_of(type(value))}
    if isinstance(value, set | frozenset):
        return [json.loads(text) for text in sorted(map(to_json, value))]
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).decode()
    if hasattr(type(value), "model_fields"):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_numpy_scalar(value):
        plain = value.item()
        if type(plain) in PLAIN:
            return plain
    elif isinstance(value, complex) or type(value).__module__.partition(".")[0] in _WRITTEN_BY_PYDANTIC:
        return _by_pydantic(value)
    raise NotJson(f"{type(value).__module__}.{type(value).__qualname__}")


def _by_pydantic(value: Any) -> Any:
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value, inf_nan_mode="constants")
    except PydanticSerializationError:
        raise NotJson(f"{type(value).__module__}.{type(value).__qualname__}") from None


def _simplified_throughout(value: Any) -> Any:
    """The same all the way down, for mappings whose keys JSON does not know."""
    if isinstance(value, dict):
        return {_key(key): _simplified_throughout(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_simplified_throughout(inner) for inner in value]
    if isinstance(value, PLAIN) and not isinstance(value, Enum):
        return value
    return _simplified_throughout(_simplified(value))


def _key(key: Any) -> Any:
    if isinstance(key, str | int | float) and not isinstance(key, Enum):
        return key
    simple = _simplified(key)
    if not isinstance(simple, str | int | float):
        raise StepError(
            f"a mapping with the key {value_text(key)} cannot be stored as JSON: use text or numbers as keys"
        )
    return simple
