"""From raw counts to joules: wraps undone, resets and gaps named, nothing negative and nothing lost.

A counter's readings become a *curve*: joules that add up over time, known at moments and linear in between, with the
stretches for which nothing is known. What happened between two readings is never invented: it is either the counter's
own difference or it is unknown.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from etude.meter.sampling.log import Sample
from etude.meter.sources.meter import Traits

_HEADROOM = 1.25
"""How far above its stated limit a device may draw before a rise is called impossible."""
_STILL_PERIODS = 20
_STILL_LEAST_S = 2.0
"""A counter that must move and does not for this long has stopped."""
LATE_PERIODS = 1.5
_LATE_LEAST_S = 0.05
"""A counter that was seen to stand for this long is late: it may have missed what was used meanwhile."""
_PACE_TICKS = 8
"""From this many ticks on, the counter's own pace is known."""
_NEAR_TICKS = 5
_MADE_UP = 0.75
"""A late tick made up for its delay if it brought this part of what its neighbours' power makes of that time."""
_SHARP = 0.1
"""A tick is sharp when its moment is known to this part of the period."""
_REACH = 30
"""How many ticks away a sharp one still tells where another fell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch for which the energy is not known."""

    start_ns: int
    end_ns: int
    reason: str


@dataclass(slots=True, kw_only=True)
class EnergyCurve:
    """Cumulative joules at moments in time, and the gaps, over which they rise by what was counted all the same."""

    ns: list[int] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    slack_ns: list[int] = field(default_factory=list)
    """How far each moment may be off, either way."""
    still_ns: list[int] = field(default_factory=list)
    """For how long the counter was seen to stand before each moment."""
    missing_j: dict[int, float] = field(default_factory=dict)
    """Index of a moment after a stall → the joules since the one before that may have gone uncounted."""
    most_w: float | None = None
    """More than this the device cannot draw; None where that is not known."""
    gaps: list[Gap] = field(default_factory=list)
    seen_ns: int = 0
    """When the counter was last read with success; the last moment above is when it last moved."""
    failing: str = ""
    """Why the readings after that failed, where they did."""
    wraps: int = 0

    def gap_in(self, start_ns: int, end_ns: int) -> Gap | None:
        """The first gap that overlaps this stretch."""
        return next((gap for gap in self.gaps if gap.start_ns < end_ns and gap.end_ns > start_ns), None)

    def at(self, ns: int) -> float:
        """Joules at a moment within the curve, linear between the moments that are known."""
        after = bisect_right(self.ns, ns)
        if after == 0:
            return self.joules[0]
        if after == len(self.ns):
            return self.joules[-1]
        left, right = self.ns[after - 1], self.ns[after]
        share = (ns - left) / (right - left)
        return self.joules[after - 1] + share * (self.joules[after] - self.joules[after - 1])

    def power_w(self, index: int) -> float:
        """Mean power between a moment and the next."""
        return (self.joules[index + 1] - self.joules[index]) * 1e9 / (self.ns[index + 1] - self.ns[index])


def energy_curve(samples: Iterable[Sample], traits: Traits, *, period_s: float | None = None) -> EnergyCurve:
    """Undo wraps and find what is unknown.

    Args:
        samples: Readings in the order they were taken.
        traits: The counter's unit, modulus, period and greatest power.
        period_s: The period as it was observed, where that is known; else the traits'.

    Returns:
        For a counter that moves in ticks, a moment per tick; for another, a moment per reading. Each rise lies between
        0 and what the greatest power could have added; a rise that cannot be is a gap with its reason. A failed reading
        loses nothing where a later one succeeds, because the counter went on counting. A counter that stands and moves
        on may or may not have gone on counting meanwhile: a long stall is a gap, unless the rise after it makes up for
        it; a short one tells in `missing_j` how much was missed at most.
    """
    found = EnergyCurve(most_w=traits.max_power_w)
    builder = _Builder(
        traits=traits, period_ns=round((traits.period_s if period_s is None else period_s) * 1e9), curve=found
    )
    for sample in samples:
        builder.add(sample)
    found = _sharpened(builder.finished(), builder.period_ns)
    if period_s is not None:
        _snap(found, builder.period_ns)
    if builder.may_stop:
        _find_stalls(found, builder.period_ns)
    return found


