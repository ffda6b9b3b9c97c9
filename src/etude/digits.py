"""Numbers as people read them: as many digits as their uncertainty allows. Nowhere else is a measured number cut.

The uncertainty is rounded to two significant digits and the value to the same place.

Source: JCGM 100:2008 (GUM), 7.2.6: an uncertainty is quoted with at most two significant digits, the estimate rounded
to be consistent with it; Particle Data Group, Review of Particle Physics, Introduction, "Rounding". The Group quotes
one digit where the leading ones are 355 to 949; here it is always two, so that no digit depends on a threshold.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from typing import NamedTuple

UNKNOWN = "–"
"""What stands where there is no number."""
OF_UNCERTAINTY = 2
"""Significant digits of an uncertainty."""
OF_VALUE = 4
"""Significant digits of a value of which no uncertainty is known."""
OF_P = 2
"""Significant digits of a p-value and of an effect size: more of them mean nothing."""
_MOST = 15
"""Significant digits that a float has for certain."""
_PLAIN = range(-4, 6)
"""Powers of ten of a leading digit that is written without an exponent."""
_EXACT = Context(prec=2 * _MOST)


class Number(NamedTuple):
    """A rounded number: digits, times a power of ten."""

    digits: str
    """`-2.46`, `0.710`, `nan`, `inf`, `-inf`."""
    power: int = 0

    def __str__(self) -> str:
        return f"{self.digits}e{self.power:+03d}" if self.power else self.digits


class Spread(NamedTuple):
    """A value with its uncertainty, both rounded to one place; with one power of ten where they share it."""

    value: Number
    uncertainty: Number | None
    """None where none is known."""

    def __str__(self) -> str:
        if self.uncertainty is None:
            return str(self.value)
        if self.value.power and self.value.power == self.uncertainty.power:
            return f"({self.value.digits} ± {self.uncertainty.digits})e{self.value.power:+03d}"
        return f"{self.value} ± {self.uncertainty}"


def number(value: float, uncertainty: float | None = None, *, digits: int = OF_VALUE) -> Number:
    """A value, rounded.

    Args:
        value: Any float; what is not finite keeps its name.
        uncertainty: How far it may be off, 0 or more; of one that is 0, not finite or unknown nothing is learnt.
        digits: Significant digits where the uncertainty says none.

    Returns:
        A value other than 0 is never rounded to 0: below its uncertainty it keeps one digit.
    """
    return spread(value, uncertainty, digits=digits).value


def spread(value: float, uncertainty: float | None, *, digits: int = OF_VALUE) -> Spread:
    """A value with its uncertainty, rounded as `number` says."""
    if uncertainty is None:
        return Spread(_rounded(value, digits), None)
    if not math.isfinite(value) or not math.isfinite(uncertainty) or not uncertainty:
        return Spread(_rounded(value, digits), _rounded(abs(uncertainty), OF_UNCERTAINTY))
    unsure = _significant(abs(uncertainty), OF_UNCERTAINTY)
    place = unsure.adjusted() - OF_UNCERTAINTY + 1
    if value and _power(value) - place >= _MOST:
        return Spread(_rounded(value, _MOST), _rounded(uncertainty, OF_UNCERTAINTY))
    known = Decimal(value).quantize(Decimal(1).scaleb(place), context=_EXACT)
    if value and not known:
        return Spread(_rounded(value, 1), _rounded(uncertainty, OF_UNCERTAINTY))
    power = _shown_power(max(known, unsure, key=lambda each: each.adjusted() if each else -math.inf))
    return Spread(_written(known, power), _written(unsure, power))


def number_text(value: float | None, uncertainty: float | None = None, *, digits: int = OF_VALUE) -> str:
    """A number as one text: `0.7037`, `13750`, `2.46e-07`; `–` for None."""
    return UNKNOWN if value is None else str(number(value, uncertainty, digits=digits))


def short_text(value: float, digits: int = OF_VALUE) -> str:
    """A single value, as it was chosen or came out, without the noughts at its end: `0.1`, `1e-05`."""
    found = number(value, digits=digits)
    bare = found.digits.rstrip("0").rstrip(".") if "." in found.digits else found.digits
    return str(Number(bare, found.power))


def spread_text(value: float | None, uncertainty: float | None) -> str:
    """A value with its uncertainty as one text: `0.809 ± 0.013`, `(2.46 ± 0.10)e-07`; `–` for None."""
    return UNKNOWN if value is None else str(spread(value, uncertainty))


def signed_text(value: float | None, uncertainty: float | None = None, *, digits: int = OF_VALUE) -> str:
    """A difference: its sign is told where it is above 0 as well."""
    shown = number_text(value, uncertainty, digits=digits)
    return f"+{shown}" if value is not None and value > 0 else shown


def between_text(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """An interval: `0.14 to 1.53`, its ends in the digits that its width allows; `–` where an end is not known."""
    if low is None or high is None:
        return UNKNOWN
    text = signed_text if signed else number_text
    half = half_width(low, high)
    return f"{text(low, half)} to {text(high, half)}"


def half_width(low: float | None, high: float | None) -> float | None:
    """Half the width of an interval, as an uncertainty; None where an end is not known."""
    if low is None or high is None:
        return None
    return abs(high / 2 - low / 2)


def _rounded(value: float, digits: int) -> Number:
    if not math.isfinite(value):
        return Number(str(float(value)))
    if not value:
        return Number("0")
    found = _significant(value, digits)
    if found.adjusted() >= digits and found.adjusted() in _PLAIN:
        found = _significant(value, found.adjusted() + 1)  # a whole part that is written at all is written in full
    return _written(found, _shown_power(found))


def _significant(value: float, digits: int) -> Decimal:
    return Decimal(f"{value:.{digits - 1}e}")


def _power(value: float) -> int:
    return Decimal(value).adjusted()


def _shown_power(leading: Decimal) -> int:
    """The power of ten to be written behind; 0 where a number reads well without."""
    return 0 if not leading or leading.adjusted() in _PLAIN else leading.adjusted()


def _written(found: Decimal, power: int) -> Number:
    if not found:
        found = abs(found)
    shown = f"{found.scaleb(-power, context=_EXACT):f}"
    return Number(shown, power)
