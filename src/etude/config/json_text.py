"""JSON with a line for every value; a key given twice and numbers that JSON does not have are faults."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import Final

from etude.config.document import Document, check_limits, failure, too_deep
from etude.errors import Fault, value_text
from etude.keys import join_path
from etude.study.study import SourceLine

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def parse_json(text: str, file: str) -> Document:
    """The value in this text.

    Raises:
        ConfigError: The text is no JSON, or nests too deeply. A key given twice is a fault of the document instead.
    """
    try:
        tree = json.loads(text, parse_constant=_refused, parse_float=_float)
    except json.JSONDecodeError as error:
        mend = "JSON has no comments and no trailing commas, and quotes every key; YAML or Jsonnet may suit better"
        raise failure(f"is not JSON: {error.msg}", file=file, line=error.lineno, mend=mend) from error
    except RecursionError as error:
        raise too_deep(file) from error
    except ValueError as error:
        raise failure(f"is not JSON: {error}", file=file, mend="write a finite number of usual length") from error
    check_limits(tree, file)
    lines, faults = _places(text, file)
    return Document(tree=tree, lines=lines, faults=tuple(faults))


def _refused(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{value_text(text)[1:-1]} is larger than any number that can be held")
    return value


def _places(text: str, file: str) -> tuple[dict[str, SourceLine], list[Fault]]:
    """SourceLine of each value, and the keys given twice, in text that is known to be JSON."""
    lines: dict[str, SourceLine] = {}
    faults: list[Fault] = []
    ends = [match.start() for match in re.finditer("\n", text)]
    stack: list[_Container] = []
    for token in _TOKEN.finditer(text):
        line = SourceLine(file=file, line=bisect_right(ends, token.start()) + 1)
        mark = token[0]
        if mark in ("}", "]"):
            stack.pop()
        elif mark == ",":
            stack[-1].advance()
        elif mark != ":":
            if stack and stack[-1].awaits_key:
                faults += stack[-1].name(json.loads(mark), line)
                lines.setdefault(stack[-1].here, line)
                continue
            path = stack[-1].here if stack else ""
            lines.setdefault(path, line)
            if mark in ("{", "["):
                stack.append(_Container(path, keyed=mark == "{"))
    return lines, faults


class _Container:
    """The object or array that is being walked through."""

    def __init__(self, path: str, *, keyed: bool) -> None:
        self._path = path
        self._index = 0
        self._first: dict[str, SourceLine] = {}
        self._keyed = keyed
        self.awaits_key = keyed
        self.here = join_path(path, 0)

    def name(self, key: str, line: SourceLine) -> list[Fault]:
        """Take a key; a fault where it was there before."""
        self.awaits_key = False
        self.here = join_path(self._path, key)
        if key not in self._first:
            self._first[key] = line
            return []
        reason = f"is given twice: here and on line {self._first[key].line}"
        return [Fault(path=self.here, reason=reason, mend="keep one of the two", file=line.file, line=line.line)]

    def advance(self) -> None:
        """Go past a comma."""
        self._index += 1
        self.awaits_key = self._keyed
        self.here = join_path(self._path, self._index)
