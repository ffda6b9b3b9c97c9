"""What goes wrong in a Jsonnet program, told with file, line and mend."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from etude.config.document import MAX_DEPTH, failure, too_deep
from etude.errors import ConfigError, Fault
from etude.keys import joined

EXACT: Final = 2**53
"""Jsonnet's numbers are doubles: whole numbers are exact below this."""

_ENDLESS: Final = re.compile(r"(?<=[\[:,\s])(-?)inf(?=[\],}\s])")
_FRAME: Final = re.compile(r" {4}(?P<file>\S.*?):(?P<line>\d+):\d[\d:-]*(?:: .*)?")
_FIELD: Final = re.compile(r" {4}field <(?P<name>.*)> manifest\w+")
_BRACKETS: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|//[^\n]*|#[^\n]*|/\*.*?\*/|\|\|\|.*?\|\|\||[\[({]|[\])}]', re.DOTALL
)
_DEEPEST_TEXT: Final = 4 * MAX_DEPTH

_MENDS: Final = (
    ("external variable", "no external variables are given: declare `env: {NAME: param}` and use $.params.param"),
    ("infinite recursion", "a value refers to itself: give one of the two its own value"),
    ("stack overflow", "a function calls itself without end"),
    ("no such field", "check the name; what is imported shows in the file it comes from"),
    ("variable is not defined", "define it with `local`, or put it in quotes if it is text"),
    ("duplicate field", "keep one of the two; `+:` adds to an inherited field"),
    ("syntax error", "check commas, brackets and quotes up to this place"),
    ("assert failed", "change what the assertion checks"),
)


def told(message: str, file: str) -> ConfigError:
    """The engine's message as a fault at the innermost place in a file that it names."""
    lines = message.splitlines()
    trace = [at for at, line in enumerate(lines) if _FRAME.fullmatch(line) or _FIELD.fullmatch(line)]
    reason = " ".join(line.strip() for line in lines[: trace[0] if trace else None])
    reason = reason.replace("runtime error:", "the file stops with:", 1)
    frames = [frame for line in lines if (frame := _FRAME.fullmatch(line)) and not frame["file"].startswith("<")]
    fields = [field["name"] for line in reversed(lines) if (field := _FIELD.fullmatch(line))]
    mend = next((mend for sign, mend in _MENDS if sign in reason), "")
    if not frames:
        return failure(reason, file=file, path=".".join(fields), mend=mend)
    here = frames[0]
    others = dict.fromkeys(f"{frame['file']}:{frame['line']}" for frame in frames[1:] if frame["file"] != here["file"])
    reached = f"; reached from {', '.join(list(others)[:3])}" if others else ""
    return failure(reason + reached, file=here["file"], line=int(here["line"]), path=".".join(fields), mend=mend)


def check_nesting(text: str, file: str) -> None:
    """Refuse text whose brackets nest so deeply that the engine's own parser could not follow."""
    depth = 0
    for token in _BRACKETS.finditer(text):
        if token[0] in ("[", "(", "{"):
            depth += 1
        elif token[0] in ("]", ")", "}"):
            depth -= 1
        if depth > _DEEPEST_TEXT:
            raise too_deep(file, text.count("\n", 0, token.start()) + 1)


def inexact_numbers(value: object, file: str, path: str) -> list[Fault]:
    """The whole numbers that a Jsonnet program gave and may have rounded."""
    mend = "write it in YAML, or as text"
    reason = "reaches 2^53, from where Jsonnet's numbers are not exact"
    return [Fault(path=at, value=number, reason=reason, mend=mend, file=file) for at, number in _beyond(value, path)]


def endless_numbers(text: str, file: str) -> list[Fault]:
    """Where in the text of a value numbers stand that are larger than any that can be held."""
    reason = "is larger than any number that can be held"
    mend = "write a smaller number; for no limit leave it out, or write null"
    try:
        tree = json.loads(_ENDLESS.sub(lambda match: f"{match[1]}Infinity", text))
    except ValueError:  # a whole number of thousands of digits
        return [Fault(path="", reason=f"comes to a number that {reason}", mend=mend, file=file)]
    return [Fault(path=at, value=number, reason=reason, mend=mend, file=file) for at, number in _infinite(tree, "")]


def _infinite(value: object, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and math.isinf(value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _infinite(inner, joined(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _infinite(inner, joined(path, index))


def _beyond(value: object, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, int) and abs(value) >= EXACT:
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _beyond(inner, joined(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _beyond(inner, joined(path, index))
