"""What a plain YAML scalar means, as of YAML 1.2.2, section 10.3: `on`, `no`, `1_000` and dates are text."""

from __future__ import annotations

import math
import re
from typing import Final

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
