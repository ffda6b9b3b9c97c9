"""What differs between two canonical texts, key by key: the answer to "which setting changed?".

The grammar of a canonical text, read back into a tree that keeps each part's own text:

    value   = word | string | [tag] group | "data" "(" string ")" group
    group   = "(" entries ")" | "[" entries "]" | "{" entries "}"
    entries = nothing | value ["=" value] {"," value ["=" value]}
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from etude.errors import IdentityError

_CLOSE = {"(": ")", "[": "]", "{": "}"}
_WORD = re.compile(r"[^\s\"=,()\[\]{}]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SHOWN = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two values differ."""

    path: str
    """Dotted, such as `train.betas[1]`; empty for the value as a whole."""
    old: str | None
    """The old value as people read it; None where the place is new."""
    new: str | None
    """The new value as people read it; None where the place is gone."""

    def __str__(self) -> str:
        head = f"{self.path}: " if self.path else ""
        if self.old is None:
            return f"{head}added {self.new}"
        return f"{head}removed {self.old}" if self.new is None else f"{head}{self.old} → {self.new}"


def differences(old: str, new: str) -> tuple[Difference, ...]:
    """Where two canonical texts differ, in the order of their keys; empty if and only if the texts are equal.

    Raises:
        IdentityError: One of them is no canonical text. Names the place in the text.
    """
    return () if old == new else tuple(_compared("", _parsed(old), _parsed(new)))


