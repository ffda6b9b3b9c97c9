"""The energy of one stretch of time from a curve: the ends are cut where they fall between two ticks.

A counter that moves every 100 ms says nothing of when, within a tick, the energy went. At the ends of a stretch the
part of the tick that lies outside is taken off with the power seen just outside (a whole tick before the start, a whole
tick after the end), which is exact for a steady idle; the rest of the tick belongs to the stretch.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from etude.meter.sampling.curve import LATE_PERIODS, EnergyCurve

_NEAR_NS = 2_000_000_000
"""A tick outside tells of the power at an end if it is not further away than this."""
_DOUBT = 0.5
"""How far the energy taken off at an end may be wrong: this part of it, either way."""
_TAIL_PERIODS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Energy over a stretch of time, in intervals that tile it."""

    ns: tuple[int, ...]
    """The ends of the intervals, n + 1 of them; the first and the last are the ends of the stretch."""
    joules: tuple[float, ...]
    """Energy of each interval, n of them; empty where nothing is known."""
    lo: float
    """Joules that the counter saw at least."""
    hi: float
    reason: str = ""
    """Why the energy is not known; then `joules` is empty and `lo` is what was measured all the same."""
    guessed_s: float = 0.0
    """Seconds at the end, after the last tick, for which the energy is a guess from the power before."""
    missing_j: float = 0.0
    """Joules that the counter may have missed while it stood still; `hi` has them."""

    @property
    def total(self) -> float | None:
        """Joules of the whole stretch; None where not known."""
        return None if self.reason else math.fsum(self.joules)


def stretch(
    curve: EnergyCurve, start_ns: int, end_ns: int, *, period_s: float = 0.0, idle_w: float | None = None
) -> Stretch:
    """Cut a stretch out of a curve.

    Args:
        curve: The counter's joules over time.
        start_ns: First moment of the stretch.
        end_ns: Last moment, after the first.
        period_s: How often the counter moves; 0 where it is continuous.
        idle_w: Power outside the stretch where the curve itself does not tell.
    """
    if end_ns <= start_ns:
        return Stretch(ns=(start_ns, end_ns), joules=(0.0,), lo=0.0, hi=0.0)
    reason = _unknown(curve, start_ns, end_ns, period_s)
    if reason:
        return Stretch(
            ns=(start_ns, end_ns), joules=(), lo=_seen_at_least(curve, start_ns, end_ns), hi=math.inf, reason=reason
        )
    first = bisect_right(curve.ns, start_ns) - 1
    last = bisect_left(curve.ns, end_ns)
    inside = [ns for ns in curve.ns[first + 1 : last] if start_ns < ns < end_ns]
    ns = (start_ns, *inside, end_ns)
    whole = [curve.joules[index + 1] - curve.joules[index] for index in range(first, first + len(ns) - 2)]
    tail_s = 0.0
    if last == len(curve.ns):
        tail_s = (end_ns - curve.ns[-1]) / 1e9
        whole.append(_recent_power_w(curve, start_ns, idle_w) * tail_s)
    else:
        whole.append(curve.joules[last] - curve.joules[last - 1])
    return _trimmed(curve, ns, whole, first, last, tail_s, period_s, idle_w)


def _trimmed(
    curve: EnergyCurve,
    ns: tuple[int, ...],
    joules: list[float],
    first: int,
    last: int,
    tail_s: float,
    period_s: float,
    idle_w: float | None,
) -> Stretch:
    start_ns, end_ns = ns[0], ns[-1]
    ticks = tuple(joules)
    missing = math.fsum(more for index, more in curve.missing_j.items() if first < index <= last)
    before_w = _power_before(curve, first, idle_w)
    after_w = _power_after(curve, last, idle_w if before_w is None else before_w)
    lead, doubt = _outside(curve, first, start_ns - curve.ns[first], before_w, ticks[0])
    joules[0] -= lead
    if tail_s:
        seen_w = max(curve.power_w(index) for index in range(first, len(curve.ns) - 1))
        doubt += tail_s * seen_w
        if tail_s > LATE_PERIODS * period_s and curve.most_w is not None:
            missing += tail_s * max(0.0, curve.most_w - seen_w)
    elif curve.ns[last] > end_ns:
        lag, lag_doubt = _outside(curve, last - 1, curve.ns[last] - end_ns, after_w, ticks[-1])
        joules[-1] = max(0.0, joules[-1] - lag)
        doubt += lag_doubt
    seen = math.fsum(joules)
    # Of a stall that an end cuts, all may have been used on the other side of it.
    cut = joules[0] if first + 1 in curve.missing_j and start_ns > curve.ns[first] else 0.0
    if len(joules) > 1 and last in curve.missing_j and end_ns < curve.ns[last]:
        cut += joules[-1]
    lo, hi = max(0.0, seen - doubt - cut), seen + doubt + missing
    return Stretch(ns=ns, joules=tuple(joules), lo=lo, hi=hi, guessed_s=tail_s, missing_j=missing)


