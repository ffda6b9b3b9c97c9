"""How far physical numbers can be trusted: their quality, their method, and the error that all replicates share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from etude.analysis.grouping import Row
from etude.analysis.spread import mean_of
from etude.analysis.summary import Group, GroupEstimate, Interval
from etude.meter.sources.quantity import Quality, worst


class Trusted(NamedTuple):
    """One physical value with all that is known of it."""

    value: float
    low: float | None
    """Lower end of what it may be by the error of its method; None where that is not known."""
    high: float | None
    quality: str
    """Empty where it is not told."""
    method: str


def trusted_values(rows: Sequence[Row], number: str, parts: Mapping[str, str]) -> list[Trusted]:
    """The finite values of a physical number.

    Args:
        rows: The records.
        number: Its column.
        parts: `quality`, `method`, `low`, `high` → column.
    """
    trusted = []
    for row in rows:
        value = _finite(row.get(number))
        if value is not None:
            low, high = (_finite(row.get(parts[end])) for end in ("low", "high"))
            trusted.append(
                Trusted(value, low, high, *(str(row.get(parts[part]) or "") for part in ("quality", "method")))
            )
    return trusted


def sum_of(parts: Sequence[Trusted]) -> Trusted:
    """The sum of at least one value; its ends add up as if all erred the same way, its quality is the worst."""
    return Trusted(
        math.fsum(part.value for part in parts),
        _total([part.low for part in parts]),
        _total([part.high for part in parts]),
        _worst(parts),
        _methods(parts),
    )


def with_trust(group: Group, rows: Sequence[Row], trust: Mapping[str, Mapping[str, str]]) -> Group:
    """A group whose estimates of physical numbers say how far they can be trusted.

    Args:
        group: The group.
        rows: Its records.
        trust: Physical number → the columns that say so.
    """
    known = {number: parts for number, parts in trust.items() if number in group.estimates}
    estimates = {
        number: with_shared_error(group.estimates[number], trusted_values(rows, number, parts))
        for number, parts in known.items()
    }
    return replace(group, estimates={**group.estimates, **estimates})


def with_shared_error(one: GroupEstimate, values: Sequence[Trusted]) -> GroupEstimate:
    """An estimate with the quality, the method and the whole interval of its mean.

    The error of a method is the same in all values (a power model that is off by a third is off by a third every time),
    so it does not average out over replicates: it reaches as far from the mean as the ends of the values lie from the
    values in the mean, which is a coefficient of correlation of 1. What the values spread (the half width of Student's
    t) is independent of it; on each side the two are added in quadrature. What cannot be below 0 in any value is not
    below 0 in the mean. Of one value the spread is not known, and the interval is its own.

    Args:
        one: The estimate of the values.
        values: The values behind it; none for a number that no meter read.

    Source: JCGM 100:2008 (GUM), 5.1.2 (independent contributions in quadrature) and 5.2.2, note 1 (with coefficients of
    correlation of 1, contributions add up linearly); Barlow, Asymmetric Systematic Errors, 2003 (each side for itself).
    """
    if one.mean is None or not values:
        return one
    return replace(one, quality=_worst(values), method=_methods(values), interval=_interval(one, values))


def _interval(one: GroupEstimate, values: Sequence[Trusted]) -> Interval | None:
    lows = [one.value - one.low for one in values if one.low is not None]
    highs = [one.high - one.value for one in values if one.high is not None]
    if one.mean is None or min(len(lows), len(highs)) < len(values):
        return None
    half = one.t_interval.high - one.mean if one.t_interval is not None else 0.0
    low = one.mean - math.hypot(mean_of(lows), half)
    positive = all(one.low is not None and one.low >= 0 for one in values)
    return Interval(max(0.0, low) if positive else low, one.mean + math.hypot(mean_of(highs), half))


def _worst(values: Sequence[Trusted]) -> str:
    known = [Quality(one.quality) for one in values if one.quality in set(Quality)]
    return str(worst(known)) if known else ""


def _methods(values: Sequence[Trusted]) -> str:
    return " / ".join(dict.fromkeys(one.method for one in values if one.method))


def _total(ends: Sequence[float | None]) -> float | None:
    known = [end for end in ends if end is not None]
    return math.fsum(known) if len(known) == len(ends) else None


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
