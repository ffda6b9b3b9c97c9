"""Many arrays or tensors with names (a state dict) in one safetensors file; any one of them can be read alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from etude.store.codecs import tensor_file
from etude.store.codecs.annotations import bare, class_of
from etude.store.codecs.leaf import Tree, TypeName, belongs
from etude.store.codecs.tensor_file import Stored, TensorEntry
from etude.store.codecs.tensors import TORCH, entry_of, place_of, tensor_of
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

if TYPE_CHECKING:
    import numpy as np

NAME = "bundle"
_NUMPY: tuple[TypeName, ...] = (("numpy", "ndarray"),)
_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "complex64": "C64",
    "bool": "BOOL",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
}
_NUMPY_NAMES = {ours: name for name, ours in _DTYPES.items()}


def holds(values: Mapping[str, Any]) -> bool:
    """Whether all these are arrays, or all are tensors, that one file can hold as they are."""
    if not values or "__metadata__" in values:
        return False
    if all(belongs(type(value), TORCH) for value in values.values()):
        return True
    return all(_fits(value) for value in values.values())


def encode(values: Mapping[str, Any], of: str, draft: Draft, at: str) -> Tree:
    """Write named arrays or tensors as one file.

    Tensors that are one and the same memory (tied weights) are written once, and are one again when they are read.

    Args:
        values: Name → array or tensor, all of one kind.
        of: The container they came in: `dict`, `list` or `tuple`.
        draft: The result that is being written.
        at: Name of the file, without its suffix.
    """
    tree: Tree = {"codec": NAME, "file": f"{at}.safetensors", "in": of}
    names = sorted(values)
    if of == "dict" and names != list(values):
        place = {name: index for index, name in enumerate(names)}
        tree["order"] = [place[name] for name in values]
    if belongs(type(next(iter(values.values()))), TORCH):
        tree["of"] = "torch"
        entries = [entry_of(name, values[name]) for name in names]
        if ties := _ties(values):
            tree["ties"] = ties
            tied = {name for name, _ in ties}
            entries = [entry for entry in entries if entry.name not in tied]
    else:
        tree["of"] = "numpy"
        entries = [_entry(name, values[name]) for name in names]
    tensor_file.write(entries, draft, tree["file"])
    return tree


def decode(tree: Tree, content: Content, wanted: Any) -> Any:
    """The container with everything in it."""
    read, names = _reader(tree, content, wanted)
    if tree["in"] == "dict":
        ordered = [names[index] for index in tree.get("order", range(len(names)))]
        return {name: read(name) for name in ordered}
    values = [read(str(index)) for index in range(len(names))]
    return tuple(values) if tree["in"] == "tuple" else values


def item(tree: Tree, content: Content, name: str, wanted: Any) -> Any:
    """One of them. KeyError where there is none of that name."""
    read, names = _reader(tree, content, dict[str, wanted])
    if name not in names:
        raise KeyError(name)
    return read(name)


def items_of(tree: Tree, content: Content) -> list[str]:
    """Their names."""
    return _reader(tree, content, object)[1] if tree["in"] == "dict" else []


def _reader(tree: Tree, content: Content, wanted: Any) -> tuple[Any, list[str]]:
    """A function from a name to what it names, and all names in sorted order."""
    torch = _kind(tree, wanted) == "torch"
    buffer, stored = tensor_file.read(content, tree["file"], writable=torch)
    ties = dict(tree.get("ties", ()))
    made: dict[str, Any] = {}

    def read(name: str) -> Any:
        name = ties.get(name, name)
        if name not in made:
            made[name] = tensor_of(buffer, stored[name]) if torch else _array_of(buffer, stored[name])
        return made[name]

    return read, sorted([*stored, *ties])


def _kind(tree: Tree, wanted: Any) -> str:
    for part in get_args(wanted):
        cls = class_of(bare(part))
        if cls is not None and belongs(cls, TORCH):
            return "torch"
        if cls is not None and belongs(cls, _NUMPY):
            return "numpy"
    return str(tree["of"])


def _ties(values: Mapping[str, Any]) -> list[list[str]]:
    first: dict[Any, str] = {}
    ties = []
    for name in sorted(values):
        place = place_of(values[name])
        if place is not None and first.setdefault(place, name) != name:
            ties.append([name, first[place]])
    return ties


def _fits(value: Any) -> bool:
    if not belongs(type(value), _NUMPY) or type(value).__name__ not in ("ndarray", "memmap"):
        return False
    return value.dtype.name in _DTYPES and value.dtype.isnative and not value.dtype.metadata


def _entry(name: str, array: np.ndarray[Any, Any]) -> TensorEntry:
    import numpy as np

    little = array.dtype.newbyteorder("<")
    return TensorEntry(
        name=name,
        dtype=_DTYPES[array.dtype.name],
        shape=array.shape,
        data=lambda: np.ascontiguousarray(array, little).reshape(-1).view(np.uint8),
    )


def _array_of(buffer: Any, stored: Stored) -> np.ndarray[Any, Any]:
    import numpy as np

    dtype = np.dtype(_NUMPY_NAMES[stored.dtype]).newbyteorder("<")
    count = stored.size // dtype.itemsize
    flat = np.frombuffer(buffer, dtype, count, stored.start) if count else np.empty(0, dtype)
    array = flat.reshape(stored.shape)
    array.setflags(write=False)
    return array
