"""Secrets that stand in a study: it is kept, shared and published, so they are refused wherever they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from etude.errors import Fault
from etude.keys import joined
from etude.redaction import Redactor

_MEND = "take it out, and the study's copies with it; put it into the environment, where the tool that needs it looks"


def exposed(tree: Mapping[str, object], redact: Redactor) -> Iterator[Fault]:
    """A fault for every text of a study that holds a secret. None of them shows it."""
    for path, text in _texts(tree, ""):
        hidden = redact(text)
        if hidden != text:
            reason = "a study holds no secrets: params and settings are kept beside every result"
            yield Fault(path=redact(path), reason=reason, value=hidden, mend=_MEND)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield joined(path, str(name)), str(name)
            yield from _texts(inner, joined(path, str(name)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, joined(path, index))