@dataclass(slots=True, kw_only=True)
class _Builder:
    traits: Traits
    period_ns: int
    curve: EnergyCurve = field(default_factory=EnergyCurve)
    _last: Sample | None = None
    _moved_ns: int = 0
    """When the last reading that showed a new count was taken."""

    def add(self, sample: Sample) -> None:
        last = self._last
        self.curve.failing = sample.reason
        if sample.raw is None:
            return
        if last is None:
            self._append(sample.ns, 0.0, self.period_ns)
            self._keep(sample, moved=True)
        elif sample.ns < last.ns:
            back_s = (last.ns - sample.ns) / 1e9
            self._gap(sample.ns, last.ns, f"the clock went back by {back_s:.3f} s")
        elif sample.ns > last.ns or sample.raw != last.raw:
            self._advance(sample, last)

    def _advance(self, sample: Sample, last: Sample) -> None:
        assert last.raw is not None
        assert sample.raw is not None
        rise, fault = self._rise(last.raw, sample.raw, (sample.ns - last.ns) / 1e9, (sample.ns - self._moved_ns) / 1e9)
        if fault:
            self._gap(self.curve.ns[-1], sample.ns, fault)
            self._append(sample.ns, self.curve.joules[-1], self.period_ns)
        elif rise or not self.period_ns:
            # The counter moved somewhere between the last look that showed the old count and this one.
            slack = min(sample.ns - last.ns, self.period_ns) // 2
            joules = self.curve.joules[-1] + rise * self.traits.unit_j
            self._append(sample.ns - slack, joules, slack, still_ns=last.ns - self._moved_ns)
        self._keep(sample, moved=bool(fault or rise or not self.period_ns))

    def _rise(self, before: int, now: int, unread_s: float, unmoved_s: float) -> tuple[int, str]:
        """Counts gained, and why that cannot be told. A counter that stood may bring at once what it counted since."""
        traits = self.traits
        limit_w = None if traits.max_power_w is None else _HEADROOM * traits.max_power_w
        unread_j = None if limit_w is None else limit_w * (unread_s + traits.period_s)
        if traits.modulus is not None and unread_j is not None and unread_j >= traits.modulus * traits.unit_j:
            return 0, f"no reading for {unread_s:.0f} s: the counter may have wrapped more than once"
        most = None if limit_w is None else limit_w * (unmoved_s + traits.period_s)
        rise = now - before if traits.modulus is None else (now - before) % traits.modulus
        possible = most is None or (rise - 1) * traits.unit_j <= most
        if now < before and not (traits.modulus and possible):
            return 0, f"the counter went back from {before} to {now}: it was reset (driver reload, suspend)"
        if not possible:
            return 0, f"the counter rose by {rise * traits.unit_j:.0f} J in {unmoved_s:.3f} s: more than it can"
        self.curve.wraps += now < before
        return rise, ""

    def _append(self, ns: int, joules: float, slack_ns: int, still_ns: int = 0) -> None:
        self.curve.ns.append(ns if not self.curve.ns else max(ns, self.curve.ns[-1] + 1))
        self.curve.joules.append(joules)
        self.curve.slack_ns.append(slack_ns)
        self.curve.still_ns.append(still_ns)

    def _gap(self, start_ns: int, end_ns: int, reason: str) -> None:
        self.curve.gaps.append(Gap(start_ns=start_ns, end_ns=end_ns, reason=reason))

    def _keep(self, sample: Sample, *, moved: bool) -> None:
        self._last = sample
        self.curve.seen_ns = sample.ns
        if moved:
            self._moved_ns = sample.ns

    def finished(self) -> EnergyCurve:
        still_s = (self.curve.seen_ns - self._moved_ns) / 1e9
        if self.may_stop and still_s * 1e9 > _long_ns(self.period_ns):
            self._gap(self.curve.ns[-1], self.curve.seen_ns, f"the counter did not move for the last {still_s:.1f} s")
        return self.curve

    @property
    def may_stop(self) -> bool:
        """Whether standing still is a fault of this counter."""
        return bool(self.curve.ns and self.period_ns and not self.traits.may_rest)


def _long_ns(period_ns: int) -> float:
    return max(_STILL_PERIODS * period_ns, _STILL_LEAST_S * 1e9)


