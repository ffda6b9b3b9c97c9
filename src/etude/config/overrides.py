"""`--set path=value`, `--set ~path` and environment variables: what they mean and what they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from etude.config.schema import NODE
from etude.config.study_tree import Keys, StudyTree
from etude.config.yaml12 import parse_yaml
from etude.config.yaml_tree import core_scalar
from etude.errors import ConfigError, Fault, nearest, value_text
from etude.study.interpolation import is_index

SETTABLE: Final = ("name", "description", "params", "pipeline", "vary", "collect", "groups", "place")
"""The parts of a study that can be changed from outside; params by their bare names as well."""
FILE_ONLY: Final = ("env", "profiles", "extends")

SET: Final = "--set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One value from outside the file."""

    source: str
    """`--set`, or `env NAME`."""
    target: str
    """A param's name or a dotted path, as written."""
    value: object = None
    removes: bool = False


def parse_override(text: str) -> Override:
    """What one `--set` says.

    Raises:
        ConfigError: No `=`, no path, or no value that can be read.
    """
    if text.startswith("~"):
        if "=" in text:
            raise _refused(SET, text, text, "`~path` takes a value away and sets none", "write `~path` or `path=value`")
        return Override(source=SET, target=text[1:].strip(), removes=True)
    target, equals, value = text.partition("=")
    if not equals:
        raise _refused(SET, text, text, "has no `=`", "write path=value, as in `--set pooling=max`")
    return override_of(SET, target.strip(), value)


def override_of(source: str, target: str, text: str) -> Override:
    """The override of this target by a value that is still text.

    Raises:
        ConfigError: The value cannot be read.
    """
    try:
        return Override(source=source, target=target, value=parse_value(text))
    except ValueError as error:
        raise _refused(
            source, target, text, str(error), 'write it as YAML: 3, true, null, text, "3", [1, 2], {a: 1}'
        ) from None


def parse_value(text: str) -> object:
    """A value as YAML writes it in one line. Text needs no quotes unless it would mean something else.

    Raises:
        ValueError: Nothing there, or brackets or quotes that do not close.
    """
    text = text.strip()
    if not text:
        raise ValueError('has no value; for an empty text write ""')
    kind: type | None = {"[": list, "{": dict, '"': str, "'": str}.get(text[0])
    if kind is None:
        return core_scalar(text)
    try:
        document = parse_yaml(text, SET)
    except ConfigError as error:
        raise ValueError(error.faults[0].reason) from error
    if document.faults:
        raise ValueError(document.faults[0].reason)
    if not isinstance(document.tree, kind):
        raise ValueError("goes on after its closing bracket or quote")
    if isinstance(document.tree, dict) and not {'"', "'"} & set(text):
        for key, inner in document.tree.items():
            if ":" in key and inner is None:
                raise ValueError(f"lacks a space after the colon of {key}")
    return document.tree


def binding_faults(variable: str, binding: object) -> list[Fault]:
    """What is wrong with how `env` binds a variable, besides the form of it."""
    if not isinstance(binding, Mapping) or not binding:
        return []
    secret = binding.get("secret") is True
    if secret and binding.keys() & {"sets", "one_of"}:
        reason = "a secret sets nothing: params and settings are kept beside every result"
        return [Fault(path=f"env.{variable}", reason=reason, mend="take away `secret`, or all else")]
    if not secret and binding.get("sets") is None:
        return [Fault(path=f"env.{variable}", reason="sets nothing", mend="add `sets: PARAM`, or `secret: true`")]
    return []


def check_value(override: Override, allowed: object) -> None:
    """Refuse a value that is none of those that may be, where that is said.

    Raises:
        ConfigError: It is none of them.
    """
    if isinstance(allowed, list) and not any(same(override.value, one) for one in allowed):
        variable = override.source.removeprefix("env ")
        expected = ", ".join(map(value_text, allowed))
        mend = nearest(str(override.value), [str(one) for one in allowed])
        raise _told(override, f"{variable} is expected to be one of {expected}", mend)


def apply(study_tree: StudyTree, override: Override) -> tuple[str, ...]:
    """Put one override into the tree and tell every dotted path that it changed.

    A param that is varied is narrowed to the one value: an axis of `vary.grid` or `vary.repeat` becomes that value, and
    of `vary.list` only the points with it remain.

    Raises:
        ConfigError: The target is not there, or cannot be changed this way.
    """
    path = check_target(study_tree, override)
    if override.removes:
        study_tree.remove(path)
        return (".".join(path),)
    changed = [path]
    if path[0] == "params" and len(path) > 1:
        changed += _narrow(study_tree, override, path)
    study_tree.assign(path, override.value)
    return tuple(".".join(each) for each in changed)


