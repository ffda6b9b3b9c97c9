"""A counter that stands still and goes on: some have counted meanwhile, some have not, and nobody is told which."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etude.meter.accounting.cost import Cost
from etude.meter.measure import Measurement, measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality
from etude.meter.sources.simulated import PowerTrace
from meter_fakes import quiet_sampler

IDLE_W = 20.0
LEAD_S = 1.0
MOST_W = 300.0


@dataclass(frozen=True)
class Stall:
    start_s: float
    seconds: float
    loses: bool
    """Whether what is used meanwhile never reaches the counter."""


@dataclass
class StallingMeter:
    """A counter that follows a power trace in ticks, and stands still now and then."""

    trace: PowerTrace
    clock: ManualClock
    stalls: tuple[Stall, ...] = ()
    period_s: float = 0.1
    max_power_w: float | None = MOST_W
    start_ns: int = 0

    def __post_init__(self) -> None:
        self.start_ns = self.clock.ns

    @property
    def traits(self) -> Traits:
        return Traits(
            component="gpu0",
            source="simulated",
            device="stalling",
            method="a counter that stalls",
            quality=Quality.MEASURED,
            unit_j=1e-3,
            max_power_w=self.max_power_w,
            period_s=self.period_s,
            scope="device",
        )

    def read(self) -> int:
        t_s = (self.clock.ns - self.start_ns) / 1e9
        t_s = self._tick_s(t_s)
        held = [stall for stall in self.stalls if stall.start_s <= t_s < stall.start_s + stall.seconds]
        t_s = self._tick_s(held[0].start_s) if held else t_s
        lost = sum(
            self.trace.joules_between(stall.start_s, min(t_s, stall.start_s + stall.seconds))
            for stall in self.stalls
            if stall.loses and stall.start_s < t_s
        )
        return int((self.trace.joules_until(t_s) - lost) / 1e-3)

    def _tick_s(self, t_s: float) -> float:
        return int(t_s / self.period_s + 1e-6) * self.period_s

    def close(self) -> None:
        """Nothing to let go of."""


def measured(
    pieces: list[tuple[float, float]], *stalls: Stall, proc: Path = Path("/nowhere"), period_s: float = 0.1,
    max_power_w: float | None = MOST_W,
) -> tuple[Measurement, float]:  # fmt: skip
    """Work of these (seconds, watts) between some idling, each piece a window, and its true joules."""
    clock = ManualClock(ns=10**12)
    trace = PowerTrace.steps([(LEAD_S, IDLE_W), *pieces, (60.0, IDLE_W)])
    meter = StallingMeter(trace, clock, stalls, period_s=period_s, max_power_w=max_power_w)
    sampler = quiet_sampler([meter], clock, proc=proc)
    with measure(sampler):  # so that the log tells the power before
        clock.sleep(LEAD_S)
    with measure(sampler) as m:
        for number, (seconds, _) in enumerate(pieces):
            with m.window(f"piece{number}"):
                clock.sleep(seconds)
        end_s = (clock.ns - meter.start_ns) / 1e9
    clock.sleep(1.0)
    return m, trace.joules_between(LEAD_S, end_s)


def holds(cost: Cost, truth: float) -> bool:
    """Whether the truth lies in the interval, which is one of about 95 %, or within half a per cent of it."""
    told, near = cost.covered, 0.01 + 0.005 * truth
    if told.value is None:
        return (told.lo or 0.0) <= truth + near and bool(told.reason)
    assert told.lo is not None
    assert told.hi is not None
    return told.lo - near <= truth <= told.hi + near


def test_energy_lost_in_a_long_stall_is_never_told_as_if_it_were_all() -> None:
    m, truth = measured([(10.0, 50.0)], Stall(4.0, 7.0, loses=True))
    told = m.cost().covered
    assert isclose(truth, 500.0, rel_tol=0.01)
    assert told.value is None
    assert "the counter stood still for 7." in told.reason
    assert told.lo == pytest.approx(150.0, rel=0.1)


def test_a_stall_that_the_next_rise_makes_up_for_keeps_the_energy_and_says_what_it_could_hide() -> None:
    m, truth = measured([(10.0, 50.0)], Stall(4.0, 5.0, loses=False))
    told = m.cost().covered
    assert told.value == pytest.approx(truth, rel=0.02)
    assert "more while it stood still" in told.method
    assert (told.hi or 0) > 1000


def test_a_short_stall_opens_the_interval_upwards() -> None:
    m, truth = measured([(10.0, 50.0)], Stall(4.0, 1.0, loses=True))
    told = m.cost().covered
    assert told.value == pytest.approx(truth - 50.0, rel=0.02)
    assert holds(m.cost(), truth)


def test_a_steady_counter_has_a_narrow_interval() -> None:
    m, truth = measured([(10.0, 50.0)])
    told = m.cost().covered
    assert told.value == pytest.approx(truth, rel=0.01)
    assert (told.hi or 0) - (told.lo or 0) < 0.05 * truth
    assert "still" not in told.method


def test_without_a_known_limit_the_greatest_power_seen_bounds_what_a_stall_hides() -> None:
    m, truth = measured([(10.0, 50.0)], Stall(4.0, 1.0, loses=True), max_power_w=None)
    assert holds(m.cost(), truth)
    assert (m.cost().covered.hi or 0) < 1.3 * truth


def test_a_counter_slower_than_it_says_is_not_taken_for_a_stalling_one() -> None:
    clock = ManualClock(ns=10**12)
    meter = StallingMeter(PowerTrace.steps([(60.0, 50.0)]), clock, period_s=0.2)
    said = StallingMeter(meter.trace, clock, period_s=0.1)
    meter.__class__ = type("Slow", (StallingMeter,), {"traits": property(lambda _: said.traits)})
    with measure(quiet_sampler([meter], clock, proc=Path("/nowhere"))) as m:
        clock.sleep(10.0)
    assert "still" not in m.cost().covered.method


def can_be_seen(whole_s: float, *drawn: Stall) -> bool:
    """Nobody looks often enough to see a stall that began in the last tenth of a second."""
    return not any(LEAD_S + whole_s - 0.15 < stall.start_s < LEAD_S + whole_s + 0.05 for stall in drawn)


pieces = st.lists(st.tuples(st.floats(0.3, 3.0), st.floats(IDLE_W, MOST_W)), min_size=1, max_size=3)
stalls = st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.3, 4.0), st.booleans()), min_size=1, max_size=2)


@settings(max_examples=50, derandomize=True)
@given(pieces, stalls, st.sampled_from([0.001, 0.02, 0.1]))
def test_wherever_a_counter_stalls_the_truth_lies_in_the_interval_or_nothing_is_told(
    work: list[tuple[float, float]], places: list[tuple[float, float, bool]], period_s: float
) -> None:
    whole_s = sum(seconds for seconds, _ in work)
    at_s, drawn = LEAD_S - 0.5, []
    for part, seconds, loses in sorted(places):
        at_s = max(at_s + 0.15, LEAD_S - 0.5 + part * (whole_s + 0.5))
        drawn.append(Stall(at_s, seconds, loses))
        at_s += seconds
    assume(can_be_seen(whole_s, *drawn))
    m, truth = measured(work, *drawn, period_s=period_s)
    assert holds(m.cost(), truth)


@settings(max_examples=50, derandomize=True)
@given(pieces, st.floats(0.0, 1.0), st.floats(0.3, 4.0), st.booleans())
def test_a_windows_interval_holds_what_a_stall_took_from_it(
    work: list[tuple[float, float]], part: float, seconds: float, loses: bool
) -> None:
    whole_s = sum(length for length, _ in work)
    stall = Stall(LEAD_S + part * whole_s, seconds, loses)
    assume(can_be_seen(whole_s, stall))
    m, _ = measured(work, stall)
    account = m.ledger().of("gpu0")
    assert account is not None
    for number, (length, watts) in enumerate(work):
        told = account.paths[f"piece{number}"]
        if told.value is not None and told.hi is not None:
            assert length * watts <= told.hi * 1.02 + 0.5
