"""From raw counts to joules: wraps undone, resets and gaps named, nothing negative and nothing lost.

A counter's readings become a *curve*: joules that add up over time, known at moments and linear in between, with the
stretches for which nothing is known. What happened between two readings is never invented: it is either the counter's
own difference or it is unknown.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from etude.meter.log import Sample
from etude.meter.meter import Traits

_HEADROOM = 1.25
"""How far above its stated limit a device may draw before a rise is called impossible."""
_STILL_PERIODS = 20
_STILL_LEAST_S = 2.0
"""A counter that must move and does not for this long has stopped."""
_SHARP = 0.1
"""A tick is sharp when its moment is known to this part of the period."""
_REACH = 30
"""How many ticks away a sharp one still tells where another fell."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch for which the energy is not known."""

    start_ns: int
    end_ns: int
    reason: str


@dataclass(slots=True)
class Curve:
    """Cumulative joules at moments in time, and the gaps. Both ends of a gap carry the same joules."""

    ns: list[int] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    slack_ns: list[int] = field(default_factory=list)
    """How far each moment may be off, either way."""
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


def curve(samples: Iterable[Sample], traits: Traits, *, period_s: float | None = None) -> Curve:
    """Undo wraps and find what is unknown.

    Args:
        samples: Readings in the order they were taken.
        traits: The counter's unit, modulus, period and greatest power.
        period_s: The period as it was observed, where that is known; else the traits'.

    Returns:
        For a counter that moves in ticks, a moment per tick; for another, a moment per reading. Each rise lies between
        0 and what the greatest power could have added; a rise that cannot be is a gap with its reason. A failed reading
        loses nothing where a later one succeeds, because the counter went on counting.
    """
    builder = _Builder(traits, round((traits.period_s if period_s is None else period_s) * 1e9))
    for sample in samples:
        builder.add(sample)
    found = _sharpened(builder.finished(), builder.period_ns)
    if period_s is not None:
        _snap(found, builder.period_ns)
    return found


@dataclass(slots=True)
class _Builder:
    traits: Traits
    period_ns: int
    curve: Curve = field(default_factory=Curve)
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
        rise, fault = self._rise(last.raw, sample.raw, (sample.ns - last.ns) / 1e9)
        if fault:
            self._gap(self.curve.ns[-1], sample.ns, fault)
            self._append(sample.ns, self.curve.joules[-1], self.period_ns)
        elif rise or not self.period_ns:
            # The counter moved somewhere between the last look that showed the old count and this one.
            slack = min(sample.ns - last.ns, self.period_ns) // 2
            self._append(sample.ns - slack, self.curve.joules[-1] + rise * self.traits.unit_j, slack)
        self._keep(sample, moved=bool(fault or rise or not self.period_ns))

    def _rise(self, before: int, now: int, seconds: float) -> tuple[int, str]:
        """Counts gained, and why that cannot be told."""
        traits = self.traits
        most = None if traits.max_power_w is None else _HEADROOM * traits.max_power_w * (seconds + traits.period_s)
        if traits.modulus is not None and most is not None and most >= traits.modulus * traits.unit_j:
            return 0, f"no reading for {seconds:.0f} s: the counter may have wrapped more than once"
        rise = now - before if traits.modulus is None else (now - before) % traits.modulus
        possible = most is None or (rise - 1) * traits.unit_j <= most
        if now < before and not (traits.modulus and possible):
            return 0, f"the counter went back from {before} to {now}: it was reset (driver reload, suspend)"
        if not possible:
            return 0, f"the counter rose by {rise * traits.unit_j:.0f} J in {seconds:.3f} s: more than it can"
        self.curve.wraps += now < before
        return rise, ""

    def _append(self, ns: int, joules: float, slack_ns: int) -> None:
        self.curve.ns.append(ns if not self.curve.ns else max(ns, self.curve.ns[-1] + 1))
        self.curve.joules.append(joules)
        self.curve.slack_ns.append(slack_ns)

    def _gap(self, start_ns: int, end_ns: int, reason: str) -> None:
        self.curve.gaps.append(Gap(start_ns, end_ns, reason))

    def _keep(self, sample: Sample, *, moved: bool) -> None:
        self._last = sample
        self.curve.seen_ns = sample.ns
        if moved:
            self._moved_ns = sample.ns

    def finished(self) -> Curve:
        still_s = (self.curve.seen_ns - self._moved_ns) / 1e9
        if self._may_stop() and still_s > max(_STILL_PERIODS * self.traits.period_s, _STILL_LEAST_S):
            self._gap(self.curve.ns[-1], self.curve.seen_ns, f"the counter did not move for the last {still_s:.1f} s")
        return self.curve

    def _may_stop(self) -> bool:
        return bool(self.curve.ns and self.period_ns and not self.traits.may_rest)


def _sharpened(blurred: Curve, period_ns: int) -> Curve:
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
    sharp = Curve(
        ns=[blurred.ns[index] for index in keep],
        joules=[blurred.joules[index] for index in keep],
        slack_ns=[blurred.slack_ns[index] for index in keep],
        gaps=blurred.gaps,
        seen_ns=blurred.seen_ns,
        failing=blurred.failing,
        wraps=blurred.wraps,
    )
    if sharp.ns[0] not in edges:
        _place_first(sharp, period_ns)
    return sharp


def _snap(found: Curve, period_ns: int) -> None:
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


def _place_first(sharp: Curve, period_ns: int) -> None:
    """The first reading's count dates from the tick before it: a period before the second, if that came at once."""
    read_ns = sharp.ns[0]
    if sharp.ns[1] - read_ns <= period_ns and sharp.slack_ns[1] <= _SHARP * period_ns:
        sharp.ns[0], sharp.slack_ns[0] = sharp.ns[1] - period_ns, sharp.slack_ns[1]
    else:
        sharp.ns[0], sharp.slack_ns[0] = read_ns - period_ns // 2, period_ns // 2
