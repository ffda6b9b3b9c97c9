"""What a value in a study file may look like: one description that checks values and writes their JSON Schema."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from etude.config.document import joined
from etude.errors import Fault, nearest
from etude.units import AmbiguousError

BAD: Final = object()
"""What a shape gives in place of a value that does not fit it, once the faults are told."""

JsonSchema = dict[str, object]


class Shape(Protocol):
    """One kind of value."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The value as a study uses it, without the parts that do not fit: those are told. `BAD` if none is left."""
        ...

    def schema(self, partial: bool = False) -> JsonSchema:
        """The JSON Schema of the value; partial where it is laid over another and may leave anything out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text; with a pattern or a choice of words if it has one."""

    expected: str = "text"
    pattern: str = ""
    choices: tuple[str, ...] = ()
    mend: str = ""
    """What to do about text that does not match the pattern."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The text."""
        if not isinstance(value, str):
            mend = "put it in quotes" if isinstance(value, (int, float)) else ""
            return _refuse(faults, path, value, self.expected, mend)
        if self.choices and value not in self.choices:
            expected, mend = f"one of {', '.join(self.choices)}", nearest(value, self.choices)
            return _refuse(faults, path, value, expected, mend, right_kind=True)
        if self.pattern and not re.fullmatch(self.pattern, value):
            return _refuse(faults, path, value, self.expected, self.mend, right_kind=True)
        return value

    def schema(self, partial: bool = False) -> JsonSchema:
        """A string."""
        if self.choices:
            return {"enum": list(self.choices)}
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"} if self.pattern else {"type": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number of at least so much and at most so much."""

    least: int
    most: int = 10**9
    """More than any count that makes sense; what uses it need not fear a number of 400 digits."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The number."""
        expected = f"a whole number of {self.least} or more"
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+", value):
            return _refuse(faults, path, value, expected, "write it without quotes")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return _refuse(faults, path, value, expected)
        if value > self.most:
            return _refuse(faults, path, value, f"a whole number from {self.least} to {self.most}", right_kind=True)
        return value if value >= self.least else _refuse(faults, path, value, expected, right_kind=True)

    def schema(self, partial: bool = False) -> JsonSchema:
        """An integer."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A finite number of at least so much."""

    least: float

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The number, as a float."""
        expected = f"a number of {self.least:g} or more"
        if _is_too_large(value):
            return _refuse(faults, path, value, "a number up to 1.8e308", right_kind=True)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            mend = "write it without quotes" if isinstance(value, str) else ""
            return _refuse(faults, path, value, expected, mend)
        return float(value) if value >= self.least else _refuse(faults, path, value, expected, right_kind=True)

    def schema(self, partial: bool = False) -> JsonSchema:
        """A number."""
        return {"type": "number", "minimum": self.least}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A finite number, whole or not, as it is written."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The number, an int where it is written as one."""
        if _is_too_large(value):
            return _refuse(faults, path, value, "a number up to 1.8e308", right_kind=True)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            mend = "write it without quotes" if isinstance(value, str) else ""
            return _refuse(faults, path, value, "a number", mend)
        return value

    def schema(self, partial: bool = False) -> JsonSchema:
        """A number."""
        return {"type": "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The boolean."""
        if isinstance(value, bool):
            return value
        said = isinstance(value, str) and value.lower() in ("yes", "no", "on", "off", "true", "false", "y", "n")
        return _refuse(
            faults, path, value, "true or false", f"{value} is text here: write true or false" if said else ""
        )

    def schema(self, partial: bool = False) -> JsonSchema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A size or a duration, as a number of its base unit or as text with a unit."""

    expected: str
    pattern: str
    convert: Callable[[str], float]

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The amount in the base unit."""
        try:
            amount = self._amount(value)
        except AmbiguousError as error:
            faults.append(Fault(path=path, reason=str(error), value=value, mend=error.mend))
            return BAD
        if amount is None or _is_too_large(amount) or not math.isfinite(amount) or amount <= 0:
            measured = isinstance(value, (str, int, float)) and not isinstance(value, bool)
            return _refuse(faults, path, value, self.expected, right_kind=measured)
        return amount

    def _amount(self, value: object) -> float | None:
        try:
            if isinstance(value, str):
                return self.convert(value)
        except AmbiguousError:
            raise
        except (ValueError, OverflowError):
            return None
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def schema(self, partial: bool = False) -> JsonSchema:
        """A positive number, or text with a unit."""
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": self.pattern}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Any plain value."""

    nan: bool = True
    """Whether it may be or hold .nan."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The value as it is."""
        if self.nan or not (found := _nan_in(value, path)):
            return value
        faults.append(Fault(path=found, reason="a param cannot be .nan: no two are equal", mend="write null for none"))
        return BAD

    def schema(self, partial: bool = False) -> JsonSchema:
        """No constraint."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of values of one shape."""

    item: Shape
    least: int = 0
    hint: str = ""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The list of the items that fit."""
        if not isinstance(value, list):
            return _refuse(faults, path, value, "a list", self.hint.format(value=value))
        if len(value) < self.least:
            faults.append(Fault(path=path, reason="is empty", mend=f"give {self.least} or more values, or remove it"))
            return BAD
        found = [self.item.read(inner, joined(path, index), faults) for index, inner in enumerate(value)]
        return [inner for inner in found if inner is not BAD]

    def schema(self, partial: bool = False) -> JsonSchema:
        """An array."""
        least: JsonSchema = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.item.schema()} | least


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingOf:
    """A mapping from names to values of one shape."""

    item: Shape
    names: str = ""
    """What its keys must match; empty for any text."""
    called: str = "a name"
    reserved: tuple[str, ...] = ()
    null_removes: bool = True
    """Whether null, laid over a value, takes it away. Where it does not, null is a value."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The entries that fit."""
        if not isinstance(value, dict):
            return _refuse(faults, path, value, "a mapping")
        read: dict[str, object] = {}
        for key, inner in value.items():
            inner_path = joined(path, key)
            if key in self.reserved:
                mend = "choose another name"
                faults.append(Fault(path=inner_path, reason=f"{key!r} has a meaning of its own here", mend=mend))
            elif self.names and not re.fullmatch(self.names, key):
                faults.append(Fault(path=inner_path, value=key, reason=f"expected {self.called}", mend=_renamed(key)))
            fitting = self.item.read(inner, inner_path, faults)
            if fitting is not BAD:
                read[key] = fitting
        return read

    def schema(self, partial: bool = False) -> JsonSchema:
        """An object with free keys."""
        item = self.item.schema(partial)
        result: JsonSchema = {
            "type": "object",
            "additionalProperties": or_null(item) if partial and self.null_removes else item,
        }
        rules: JsonSchema = {"pattern": f"^(?:{self.names})$"} if self.names else {}
        if self.reserved:
            rules["not"] = {"enum": list(self.reserved)}
        return result | ({"propertyNames": rules} if rules else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a record."""

    shape: Shape
    tells: str
    """What it means, for people; editors show it."""
    example: object
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A mapping with known keys. A key with null is as good as left out."""

    what: str
    keys: Mapping[str, Key]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Keys that other tools use → what to write here."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The known keys whose values fit."""
        if not isinstance(value, dict):
            return _refuse(faults, path, value, f"{self.what} (a mapping)", f"its keys: {', '.join(self.keys)}")
        read: dict[str, object] = {}
        for key, inner in value.items():
            if key not in self.keys:
                mend = self._known(key, inner)
                faults.append(
                    Fault(path=joined(path, key), reason=f"{self.what} has no key {key!r}", value=inner, mend=mend)
                )
            elif inner is not None:
                fitting = self.keys[key].shape.read(inner, joined(path, key), faults)
                if fitting is not BAD:
                    read[key] = fitting
        for key, known in self.keys.items():
            if known.required and value.get(key) is None:
                faults.append(
                    Fault(path=joined(path, key), reason=f"{self.what} needs {key!r}", mend=f"add {key}. {known.tells}")
                )
        return read

    def _known(self, key: str, value: object) -> str:
        if ":" in key and value is None:
            return "put a space after the colon"
        return self.elsewhere.get(key) or nearest(key, self.keys)

    def schema(self, partial: bool = False) -> JsonSchema:
        """An object with these keys and no others."""
        required = [] if partial else [name for name, key in self.keys.items() if key.required]
        properties = {name: _described(key, partial) for name, key in self.keys.items()}
        needed: JsonSchema = {"required": required} if required else {}
        return {"type": "object", "properties": properties, "additionalProperties": False} | needed


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """A value of one of several shapes, told apart by what kind of value it is."""

    expected: str
    text: Shape | None = None
    items: Shape | None = None
    mapping: Shape | None = None

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The value as its shape reads it."""
        shapes: dict[type, Shape | None] = {str: self.text, list: self.items, dict: self.mapping}
        shape = shapes.get(type(value))
        if shape is None:
            mend = "put it in quotes" if self.text and type(value) in (int, float) else ""
            return _refuse(faults, path, value, self.expected, mend)
        return shape.read(value, path, faults)

    def schema(self, partial: bool = False) -> JsonSchema:
        """Any of them."""
        return {"anyOf": [shape.schema(partial) for shape in (self.text, self.items, self.mapping) if shape]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A shape that the JSON Schema defines once and refers to by name."""

    name: str
    shape: Shape
    has_partial: bool = False
    """Whether its partial form is another, named `partial-…`."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """As the shape itself."""
        return self.shape.read(value, path, faults)

    def schema(self, partial: bool = False) -> JsonSchema:
        """A reference."""
        return {"$ref": f"#/$defs/{'partial-' if partial and self.has_partial else ''}{self.name}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A shape that is laid over another: read once it is laid, described as one that may leave anything out."""

    name: str
    shape: Shape

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The mapping, unread."""
        return value if isinstance(value, dict) else _refuse(faults, path, value, "a mapping")

    def schema(self, partial: bool = False) -> JsonSchema:
        """A reference to the partial shape."""
        return {"$ref": f"#/$defs/{self.name}"}


def or_null(schema: JsonSchema) -> JsonSchema:
    """The schema of the same value or null."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    if isinstance(choices := schema.get("enum"), list):
        return {**schema, "enum": [*choices, None]}
    return schema and {"anyOf": [schema, {"type": "null"}]}


def kind_of(value: object) -> str:
    """What kind of value this is, in the words of a study file."""
    if value is None:
        return "nothing"
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), type(value).__name__)


def _described(key: Key, partial: bool) -> JsonSchema:
    schema = key.shape.schema(partial)
    return {"description": key.tells, "examples": [key.example]} | (
        schema if key.required and not partial else or_null(schema)
    )


def _is_too_large(value: object) -> bool:
    """Whether this is a whole number that no float can hold."""
    return isinstance(value, int) and abs(value) > sys.float_info.max


def _refuse(
    faults: list[Fault], path: str, value: object, expected: str, mend: str = "", *, right_kind: bool = False
) -> object:
    found = "" if right_kind else f", found {kind_of(value)}"
    faults.append(Fault(path=path, value=value, reason=f"expected {expected}{found}", mend=mend))
    return BAD


def _renamed(key: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", key).strip("_")
    return f"write {'_' * name[:1].isdigit()}{name or 'another name'}"


def _nan_in(value: object, path: str) -> str:
    """The place of a NaN in a nested value; empty where there is none."""
    if isinstance(value, float) and math.isnan(value):
        return path
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return next((found for key, item in inner if (found := _nan_in(item, joined(path, key)))), "")
    return ""
