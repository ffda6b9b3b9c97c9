"""The energy of a run from a counter that ticks every 100 ms: the ends are cut, and what is not known is not told."""

from __future__ import annotations

from math import isclose

import numpy as np
import pytest

from etude.meter.sampling.boundaries import stretch
from etude.meter.sampling.curve import EnergyCurve, Gap

SECOND = 1_000_000_000


def ticks(powers_w: list[float], period_s: float = 0.1, start_s: float = 0.0) -> EnergyCurve:
    """A curve with one tick per power."""
    joules = [0.0, *np.cumsum([power * period_s for power in powers_w]).tolist()]
    ns = [round((start_s + index * period_s) * SECOND) for index in range(len(joules))]
    return EnergyCurve(ns=ns, joules=joules, slack_ns=[0] * len(ns), seen_ns=ns[-1])


def at(seconds: float) -> int:
    return round(seconds * SECOND)


def test_whole_ticks_are_taken_as_they_are() -> None:
    cut = stretch(ticks([50, 300, 300, 50]), at(0.1), at(0.3), period_s=0.1)
    assert isclose(cut.total or 0, 60.0)


def test_what_lies_outside_is_taken_off_at_the_power_seen_outside() -> None:
    # Idle 50 W; the work runs at 300 W from 0.16 to 0.44 s.
    powers = [50, 0.6 * 50 + 0.4 * 300, 300, 300, 0.4 * 300 + 0.6 * 50, 50]
    cut = stretch(ticks(powers), at(0.16), at(0.44), period_s=0.1)
    assert isclose(cut.total or 0, 300 * 0.28, rel_tol=1e-9)


def test_a_known_idle_power_serves_where_the_log_tells_none() -> None:
    powers = [0.6 * 50 + 0.4 * 300, 300, 300, 0.4 * 300 + 0.6 * 50]
    cut = stretch(ticks(powers), at(0.06), at(0.34), period_s=0.1, idle_w=50.0)
    assert isclose(cut.total or 0, 300 * 0.28, rel_tol=1e-9)


def test_without_any_such_power_the_end_ticks_are_cut_by_time_and_the_interval_holds_both_extremes() -> None:
    cut = stretch(ticks([150, 300, 300, 150]), at(0.06), at(0.34), period_s=0.1)
    assert cut.lo <= 300 * 0.2
    assert cut.hi >= 300 * 0.2 + 2 * 15.0 * 0.6


def test_the_intervals_tile_the_stretch() -> None:
    cut = stretch(ticks([50, 300, 300, 50]), at(0.13), at(0.37), period_s=0.1)
    assert (cut.ns[0], cut.ns[-1]) == (at(0.13), at(0.37))
    assert len(cut.joules) == len(cut.ns) - 1
    assert all(later > earlier for earlier, later in zip(cut.ns, cut.ns[1:], strict=False))


def test_a_gap_inside_makes_the_energy_unknown_but_keeps_what_was_seen() -> None:
    curve = ticks([100.0] * 10)
    curve.gaps.append(Gap(start_ns=at(0.5), end_ns=at(0.6), reason="reset"))
    cut = stretch(curve, at(0.1), at(0.9), period_s=0.1)
    assert cut.total is None
    assert cut.reason == "reset"
    assert cut.lo > 0


def test_a_gap_outside_does_no_harm() -> None:
    curve = ticks([100.0] * 10)
    curve.gaps.append(Gap(start_ns=at(0.0), end_ns=at(0.05), reason="reset"))
    assert isclose(stretch(curve, at(0.2), at(0.9), period_s=0.1).total or 0, 70.0)


def test_less_than_a_period_between_ticks_is_not_told() -> None:
    cut = stretch(ticks([100.0] * 5), at(0.21), at(0.28), period_s=0.1)
    assert cut.total is None
    assert "shorter than the counter's period of 0.1 s" in cut.reason


def test_an_end_without_a_closing_tick_is_continued_at_the_power_before_and_marked() -> None:
    cut = stretch(ticks([100.0] * 10), at(0.2), at(1.06), period_s=0.1)
    assert isclose(cut.total or 0, 86.0)
    assert isclose(cut.guessed_s, 0.06)
    assert cut.hi - cut.lo == pytest.approx(2 * 6.0)


def test_an_end_long_after_the_last_tick_is_not_told() -> None:
    assert stretch(ticks([100.0] * 10), at(0.2), at(2.0), period_s=0.1).total is None


def test_a_meter_first_read_after_the_start_is_not_told() -> None:
    assert "after the start" in stretch(ticks([100.0] * 10, start_s=1.0), at(0.5), at(1.5), period_s=0.1).reason


def test_a_meter_that_was_never_read_says_so() -> None:
    assert stretch(EnergyCurve(), at(0.0), at(1.0)).reason == "the meter was never read"


def test_no_time_costs_no_energy() -> None:
    assert stretch(ticks([100.0] * 10), at(0.5), at(0.5)).total == 0.0
