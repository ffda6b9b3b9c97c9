"""A study while its layers are put on one another: file, profile, environment, `--set`.

Two kinds of file take layers in two ways. YAML and JSON are plain trees that layers change. A Jsonnet file is a
program: layers are composed with it before it is evaluated, so what refers to a changed value changes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from etude.study.interpolation import is_index

Keys = tuple[str, ...]
"""Keys from the top of the study inwards; an index in a list is its decimal text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What stands at one place of a tree."""

    kind: Literal["missing", "nothing", "mapping", "list", "value"]
    """`nothing` is null."""
    names: tuple[str, ...] = ()
    """The keys of a mapping."""
    size: int = 0
    """The length of a list."""


class StudyTree(Protocol):
    """A study that takes layers."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was read for it so far, its own first."""
        ...

    def look(self, path: Keys) -> Look:
        """What stands here, without its values."""
        ...

    def value(self, path: Keys) -> object:
        """The plain value here; None where nothing stands."""
        ...

    def assign(self, path: Keys, value: object) -> None:
        """Put this value here in place of what stands here; missing mappings on the way are made."""
        ...

    def remove(self, path: Keys) -> None:
        """Take away the key at the end of this path."""
        ...

    def merge(self, data: Mapping[str, object]) -> None:
        """Lay this tree over the tree: mappings key by key, anything else in place of what stands there."""
        ...


def overlay(study_tree: StudyTree, data: Mapping[str, object]) -> None:
    """Lay a profile or a child study over a tree. There null takes away a node, an axis or a key that is there."""
    rest, removed = _split(data, ())
    study_tree.merge(rest)
    for path in removed:
        if study_tree.look(path).kind == "missing":
            study_tree.assign(path, None)
        else:
            study_tree.remove(path)


def leaves(data: object, path: Keys = ()) -> Iterator[Keys]:
    """The places of everything in a tree that is not itself a mapping with keys."""
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def merge_trees(below: object, above: object) -> object:
    """Two trees, one over the other, in a new tree."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    result = dict(below)
    for key, value in above.items():
        result[key] = merge_trees(below[key], value) if key in below else value
    return result


class PlainTree:
    """A tree of a plain tree. The tree it was made from stays as it is."""

    def __init__(self, tree: Mapping[str, object], files: tuple[Path, ...] = ()) -> None:
        self.tree: dict[str, object] = dict(tree)
        self._files = files

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was read for it, its own first."""
        return self._files

    def look(self, path: Keys) -> Look:
        """What stands here, without its values."""
        at: object = self.tree
        for key in path:
            if isinstance(at, Mapping) and key in at:
                at = at[key]
            elif isinstance(at, list) and is_index(key) and int(key) < len(at):
                at = at[int(key)]
            else:
                return MISSING
        if isinstance(at, Mapping):
            return Look(kind="mapping", names=tuple(at))
        if isinstance(at, list):
            return Look(kind="list", size=len(at))
        return Look(kind="nothing" if at is None else "value")

    def value(self, path: Keys) -> object:
        """The plain value here; None where nothing stands."""
        at: object = self.tree
        for key in path:
            at = _entered(at, key)
        return at

    def assign(self, path: Keys, value: object) -> None:
        """Put this value here; missing mappings on the way are made."""
        self.tree = _mapping(_assigned(self.tree, path, value))

    def remove(self, path: Keys) -> None:
        """Take away the key at the end of this path."""
        holder = self.value(path[:-1])
        if isinstance(holder, Mapping):
            rest = {key: value for key, value in holder.items() if key != path[-1]}
            self.tree = _mapping(_assigned(self.tree, path[:-1], rest))

    def merge(self, data: Mapping[str, object]) -> None:
        """Lay this tree over the tree."""
        self.tree = _mapping(merge_trees(self.tree, data))


MISSING: Final = Look(kind="missing")


def _entered(at: object, key: str) -> object:
    if isinstance(at, Mapping):
        return at.get(key)
    return at[int(key)] if isinstance(at, list) and is_index(key) and int(key) < len(at) else None


def _assigned(at: object, path: Keys, value: object) -> object:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(at, list):
        items = list(at)
        items[int(key)] = _assigned(items[int(key)], rest, value)
        return items
    known = at if isinstance(at, Mapping) else {}
    return {**known, key: _assigned(known.get(key), rest, value)}


def _mapping(tree: object) -> dict[str, object]:
    assert isinstance(tree, dict)
    return tree


def _split(data: Mapping[str, object], path: Keys) -> tuple[dict[str, object], list[Keys]]:
    """The data without the nulls that take something away, and the places of those."""
    rest: dict[str, object] = {}
    removed: list[Keys] = []
    for key, value in data.items():
        inner = (*path, key)
        if value is None and not _may_be_null(inner):
            removed.append(inner)
        elif isinstance(value, Mapping) and not _may_be_null(inner):
            rest[key], below = _split(value, inner)
            removed += below
        else:
            rest[key] = value
    return rest, removed


def _may_be_null(path: Keys) -> bool:
    """Whether null is a value here: in params, settings and what a profile says, which is laid over a study later."""
    if path[0] == "profiles":
        return len(path) >= 2
    if path[0] in ("pipeline", "collect"):
        return len(path) >= 4 and path[2] == "with"
    return path[0] == "params" and len(path) >= 2
