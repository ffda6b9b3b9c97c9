"""Reading a Hugging Face model config: a mapping, a config object, or a file. Nothing here imports transformers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from etude.errors import ConfigError, Fault, require


class ConfigObject(Protocol):
    """Anything with `to_dict()`, as `transformers.PretrainedConfig`."""

    def to_dict(self) -> dict[str, object]: ...


ConfigSource = Mapping[str, object] | ConfigObject | str | Path
"""A config: a mapping, an object of transformers, or the path of a `config.json` or of the folder that has it."""


COUNT = 'etude.flops.model_cost(config, tokens=…, unknown="count")'
"""How to have torch count what is not described."""


class Fields:
    """The values of one config, read by name, each under the names that its model families give it."""

    def __init__(self, values: Mapping[str, object], where: str = "config") -> None:
        self.values = values
        self.where = where

    def number(self, *names: str, default: int | None = None) -> int:
        """A whole number above 0 under the first of these names that is there and not null.

        Raises:
            ConfigError: None of the names is there and there is no default, or the value is no such number.
        """
        name, value = self._first(names)
        if value is None:
            if default is None:
                raise self.fault(names[0], None, "is missing", "give the config.json that belongs to the weights")
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.fault(name, value, "expected a whole number above 0", "")
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number that may be 0; the default where it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return default
        return self.number(name) if value else 0

    def optional(self, *names: str) -> int | None:
        """The same, or None where it is missing, null or 0."""
        _, value = self._first(names)
        return None if value in (None, 0, False) else self.number(*names)

    def nullable(self, name: str, default: int | None) -> int | None:
        """A whole number, None where null or 0 stands there, the default where nothing does."""
        return self.optional(name) if name in self.values else default

    def flag(self, *names: str, default: bool = False) -> bool:
        """A truth value; the default where it is missing or null."""
        name, value = self._first(names)
        if value is None:
            return default
        if not isinstance(value, bool | int):
            raise self.fault(name, value, "expected true or false", "")
        return bool(value)

    def text(self, name: str, default: str) -> str:
        """A text; the default where it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.fault(name, value, "expected a text", "")
        return value

    def layer_types(
        self, length: int, described: Collection[str] = ("full_attention", "sliding_attention")
    ) -> tuple[str, ...] | None:
        """The kind of each layer; None where the config has no such list."""
        name = "layer_types"
        value = self.values.get(name)
        if value is None:
            return None
        if (
            not isinstance(value, list | tuple)
            or len(value) != length
            or not all(isinstance(item, str) for item in value)
        ):
            raise self.fault(name, value, f"expected a list of {length} names, one for each layer", "")
        for kind in value:
            if kind not in described:
                raise self.fault(name, kind, "layers of this kind are not described", f"measure it: {COUNT}")
        return tuple(value)

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers; empty where it is missing."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not all(isinstance(item, int) for item in value):
            raise self.fault(name, value, "expected a list of whole numbers", "")
        return tuple(value)

    def span(self, name: str) -> int | None:
        """A whole number above 0; None where it is missing, null, 0 or below, which configs write for none."""
        value = self.values.get(name)
        return None if isinstance(value, int) and value < 1 else self.optional(name)

    def words(self, name: str) -> tuple[str, ...]:
        """Texts, as a list or as one text with `|` between them; empty where it is missing."""
        value = self.values.get(name)
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        return tuple(word.strip() for word in self.text(name, "").lower().split("|") if word.strip())

    def labels(self, default: int = 2) -> int:
        """The number of classes: `num_labels`, or as many as `id2label` names, or the model's default."""
        names = self.values.get("id2label")
        if self.values.get("num_labels") is None and isinstance(names, Mapping) and names:
            return len(names)
        return self.number("num_labels", default=default)

    def refuse(self, name: str, reason: str) -> None:
        """Raise a ConfigError where this flag is on, because what it turns on is not described."""
        if self.flag(name):
            mend = f"measure the model instead: {COUNT}"
            raise ConfigError([Fault(path=f"{self.where}.{name}", value=True, reason=reason, mend=mend)])

    def _first(self, names: tuple[str, ...]) -> tuple[str, object]:
        for name in names:
            if self.values.get(name) is not None:
                return name, self.values[name]
        return names[0], None

    def fault(self, name: str, value: object, reason: str, mend: str = "") -> ConfigError:
        """The refusal of a value."""
        return ConfigError([Fault(path=f"{self.where}.{name}", value=value, reason=reason, mend=mend)])


def each(size: int, heads: int) -> int:
    """What each of the heads has of this size. ConfigError where they do not share it out evenly."""
    require(size % heads == 0, "config.num_attention_heads", heads, f"a divisor of {size}")
    return size // heads


def read_config(source: ConfigSource) -> Mapping[str, object]:
    """The values of a config.

    Raises:
        ConfigError: The file is missing or no JSON object, or `source` is nothing that holds a config.
    """
    if isinstance(source, Mapping):
        return source
    if isinstance(source, str | Path):
        return _read_file(Path(source))
    if hasattr(source, "to_dict"):
        return source.to_dict()
    mend = "give a mapping, a config object of transformers, or the path of a config.json"
    raise ConfigError([Fault(path="config", value=source, reason="this is no model config", mend=mend)])


def _read_file(path: Path) -> Mapping[str, object]:
    file = path / "config.json" if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        mend = "give the path of a config.json, or of the folder that has it; names on a hub are not looked up"
        raise ConfigError([Fault(path="config", value=str(path), reason=str(problem), mend=mend)]) from problem
    except ValueError as problem:
        raise ConfigError([Fault(path="config", file=str(file), reason=f"this is no JSON: {problem}")]) from problem
    if not isinstance(values, dict):
        raise ConfigError([Fault(path="config", file=str(file), value=values, reason="expected a JSON object")])
    return values
