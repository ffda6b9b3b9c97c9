"""What other programs read: JSON that is valid everywhere, and cells of CSV that no spreadsheet runs.

JSON has no numbers for what is not finite. They are written as the texts "NaN", "Infinity" and "-Infinity", apart from
null, which is a missing value. A text of these letters has a backslash before it, so that every value is read back
exactly.

A spreadsheet runs a cell as a formula that begins with `=`, `+`, `-`, `@` or a control character, quotes or not. Text
of that kind has an apostrophe before it; numbers stay numbers.
Source: OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"\\*(NaN|-?Infinity)")
_ESCAPED = re.compile(r"\\+(NaN|-?Infinity)")
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


def json_text(value: object, indent: int | None = None) -> str:
    """A JSON value as text. Any number is written; see above for those that are not finite.

    Raises:
        TypeError: Something in it is none of None, bool, int, float, str, a list, a tuple or a mapping.
    """
    try:
        text = _dumps(value, indent)
    except ValueError:
        return _dumps(_written(value), indent)
    return _dumps(_written(value), indent) if 'NaN"' in text or 'Infinity"' in text else text


def _dumps(value: object, indent: int | None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which no file can hold as it is
        return json.dumps(value, indent=indent, allow_nan=False)
    return text


def read_json(text: str | bytes) -> Any:
    """The value of such a text. ValueError where it is no JSON."""
    value = json.loads(text)
    known = ("NaN", "Infinity") if isinstance(text, str) else (b"NaN", b"Infinity")
    return _read(value) if any(word in text for word in known) else value  # type: ignore[operator]


def safe_cell(value: Any) -> Any:
    """A value for a cell of CSV: text that a spreadsheet would run as a formula has an apostrophe before it."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _is_number(value):
        return value
    return f"'{value}"


def text_of_cell(cell: str) -> str:
    """The text that was made a safe cell."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell[1:2]) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def _written(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return f"\\{value}" if _WORD.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {_key(name): _written(inner) for name, inner in value.items()}
    return [_written(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _key(name: Any) -> Any:
    return _written(name) if isinstance(name, float) else name


def _read(value: Any) -> Any:
    if isinstance(value, str):
        if value in ("NaN", "Infinity", "-Infinity"):
            return float(value)
        return value[1:] if _ESCAPED.fullmatch(value) else value
    if isinstance(value, dict):
        return {name: _read(inner) for name, inner in value.items()}
    return [_read(inner) for inner in value] if isinstance(value, list) else value
