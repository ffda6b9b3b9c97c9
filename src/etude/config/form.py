"""The form of a study: in words, what a profile, the environment or `--set` made other than its file says.

A form has results and a history of its own, so that no trial run takes the place of the study itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from etude.config.yaml_tree import core_scalar

MOST_LETTERS = 60
QUICK = "quick"
"""The profile of a trial in seconds: whatever it changes, its results are its own, its search among them."""
_NO_FORM = ("place", "description", "name", "groups")
"""Parts that change no result; and the name, by which whoever gives it names the results himself."""
_SEARCH = ("vary", "search")
"""A search keeps to its log, which refuses to go on with another search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """One thing that a layer over the file changed."""

    layer: int
    """Later layers have larger numbers."""
    path: tuple[str, ...]
    word: str
    """What of it stands in the form's name."""
    paths: tuple[str, ...]
    """All dotted paths that it changed."""


def set_word(path: Sequence[str], value: object, *, removes: bool) -> str:
    """`pooling=max`: one override as it stands in the name of a form."""
    shown = ".".join(path[1:] if path[0] == "params" and len(path) > 1 else path)
    if removes:
        return f"without {shown}"
    if isinstance(value, list) and value and not any(isinstance(item, (list, dict)) for item in value):
        return f"{shown}={'+'.join(map(_value_word, value))}"
    return f"{shown}={_value_word(value)}"


def _value_word(value: object) -> str:
    """A value as it is written after `=`; text that would be read as something else is quoted."""
    if isinstance(value, str) and core_scalar(value) == value and not set(value) & set("+,="):
        return value
    return json.dumps(value, sort_keys=True, default=str)


def form_of(changes: Sequence[LayerChange], tree: Mapping[str, object], base: Mapping[str, object] | None) -> str:
    """The name of a form, fit for a folder; empty where the study is as its file says.

    A change counts once, by its last value, and only where it makes a difference. Before the layer in which the study
    was given another name nothing counts: that name tells it.

    Args:
        changes: In the order in which they were laid on the file.
        tree: The study with all of them.
        base: The study of the file alone; None where that is not whole, so that every change counts.
    """
    own_name = base is None or tree.get("name") != base.get("name")
    named = max((change.layer for change in changes if change.path == ("name",) and own_name), default=-1)
    counted: dict[tuple[str, ...], str] = {}
    for change in changes:
        if change.layer <= named or (change.path[:1] and change.path[0] in _NO_FORM) or change.path[:2] == _SEARCH:
            continue
        if base is None or any(
            _at(tree, path) != _at(base, path) for path in change.paths if _forms(path, quick=change.word == QUICK)
        ):
            counted[change.path] = change.word
    profiles = [word for path, word in counted.items() if not path]
    return _file_name(",".join([*profiles, *sorted(word for path, word in counted.items() if path)]))


def _forms(path: str, *, quick: bool) -> bool:
    keys = tuple(path.split("."))
    return keys[0] not in _NO_FORM and (keys[:2] != _SEARCH or quick)


def _at(tree: object, path: str) -> object:
    for key in path.split("."):
        if isinstance(tree, Mapping):
            tree = tree.get(key)
        elif isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return None
    return (type(tree), tree)


def _file_name(text: str) -> str:
    """The text where a folder can be called so; else what can be of it, and a few digits that tell it from others."""
    plain = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", text)
    if plain == text and len(text) <= MOST_LETTERS:
        return text
    return f"{plain[:MOST_LETTERS].strip('-.,')}-{sha256(text.encode()).hexdigest()[:8]}"
