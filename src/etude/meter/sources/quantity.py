"""A physical number that says how far it can be trusted: value, unit, how it was got, and an interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from etude.errors import MeterError


class Quality(StrEnum):
    """How a number was got, from best to worst. A sum has the worst quality of its parts."""

    MEASURED = "measured"
    """Read from a counter that adds up energy by itself."""
    INTEGRATED = "integrated"
    """Power readings, added up by us."""
    SHARED = "shared"
    """Measured for a device that others used at the same time; our part is a share or an upper end."""
    CALIBRATED = "calibrated"
    """A model whose constants were fitted on this machine."""
    ESTIMATED = "estimated"
    """A model whose constants come from data sheets or from nowhere better."""
    ABSENT = "absent"
    """Not known."""

    @property
    def rank(self) -> int:
        """0 for the best."""
        return _RANK[self]


_RANK = {quality: rank for rank, quality in enumerate(Quality)}


def worst(qualities: Iterable[Quality]) -> Quality:
    """The worst of these qualities; `measured` for none."""
    return max(qualities, key=lambda quality: quality.rank, default=Quality.MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit, method, quality and interval. A value of None is not known; 0.0 is a measured zero."""

    value: float | None
    unit: str
    quality: Quality
    method: str
    lo: float | None = None
    """Lower end of the interval; None where there is none. Known even without a value where a part was measured."""
    hi: float | None = None
    reason: str = ""
    """Why the value is None."""

    @staticmethod
    def absent(unit: str, reason: str, *, method: str = "", lo: float | None = None) -> Quantity:
        """What is not known, and why."""
        return Quantity(value=None, unit=unit, quality=Quality.ABSENT, method=method, lo=lo, reason=reason)

    def scaled(self, factor: float, *, unit: str | None = None) -> Quantity:
        """The same times a factor of 0 or more, with its interval."""
        return replace(
            self,
            value=_times(self.value, factor),
            lo=_times(self.lo, factor),
            hi=_times(self.hi, factor),
            unit=unit or self.unit,
        )

    def as_json(self) -> dict[str, object]:
        """Plain values for a manifest: the value stands under its unit's name."""
        told: dict[str, object] = {self.unit: self.value, "quality": str(self.quality), "method": self.method}
        told |= {"lo": self.lo, "hi": self.hi}
        return told | ({"reason": self.reason} if self.reason else {})

    @staticmethod
    def from_json(told: Mapping[str, object], unit: str) -> Quantity:
        """What `as_json` told. MeterError for anything else."""
        try:
            value = _number(told[unit])
            return Quantity(
                value=value,
                unit=unit,
                quality=Quality.ABSENT if value is None else Quality(str(told["quality"])),
                method=str(told["method"]),
                lo=_number(told.get("lo")),
                hi=_number(told.get("hi")),
                reason=str(told.get("reason", "")),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise MeterError(f"no quantity in {unit}: {dict(told)!r} ({type(error).__name__}: {error})") from error


def total(parts: Mapping[str, Quantity], unit: str) -> Quantity:
    """The sum of named parts. It is None, and names the part, where one is not known.

    The interval adds the parts' ends, as if all erred the same way: the widest that can be.
    """
    if len(parts) == 1 and (only := next(iter(parts.values()))).value is not None:
        return only
    missing = {name: part for name, part in parts.items() if part.value is None}
    method = " + ".join(dict.fromkeys(part.method for part in parts.values() if part.method))
    low = _sum(0.0 if part.lo is None else part.lo for part in parts.values())
    if missing or not parts:
        told = "; ".join(f"{name}: {part.reason}" for name, part in missing.items()) or "nothing to add"
        return Quantity.absent(unit, told, method=method, lo=low if parts else None)
    return Quantity(
        value=_sum(part.value for part in parts.values()),
        unit=unit,
        quality=worst(part.quality for part in parts.values()),
        method=method,
        lo=None if any(part.lo is None for part in parts.values()) else low,
        hi=_sum(part.hi for part in parts.values()),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    if any(value is None for value in known):
        return None
    return math.fsum(value for value in known if value is not None)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"expected a number, got {value!r}")
