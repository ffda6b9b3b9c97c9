"""Values into files: by the step's return annotation where it says enough, by the value where it does not."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin
from urllib.parse import quote

from etude.errors import StepError, value_text
from etude.store.codecs import bundles, json_values, raw
from etude.store.codecs.annotations import (
    bare,
    class_of,
    fields_of,
    is_record,
    is_typeddict,
    readable,
    union_of,
    values_of,
)
from etude.store.codecs.choice import leaf_for
from etude.store.codecs.leaf import Tree
from etude.store.codecs.shapes import Kind, mend_for, shape_of
from etude.store.codecs.spelling import spelling_of
from etude.store.files.draft import Draft

ROOT = "value"
"""Name of the file or folder that the whole value is written to."""

_LONGEST = 100


def encode(value: Any, annotation: Any, draft: Draft, at: str = ROOT) -> Tree:
    """Write a value; the tree that comes back says how it was done.

    Args:
        value: What a step returned.
        annotation: Its return type; `object` where there is none.
        draft: The result that is being written.
        at: Path of the value within the result.

    Raises:
        StepError: It is not what the annotation says, has no codec, or would not come back as it is.
    """
    annotation = bare(annotation)
    shape = shape_of(annotation)
    if shape.kind is Kind.NEVER:
        raise StepError(f"{_place(at)}cannot be stored: {shape.reason}.")
    if shape.kind is Kind.UNION:
        return encode(value, member_of(value, annotation, at), draft, at)
    if raw.holds(value, annotation):
        return raw.encode(value, draft, at)
    try:
        if shape.kind is Kind.JSON:
            return _encode_json(value, annotation, draft, at)
        if shape.kind is Kind.LEAF:
            return _encode_leaf(value, annotation, draft, at)
        if shape.kind is Kind.OPEN:
            return _encode_open(value, annotation, draft, at)
    except StepError as error:
        raise _placed(error, at) from error.__cause__
    return _encode_composite(value, annotation, draft, at)


def member_of(value: Any, union: Any, at: str) -> Any:
    """The members of a union that a value belongs to, as one type. StepError where there is none."""
    members = [bare(member) for member in get_args(union)]
    kinds = {member: shape_of(member).kind for member in members}
    if value is None and type(None) in members:
        return type(None)
    for member in members:
        if kinds[member] is not Kind.JSON and is_instance(value, member):
            return member
    plain = tuple(member for member in members if kinds[member] is Kind.JSON)
    if not plain or leaf_for(type(value)) is not None:
        raise _mismatch(value, union, at)
    return union_of(plain)


def is_instance(value: Any, annotation: Any) -> bool:
    """Whether a value is of an annotation's class; its items are not looked at."""
    annotation = bare(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return any(is_instance(value, member) for member in get_args(annotation))
    cls = class_of(annotation)
    if cls is None or cls is object or getattr(cls, "_is_protocol", False):
        return True
    return isinstance(value, dict if is_typeddict(cls) else cls)


def _encode_json(value: Any, annotation: Any, draft: Draft, at: str) -> Tree:
    try:
        return json_values.encode(value, annotation, draft, at)
    except json_values.NotJson as error:
        raise StepError(f"a {error} stands where {readable(annotation)} leaves no room for one") from None


def _encode_leaf(value: Any, annotation: Any, draft: Draft, at: str) -> Tree:
    codec = leaf_for(class_of(annotation) or object)
    if codec is None or not is_instance(value, annotation):
        raise _mismatch(value, annotation, at)
    return codec.encode(value, draft, at)


def _encode_open(value: Any, annotation: Any, draft: Draft, at: str) -> Tree:
    cls = type(value)
    if not is_instance(value, annotation):
        raise _mismatch(value, annotation, at)
    if (codec := leaf_for(cls)) is not None:
        return codec.encode(value, draft, at)
    if annotation is object and (cls.__module__ != "builtins" or cls in (complex, bytes)):
        annotation = cls
        if shape_of(cls).kind is not Kind.OPEN:
            return encode(value, cls, draft, at)
    return _encode_either(value, annotation, draft, at)


def _encode_either(value: Any, annotation: Any, draft: Draft, at: str) -> Tree:
    """As JSON where all of it is JSON, item by item where something in it needs a codec of its own."""
    try:
        return json_values.encode(value, annotation, draft, at)
    except json_values.NotJson as error:
        if not isinstance(value, Mapping | list | tuple) and not is_record(type(value)):
            raise StepError(f"a {error} has no codec.\n    Mend: {mend_for(type(value))}.") from None
    return _encode_composite(value, annotation, draft, at)


def _encode_composite(value: Any, annotation: Any, draft: Draft, at: str) -> Tree:
    if not is_instance(value, annotation):
        raise _mismatch(value, annotation, at)
    cls = class_of(annotation)
    record = cls if is_typeddict(cls) else type(value)
    if is_record(record):
        return _encode_record(value, record, draft, at)
    if isinstance(value, Mapping):
        return _encode_mapping(value, annotation, draft, at)
    if isinstance(value, list | tuple):
        return _encode_sequence(value, annotation, draft, at)
    raise StepError(
        f"{_place(at)}a {type(value).__qualname__} of items is not stored.\n    Mend: return a list of them."
    )


def _encode_record(value: Any, cls: Any, draft: Draft, at: str) -> Tree:
    fields = fields_of(cls)
    values = values_of(value)
    if unknown := sorted(values.keys() - fields.keys()):
        raise StepError(f"{_place(at)}{cls.__qualname__} has no field {unknown[0]!r}")
    items = [[name, encode(values[name], fields[name], draft, f"{at}/{_safe(name)}")] for name in sorted(values)]
    return {"codec": "composite", "of": "record", "type": spelling_of(cls), "items": items}


def _encode_mapping(value: Mapping[Any, Any], annotation: Any, draft: Draft, at: str) -> Tree:
    keys = set(map(type, value))
    if keys <= {str} and bundles.holds(dict(value)):
        return bundles.encode(value, "dict", draft, at)
    if not (keys <= {str} or keys <= {int}):
        raise StepError(f"{_place(at)}a mapping of stored items needs keys that are all text, or all integers")
    arguments = get_args(annotation)
    inner = arguments[1] if len(arguments) == 2 else object
    names = sorted(value)
    items = [[str(name), encode(value[name], inner, draft, f"{at}/{_safe(str(name))}")] for name in names]
    tree: Tree = {"codec": "composite", "of": "dict", "items": items}
    if keys == {int}:
        tree["keys"] = "int"
    if names != list(value):
        place = {name: index for index, name in enumerate(names)}
        tree["order"] = [place[name] for name in value]
    return tree


def _encode_sequence(value: list[Any] | tuple[Any, ...], annotation: Any, draft: Draft, at: str) -> Tree:
    of = "tuple" if isinstance(value, tuple) else "list"
    named = {str(index): item for index, item in enumerate(value)}
    if bundles.holds(named):
        return bundles.encode(named, of, draft, at)
    inner = item_annotations(annotation, len(value))
    items = [[name, encode(item, inner[i], draft, f"{at}/{name}")] for i, (name, item) in enumerate(named.items())]
    return {"codec": "composite", "of": of, "items": items}


def item_annotations(annotation: Any, length: int) -> list[Any]:
    """The annotations of the items of a list or tuple. StepError for a tuple of another length."""
    arguments = get_args(annotation)
    if not arguments:
        return [object] * length
    if class_of(annotation) is tuple and arguments[-1] is not Ellipsis:
        if len(arguments) != length:
            raise StepError(f"{readable(annotation)} has {len(arguments)} items, the value has {length}")
        return list(arguments)
    return [arguments[0]] * length


def _safe(name: str) -> str:
    """A name that any file system takes, another for each name."""
    text = quote(name, safe=" +,;=@()[]{}", errors="surrogatepass")
    if text.strip(".") == "":
        text = text.replace(".", "%2E") or "%"
    if len(text) > _LONGEST:
        text = f"{text[:40]}~{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    return text


def _mismatch(value: Any, annotation: Any, at: str) -> StepError:
    return StepError(
        f"{_place(at)}expected {readable(annotation)} by the return annotation, got {type(value).__qualname__} "
        f"({value_text(value)})"
    )


def _place(at: str) -> str:
    inner = at.removeprefix(ROOT).strip("/")
    return f"item {inner}: " if inner else ""


def _placed(error: StepError, at: str) -> StepError:
    """The same error with the item's name before it, unless it stands there already."""
    place = _place(at)
    text = str(error)
    return error if not place or text.startswith("item ") else StepError(place + text)
