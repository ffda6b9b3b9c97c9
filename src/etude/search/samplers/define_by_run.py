"""Spaces as engines know them that ask for one value after another: integers, reals, and choices by index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from etude.search.dimensions import Choice, Dimension, Float, Int
from etude.search.samplers.unit_cube import Encoding
from etude.search.space import Point, Space

TRIES = 20
"""How often an engine is asked again while what it proposes is forbidden."""


class Suggests(Protocol):
    """The part of a trial that Optuna and Rustuna share."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_categorical(self, name: str, choices: list[int], /) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RealParameter:
    """A continuous parameter."""

    low: float
    high: float
    log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeParameter:
    """A whole number: of an `Int` itself where its steps are 1, else the index of a value."""

    low: int
    high: int
    log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceParameter:
    """The index of an option without order."""

    count: int


Parameter = RealParameter | WholeParameter | ChoiceParameter


def parameter_of(dimension: Dimension) -> Parameter:
    """The parameter that stands for a dimension."""
    if isinstance(dimension, Choice):
        return ChoiceParameter(count=dimension.count)
    if isinstance(dimension, Float) and dimension.count is None:
        return RealParameter(low=float(dimension.low), high=float(dimension.high), log=dimension.log)
    if isinstance(dimension, Int) and dimension.step == 1:
        return WholeParameter(low=dimension.low, high=dimension.high, log=dimension.log)
    return WholeParameter(low=0, high=(dimension.count or 1) - 1, log=False)


def inner(dimension: Dimension, value: object) -> float | int:
    """The parameter's value for one of the dimension."""
    match parameter_of(dimension):
        case RealParameter():
            return float(value)  # type: ignore[arg-type]
        case WholeParameter() if isinstance(dimension, Int) and dimension.step == 1:
            return int(value)  # type: ignore[call-overload, no-any-return]
        case _:
            return round(dimension.to_unit(value) * (dimension.count or 1) - 0.5)


def outer(dimension: Dimension, value: object) -> object:
    """The dimension's value for one of the parameter."""
    match parameter_of(dimension):
        case RealParameter(low=low, high=high):
            return min(max(float(value), low), high)  # type: ignore[arg-type]
        case WholeParameter() if isinstance(dimension, Int) and dimension.step == 1:
            return int(value)  # type: ignore[call-overload]
        case _:
            return dimension.from_unit((int(value) + 0.5) / (dimension.count or 1))  # type: ignore[call-overload]


def suggest_point(encoding: Encoding, trial: Suggests) -> dict[str, object]:
    """A point, one suggestion after another: those that decide whether others count come first."""
    space, point = encoding.space, dict[str, object]()
    for index in encoding.order:
        name = space.columns[index]
        if encoding.axes[index].when and name not in space.active(point):
            continue
        dimension = space.dimensions[name]
        match parameter_of(dimension):
            case RealParameter(low=low, high=high, log=log):
                point[name] = outer(dimension, trial.suggest_float(name, low, high, log=log))
            case WholeParameter(low=first, high=last, log=log):
                point[name] = outer(dimension, trial.suggest_int(name, first, last, log=log))
            case ChoiceParameter(count=count):
                point[name] = outer(dimension, trial.suggest_categorical(name, list(range(count))))
    return space.trimmed(point)


def permitted_point(space: Space, propose: Callable[[int], Point], fallback: Callable[[], Point]) -> Point:
    """The first proposal (of attempt 0, 1, …) that is not forbidden; the fallback where none of twenty is."""
    for attempt in range(TRIES):
        point = propose(attempt)
        if space.allows(point):
            return point
    return fallback()
