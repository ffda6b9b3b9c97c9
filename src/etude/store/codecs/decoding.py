"""Files into values: as the type that the reader wants where that is concrete, as the stored type where it is not."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from inspect import isabstract
from typing import Any, Union, get_args, get_origin

from etude.errors import StepError, StoreError, nearest
from etude.store.codecs import bundles, json_values, raw
from etude.store.codecs.annotations import (
    bare,
    class_of,
    fields_of,
    is_namedtuple,
    is_record,
    is_typeddict,
    readable,
    union_of,
)
from etude.store.codecs.choice import leaf_of_name
from etude.store.codecs.encoding import is_instance, item_annotations
from etude.store.codecs.folders import DatasetCodec
from etude.store.codecs.leaf import Tree
from etude.store.codecs.shapes import Kind, shape_of
from etude.store.codecs.spelling import read_as, type_of_spelling
from etude.store.files.artifact import Content


def decode(tree: Tree, content: Content, wanted: Any = object) -> Any:
    """The value of a tree, fresh or read-only.

    Args:
        tree: What `encode` returned.
        content: The files of the result.
        wanted: The type to read it as; `object` for the stored one.

    Raises:
        StepError: The stored value is not of the wanted type; names both.
        DamagedArtifact: A file is not what was stored.
    """
    wanted = bare(wanted)
    if get_origin(wanted) in (Union, types.UnionType) and shape_of(wanted).kind is Kind.UNION:
        return _decode_union(tree, content, wanted)
    match tree["codec"]:
        case "json":
            value = json_values.decode(tree, content, _json_target(tree, wanted))
        case "text" | "bytes":
            value = raw.decode(tree, content)
        case "composite":
            value = _decode_composite(tree, content, wanted)
        case bundles.NAME:
            value = _decode_bundle(tree, content, wanted)
        case name:
            codec = leaf_of_name(name)
            if codec is None:
                raise StoreError(f"a stored value has the codec {name!r}, which this étude does not know")
            value = codec.decode(tree, content, wanted)
    if not is_instance(value, wanted):
        raise _mismatch(tree, wanted)
    return value


def decode_item(tree: Tree, content: Content, name: str, wanted: Any = object) -> Any:
    """One item of a stored mapping or record, without reading the others where they have files of their own.

    Raises:
        StepError: There is no such item, or it is not of the wanted type.
        DamagedArtifact: A file is not what was stored.
    """
    wanted = bare(wanted)
    try:
        value = _item(tree, content, name, wanted)
    except KeyError:
        known = nearest(name, items_of(tree, content))
        raise StepError(f"a stored {stored_type(tree)} has no item {name!r}: {known}") from None
    if not is_instance(value, wanted):
        raise StepError(f"item {name!r} is a {type(value).__qualname__}, not {readable(wanted)}")
    return value


def _item(tree: Tree, content: Content, name: str, wanted: Any) -> Any:
    """One item. KeyError where there is none of that name."""
    match tree["codec"]:
        case "composite" if name in items_of(tree, content):
            return decode(dict(tree["items"])[name], content, wanted)
        case bundles.NAME if tree["in"] == "dict":
            return bundles.item(tree, content, name, wanted)
        case "json":
            return json_values.item(tree, content, name, wanted)
        case DatasetCodec.name:
            return DatasetCodec().item(tree, content, name)
    raise KeyError(name)


def items_of(tree: Tree, content: Content) -> list[str]:
    """The names of the items that can be read alone; none where the value has no named items."""
    match tree["codec"]:
        case "composite" if tree["of"] in ("dict", "record"):
            return [name for name, _ in tree["items"]]
        case bundles.NAME:
            return bundles.items_of(tree, content)
        case "json":
            return json_values.items_of(tree, content)
        case DatasetCodec.name:
            return list(tree.get("splits", ()))
        case _:
            return []


def stored_type(tree: Tree) -> str:
    """What a stored value is, as messages name it."""
    if tree.get("type"):
        return read_as(tree["type"])
    names = {"npy": "ndarray", "scalar": "NumPy scalar", "tensor": "Tensor", "path": "Path", "json": "JSON value"}
    if tree["codec"] == "arrow":
        return {"arrow": "pyarrow.Table", "pandas": "pandas.DataFrame", "polars": "polars.DataFrame"}[tree["of"]]
    if tree["codec"] == bundles.NAME:
        return f"{tree['in']} of {'tensors' if tree['of'] == 'torch' else 'arrays'}"
    return str(names.get(tree["codec"]) or tree.get("of") or tree["codec"])


def _json_target(tree: Tree, wanted: Any) -> Any:
    """The type to read JSON as. StepError where the wanted type is never written as JSON."""
    if shape_of(wanted).kind in (Kind.LEAF, Kind.COMPOSITE, Kind.NEVER):
        raise _mismatch(tree, wanted)
    return object if _is_vague(wanted, tree) else wanted


def _is_vague(wanted: Any, tree: Tree) -> bool:
    """Whether the stored type says more than the wanted one: a protocol, an abstract class, or a base of it."""
    cls = class_of(wanted)
    if cls is None or cls.__module__ in ("builtins", "collections.abc"):
        return cls is object
    if getattr(cls, "_is_protocol", False) or isabstract(cls):
        return True
    if not tree.get("type") or not is_record(cls) or is_typeddict(cls):
        return False
    try:
        stored = class_of(type_of_spelling(tree["type"]))
    except StoreError:
        return False  # a class that cannot be looked up here adds nothing to the reader's own
    return stored is not None and stored is not cls and not is_typeddict(stored) and issubclass(stored, cls)


def _decode_union(tree: Tree, content: Content, wanted: Any) -> Any:
    members = [bare(member) for member in get_args(wanted)]
    plain = tuple(member for member in members if shape_of(member).kind is Kind.JSON)
    others = [member for member in members if member not in plain]
    is_plain = tree["codec"] in ("json", "text", "bytes")
    for member in [union_of(plain)] if is_plain and plain else others:
        try:
            return decode(tree, content, member)
        except StepError:
            continue
    raise _mismatch(tree, wanted)


def _decode_bundle(tree: Tree, content: Content, wanted: Any) -> Any:
    cls = class_of(wanted)
    if is_record(cls):
        raise _mismatch(tree, wanted)
    value = bundles.decode(tree, content, wanted)
    return _as_sequence(value, cls)


def _decode_composite(tree: Tree, content: Content, wanted: Any) -> Any:
    items = dict(tree["items"])
    cls: Any = class_of(wanted)
    if tree.get("type") and (cls is None or _is_vague(wanted, tree)):
        return _decode_record(tree, items, content, type_of_spelling(tree["type"]))
    if is_record(cls):
        return _decode_record(tree, items, content, cls)
    if tree["of"] in ("list", "tuple"):
        inner = item_annotations(wanted, len(items)) if issubclass(cls or object, Sequence) else [object] * len(items)
        values = [decode(part, content, inner[i]) for i, part in enumerate(items.values())]
        return _as_sequence(tuple(values) if tree["of"] == "tuple" else values, cls)
    arguments = get_args(wanted)
    kind = arguments[1] if len(arguments) == 2 else object
    names = list(items)
    ordered = [names[index] for index in tree.get("order", range(len(names)))]
    key = int if tree.get("keys") == "int" else str
    return {key(name): decode(items[name], content, kind) for name in ordered}


def _as_sequence(value: Any, cls: Any) -> Any:
    if cls is tuple and isinstance(value, list):
        return tuple(value)
    return list(value) if cls is list and isinstance(value, tuple) else value


def _decode_record(tree: Tree, items: Mapping[str, Tree], content: Content, cls: Any) -> Any:
    if tree["of"] not in ("record", "dict"):
        raise _mismatch(tree, cls)
    fields = fields_of(cls)
    _require_fields(tree, items, cls, fields)
    values = {name: decode(items[name], content, hint) for name, hint in fields.items() if name in items}
    return values if is_typeddict(cls) else cls(**values)


def _require_fields(tree: Tree, items: Mapping[str, Tree], cls: Any, fields: Mapping[str, Any]) -> None:
    if is_typeddict(cls):
        required = set(cls.__required_keys__)
    elif is_namedtuple(cls):
        required = set(fields) - set(cls._field_defaults)
    else:
        required = {
            field.name
            for field in dataclasses.fields(cls)
            if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        }
    missing, unknown = sorted(required - items.keys()), sorted(items.keys() - fields.keys())
    if missing or unknown:
        what = f"it has no item {missing[0]!r}" if missing else f"it has an item {unknown[0]!r}"
        raise StepError(f"a stored {stored_type(tree)} is no {readable(cls)}: {what}")


def _mismatch(tree: Tree, wanted: Any) -> StepError:
    return StepError(f"a stored {stored_type(tree)} is no {readable(wanted)}")
