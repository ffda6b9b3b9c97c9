"""The four kinds of dimension of a search space, each a map between its values and the unit interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etude.errors import Fault
from etude.graph.labels import is_meant, text_of
from etude.identity.canonical import canonical


def same(one: object, other: object) -> bool:
    """Whether two values are equal and of one type: 1, 1.0 and true are three values."""
    return one is other or (type(one) is type(other) and canonical(one) == canonical(other))


# positional: a range reads as low, high
@dataclass(frozen=True, slots=True)
class Float:
    """A real number from `low` to `high`, both included; on a grid from `low` where there is a step."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def faults(self, path: str) -> list[Fault]:
        """What is wrong with its bounds."""
        found = _bound_faults(path, self.low, self.high, self.log)
        if self.step is not None and self.log:
            mend = "leave out one of them, or write the values as `ordinal: [...]`"
            found.append(Fault(path, "a log axis has no steps of equal width", self.step, mend))
        elif self.step is not None and not 0 < self.step <= (self.high - self.low) * (1 + 1e-9) and not found:
            reason = f"the step must be above 0 and at most {self.high - self.low:g}, the width of the range"
            found.append(Fault(f"{path}.step", reason, self.step, "write a smaller step"))
        return found

    @property
    def count(self) -> int | None:
        """How many values it has; None where it is continuous."""
        return None if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def contains(self, value: object) -> bool:
        """Whether it can take this value."""
        if type(value) is not float or not self.low <= value <= self.high:
            return False
        return self.step is None or abs(value - self._at(self._index(value))) <= 1e-9 * self.step

    def to_unit(self, value: Any) -> float:
        """Its place in [0, 1]."""
        count = self.count
        if count is not None:
            return (self._index(value) + 0.5) / count
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return float((value - self.low) / (self.high - self.low))

    def from_unit(self, unit: float) -> float:
        """The value at a place in [0, 1]; places outside are moved to the nearest end."""
        unit = min(max(unit, 0.0), 1.0)
        count = self.count
        if count is not None:
            return self._at(min(int(unit * count), count - 1))
        if self.log:
            value = self.low * (self.high / self.low) ** unit
        else:
            value = self.low + unit * (self.high - self.low)
        return float(min(max(value, self.low), self.high))

    def read(self, value: object) -> float:
        """A number as this dimension holds it. ValueError where it is none or out of range."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"expected a number from {self.low:g} to {self.high:g}")
        number = float(value)
        if self.step is not None and self.low <= number <= self.high:
            snapped = self._at(self._index(number))
            number = snapped if abs(snapped - number) <= 1e-6 * self.step else number
        if not self.contains(number):
            grid = f" in steps of {self.step:g}" if self.step is not None else ""
            raise ValueError(f"expected a number from {self.low:g} to {self.high:g}{grid}")
        return number

    def as_json(self) -> dict[str, object]:
        """As a study file writes it."""
        more = {"log": True} if self.log else {}
        return {"float": [self.low, self.high], **more, **({} if self.step is None else {"step": self.step})}

    def __str__(self) -> str:
        step = "" if self.step is None else f" in steps of {self.step:g}"
        return f"float from {self.low:g} to {self.high:g}{' on a log axis' if self.log else ''}{step}"

    def _index(self, value: float) -> int:
        assert self.step is not None
        return round((value - self.low) / self.step)

    def _at(self, index: int) -> float:
        assert self.step is not None
        places = max(_places(self.low), _places(self.step))
        return min(round(self.low + index * self.step, places), float(self.high))


# positional: a range reads as low, high
@dataclass(frozen=True, slots=True)
class Int:
    """A whole number from `low` to `high`, both included, in steps from `low`."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def faults(self, path: str) -> list[Fault]:
        """What is wrong with its bounds."""
        found = _bound_faults(path, self.low, self.high, self.log)
        if self.log and self.step != 1:
            mend = "leave out one of them, or write the values as `ordinal: [...]`"
            found.append(Fault(path, "a log axis has no steps of equal width", self.step, mend))
        elif not 1 <= self.step <= max(self.high - self.low, 1) and not found:
            reason = f"the step must be from 1 to {self.high - self.low}, the width of the range"
            found.append(Fault(f"{path}.step", reason, self.step, "write a smaller step"))
        return found

    @property
    def count(self) -> int:
        """How many values it has."""
        return (self.high - self.low) // self.step + 1

    def contains(self, value: object) -> bool:
        """Whether it can take this value."""
        return type(value) is int and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def to_unit(self, value: Any) -> float:
        """The middle of its cell in [0, 1]; on a log axis, its place among cells that shrink as the values grow."""
        if self.log:
            return math.log(value / (self.low - 0.5)) / math.log((self.high + 0.5) / (self.low - 0.5))
        return (int(value - self.low) // self.step + 0.5) / self.count

    def from_unit(self, unit: float) -> int:
        """The value whose cell holds a place in [0, 1]; places outside are moved to the nearest end."""
        unit = min(max(unit, 0.0), 1.0)
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + unit * (high - low))), self.low), self.high)
        return self.low + self.step * min(int(unit * self.count), self.count - 1)

    def read(self, value: object) -> int:
        """A whole number as this dimension holds it. ValueError where it is none or out of range."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not self.contains(value):
            grid = f" in steps of {self.step}" if self.step != 1 else ""
            raise ValueError(f"expected a whole number from {self.low} to {self.high}{grid}")
        assert isinstance(value, int)
        return value

    def as_json(self) -> dict[str, object]:
        """As a study file writes it."""
        more = {"log": True} if self.log else {}
        return {"int": [self.low, self.high], **more, **({} if self.step == 1 else {"step": self.step})}

    def __str__(self) -> str:
        step = "" if self.step == 1 else f" in steps of {self.step}"
        return f"int from {self.low} to {self.high}{' on a log axis' if self.log else ''}{step}"


# positional: an option list reads as a set
@dataclass(frozen=True, slots=True)
class _Listed:
    """Some values, each written down."""

    options: tuple[object, ...]

    def faults(self, path: str) -> list[Fault]:
        """What is wrong with its options."""
        return _option_faults(path, self.options)

    @property
    def count(self) -> int:
        """How many values it has."""
        return len(self.options)

    def contains(self, value: object) -> bool:
        """Whether it can take this value."""
        return _index_of(self.options, value) is not None

    def to_unit(self, value: Any) -> float:
        """The middle of its cell in [0, 1], by its place among the options."""
        index = _index_of(self.options, value)
        if index is None:
            raise ValueError(f"{value!r} is none of {list(self.options)}")
        return (index + 0.5) / len(self.options)

    def from_unit(self, unit: float) -> object:
        """The value whose cell holds a place in [0, 1]."""
        return self.options[min(int(min(max(unit, 0.0), 1.0) * len(self.options)), len(self.options) - 1)]

    def read(self, value: object) -> object:
        """The option that is meant, also by its text or by a number of another type. ValueError where there is none."""
        return _read_option(self.options, value)


# positional: an option list reads as a set
@dataclass(frozen=True, slots=True)
class Choice(_Listed):
    """One of some values without order."""

    def as_json(self) -> dict[str, object]:
        """As a study file writes it."""
        return {"choice": list(self.options)}

    def __str__(self) -> str:
        return f"choice of {', '.join(map(text_of, self.options))}"


# positional: an option list reads as a set
@dataclass(frozen=True, slots=True)
class Ordinal(_Listed):
    """One of some values in this order."""

    def as_json(self) -> dict[str, object]:
        """As a study file writes it."""
        return {"ordinal": list(self.options)}

    def __str__(self) -> str:
        return f"ordinal of {', '.join(map(text_of, self.options))}"


Dimension = Float | Int | Choice | Ordinal


def dimension_of(fields: Mapping[str, Any]) -> Dimension:
    """The dimension that `as_json` wrote."""
    if "float" in fields:
        low, high = fields["float"]
        return Float(float(low), float(high), bool(fields.get("log", False)), fields.get("step"))
    if "int" in fields:
        low, high = fields["int"]
        return Int(int(low), int(high), bool(fields.get("log", False)), int(fields.get("step", 1)))
    if "choice" in fields:
        return Choice(tuple(fields["choice"]))
    return Ordinal(tuple(fields["ordinal"]))


def _bound_faults(path: str, low: float, high: float, log: bool) -> list[Fault]:
    if not (math.isfinite(low) and math.isfinite(high)):
        return [Fault(path, "the bounds must be finite", [low, high], "write two numbers")]
    if low == high:
        mend = "widen it, or write the value under `params:` and leave it out of the space"
        return [Fault(path, "the range holds one value", [low, high], mend)]
    if low > high:
        return [Fault(path, "the lower bound is above the upper one", [low, high], f"write [{high:g}, {low:g}]")]
    if log and low <= 0:
        mend = "raise the lower bound above 0, or leave out `log: true`"
        return [Fault(path, "a log axis has no place for 0 or less", [low, high], mend)]
    return []


def _option_faults(path: str, options: tuple[object, ...]) -> list[Fault]:
    if len(options) < 2:
        mend = "add another, or write the value under `params:` and leave it out of the space"
        return [Fault(path, "there must be two options or more", list(options), mend)]
    texts = [canonical(option) for option in options]
    twice = next((option for option, text in zip(options, texts, strict=True) if texts.count(text) > 1), None)
    if len(set(texts)) < len(texts):
        return [Fault(path, f"{text_of(twice)} stands there twice", list(options), "leave one of them out")]
    return []


def _index_of(options: tuple[object, ...], value: object) -> int | None:
    return next((index for index, option in enumerate(options) if same(option, value)), None)


def _read_option(options: tuple[object, ...], value: object) -> object:
    for option in options:
        if same(option, value):
            return option
    for option in options:
        numbers = isinstance(option, (int, float)) and isinstance(value, (int, float))
        if (numbers and option == value and isinstance(option, bool) == isinstance(value, bool)) or (
            isinstance(value, str) and not isinstance(option, str) and is_meant(option, value)
        ):
            return option
    raise ValueError(f"expected one of {', '.join(map(text_of, options))}")


def _places(number: float) -> int:
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
