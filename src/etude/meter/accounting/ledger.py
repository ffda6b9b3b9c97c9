"""The account of windows: what a run cost by each meter, and how that is divided over its windows without remainder.

Energy is first known for the run, as the counter's own difference. It is then divided over the pieces between marks,
and each piece goes to the window that was innermost at the time. So the windows and what lies between them add up to
the run; by how much they fail to, `closure_error` says for every meter, and it is checked, not assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from etude.meter.sampling.boundaries import Stretch, stretch
from etude.meter.sampling.curve import EnergyCurve, energy_curve
from etude.meter.sampling.log import Sample
from etude.meter.sampling.recording import MeterReadings, Recording
from etude.meter.sampling.windows import RUN, Segment, Windows, segments
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality, Quantity

if TYPE_CHECKING:
    from etude.meter.accounting.phases import Split

_FOREIGN_NS = 40_000_000
"""What the kernel tells of the machine's CPU time is rounded to 10 ms in each of four fields."""
_OURS = 0.95
"""A machine's counter is as good as ours alone if this part of the CPU time was ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one meter says of one run and its windows, in joules."""

    traits: Traits
    run: Quantity
    """Our part of it."""
    gross: Quantity
    """All that the device used."""
    share: float
    """Our part of the CPU time, for a meter that sees the whole machine; else 1."""
    windows: tuple[float, ...]
    """Each window with what is in it; NaN where not known."""
    between: float
    """What was spent in the run outside all windows; NaN where not known."""
    paths: Mapping[str, Quantity]
    """The windows of each path (`batch/prefill`) together."""
    closure_error: float | None
    """|run - (windows + between)| / run; None where the run is not known."""
    foreign: int | None = None
    """Processes of others that were seen on the device; None where they were not looked for, or could not be told."""
    beside: bool = False
    """Told for comparison, and never counted."""
    guessed_s: float = 0.0
    """Seconds at the end, after the last tick, whose energy is a guess from the power before."""

    def window(self, index: int) -> Quantity:
        """One window, by its index."""
        value = self.windows[index] if self.windows else math.nan
        if math.isnan(value):
            reason = self.run.reason or "its phases cannot be told apart at this counter's period"
            return Quantity.absent("joules", reason, method=self.run.method)
        return replace(self.run, value=value, lo=None, hi=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All accounts of one run."""

    recording: Recording
    accounts: tuple[Account, ...]

    @property
    def closure_error(self) -> float | None:
        """The largest of the accounts'; None where no run is known."""
        errors = [account.closure_error for account in self.accounts if account.closure_error is not None]
        return max(errors, default=None)

    def of(self, component: str) -> Account | None:
        """The first account of a component: the one that counts."""
        return next((each for each in self.accounts if each.traits.component == component and not each.beside), None)


def resolve(recording: Recording, *, idle_w: Mapping[str, float] | None = None) -> Ledger:
    """Work out what a recording cost.

    Args:
        recording: Marks and readings.
        idle_w: Component → power outside the run, for counters with slow ticks whose log does not tell it.
    """
    cut = segments(recording.windows, recording.start_ns, recording.end_ns)
    layout = _layout(recording.windows, cut)
    outside = idle_w or {}
    return Ledger(
        recording=recording,
        accounts=tuple(
            _account(recording, meter, layout, outside.get(meter.traits.component)) for meter in recording.meters
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The pieces of a run, and which path and phase each belongs to."""

    windows: Windows
    cut: list[Segment]
    paths: list[str]
    path_of: list[int]
    phase_of: list[int]
    """Phase of each piece: the paths of the windows that are innermost then."""
    phases_under: list[list[int]]
    """Phases of each path and of what is below it."""


def _layout(windows: Windows, cut: list[Segment]) -> _Layout:
    paths, path_of = windows.paths()
    known: dict[tuple[str, ...], int] = {}
    phase_of = []
    for piece in cut:
        key = tuple(sorted({"" if owner == RUN else paths[path_of[owner]] for owner in piece.owners}))
        phase_of.append(known.setdefault(key, len(known)))
    under = [
        [phase for key, phase in known.items() if any(path == name or path.startswith(name + "/") for path in key)]
        for name in paths
    ]
    return _Layout(windows=windows, cut=cut, paths=paths, path_of=path_of, phase_of=phase_of, phases_under=under)


def _account(recording: Recording, meter: MeterReadings, layout: _Layout, idle_w: float | None) -> Account:
    traits = meter.traits
    period_s = traits.period_s if meter.period_s is None else meter.period_s
    found = energy_curve(_samples(recording, meter), traits, period_s=meter.period_s)
    cutout = stretch(found, recording.start_ns, recording.end_ns, period_s=period_s, idle_w=idle_w)
    gross = _gross(cutout, meter)
    share, run = _our_part(gross, recording, traits)
    others = None if meter.foreign is None else len(meter.foreign)
    if cutout.reason or gross.value is None:
        unknown = dict.fromkeys(layout.paths, Quantity.absent("joules", gross.reason, method=gross.method))
        nothing = (math.nan,) * len(layout.windows)
        return Account(
            traits=traits,
            run=run,
            gross=gross,
            share=share,
            windows=nothing,
            between=math.nan,
            paths=unknown,
            closure_error=None,
            foreign=others,
            beside=meter.beside,
        )
    joules, split = _divided(cutout, found, layout, continuous=not traits.period_s)
    windows, between = _gathered(layout, [value * share for value in joules])
    paths, blurred = _by_path(layout, windows, split, run, share, cutout.missing_j * traits.factor[1])
    assert run.value is not None
    closed = _closure_error(run.value, layout.windows, windows, between)
    told = tuple(math.nan if layout.path_of[index] in blurred else value for index, value in enumerate(windows))
    return Account(
        traits=traits,
        run=run,
        gross=gross,
        share=share,
        windows=told,
        between=between,
        paths=paths,
        closure_error=closed,
        foreign=others,
        beside=meter.beside,
        guessed_s=cutout.guessed_s,
    )


def _samples(recording: Recording, meter: MeterReadings) -> list[Sample]:
    """The readings; for CPU time, the marks themselves are readings."""
    if not meter.traits.at_marks:
        return list(meter.log.samples())
    found = [Sample(ns=recording.start_ns, raw=recording.start_cpu_ns)]
    found += [Sample(ns=ns, raw=cpu_ns) for ns, cpu_ns in recording.windows.marks() if ns < recording.end_ns]
    return [*found, Sample(ns=recording.end_ns, raw=recording.end_cpu_ns)]


def _gross(cutout: Stretch, meter: MeterReadings) -> Quantity:
    """The device's energy over the run, with the method's own interval."""
    traits = meter.traits
    low, high = traits.factor
    if cutout.reason:
        return Quantity.absent("joules", cutout.reason, method=traits.method, lo=cutout.lo * low)
    quality = Quality.SHARED if meter.foreign else traits.quality
    method = traits.method
    if cutout.guessed_s:
        method += f", last {cutout.guessed_s * 1e3:.0f} ms from the power before"
    if cutout.missing_j:
        method += f", up to {cutout.missing_j:.3g} J more while it stood still"
    lo = 0.0 if meter.foreign else cutout.lo * low
    return Quantity(value=cutout.total, unit="joules", quality=quality, method=method, lo=lo, hi=cutout.hi * high)


def _our_part(gross: Quantity, recording: Recording, traits: Traits) -> tuple[float, Quantity]:
    """Our share of a counter that sees the whole machine, by CPU time.

    What idling costs is divided like the rest. The interval says how much that may matter: at least what our busy
    core-seconds are of all core-seconds, at most all but that of the others'.
    """
    if traits.scope != "machine" or gross.value is None:
        return 1.0, gross
    ours_ns = recording.end_cpu_ns - recording.start_cpu_ns
    if recording.busy_ns is None:
        told = replace(gross, quality=Quality.SHARED, method=f"{gross.method}, whole machine", lo=0.0)
        return 1.0, told
    others_ns = max(0, recording.busy_ns - ours_ns)
    all_ns = max(1, recording.cores * (recording.end_ns - recording.start_ns))
    if others_ns <= _FOREIGN_NS:
        return 1.0, gross
    share = ours_ns / (ours_ns + others_ns)
    least = min(share, ours_ns / all_ns)
    most = max(share, 1 - (others_ns - _FOREIGN_NS) / all_ns)
    quality = gross.quality if share >= _OURS else Quality.SHARED
    return share, replace(
        gross,
        value=gross.value * share,
        quality=quality,
        method=f"{gross.method}, our {share:.0%} of the machine's CPU time",
        lo=None if gross.lo is None else gross.lo * least,
        hi=None if gross.hi is None else gross.hi * most,
    )


def _divided(
    cutout: Stretch, found: EnergyCurve, layout: _Layout, *, continuous: bool
) -> tuple[list[float], Split | None]:
    """Energy of each piece of the run."""
    cut = layout.cut
    if len(cut) == 1:
        return [math.fsum(cutout.joules)], None
    ends = [cut[0].start_ns, *(piece.end_ns for piece in cut)]
    if continuous:
        at = [found.at(ns) for ns in ends]
        return [after - before for before, after in pairwise(at)], None
    from etude.meter.accounting.phases import split  # it loads numpy: only where a tick is to be divided

    divided = split(cutout.ns, cutout.joules, ends, layout.phase_of)
    return [float(value) for value in divided.joules], divided


def _gathered(layout: _Layout, joules: Sequence[float]) -> tuple[list[float], float]:
    """Each window with what is in it, and what is in none."""
    own = [0.0] * len(layout.windows)
    between: list[float] = []
    for piece, value in zip(layout.cut, joules, strict=True):
        part = value / len(piece.owners)
        for owner in piece.owners:
            if owner == RUN:
                between.append(part)
            else:
                own[owner] += part
    parents = layout.windows.parent_of
    for index in range(len(own) - 1, -1, -1):
        if parents[index] != RUN:
            own[parents[index]] += own[index]
    return own, math.fsum(between)


def _by_path(
    layout: _Layout, windows: Sequence[float], split: Split | None, run: Quantity, share: float, missing_j: float
) -> tuple[dict[str, Quantity], set[int]]:
    """The windows of each path together, with an interval; and the paths that cannot be told."""
    sums: list[list[float]] = [[] for _ in layout.paths]
    for index, value in enumerate(windows):
        sums[layout.path_of[index]].append(value)
    told: dict[str, Quantity] = {}
    blurred: set[int] = set()
    for number, path in enumerate(layout.paths):
        phases = layout.phases_under[number]
        if split is not None and not split.known(phases):
            blurred.add(number)
            reason = f"it cannot be told from what runs beside it within a tick (condition {split.condition:.0f})"
            told[path] = Quantity.absent("joules", reason, method=run.method)
            continue
        half = 0.0 if split is None else split.half_width_j(phases) * share
        told[path] = _within(run, math.fsum(sums[number]), half, missing_j * share)
    return told, blurred


def _within(run: Quantity, value: float, half: float, missing_j: float) -> Quantity:
    """A part of a run: its own doubt, the run's in proportion, and all that a stalled counter may have missed."""
    whole = run.value or 0.0
    low = (run.lo or 0.0) / whole if whole else 1.0
    high = (run.hi if run.hi is not None else math.inf) / whole if whole else 1.0
    hi = min((value + half) * high + missing_j, run.hi if run.hi is not None else math.inf)
    return replace(run, value=value, lo=max(0.0, (value - half) * low) if math.isfinite(half) else 0.0, hi=_finite(hi))


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None


def _closure_error(run: float, windows: Windows, values: Sequence[float], between: float) -> float:
    top = [value for index, value in enumerate(values) if windows.parent_of[index] == RUN]
    return abs(run - math.fsum([*top, between])) / max(abs(run), 1e-12)
