"""Jsonnet files: layers are composed with the program before it is evaluated, and every imported file is on record.

Only JSON-encoded values are ever put into a program, never text from outside as it stands. External variables and
native functions are not given: a study says everything that it depends on (`env:` brings in the environment).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from etude.config.document import MAX_DEPTH, check_limits, failure, file_text, too_deep
from etude.config.jsonnet_process import JsonnetCrash, JsonnetError, JsonnetProcess
from etude.config.study_tree import MISSING, Keys, Look
from etude.errors import ConfigError, Fault
from etude.keys import join_path
from etude.study.interpolation import is_index

_STUDY: Final = "<study>"
_MAY_HIDE: Final = (("profiles",), ("env",))
"""Parts that a program may keep in hidden fields (`::`), as they are none of the study itself."""
_KINDS: Final = {"null": "nothing", "object": "mapping", "array": "list"}

_ENTER: Final = """
local enter(at, path) =
  if std.length(path) == 0 then [at]
  else if std.isObject(at) && std.objectHasEx(at, path[0].key, path[0].hidden) then enter(at[path[0].key], path[1:])
  else if !std.isArray(at) || path[0].index < 0 || path[0].index >= std.length(at) then []
  else enter(at[path[0].index], path[1:]);
"""
_LOOK: Final = """
if std.length(found) == 0 then {kind: 'missing'}
else if std.isObject(found[0]) then {kind: 'object', names: std.objectFields(found[0])}
else if std.isArray(found[0]) then {kind: 'array', size: std.length(found[0])}
else {kind: std.type(found[0])}
"""
_VALUE: Final = "if std.length(found) == 0 then null else found[0]"


class JsonnetTree:
    """A tree of a Jsonnet file. A layer is an object added with `+`, so what refers to a changed value follows it.

    Raises (all methods):
        ConfigError: The program cannot be evaluated; with file and line, in whichever file it happens.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._texts: dict[str, str] = {}
        self._broken_import: ConfigError | None = None
        self._engine = JsonnetProcess()
        self._program = f"(import {json.dumps(_STUDY)})"
        kind = self._evaluate("std.type(study)")
        if kind != "object":
            mend = "call the function and give its result" if kind == "function" else "give an object: {pipeline: …}"
            raise failure(f"gives {kind}, not an object", file=str(file), mend=mend)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was read, the study's own first."""
        return tuple(Path(name) for name in self._texts)

    def look(self, path: Keys) -> Look:
        """What stands here, without its values."""
        answer = self._evaluate(_at(path) + _LOOK)
        if answer["kind"] == "missing":
            return MISSING
        kind: Any = _KINDS.get(answer["kind"], "value")
        return Look(kind=kind, names=tuple(answer.get("names", ())), size=answer.get("size", 0))

    def value(self, path: Keys) -> object:
        """The plain value here; None where nothing stands."""
        value: object = self._evaluate(_at(path) + _VALUE)
        if inexact := inexact_numbers(value, str(self._file), ".".join(path)):
            raise ConfigError(inexact)
        return value

    def assign(self, path: Keys, value: object) -> None:
        """Put this value here; missing mappings on the way are made."""
        self._program = _assigned(self._program, path, self._literal(value, path))

    def remove(self, path: Keys) -> None:
        """Hide the key at the end of this path; what refers to it still finds its value."""
        key = json.dumps(path[-1])
        self._program = _assigned(self._program, path[:-1], f"{{{key}:: super[{key}]}}", adds=True)

    def merge(self, data: Mapping[str, object]) -> None:
        """Lay this tree over the tree."""
        self._program = f"({self._program} + {self._layer(data, ())})"

    def _layer(self, data: Mapping[str, object], path: Keys) -> str:
        """An object to add: mappings are laid over mappings, anything else takes the place of what stands there."""
        fields = []
        for key, value in data.items():
            quoted = json.dumps(key)
            if isinstance(value, Mapping):
                old = f"local old = if {quoted} in super then super[{quoted}] else null"
                inner = self._layer(value, (*path, key))
                fields.append(f"{quoted}::: ({old}; (if std.isObject(old) then old else {{}}) + {inner})")
            else:
                fields.append(f"{quoted}::: {self._literal(value, (*path, key))}")
        return "{" + ", ".join(fields) + "}"

    def _literal(self, value: object, path: Keys) -> str:
        try:
            return json.dumps(value, allow_nan=False)
        except ValueError:
            reason, mend = "Jsonnet has no .inf and no .nan", "write the study in YAML"
            raise failure(reason, file=str(self._file), path=".".join(path), mend=mend) from None

    def _evaluate(self, query: str) -> Any:
        snippet = f"local study = {self._program};\n{query}"
        try:
            text = self._engine.evaluate(snippet, self._imported)
        except JsonnetError as error:
            raise jsonnet_error(str(error), str(self._file)) from error
        except JsonnetCrash as error:
            raise failure(error.reason, file=str(self._file), mend=error.mend) from error
        except ConfigError as error:
            raise self._broken_import or error from error.__cause__
        try:
            value = json.loads(text)
        except RecursionError as error:
            raise too_deep(str(self._file)) from error
        except ValueError as error:  # Jsonnet writes `inf` where a number overflows
            raise ConfigError(endless_numbers(text, str(self._file))) from error
        check_limits(value, str(self._file))
        return value

    def _imported(self, folder: str, name: str) -> tuple[str, str]:
        """The engine's way to a file: relative to the file that imports it."""
        path = str(self._file) if name == _STUDY else os.path.normpath(os.path.join(folder, name))  # noqa: PTH118
        try:
            if path not in self._texts:
                text = file_text(Path(path))
                check_nesting(text, path)
                self._texts[path] = text
        except ConfigError as error:
            self._broken_import = error if name == _STUDY else self._with_importer(error, name)
            raise
        return path, self._texts[path]

    def _with_importer(self, error: ConfigError, name: str) -> ConfigError:
        """The fault of an imported file, told where it is imported."""
        (fault,) = error.faults
        for file, text in self._texts.items():
            if name in text:
                line = text.count("\n", 0, text.index(name)) + 1
                return failure(f"imports {name!r}: {fault.reason}", file=file, line=line, mend=fault.mend)
        return error


