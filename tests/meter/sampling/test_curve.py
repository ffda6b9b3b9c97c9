"""Counter hygiene: no negative energy, none lost, and what cannot be known is None with its reason."""

from __future__ import annotations

import random
from itertools import pairwise
from math import fsum, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.meter.sampling.curve import EnergyCurve, energy_curve
from etude.meter.sampling.log import Sample
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality

SECOND = 1_000_000_000
MODULUS = 262_143_328_851
"""A package's range in microjoules, as processors have it."""


def traits(
    *, modulus: int | None = None, period_s: float = 0.0, max_power_w: float | None = 1000.0, may_rest: bool = False
) -> Traits:
    return Traits(
        component="cpu",
        source="test",
        device="test:0",
        method="test",
        quality=Quality.MEASURED,
        unit_j=1e-6,
        modulus=modulus,
        period_s=period_s,
        max_power_w=max_power_w,
        may_rest=may_rest,
    )


def samples(*points: tuple[float, int | None]) -> list[Sample]:
    return [Sample(ns=round(t * SECOND), raw=raw, reason="gone" if raw is None else "") for t, raw in points]


def test_energy_is_the_difference_of_counts() -> None:
    found = energy_curve(samples((0, 5_000_000), (1, 25_000_000)), traits())
    assert found.joules == [0.0, 20.0]


def test_a_wrap_is_undone_whatever_the_range() -> None:
    found = energy_curve(samples((0, MODULUS - 1_000_000), (1, 4_000_000)), traits(modulus=MODULUS))
    assert isclose(found.joules[-1], 5.0)
    assert found.wraps == 1
    assert not found.gaps


def test_a_reset_is_a_gap_and_not_a_wrap() -> None:
    found = energy_curve(samples((0, 100_000_000_000), (1, 3_000_000), (2, 4_000_000)), traits(modulus=MODULUS))
    assert [gap.reason for gap in found.gaps] == [
        "the counter went back from 100000000000 to 3000000: it was reset (driver reload, suspend)"
    ]
    assert found.joules == [0.0, 0.0, 1.0]


def test_a_counter_without_a_range_that_falls_was_reset() -> None:
    found = energy_curve(samples((0, 100), (1, 50)), traits())
    assert "was reset" in found.gaps[0].reason


def test_a_rise_that_no_power_explains_is_a_gap() -> None:
    found = energy_curve(samples((0, 0), (1, 10_000_000_000)), traits())
    assert "rose by 10000 J in 1.000 s: more than it can" in found.gaps[0].reason


def test_a_pause_longer_than_the_range_is_a_gap_because_wraps_may_hide_in_it() -> None:
    found = energy_curve(samples((0, 0), (600, 5_000_000)), traits(modulus=MODULUS))
    assert "may have wrapped more than once" in found.gaps[0].reason


def test_a_failed_reading_loses_nothing_if_a_later_one_succeeds() -> None:
    found = energy_curve(samples((0, 0), (1, None), (2, 30_000_000)), traits())
    assert found.joules == [0.0, 30.0]
    assert not found.gaps
    assert not found.failing


def test_readings_that_fail_to_the_end_say_why() -> None:
    assert energy_curve(samples((0, 0), (1, 5), (2, None)), traits()).failing == "gone"


def test_a_stall_that_ends_keeps_the_energy() -> None:
    points = [(t / 10, 1_000_000 * min(t, 20)) for t in range(21)]
    points += [(2.0 + t / 10, 20_000_000) for t in range(1, 50)] + [(7.0, 70_000_000)]
    found = energy_curve(samples(*points), traits(period_s=0.1))
    assert isclose(found.joules[-1], 70.0)
    assert not found.gaps


def test_a_counter_that_stops_is_a_gap_from_its_last_move() -> None:
    points = [(t / 10, 1_000_000 * min(t, 20)) for t in range(80)]
    found = energy_curve(samples(*points), traits(period_s=0.1))
    assert found.gaps[0].reason == "the counter did not move for the last 5.9 s"
    assert isclose(found.gaps[0].start_ns / SECOND, 2.0, abs_tol=0.1)


def test_a_counter_that_may_rest_has_not_stopped() -> None:
    points = [(t / 10, 0) for t in range(80)]
    assert not energy_curve(samples(*points), traits(period_s=0.1, may_rest=True)).gaps


def test_a_clock_that_goes_back_is_a_gap() -> None:
    found = energy_curve(samples((0, 0), (10, 10_000_000), (4, 11_000_000), (11, 12_000_000)), traits())
    assert found.gaps[0].reason == "the clock went back by 6.000 s"
    assert found.gap_in(5 * SECOND, 6 * SECOND)
    assert found.joules[-1] == 12.0


