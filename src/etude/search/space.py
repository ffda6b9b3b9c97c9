"""The space of a search: dimensions, the conditions under which they count, and combinations that may not be."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from etude.errors import ConfigError, Fault, SearchError, nearest
from etude.graph.labels import text_of
from etude.identity.canonical import canonical
from etude.search.dimensions import Choice as Choice
from etude.search.dimensions import Dimension as Dimension
from etude.search.dimensions import Float as Float
from etude.search.dimensions import Int as Int
from etude.search.dimensions import Ordinal as Ordinal
from etude.search.dimensions import dimension_of, same

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Point = Mapping[str, object]
"""Dimension → value. A dimension whose condition is not met is absent."""

MOST_TRIES = 10_000
"""How many points are drawn before a space is taken to hold none that is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`dimension` counts only where `on` counts and has one of `values`."""

    dimension: str
    on: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """No point may match all of these. A tuple stands for any of its values."""

    values: Mapping[str, object]

    def matches(self, point: Point) -> bool:
        """Whether a point has all of these values."""
        return all(
            name in point and any(same(point[name], one) for one in (value if isinstance(value, tuple) else (value,)))
            for name, value in self.values.items()
        )


# positional: it keeps what it computes, so it has no slots; read as dimensions, conditions, forbidden
@dataclass(frozen=True)  # without slots: what is derived is kept
class Space:
    """Where a search looks. Conditions on one dimension must all be met."""

    dimensions: Mapping[str, Dimension]
    conditions: tuple[Condition, ...] = ()
    forbidden: tuple[Forbidden, ...] = field(default=())

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the coordinates of the unit cube, one for each dimension."""
        return tuple(self.dimensions)

    @cached_property
    def size(self) -> int | None:
        """How many combinations of values the dimensions have, conditions aside; None where one is continuous."""
        counts = [dimension.count for dimension in self.dimensions.values()]
        return None if None in counts else math.prod(count for count in counts if count is not None)

    # Points.

    def active(self, point: Point) -> frozenset[str]:
        """The dimensions that count, by the values in a point (which may hold more than it should)."""
        counted: set[str] = set()
        for name in self._order:
            conditions = self._conditions_of.get(name, ())
            if all(
                condition.on in counted and any(same(point.get(condition.on), value) for value in condition.values)
                for condition in conditions
            ):
                counted.add(name)
        return frozenset(counted)

    def contains(self, point: Point) -> bool:
        """Whether a point has exactly the dimensions that count, each with a value of its own, and is not forbidden."""
        return (
            set(point) == self.active(point)
            and all(self.dimensions[name].contains(value) for name, value in point.items())
            and self.allows(point)
        )

    def allows(self, point: Point) -> bool:
        """Whether no forbidden combination matches."""
        return not any(one.matches(point) for one in self.forbidden)

    def trimmed(self, point: Point) -> dict[str, object]:
        """The point without the dimensions that do not count, in the order of the space."""
        counted = self.active(point)
        return {name: point[name] for name in self.columns if name in counted and name in point}

    def read(self, given: Point) -> dict[str, object]:
        """A point as users write it, with values as the space holds them; what does not count is left out.

        Raises:
            ConfigError: With every dimension that is unknown, missing or has a value that it cannot take.
        """
        faults, values = [], dict[str, object]()
        for name, value in given.items():
            if name not in self.dimensions:
                faults.append(Fault(name, "the space has no such dimension", value, nearest(name, self.columns)))
                continue
            try:
                values[name] = self.dimensions[name].read(value)
            except ValueError as error:
                faults.append(Fault(name, str(error), value, "correct it, or widen the space"))
        point = self.trimmed(values)
        if not faults:
            missing = [name for name in self.columns if name in self.active(values) and name not in values]
            faults = [Fault(name, "the point has no value for it", mend=f"write {name}: …") for name in missing]
        if not faults and not self.allows(point):
            faults = [Fault("", "the combination is forbidden", dict(point), "change the point or `forbidden:`")]
        if faults:
            raise ConfigError(faults)
        return point

    def sample(self, rng: np.random.Generator) -> dict[str, object]:
        """A point drawn uniformly in the unit cube, redrawn while it is forbidden.

        Raises:
            SearchError: Ten thousand draws were all forbidden.
        """
        for _ in range(MOST_TRIES):
            point = self.from_unit(rng.random(len(self.columns)))
            if self.allows(point):
                return point
        raise SearchError(f"no allowed point among {MOST_TRIES} drawn: `forbidden:` leaves too little of the space")

    # The unit cube.

    def to_unit(self, point: Point) -> NDArray[np.float64]:
        """A point in the unit cube: float64 of shape (d,), NaN where a dimension does not count."""
        import numpy as np

        units = [
            dimension.to_unit(point[name]) if name in point else math.nan for name, dimension in self.dimensions.items()
        ]
        return np.array(units, dtype=np.float64)

    def from_unit(self, unit: NDArray[np.float64]) -> dict[str, object]:
        """The point at a place in the unit cube: snapped to values, without what does not count. NaN means the middle.

        It may be forbidden: ask `allows`.
        """
        values = {
            name: dimension.from_unit(0.5 if math.isnan(place) else place)
            for (name, dimension), place in zip(self.dimensions.items(), map(float, unit), strict=True)
        }
        return self.trimmed(values)

    def points(self) -> Iterator[dict[str, object]]:
        """Every allowed point of a space without continuous dimensions, each once.

        Raises:
            SearchError: A dimension is continuous.
        """
        lasting = [name for name, dimension in self.dimensions.items() if dimension.count is None]
        if lasting:
            raise SearchError(f"dimension {lasting[0]!r} is continuous: give it a `step` to have all of its points")
        axes = [
            [dimension.from_unit((index + 0.5) / (dimension.count or 1)) for index in range(dimension.count or 1)]
            if not (isinstance(dimension, Int) and dimension.log)
            else list(range(dimension.low, dimension.high + 1))
            for dimension in self.dimensions.values()
        ]
        seen: set[str] = set()
        for values in product(*axes):
            point = self.trimmed(dict(zip(self.columns, values, strict=True)))
            if self.conditions:
                text = canonical(point)
                if text in seen:
                    continue
                seen.add(text)
            if self.allows(point):
                yield point

    # What it is, and how it differs.

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that it says."""
        return hashlib.blake2b(canonical(self.as_json()).encode(), digest_size=16).hexdigest()

    def difference(self, other: Space) -> str:
        """How another, earlier space became this one, in words; empty where they are the same."""
        parts = []
        for name in [*self.columns, *(name for name in other.columns if name not in self.dimensions)]:
            ours, theirs = self.dimensions.get(name), other.dimensions.get(name)
            if ours is None:
                parts.append(f"{name}: gone (was {theirs})")
            elif theirs is None:
                parts.append(f"{name}: new ({ours})")
            elif canonical(ours.as_json()) != canonical(theirs.as_json()):
                parts.append(f"{name}: {ours} (was {theirs})")
            elif canonical(self._when(name)) != canonical(other._when(name)):
                parts.append(f"{name}: counts {_when_text(self._when(name))} (was {_when_text(other._when(name))})")
        if canonical(self._forbidden_json()) != canonical(other._forbidden_json()):
            parts.append(f"forbidden: {len(self.forbidden)} combinations, other than before ({len(other.forbidden)})")
        return "; ".join(parts)

    def as_json(self) -> dict[str, object]:
        """As a study file writes it."""
        fields: dict[str, object] = {
            name: {**dimension.as_json(), **({"when": when} if (when := self._when(name)) else {})}
            for name, dimension in self.dimensions.items()
        }
        return {"space": fields, "forbidden": self._forbidden_json()}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Space:
        """The space that `as_json` wrote."""
        dimensions = {name: dimension_of(one) for name, one in fields["space"].items()}
        conditions = tuple(
            Condition(dimension=name, on=on, values=tuple(values))
            for name, one in fields["space"].items()
            for on, values in one.get("when", {}).items()
        )
        forbidden = tuple(
            Forbidden(values={name: tuple(value) if isinstance(value, list) else value for name, value in one.items()})
            for one in fields.get("forbidden", ())
        )
        return Space(dimensions, conditions, forbidden)

    def check(self) -> list[Fault]:
        """Everything that is wrong with it, with paths inside the space."""
        from etude.search.space_faults import space_faults  # it reads spaces, and only faults need it

        return space_faults(self)

    def canonical_point(self, point: Point) -> str:
        """The written form of a point: equal points have equal texts."""
        return json.dumps({name: canonical(point[name]) for name in sorted(point)}, separators=(",", ":"))

    def _when(self, name: str) -> dict[str, list[object]]:
        return {condition.on: list(condition.values) for condition in self._conditions_of.get(name, ())}

    def _forbidden_json(self) -> list[object]:
        return [
            {name: list(value) if isinstance(value, tuple) else value for name, value in one.values.items()}
            for one in self.forbidden
        ]

    @cached_property
    def _conditions_of(self) -> dict[str, list[Condition]]:
        found: dict[str, list[Condition]] = {}
        for condition in self.conditions:
            found.setdefault(condition.dimension, []).append(condition)
        return found

    @cached_property
    def _order(self) -> tuple[str, ...]:
        """The dimensions, each after those that decide whether it counts; without those in a circle."""
        order: list[str] = []
        waiting = list(self.columns)
        while waiting:
            ready = [
                name
                for name in waiting
                if all(condition.on in order for condition in self._conditions_of.get(name, ()))
            ]
            if not ready:
                break
            order += ready
            waiting = [name for name in waiting if name not in ready]
        return tuple(order)


def _when_text(when: Mapping[str, list[object]]) -> str:
    if not when:
        return "always"
    return "when " + " and ".join(f"{on} is {' or '.join(map(text_of, values))}" for on, values in when.items())