def check_target(study_tree: StudyTree, override: Override) -> Keys:
    """The place an override means.

    Raises:
        ConfigError: There is no such param, node, key or index, or it is only for the file to say.
    """
    parts = tuple(override.target.split("."))
    if not all(parts):
        raise _told(override, "is no path", "write a param's name, or a path such as pipeline.model.with.epochs")
    head, params = parts[0], study_tree.look(("params",)).names
    if head in FILE_ONLY:
        raise _told(override, f"{head!r} is for the file alone", f"change {head!r} in the file")
    if head not in SETTABLE:
        if head not in params:
            reason = f"no param and no part of the study is called {head!r}"
            raise _told(override, reason, _node_path(study_tree, parts) or nearest(head, {*params, *SETTABLE}))
        parts = ("params", *parts)
    _check_known(study_tree, override, parts)
    _check_way(study_tree, override, parts)
    return parts


def _node_path(study_tree: StudyTree, parts: Keys) -> str:
    """What to write where a path starts with a node's name and one of its keys; empty where it does not."""
    if len(parts) < 2 or parts[1] not in NODE.keys:
        return ""
    sections = [section for section in ("pipeline", "collect") if parts[0] in study_tree.look((section,)).names]
    return f"write {'.'.join((sections[0], *parts))}" if sections else ""


def _check_known(study_tree: StudyTree, override: Override, path: Keys) -> None:
    """Refuse a param or node that the study does not have: from outside, it is a slip of the pen."""
    if len(path) < 2 or path[0] not in ("params", "pipeline", "collect"):
        return
    names = study_tree.look(path[:1]).names
    whole_node = path[0] != "params" and len(path) == 2 and isinstance(override.value, Mapping)
    if path[1] not in names and not whole_node:
        what = "param" if path[0] == "params" else f"node of {path[0]}"
        raise _told(override, f"no {what} is called {path[1]!r}", nearest(path[1], names))


def _check_way(study_tree: StudyTree, override: Override, path: Keys) -> None:
    """Refuse a path that leads into a value, past the end of a list, or to no part of a param or of what is taken."""
    for end in range(1, len(path)):
        here, shown = study_tree.look(path[:end]), ".".join(path[:end])
        strict = override.removes or (path[0] == "params" and bool(here.names))
        if here.kind == "value":
            raise _told(override, f"{shown} is one value and has nothing inside", f"set {shown} itself")
        if here.kind == "list" and not (is_index(path[end]) and int(path[end]) < here.size):
            raise _told(override, f"{shown} is a list of {here.size}", "write an index from 0, or set the whole list")
        if here.kind == "list" and override.removes and end == len(path) - 1:
            raise _told(override, "an item of a list cannot be taken away", f"set the whole of {shown}")
        if strict and path[end] not in here.names and here.kind != "list":
            node = _node_path(study_tree, path[1:]) if path[0] == "params" else ""
            mend = node or nearest(path[end], here.names)
            raise _told(override, f"{shown} has no {path[end]!r}", mend)


def _narrow(study_tree: StudyTree, override: Override, path: Keys) -> list[Keys]:
    """Narrow every axis of this param to the value; the places that changed."""
    name = path[1]
    changed: list[Keys] = []
    for section in ("grid", "repeat"):
        axis = ("vary", section, name)
        if name in study_tree.look(axis[:-1]).names:
            _refuse_part(override, path, axis)
            study_tree.assign(axis, [override.value])
            changed.append(axis)
    points = study_tree.value(("vary", "list")) if study_tree.look(("vary", "list")).kind == "list" else None
    if isinstance(points, list) and any(isinstance(point, Mapping) and name in point for point in points):
        _refuse_part(override, path, ("vary", "list"))
        study_tree.assign(("vary", "list"), _points_with(points, name, override))
        changed.append(("vary", "list"))
    return changed


def _refuse_part(override: Override, path: Keys, axis: Keys) -> None:
    if len(path) > 2:
        reason = f"params.{path[1]} is varied by {'.'.join(axis)}, so a part of it cannot be set alone"
        raise _told(override, reason, f"set {'.'.join(axis)}")


def _points_with(points: Sequence[object], name: str, override: Override) -> list[object]:
    matching: list[object] = []
    matching += [point for point in points if isinstance(point, Mapping) and same(point.get(name), override.value)]
    if not matching:
        known = [point.get(name) for point in points if isinstance(point, Mapping)]
        raise _told(override, f"no point of vary.list has this {name!r}; there are {known}", "set vary.list itself")
    return matching


def same(one: object, other: object) -> bool:
    """Whether two plain values are equal where true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _told(override: Override, reason: str, mend: str) -> ConfigError:
    return _refused(override.source, override.target, None if override.removes else override.value, reason, mend)


def _refused(source: str, target: str, value: object, reason: str, mend: str) -> ConfigError:
    return ConfigError([Fault(path=target, value=value, reason=reason, mend=mend, file=source)])
