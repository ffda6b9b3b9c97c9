"""Takes secrets out of a text while it comes in."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

from etude.redaction.redactor import Redactor, Span, without_secrets

_CONTEXT = 16
"""Characters before a secret that tell whether it is one."""
_KEY_BEGINS = re.compile("-----BEGIN")
_UNDECIDED = 256
"""Characters after which a private key is known for one."""
_LAST_LINE = 80
"""Characters that its last line needs at most."""


@dataclass(slots=True, kw_only=True)
class RedactedStream:
    """Takes the secrets out of a text that comes in pieces: the same as of the whole, however it is cut.

    What cannot hold a secret any more is given at once, so that a line is there when it has ended. Of what may, no more
    is kept than a few times the redactor's `reach`.
    """

    redact: Redactor
    reach: int = 0
    """Characters that a secret may need before it is known for one; 0 for the redactor's own number."""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("surrogateescape")
    )
    _held: str = ""
    """What is not given yet, behind the characters before it."""
    _given: int = 0
    """How many of those there are."""
    _fresh: list[str] = field(default_factory=list)
    _waiting: int = 0

    def __post_init__(self) -> None:
        self.reach = self.reach or self.redact.reach

    def feed(self, data: bytes) -> bytes:
        """Take the next piece, and give what is decided."""
        text = self._decoder.decode(data)
        self._fresh.append(text)
        self._waiting += len(text)
        if self._waiting + len(self._held) < 2 * self.reach and "\n" not in text and "\r" not in text:
            return b""
        return self._give(final=False)

    def end(self) -> bytes:
        """What is left."""
        self._fresh.append(self._decoder.decode(b"", final=True))
        return self._give(final=True)

    def rest(self) -> bytes:
        """What is undecided, as it came. It is given up: the stream begins anew with what comes next."""
        text = "".join((self._held[self._given :], *self._fresh))
        pending, _ = self._decoder.getstate()
        self._decoder.reset()
        self._held, self._given, self._waiting = "", 0, 0
        self._fresh.clear()
        return text.encode("utf-8", "surrogateescape") + pending

    def _give(self, *, final: bool) -> bytes:
        text = "".join((self._held, *self._fresh))
        self._fresh.clear()
        self._waiting = 0
        spans = self.redact.spans(text, self._given)
        limit = len(text) if final else self._limit(text, spans)
        told = without_secrets(text, spans, self._given, limit)
        context = max(0, limit - _CONTEXT)
        self._held, self._given = text[context:], limit - context
        if len(self._held) > 3 * self.reach:  # one secret without end: its beginning tells that it is one
            self._held = self._held[: 2 * self.reach]
        return told.encode("utf-8", "surrogateescape")

    def _limit(self, text: str, spans: list[Span]) -> int:
        """Up to where everything is decided."""
        size, reach = len(text), self.reach
        line = max(text.rfind("\n"), text.rfind("\r")) + 1
        limit = max(line, size - reach, self._given)
        hold = self._begun(text, spans, limit)
        for start, end in reversed(spans):
            if start < limit < end:
                limit = end
            goes_on = end == size or (size - end < _LAST_LINE and _is_open_key(text[start:end]))
            if goes_on or start < hold < end:
                hold = min(hold, start)
        return max(self._given, min(limit, hold))

    def _begun(self, text: str, spans: list[Span], limit: int) -> int:
        """Where something begins before the limit that may become a secret of several lines."""
        size, hold = len(text), len(text)
        for value in self.redact.values:
            if "\n" in value or "\r" in value:
                begins = range(max(self._given, size - len(value) + 1), min(limit, hold))
                hold = next((start for start in begins if value.startswith(text[start:])), hold)
        for key in _KEY_BEGINS.finditer(text, max(self._given, size - _UNDECIDED), hold):
            if not any(start <= key.start() and key.end() < end for start, end in spans):
                return min(hold, key.start())
        return hold


def _is_open_key(secret: str) -> bool:
    """Whether this is a private key whose last line has not come."""
    return "-----BEGIN" in secret and not secret.endswith("-----")
