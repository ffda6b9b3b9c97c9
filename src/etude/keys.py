"""The keys of a study file, declared once: at the fields of the specs that hold their values.

    cpus: Annotated[int, Integer(least=1), FileKey("Cores the node needs. Default {default}.", 4)] = 1

A field's types check what a file says and write its JSON Schema; `section_of` gives those of all fields of a spec, and
`spec_of` the spec that was read. A field without a `FileKey` is none that a file can set.
"""

from __future__ import annotations

import collections.abc
import math
import re
import sys
from collections.abc import Callable, Container, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from etude import units
from etude.errors import Fault, nearest
from etude.units import AmbiguousError

BAD: Final = object()
"""What a type gives in place of a value that does not fit it, once the faults are told."""

JsonSchema = dict[str, object]
Spec = TypeVar("Spec")


@runtime_checkable
class ValueType(Protocol):
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
class Integer:
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
class Numeric:
    """A finite number, whole or not, as it is written; of at least so much, and then a float, where a least is said."""

    least: float | None = None

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The number."""
        if _is_too_large(value):
            return _refuse(faults, path, value, "a number up to 1.8e308", right_kind=True)
        expected = "a number" if self.least is None else f"a number of {self.least:g} or more"
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            mend = "write it without quotes" if isinstance(value, str) else ""
            return _refuse(faults, path, value, expected, mend)
        if self.least is None:
            return value
        return float(value) if value >= self.least else _refuse(faults, path, value, expected, right_kind=True)

    def schema(self, partial: bool = False) -> JsonSchema:
        """A number."""
        return {"type": "number"} | ({} if self.least is None else {"minimum": self.least})


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
class Amount:
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


_UNITS: Final = (("h", 3600), ("m", 60), ("s", 1))

SIZE: Final = Amount(
    expected="a size above 0, such as 512MB, 4GB or 4Gi",
    pattern=r"^\s*[0-9]+(\.[0-9]+)?\s*([kMGT]B?|[KMG]iB?|B)?\s*$",
    convert=units.bytes_of,
)
DURATION: Final = Amount(
    expected="a duration above 0, such as 90 (seconds), 2h, 1h30m or 01:30:00",
    pattern=r"^([0-9]+(:[0-9]{2}){2}|([0-9]+(\.[0-9]+)?\s*(min|[smhd])\s*)+)$",
    convert=units.seconds,
)


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
    """A list of values of one type."""

    item: ValueType
    least: int = 0
    hint: str = ""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The list of the items that fit."""
        if not isinstance(value, list):
            return _refuse(faults, path, value, "a list", self.hint.format(value=value))
        if len(value) < self.least:
            faults.append(Fault(path=path, reason="is empty", mend=f"give {self.least} or more values, or remove it"))
            return BAD
        items = [self.item.read(inner, join_path(path, index), faults) for index, inner in enumerate(value)]
        return [inner for inner in items if inner is not BAD]

    def schema(self, partial: bool = False) -> JsonSchema:
        """An array."""
        least: JsonSchema = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.item.schema()} | least


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingOf:
    """A mapping from names to values of one type."""

    item: ValueType
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
            inner_path = join_path(path, key)
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


