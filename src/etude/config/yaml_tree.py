"""The plain tree that a YAML document makes, built from its events with a line for every value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

import yaml

from etude.config.document import MAX_DEPTH, MAX_VALUES, Document, failure, too_deep, too_many
from etude.errors import ConfigError, Fault
from etude.keys import join_path
from etude.study.study import SourceLine

_CORE: Final = "tag:yaml.org,2002:"
_TAGGED: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}


def line_of(event: yaml.Event) -> int:
    """The line an event starts on, from 1."""
    return event.start_mark.line + 1 if event.start_mark else 1


def build(events: Sequence[yaml.Event], file: str) -> Document:
    """The tree of the one document in these events.

    An alias is built anew wherever it stands, so no two places share a value, and against one budget, so aliases of
    aliases cannot multiply without end.

    Raises:
        ConfigError: An alias of nothing or of itself, or the limits of depth and size.
    """
    building = _Building(events, file)
    start = next(at for at, event in enumerate(events) if isinstance(event, yaml.DocumentStartEvent))
    tree, _ = building.value(start + 1, "", 0)
    return Document(tree=tree, lines=building.lines, faults=tuple(building.faults))


class _Building:
    """One pass over the events, with the lines and faults found so far."""

    def __init__(self, events: Sequence[yaml.Event], file: str) -> None:
        self.lines: dict[str, SourceLine] = {}
        self.faults: list[Fault] = []
        self._events = events
        self._file = file
        self._anchored = _anchored(events, file)
        self._open: set[int] = set()
        self._count = 0

    def value(self, at: int, path: str, depth: int) -> tuple[object, int]:
        """The value that starts at this event, and the place after it."""
        event = self._events[at]
        self._count += 1
        if self._count > MAX_VALUES:
            raise too_many(self._file, line_of(event))
        if depth > MAX_DEPTH:
            raise too_deep(self._file, line_of(event))
        self.lines.setdefault(path, SourceLine(file=self._file, line=line_of(event)))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path), at + 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, self._anchored[at], path, depth), at + 1
        return self._collection(event, at, path, depth)

    def _alias(self, event: yaml.AliasEvent, target: int, path: str, depth: int) -> object:
        if target in self._open:
            reason = f"alias *{event.anchor} contains itself"
            raise failure(reason, file=self._file, line=line_of(event), path=path, mend="write the value out")
        return self.value(target, path, depth)[0]

    def _collection(self, event: yaml.Event, at: int, path: str, depth: int) -> tuple[object, int]:
        mapping = isinstance(event, yaml.MappingStartEvent)
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            self._unknown_tag(event, tag, path)
        self._open.add(at)
        built = self._mapping(at + 1, path, depth) if mapping else self._list(at + 1, path, depth)
        self._open.discard(at)
        return built

    def _list(self, at: int, path: str, depth: int) -> tuple[list[object], int]:
        items: list[object] = []
        while not isinstance(self._events[at], yaml.SequenceEndEvent):
            item, at = self.value(at, join_path(path, len(items)), depth + 1)
            items.append(item)
        return items, at + 1

    def _mapping(self, at: int, path: str, depth: int) -> tuple[dict[str, object], int]:
        entries: dict[str, object] = {}
        first: dict[str, int] = {}
        merged: list[int] = []
        while not isinstance(event := self._events[at], yaml.MappingEndEvent):
            key, at = self._key(at), self._after(at)
            after = None
            if key is None:
                self._fault(event, path, "a key must be one word, not a list or mapping", "write `key: value`")
            elif _is_merge(event):
                merged.append(at)
            elif key in entries:
                reason = f"is given twice: here and on line {first[key]}"
                self._fault(event, join_path(path, key), reason, "keep one of the two")
            else:
                first[key] = line_of(event)
                self.lines.setdefault(join_path(path, key), SourceLine(file=self._file, line=line_of(event)))
                entries[key], after = self.value(at, join_path(path, key), depth + 1)
            at = self._after(at) if after is None else after
        for source in merged:
            self._merge(source, entries, path, depth)
        return entries, at + 1

    def _key(self, at: int) -> str | None:
        """A key as text, as written: `on`, `1` and `true` are names like any other. None for a list or mapping."""
        event = self._meant(at)[0]
        return event.value if isinstance(event, yaml.ScalarEvent) else None

    def _merge(self, at: int, entries: dict[str, object], path: str, depth: int) -> None:
        """Add what `<<` names and the mapping itself does not say; of several, the first to say it wins."""
        event, target = self._meant(at)
        if isinstance(event, yaml.SequenceStartEvent):
            for item in self._items(target):
                self._merge(item, entries, path, depth)
            return
        if not isinstance(event, yaml.MappingStartEvent):
            self._fault(event, path, "`<<` takes a mapping, or a list of mappings", "write `<<: *name`")
            return
        inherited, _ = self.value(at, path, depth + 1)
        assert isinstance(inherited, dict)
        entries |= {key: value for key, value in inherited.items() if key not in entries}

    def _items(self, at: int) -> Iterator[int]:
        at += 1
        while not isinstance(self._events[at], yaml.SequenceEndEvent):
            yield at
            at = self._after(at)

    def _meant(self, at: int) -> tuple[yaml.Event, int]:
        """The event here and its place, or those that an alias here stands for."""
        at = self._anchored.get(at, at)
        return self._events[at], at

    def _after(self, at: int) -> int:
        """The place after the whole value that starts here."""
        if not isinstance(self._events[at], yaml.CollectionStartEvent):
            return at + 1
        depth = 0
        while True:
            event = self._events[at]
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            at += 1
            if depth == 0:
                return at

    def _scalar(self, event: yaml.ScalarEvent, path: str) -> object:
        tag = event.tag
        if tag in ("!", _CORE + "str") or (tag is None and not event.implicit[0]):
            return event.value
        kind = "" if tag is None else tag.removeprefix(_CORE)
        if kind and kind not in _TAGGED:
            self._unknown_tag(event, tag, path)
            return event.value
        try:
            value = core_scalar(event.value)
        except ValueError as error:
            self._fault(event, path, str(error), "write a smaller number, or put it in quotes", event.value[:40])
            return None
        if kind and type(value) not in _TAGGED[kind]:
            self._fault(event, path, f"is tagged !!{kind} and is none", "drop the tag", event.value)
        return float(value) if kind == "float" and isinstance(value, int) else value

    def _unknown_tag(self, event: yaml.Event, tag: str | None, path: str) -> None:
        written = str(tag).replace(_CORE, "!!")
        self._fault(event, path, f"the tag {written} is not known: a study holds plain values alone", "drop the tag")

    def _fault(self, event: yaml.Event, path: str, reason: str, mend: str, value: object = None) -> None:
        fault = Fault(path=path, reason=reason, value=value, mend=mend, file=self._file, line=line_of(event))
        if fault not in self.faults:
            self.faults.append(fault)


def _is_merge(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.tag is None and event.implicit[0]


def _anchored(events: Sequence[yaml.Event], file: str) -> dict[int, int]:
    """Place of each alias → place of the value it stands for: the last with its anchor before it."""
    anchors: dict[str, int] = {}
    targets: dict[int, int] = {}
    for at, event in enumerate(events):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _undefined(event, file)
            targets[at] = anchors[event.anchor]
        elif isinstance(event, yaml.NodeEvent) and event.anchor:
            anchors[event.anchor] = at
    return targets


def _undefined(event: yaml.AliasEvent, file: str) -> ConfigError:
    mend = f"put &{event.anchor} before the value it means, or quote the text if it is no alias"
    return failure(f"nothing above is anchored &{event.anchor}", file=file, line=line_of(event), mend=mend)


_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_FLAGS: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WHOLE: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NANS: Final = frozenset((".nan", ".NaN", ".NAN"))
_MAY_BE_NUMBER: Final = frozenset("-+.0123456789")
_LONGEST_NUMBER: Final = 400


def core_scalar(text: str) -> object:
    """What a plain scalar means: null, true or false, a number, or the text itself.

    Raises:
        ValueError: A number too large to hold.
    """
    if text in _NULLS:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    return _number(text) if text[0] in _MAY_BE_NUMBER else text


def _number(text: str) -> object:
    if _WHOLE.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError(f"a whole number of more than {_LONGEST_NUMBER} digits")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError("a number too large to hold; write .inf for infinity")
        return number
    if _ENDLESS.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if text in _NANS else text
