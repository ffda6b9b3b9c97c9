"""Values of params as labels show them and `--only-variant` takes them: short, and another text for another value."""

from __future__ import annotations

import json
import math
import re
from hashlib import sha256

_LONGEST = 40
_PLAIN = re.compile(r"[^\s\"'\[\]{}=,][^\s\"'\[\]{}=]*")
_NUMBER = re.compile(r"[-+]?(\.\d+|\d[\d_]*(\.\d*)?)([eE][-+]?\d+)?|0[xob][0-9a-fA-F]+|[-+]?\.(inf|nan)", re.IGNORECASE)
_WORDS = frozenset({"null", "~", "true", "false"})


def text_of(value: object) -> str:
    """A value as YAML would write it in one line; text in quotes where it could be taken for something else.

    What is long is cut, with a digest of the whole behind it.
    """
    text = full_text(value)
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 8]}…{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def full_text(value: object) -> str:
    """The same, uncut."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and not _NUMBER.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


def is_meant(value: object, asked: str) -> bool:
    """Whether this is the value that a user asks for by a text: as a label shows it, as it is written, or bare."""
    return asked in (text_of(value), full_text(value), str(value))