@dataclass(frozen=True, slots=True)  # positional: meaning and example stand side by side at every field
class FileKey:
    """One key of a section, said once: at the field of the spec that holds its value."""

    meaning: str
    """For people; editors show it. `{default}` stands for the field's default."""
    example: object
    name: str = ""
    """As it is written; empty for the field's name without its unit."""
    type: ValueType | None = None
    """None for what the field's own type says."""
    required: bool | None = None
    """None for whether the field has no default."""
    convert: Callable[[Any], Any] | None = None
    """From what was read to what the field holds; None where its type says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionText:
    """How a spec is spoken of in messages; its `SECTION`."""

    what: str
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Keys that other tools use → what to write here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping with known keys. A key with null is as good as left out."""

    what: str
    keys: Mapping[str, FileKey]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The known keys whose values fit."""
        if not isinstance(value, dict):
            return _refuse(faults, path, value, f"{self.what} (a mapping)", f"its keys: {', '.join(self.keys)}")
        read: dict[str, object] = {}
        for key, inner in value.items():
            if key not in self.keys:
                mend = self._known(key, inner)
                faults.append(
                    Fault(path=join_path(path, key), reason=f"{self.what} has no key {key!r}", value=inner, mend=mend)
                )
            elif inner is not None:
                fitting = type_of(self.keys[key]).read(inner, join_path(path, key), faults)
                if fitting is not BAD:
                    read[key] = fitting
        for key, known in self.keys.items():
            if known.required and value.get(key) is None:
                reason, mend = f"{self.what} needs {key!r}", f"add {key}. {known.meaning}"
                faults.append(Fault(path=join_path(path, key), reason=reason, mend=mend))
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
class Either:
    """A value of one of several types, told apart by what kind of value it is."""

    expected: str
    text: ValueType | None = None
    items: ValueType | None = None
    mapping: ValueType | None = None

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The value as its type reads it."""
        types: dict[type, ValueType | None] = {str: self.text, list: self.items, dict: self.mapping}
        value_type = types.get(type(value))
        if value_type is None:
            mend = "put it in quotes" if self.text and type(value) in (int, float) else ""
            return _refuse(faults, path, value, self.expected, mend)
        return value_type.read(value, path, faults)

    def schema(self, partial: bool = False) -> JsonSchema:
        """Any of them."""
        return {"anyOf": [each.schema(partial) for each in (self.text, self.items, self.mapping) if each]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Referenced:
    """A type of value that the JSON Schema defines once and refers to by name."""

    name: str
    value_type: ValueType
    has_partial: bool = False
    """Whether its partial form is another, named `partial-…`."""

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """As the type itself."""
        return self.value_type.read(value, path, faults)

    def schema(self, partial: bool = False) -> JsonSchema:
        """A reference."""
        return {"$ref": f"#/$defs/{'partial-' if partial and self.has_partial else ''}{self.name}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A type of value that is laid over another: read once it is laid, described as one that may leave anything out."""

    name: str
    value_type: ValueType

    def read(self, value: object, path: str, faults: list[Fault]) -> object:
        """The mapping, unread."""
        return value if isinstance(value, dict) else _refuse(faults, path, value, "a mapping")

    def schema(self, partial: bool = False) -> JsonSchema:
        """A reference to the partial type."""
        return {"$ref": f"#/$defs/{self.name}"}


@cache
def section_of(spec: type) -> Section:
    """The section of a file that a spec is written as: every key of its fields."""
    text: SectionText = spec.SECTION  # type: ignore[attr-defined]
    keys = {key.name: key for _, _, own in _fields_of(spec) for key in own}
    return Section(what=text.what, keys=keys, elsewhere=text.elsewhere)


def spec_of(spec: type[Spec], read: Mapping[str, Any], **given: Any) -> Spec:
    """The spec that a section says, once read.

    Args:
        spec: The frozen dataclass.
        read: What of the section could be read; an inner section that lacks what it needs is as good as left out.
        given: Fields that no single key says.
    """
    return spec(**fields_of(spec, read, given), **given)


def fields_of(spec: type, read: Mapping[str, Any], without: Container[str] = ()) -> dict[str, Any]:
    """Field → value, of those fields that one key alone says and that stand in what was read."""
    values: dict[str, Any] = {}
    for name, hint, keys in _fields_of(spec):
        if name not in without and len(keys) == 1 and keys[0].name in read:
            convert, value = keys[0].convert, read[keys[0].name]
            held = convert(value) if convert else _held(hint, value)
            if held is not BAD:
                values[name] = held
    return values


@cache
def _fields_of(spec: Any) -> tuple[tuple[str, Any, tuple[FileKey, ...]], ...]:
    """Each field with its type and its keys: with names, types of value, defaults and whether they are required."""
    hints = get_type_hints(spec, include_extras=True)
    return tuple(
        (each.name, hint, tuple(_whole(key, each, hint) for key in _extras(hint) if isinstance(key, FileKey)))
        for each in fields(spec)
        for hint in [hints[each.name]]
    )


def _extras(hint: object) -> tuple[object, ...]:
    return getattr(hint, "__metadata__", ())


def _whole(key: FileKey, of: Field[Any], hint: object) -> FileKey:
    default = of.default_factory() if of.default_factory is not MISSING else of.default
    value_type = key.type or _type_of(hint)
    return replace(
        key,
        meaning=key.meaning.replace("{default}", _default_text(default, value_type)),
        name=key.name or re.sub("_(s|bytes)$", "", of.name),
        type=value_type,
        required=default is MISSING if key.required is None else key.required,
    )


def _type_of(hint: Any) -> ValueType:
    """The type of value that an annotation names; else what the Python type says of itself."""
    named = next((extra for extra in _extras(hint) if isinstance(extra, ValueType)), None)
    if named is not None:
        return named
    plain = _plain(hint)
    origin, inner = get_origin(plain) or plain, get_args(plain)
    if origin is tuple:
        return ListOf(item=_type_of(inner[0]), hint="write [{value}]")
    if origin is collections.abc.Mapping:
        return MappingOf(item=_type_of(inner[1]))
    if origin is Literal:
        return Text(choices=inner)
    simple: dict[type, ValueType] = {bool: Flag(), str: Text(), float: Numeric(), object: Anything(nan=False)}
    return simple[origin] if origin in simple else section_of(origin)


def _held(hint: Any, value: Any) -> Any:
    """A value that was read, as a field of this type holds it: lists as tuples, sections as specs."""
    plain = _plain(hint)
    origin, inner = get_origin(plain) or plain, get_args(plain)
    if origin is tuple:
        return tuple(_held(inner[0], each) for each in value)
    if origin is collections.abc.Mapping:
        return {name: _held(inner[1], each) for name, each in value.items()}
    if not (is_dataclass(plain) and isinstance(plain, type)):
        return value
    lacks = any(key.required and name not in value for name, key in section_of(plain).keys.items())
    return BAD if lacks else spec_of(plain, value)


def _plain(hint: Any) -> Any:
    """The type itself, without what an annotation adds to it and, of a union, without None."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    return hint


def _default_text(value: object, value_type: ValueType) -> str:
    """A default as a file writes it, a duration in its largest unit."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, float) and isinstance(value_type, Amount):
        unit, factor = next((unit, each) for unit, each in _UNITS if value % each == 0)
        return f"{value / factor:g}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def type_of(key: FileKey) -> ValueType:
    """The type of a key's value."""
    assert key.type is not None, key
    return key.type


def join_path(path: str, key: str | int) -> str:
    """The dotted path of a value inside another."""
    return f"{path}.{key}" if path else str(key)


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


def _described(key: FileKey, partial: bool) -> JsonSchema:
    schema = type_of(key).schema(partial)
    return {"description": key.meaning, "examples": [key.example]} | (
        schema if key.required and not partial else or_null(schema)
    )


def _is_too_large(value: object) -> bool:
    """Whether this is a whole number that no float can hold."""
    return isinstance(value, int) and abs(value) > sys.float_info.max


def _refuse(
    faults: list[Fault], path: str, value: object, expected: str, mend: str = "", *, right_kind: bool = False
) -> object:
    kind = "" if right_kind else f", found {kind_of(value)}"
    faults.append(Fault(path=path, value=value, reason=f"expected {expected}{kind}", mend=mend))
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
        return next((found for key, item in inner if (found := _nan_in(item, join_path(path, key)))), "")
    return ""