def test_ticks_seen_sharply_stand_where_they_fell() -> None:
    looks = [(0.0, 0), (0.097, 0), (0.0985, 0), (0.100, 10), (0.197, 10), (0.1985, 10), (0.2, 20)]
    found = energy_curve(samples(*looks), traits(period_s=0.1, max_power_w=None))
    assert [round(ns / SECOND, 4) for ns in found.ns[1:]] == [0.0993, 0.1993]


def test_the_first_count_dates_from_a_period_before_the_first_tick() -> None:
    looks = [(0.05, 0), (0.097, 0), (0.0985, 0), (0.100, 10)]
    found = energy_curve(samples(*looks), traits(period_s=0.1, max_power_w=None))
    assert isclose(found.ns[0] / SECOND, -0.0007, abs_tol=1e-3)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Sample], list[float]]:
    steps = draw(st.lists(st.tuples(st.floats(0.01, 5.0), st.floats(0.0, 900.0)), min_size=1, max_size=30))
    start = draw(st.integers(0, MODULUS - 1))
    at, uj, points, energies = 0.0, start, [(0.0, start)], []
    for seconds, watts in steps:
        rise = int(seconds * watts * 1e6)
        at, uj = at + seconds, uj + rise
        points.append((at, uj % MODULUS))
        energies.append(rise * 1e-6)
    return samples(*points), energies


@given(histories())
def test_whatever_a_wrapping_counter_counts_is_found_again(history: tuple[list[Sample], list[float]]) -> None:
    readings, energies = history
    found = energy_curve(readings, traits(modulus=MODULUS))
    assert isclose(found.joules[-1], fsum(energies), rel_tol=1e-9, abs_tol=1e-9)
    assert not found.gaps


MOST_W = 1.25 * 1000
"""What a counter limited to 1,000 W is believed to add."""


class History:
    """A counter's life with wraps, resets, stalls and failed readings, and the truth about it."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.modulus = chance.choice([None, 65_532_610_987, MODULUS])
        self.readings: list[Sample] = []
        self.truth: list[tuple[int, int, float | None]] = []
        """(reading, next reading, joules in between; None where nobody can tell)."""
        self.resets = 0
        self._live(chance)

    def _live(self, chance: random.Random) -> None:
        count = chance.randrange(self.modulus or 10**15)
        at, last_ns, last_count, rise = 0, -1, 0, 0
        for _ in range(chance.randint(3, 30)):
            wait = chance.choice([0.001, 0.1, 0.1, 0.1, 1.0, 20.0])
            at += round(wait * SECOND)
            stalled = chance.random() < 0.15
            rise += 0 if stalled else round(wait * chance.uniform(5, 900) * 1e6)
            if chance.random() < 0.1:
                self.readings.append(Sample(ns=at, raw=None, reason="unreadable"))
                continue
            seconds = (at - last_ns) / SECOND
            reset = last_ns >= 0 and chance.random() < 0.08 and self._tellable(last_count, seconds)
            count = rise // 2 if reset else count + rise
            shown = count % self.modulus if self.modulus else count
            self.readings.append(Sample(ns=at, raw=shown))
            if last_ns >= 0:
                blind = self.modulus is not None and MOST_W * seconds >= self.modulus * 1e-6
                self.truth.append((last_ns, at, None if reset or blind else rise * 1e-6))
            self.resets += reset
            last_ns, last_count, rise = at, shown, 0

    def _tellable(self, count: int, seconds: float) -> bool:
        """A reset as near to an end as could be counted in this time looks like a wrap, or like nothing."""
        most = round(MOST_W * seconds * 1e6) + 1
        return count > most and (self.modulus is None or count < self.modulus - most)


def test_ten_thousand_lives_of_counters_show_no_negative_and_lose_nothing() -> None:
    negative, believed, lost = [], [], []
    for seed in range(10_000):
        life = History(seed)
        found = energy_curve(life.readings, traits(modulus=life.modulus))
        known = fsum(joules for _, _, joules in life.truth if joules is not None)
        negative += [seed for before, after in pairwise(found.joules) if after < before]
        believed += [seed for start, end, joules in life.truth if (joules is None) != bool(found.gap_in(start, end))]
        lost += [seed] if found.joules and not isclose(found.joules[-1], known, rel_tol=1e-9, abs_tol=1e-6) else []
    assert (negative, believed, lost) == ([], [], [])


def test_the_lives_hold_wraps_and_resets_in_number() -> None:
    lives = [History(seed) for seed in range(2000)]
    wraps = sum(energy_curve(life.readings, traits(modulus=life.modulus)).wraps for life in lives)
    assert sum(life.resets for life in lives) > 500
    assert wraps > 100


def test_an_empty_log_is_an_empty_curve() -> None:
    assert energy_curve([], traits(max_power_w=None)) == EnergyCurve()


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5])
def test_a_curve_is_linear_between_what_is_known(seconds: float) -> None:
    found = energy_curve(samples((0, 0), (2, 20_000_000)), traits())
    assert isclose(found.at(round(seconds * SECOND)), 10 * seconds)