def readable(text: str) -> str:
    """A canonical text as people read it: `{epochs: 3, rate: 0.1}`. Not injective; for messages alone.

    Raises:
        IdentityError: It is no canonical text.
    """
    return _shown(_parsed(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    text: str
    kind: str
    """The tag and bracket: `{` for a mapping, `set{`, `data{`; empty for a word or string."""
    entries: tuple[tuple[_Tree | None, _Tree], ...] = ()
    """Key (None in a sequence) and value."""
    type: str = ""
    """The class of a dataclass, as a canonical string."""

    @property
    def values(self) -> list[_Tree]:
        return [value for _, value in self.entries]


def _parsed(text: str) -> _Tree:
    tree, end = _value(text, 0)
    if end != len(text):
        raise _malformed(text, end)
    return tree


def _malformed(text: str, at: int) -> IdentityError:
    return IdentityError(
        f"not a canonical text at character {at}: {text[max(0, at - 20) : at + 20]!r}.\n"
        "    Mend: compare only what `canonical` wrote; a record that was edited by hand must be made again."
    )


def _value(text: str, start: int) -> tuple[_Tree, int]:
    if string := _STRING.match(text, start):
        return _Tree(text=string[0], kind=""), string.end()
    word = _WORD.match(text, start)
    at = word.end() if word else start
    bracket = text[at : at + 1]
    if bracket not in _CLOSE or not bracket:
        if word is None:
            raise _malformed(text, start)
        return _Tree(text=word[0], kind=""), at
    tag = word[0] if word else ""
    entries, end = _entries(text, at + 1, _CLOSE[bracket])
    if tag == "data" and bracket == "(" and text[end : end + 1] == "{" and len(entries) == 1:
        fields, end_of_fields = _entries(text, end + 1, "}")
        return _Tree(
            text=text[start:end_of_fields], kind="data{", entries=fields, type=entries[0][1].text
        ), end_of_fields
    return _Tree(text=text[start:end], kind=tag + bracket, entries=entries), end


def _entries(text: str, at: int, close: str) -> tuple[tuple[tuple[_Tree | None, _Tree], ...], int]:
    entries: list[tuple[_Tree | None, _Tree]] = []
    while text[at : at + 1] != close:
        if entries:
            if text[at : at + 1] != ",":
                raise _malformed(text, at)
            at += 1
        key: _Tree | None = None
        value, at = _value(text, at)
        if text[at : at + 1] == "=":
            key = value
            value, at = _value(text, at + 1)
        entries.append((key, value))
    return tuple(entries), at + 1


def _compared(path: str, old: _Tree, new: _Tree) -> Iterator[Difference]:
    if old.text == new.text:
        return
    alike = old.kind == new.kind and old.type == new.type
    if alike and old.kind in ("{", "data{"):
        yield from _compared_keys(path, old, new)
    elif alike and old.kind in ("[", "("):
        yield from _compared_places(path, old.values, new.values)
    elif alike and old.kind in ("set{", "frozenset{"):
        yield from _compared_members(path, old.values, new.values)
    else:
        before, after = _shown(old), _shown(new)
        if before == after:  # what people read may hide what differs, such as the module of a class
            before, after = old.text, new.text
        same = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
        yield Difference(path=path, old=_cut(before, same), new=_cut(after, same))


def _compared_keys(path: str, old: _Tree, new: _Tree) -> Iterator[Difference]:
    before = {key.text: value for key, value in old.entries if key is not None}
    after = {key.text: value for key, value in new.entries if key is not None}
    for key in sorted(before.keys() | after.keys()):
        place = _joined(path, key)
        if key not in after:
            yield Difference(path=place, old=_cut(_shown(before[key])), new=None)
        elif key not in before:
            yield Difference(path=place, old=None, new=_cut(_shown(after[key])))
        else:
            yield from _compared(place, before[key], after[key])


def _compared_places(path: str, old: list[_Tree], new: list[_Tree]) -> Iterator[Difference]:
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        yield from _compared(f"{path}[{index}]", before, after)
    for index, before in enumerate(old[len(new) :], start=len(new)):
        yield Difference(path=f"{path}[{index}]", old=_cut(_shown(before)), new=None)
    for index, after in enumerate(new[len(old) :], start=len(old)):
        yield Difference(path=f"{path}[{index}]", old=None, new=_cut(_shown(after)))


def _compared_members(path: str, old: list[_Tree], new: list[_Tree]) -> Iterator[Difference]:
    before, after = Counter(tree.text for tree in old), Counter(tree.text for tree in new)
    for text in sorted((before - after).elements()):
        yield Difference(path=f"{path}{{}}", old=_cut(readable(text)), new=None)
    for text in sorted((after - before).elements()):
        yield Difference(path=f"{path}{{}}", old=None, new=_cut(readable(text)))


def _joined(path: str, key: str) -> str:
    name = _unquoted(key)
    if name is None or not name.isidentifier():
        return f"{path}[{_shown(_parsed(key))}]"
    return f"{path}.{name}" if path else name


def _unquoted(text: str) -> str | None:
    return str(json.loads(text, strict=False)) if text.startswith('"') else None


def _cut(text: str, same: int = 0) -> str:
    """A long text around the place where it begins to differ."""
    if len(text) > _SHOWN and same > _SHOWN // 2:
        text = "…" + text[same - _SHOWN // 4 :]
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _shown(tree: _Tree) -> str:
    if not tree.kind:
        return _shown_word(tree.text)
    if tree.kind == "data{":
        return f"{_class_name(tree.type)}({_shown_entries(tree, ' = ')})"
    if tree.kind == "enum(":
        return f"{_class_name(tree.values[0].text)}.{_member(tree.values[1])}"
    if tree.kind == "numpy(":
        return f"{_unquoted(tree.values[0].text)}({_shown(tree.values[1])})"
    return f"{tree.kind}{_shown_entries(tree, ': ')}{_CLOSE[tree.kind[-1]]}"


def _shown_entries(tree: _Tree, between: str) -> str:
    parts = []
    for key, value in tree.entries:
        name = None if key is None else _unquoted(key.text)
        head = "" if key is None else name if name is not None and name.isidentifier() else _shown(key)
        parts.append(f"{head}{between}{_shown(value)}" if key is not None else _shown(value))
    return ", ".join(parts)


def _member(tree: _Tree) -> str:
    if tree.kind != "[":
        return str(_unquoted(tree.text))
    return "|".join(str(_unquoted(value.text)) for value in tree.values) or "0"


def _class_name(quoted: str) -> str:
    return str(_unquoted(quoted)).rpartition(":")[2].rpartition(".")[2]


def _shown_word(text: str) -> str:
    tag, colon, rest = text.partition(":")
    if text.startswith('"') or not colon:
        return text
    if tag == "float":
        return repr(float.fromhex(rest))
    return repr(bytes.fromhex(rest)) if tag == "bytes" else rest
