"""Finds secrets in a text and replaces them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from etude.redaction.forms import LONGEST, spans_of_forms, url_logins
from etude.redaction.names import names_a_secret

HIDDEN = "(redacted)"
SHORTEST = 6
"""Characters that the value of a variable must have to be looked for: a shorter one is part of too much else."""
MARKED = "ETUDE_SECRETS"
"""Variable that names others whose values are secret, with commas between them."""
Span = tuple[int, int]


_SHORT = 200
_MOST_FREE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Redactor:
    """Puts secrets out of sight. Without values it knows them by their form alone."""

    values: tuple[str, ...] = field(default=(), repr=False)
    """Every way in which a known secret may be written, longest first."""

    _free: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """Short texts in which no secret stands, such as the names of columns, which come again with each event."""

    @staticmethod
    def of(environment: Mapping[str, str]) -> Redactor:
        """What the secrets of this environment are."""
        found = {way for secret in _secrets(environment) for way in _written(secret)}
        return Redactor(values=tuple(sorted(found, key=lambda way: (-len(way), way))))

    @property
    def reach(self) -> int:
        """Characters that a secret may need before it is known for one."""
        return max(LONGEST, len(self.values[0]) if self.values else 0)

    def spans(self, text: str, start: int = 0) -> list[Span]:
        """Where secrets stand in a text, from `start` on: in order, and apart from each other."""
        found = list(spans_of_forms(text, start))
        present = [value for value in self.values if value in text]
        if present:
            pattern = re.compile("|".join(map(re.escape, present)))
            found += (match.span() for match in pattern.finditer(text, start))
        return _apart(found)

    def __call__(self, text: str) -> str:
        """The text with every secret in it replaced."""
        if text in self._free:
            return text
        spans = self.spans(text)
        if not spans and len(text) <= _SHORT and len(self._free) < _MOST_FREE:
            self._free.add(text)
        return without_secrets(text, spans, 0, len(text))

    def within(self, value: Any) -> Any:
        """A JSON value with every secret in its texts and names replaced."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(name) if isinstance(name, str) else name: self.within(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.within(inner) for inner in value]
        return value

    def data(self, data: bytes) -> bytes:
        """Bytes of a text in UTF-8, or nearly so, with every secret replaced; otherwise byte for byte the same."""
        return self(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def without_secrets(text: str, spans: list[Span], start: int, end: int) -> str:
    """A part of a text with `HIDDEN` in place of the spans in it."""
    parts = []
    for begin, stop in spans:
        if stop > end:
            break
        parts += [text[start:begin], HIDDEN]
        start = stop
    return "".join((*parts, text[start:end]))


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Spans in order; those that overlap are one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def with_marks(environment: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """The environment with these variables marked as secret as well."""
    if not names:
        return dict(environment)
    return {**environment, MARKED: ",".join(filter(None, (environment.get(MARKED, ""), *names)))}


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    marked = {name.strip() for name in environment.get(MARKED, "").split(",")}
    for name, value in environment.items():
        if name == MARKED:
            continue
        if len(value.strip()) >= SHORTEST and (name in marked or names_a_secret(name, value.strip())):
            yield value.strip()
        for login in url_logins(value):
            password = login.partition(":")[2]
            if len(password) >= SHORTEST:
                yield from {login, unquote(login), password, unquote(password)}


def _written(secret: str) -> Iterator[str]:
    """A secret as it is, as in a URL, and as in JSON or a Python literal."""
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