def _find_stalls(found: EnergyCurve, period_ns: int) -> None:
    """Note where the counter stood, and what that may hide.

    Some counters go on counting while they show nothing new, and others lose what was used meanwhile: the rise after it
    tells which only if it is large. At most the greatest power was drawn throughout: that of the device, or, where none
    is known, the greatest that was seen.
    """
    lengths = [after - before for before, after in pairwise(found.ns)]
    pace_ns = sorted(lengths)[len(lengths) // 4] if len(lengths) >= _PACE_TICKS else 0
    late_ns = max(LATE_PERIODS * max(period_ns, pace_ns), _LATE_LEAST_S * 1e9)
    late = [index for index, still_ns in enumerate(found.still_ns) if still_ns > late_ns]
    if not late:
        return
    usable = sorted(set(range(1, len(found.ns))) - set(late))
    usable = [index for index in usable if found.gap_in(found.ns[index - 1], found.ns[index]) is None]
    most_w = found.most_w or max(map(found.power_w, range(len(lengths))))
    for index in late:
        seconds, rise = lengths[index - 1] / 1e9, found.joules[index] - found.joules[index - 1]
        near_w = _power_near(found, usable, index)
        made_up = near_w is not None and rise >= _MADE_UP * near_w * seconds
        # Where looks are rarer than ticks, the counter may have stopped since the look before it was seen to stand.
        first = index - 1 if index > 1 and lengths[index - 2] > LATE_PERIODS * period_ns else index
        if found.still_ns[index] > _long_ns(period_ns) and not made_up:
            reason = f"the counter stood still for {seconds:.1f} s, and what it missed is not known"
            found.gaps.append(Gap(start_ns=found.ns[first - 1], end_ns=found.ns[index], reason=reason))
            continue
        for each in range(first, index + 1):
            rise = found.joules[each] - found.joules[each - 1]
            found.missing_j[each] = max(0.0, most_w * lengths[each - 1] / 1e9 - rise)


def _power_near(found: EnergyCurve, usable: Sequence[int], index: int) -> float | None:
    """The greater mean power of the few ticks before and after; None where there are none."""
    at = bisect_left(usable, index)
    means = []
    for side in (usable[max(0, at - _NEAR_TICKS) : at], usable[at : at + _NEAR_TICKS]):
        if side:
            joules = math.fsum(found.joules[each] - found.joules[each - 1] for each in side)
            means.append(joules * 1e9 / sum(found.ns[each] - found.ns[each - 1] for each in side))
    return max(means, default=None)


def _sharpened(blurred: EnergyCurve, period_ns: int) -> EnergyCurve:
    """Leave out moments that are known badly where a sharp one follows at once; place the first one by the second."""
    if len(blurred.ns) < 2 or not period_ns:
        return blurred
    edges = {ns for gap in blurred.gaps for ns in (gap.start_ns, gap.end_ns)}
    keep = [0]
    for index in range(1, len(blurred.ns)):
        follows = index + 1 < len(blurred.ns) and blurred.ns[index + 1] - blurred.ns[index] < 1.5 * period_ns
        dull = blurred.slack_ns[index] > _SHARP * period_ns
        if not (dull and follows and blurred.slack_ns[index + 1] <= _SHARP * period_ns) or blurred.ns[index] in edges:
            keep.append(index)
    sharp = EnergyCurve(
        ns=[blurred.ns[index] for index in keep],
        joules=[blurred.joules[index] for index in keep],
        slack_ns=[blurred.slack_ns[index] for index in keep],
        still_ns=[max(blurred.still_ns[last + 1 : index + 1]) for last, index in pairwise([-1, *keep])],
        most_w=blurred.most_w,
        gaps=blurred.gaps,
        seen_ns=blurred.seen_ns,
        failing=blurred.failing,
        wraps=blurred.wraps,
    )
    if sharp.ns[0] not in edges:
        _place_first(sharp, period_ns)
    return sharp


def _snap(found: EnergyCurve, period_ns: int) -> None:
    """Move ticks that were seen badly to where the sharp ticks nearby say that they fell."""
    sharp = [index for index, slack in enumerate(found.slack_ns) if slack <= _SHARP * period_ns]
    edges = {ns for gap in found.gaps for ns in (gap.start_ns, gap.end_ns)}
    for index, slack in enumerate(found.slack_ns):
        if slack <= _SHARP * period_ns or not sharp or found.ns[index] in edges:
            continue
        after = min(bisect_left(sharp, index), len(sharp) - 1)
        near = min(sharp[max(0, after - 1)], sharp[after], key=lambda other: abs(other - index))
        looked_ns = found.ns[index] + slack
        ticks = (looked_ns - found.ns[near]) // period_ns
        moved_ns = found.ns[near] + ticks * period_ns
        before_ns = found.ns[index - 1] if index else moved_ns - 1
        after_ns = found.ns[index + 1] if index + 1 < len(found.ns) else moved_ns + 1
        if abs(ticks) <= _REACH and before_ns < moved_ns < after_ns:
            found.ns[index], found.slack_ns[index] = moved_ns, found.slack_ns[near]


def _place_first(sharp: EnergyCurve, period_ns: int) -> None:
    """The first reading's count dates from the tick before it: a period before the second, if that came at once."""
    read_ns = sharp.ns[0]
    if sharp.ns[1] - read_ns <= period_ns and sharp.slack_ns[1] <= _SHARP * period_ns:
        sharp.ns[0], sharp.slack_ns[0] = sharp.ns[1] - period_ns, sharp.slack_ns[1]
    else:
        sharp.ns[0], sharp.slack_ns[0] = read_ns - period_ns // 2, period_ns // 2