def _at(path: Keys) -> str:
    """The start of a query: what stands at this path of the study, as a list of none or one."""
    steps = [
        {"key": key, "index": int(key) if is_index(key) else -1, "hidden": path[:1] in _MAY_HIDE and depth == 0}
        for depth, key in enumerate(path)
    ]
    return f"{_ENTER}local found = enter(study, {json.dumps(steps)});\n"


def _assigned(old: str, path: Keys, new: str, *, adds: bool = False) -> str:
    """A program that gives the value of the program `old` with `new` in place at the path (or added to it)."""
    if not path:
        return f"({old} + {new})" if adds else new
    quoted = json.dumps(path[0])
    change = f"local change(old) = {_assigned('old', path[1:], new, adds=adds)}"
    field = f"{quoted}::: change(if {quoted} in super then super[{quoted}] else null)"
    inside = f"(if std.isObject(at) then at else {{}}) + {{{field}}}"
    if is_index(path[0]):
        item = f"function(i, x) if i == {int(path[0])} then change(x) else x"
        inside = f"if std.isArray(at) then std.mapWithIndex({item}, at) else {inside}"
    return f"(local at = {old}; {change}; {inside})"


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


def jsonnet_error(message: str, file: str) -> ConfigError:
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
            yield from _infinite(inner, join_path(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _infinite(inner, join_path(path, index))


def _beyond(value: object, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, int) and abs(value) >= EXACT:
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _beyond(inner, join_path(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _beyond(inner, join_path(path, index))