def _unknown(curve: EnergyCurve, start_ns: int, end_ns: int, period_s: float) -> str:
    """Why the energy of this stretch is not known; empty where it is."""
    if not curve.ns:
        return curve.failing or "the meter was never read"
    gap = curve.gap_in(start_ns, end_ns)
    if gap is not None:
        return gap.reason
    period_ns = round(period_s * 1e9)
    if curve.ns[0] > start_ns:
        return "the meter was first read after the start"
    if curve.ns[-1] >= end_ns:
        inside = bisect_left(curve.ns, end_ns) - bisect_right(curve.ns, start_ns)
        blind = inside == 0 and end_ns - start_ns < period_ns
        return f"shorter than the counter's period of {period_s:g} s" if blind else ""
    if curve.failing:
        return curve.failing
    if len(curve.ns) < 2 or end_ns - curve.ns[-1] > max(_TAIL_PERIODS * period_ns, 1_000_000):
        return f"the counter did not move before the end (its period is {period_s:g} s)"
    return ""


def _seen_at_least(curve: EnergyCurve, start_ns: int, end_ns: int) -> float:
    inside = [index for index, ns in enumerate(curve.ns) if start_ns <= ns <= end_ns]
    return curve.joules[inside[-1]] - curve.joules[inside[0]] if len(inside) > 1 else 0.0


def _outside(
    curve: EnergyCurve, index: int, outside_ns: int, power_w: float | None, joules: float
) -> tuple[float, float]:
    """Energy of the part of a tick outside the stretch, and how far that may be wrong."""
    if outside_ns <= 0:
        return 0.0, 0.0
    slack_s = (curve.slack_ns[index] + curve.slack_ns[index + 1]) / 1e9
    if power_w is None:
        share = min(1.0, outside_ns / (curve.ns[index + 1] - curve.ns[index]))
        return joules * share, joules * max(share, 1 - share)
    taken = min(power_w * outside_ns / 1e9, joules)
    return taken, _DOUBT * taken + slack_s * max(power_w, curve.power_w(index))


def _power_before(curve: EnergyCurve, first: int, idle_w: float | None) -> float | None:
    """Power in the whole tick before the one that holds the start."""
    return curve.power_w(first - 1) if first >= 1 and _telling(curve, first - 1) else idle_w


def _power_after(curve: EnergyCurve, last: int, otherwise: float | None) -> float | None:
    """Power in the whole tick after the one that holds the end."""
    return curve.power_w(last) if last + 1 < len(curve.ns) and _telling(curve, last) else otherwise


def _telling(curve: EnergyCurve, index: int) -> bool:
    start_ns, end_ns = curve.ns[index], curve.ns[index + 1]
    return end_ns - start_ns <= _NEAR_NS and curve.gap_in(start_ns, end_ns) is None


def _recent_power_w(curve: EnergyCurve, start_ns: int, idle_w: float | None) -> float:
    """Mean power over the last second of ticks, no earlier than the start where that can be."""
    last = len(curve.ns) - 1
    since = max(start_ns, curve.ns[last] - 1_000_000_000)
    first = min(bisect_left(curve.ns, since), last - 1)
    if curve.ns[last] == curve.ns[first]:
        return idle_w or 0.0
    return (curve.joules[last] - curve.joules[first]) * 1e9 / (curve.ns[last] - curve.ns[first])
