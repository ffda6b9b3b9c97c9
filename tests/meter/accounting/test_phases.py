"""Energy below the tick: shares by a fit, sums by the counter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from etude.meter.accounting.phases import CONDITION_LIMIT, nonnegative_fit, split
from etude.meter.sources.simulated import PowerTrace
from meter_fakes import llm_run

NAMES = ("prefill", "decode", "pause")


def divided(seed: int, seconds: float, period_s: float = 0.1):  # type: ignore[no-untyped-def]
    """A simulated run through an ideal counter, split; with the truth of each segment."""
    trace, phases, end_s = llm_run(seed, seconds)
    first = np.random.default_rng(seed).uniform(0, period_s)
    ends = [0.0, *np.arange(first, end_s, period_s), end_s]
    joules = [trace.joules_between(a, b) for a, b in pairwise(ends)]
    cuts = [0, *(round(phase.end_s * 1e9) for phase in phases)]
    tick_ns = [round(end * 1e9) for end in ends]
    tick_ns[-1] = cuts[-1]
    kinds = np.array([NAMES.index(phase.name) for phase in phases])
    truth = np.array([trace.joules_between(phase.start_s, phase.end_s) for phase in phases])
    return split(tick_ns, joules, cuts, kinds.tolist()), kinds, truth


def interpolated(seed: int, seconds: float) -> float:
    """Prefill's relative error when the counter is drawn as a line through its ticks: how it is usually done."""
    trace, phases, end_s = llm_run(seed, seconds)
    ends = np.append(np.arange(0.0, end_s, 0.1), end_s)
    counter = np.array([trace.joules_until(end) for end in ends])
    found = sum(np.diff(np.interp([p.start_s, p.end_s], ends, counter))[0] for p in phases if p.name == "prefill")
    truth = sum(trace.joules_between(p.start_s, p.end_s) for p in phases if p.name == "prefill")
    return abs(found / truth - 1)


def test_the_share_of_prefill_is_within_three_per_cent_from_a_100_ms_counter() -> None:
    errors = []
    for seed in range(40):
        found, kinds, truth = divided(seed, 20)
        errors.append(abs(found.joules[kinds == 0].sum() / truth[kinds == 0].sum() - 1))
    assert np.percentile(errors, 95) <= 0.03


def test_interpolating_the_same_counter_is_off_by_more_than_three_times_that() -> None:
    assert np.median([interpolated(seed, 20) for seed in range(10)]) > 0.09


def test_each_batch_is_within_three_per_cent_in_nineteen_of_twenty_cases() -> None:
    errors: list[float] = []
    for seed in range(20):
        found, _, truth = divided(seed, 20)
        batches = found.joules[0::3] + found.joules[1::3]
        errors += list(abs(batches / (truth[0::3] + truth[1::3]) - 1))
    assert np.percentile(errors, 95) <= 0.03


def test_the_interval_of_a_phase_holds_the_truth_in_nineteen_of_twenty_cases() -> None:
    held = []
    for seed in range(40):
        found, kinds, truth = divided(seed, 20)
        for phase in (0, 1):
            error = found.joules[kinds == phase].sum() - truth[kinds == phase].sum()
            held.append(abs(error) <= found.half_width_j([phase]))
    assert np.mean(held) >= 0.95


def test_the_interval_is_narrow_enough_to_be_of_use() -> None:
    found, kinds, truth = divided(3, 20)
    assert found.half_width_j([0]) < 0.05 * truth[kinds == 0].sum()


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[int], list[float], list[int], list[int]]:
    """Ticks and segments over the same stretch, otherwise unrelated."""
    end = draw(st.integers(10, 10_000))
    inner_ticks = draw(st.sets(st.integers(1, end - 1), max_size=12))
    inner_cuts = draw(st.sets(st.integers(1, end - 1), max_size=12))
    ticks, cuts = sorted({0, end} | inner_ticks), sorted({0, end} | inner_cuts)
    joules = draw(st.lists(st.floats(0, 1000), min_size=len(ticks) - 1, max_size=len(ticks) - 1))
    phases = draw(st.lists(st.integers(0, 3), min_size=len(cuts) - 1, max_size=len(cuts) - 1))
    return [tick * 1_000_000 for tick in ticks], joules, [cut * 1_000_000 for cut in cuts], phases


@given(runs())
@settings(max_examples=200)
def test_the_parts_add_up_to_the_counter_whatever_the_fit_is_worth(
    run: tuple[list[int], list[float], list[int], list[int]],
) -> None:
    found = split(*run)
    assert found.joules.sum() == pytest.approx(sum(run[1]), rel=1e-9, abs=1e-9)
    assert (found.joules >= 0).all()


def test_phases_that_always_fill_a_tick_alike_are_not_told_apart_but_their_sum_is() -> None:
    ticks = [index * 100_000_000 for index in range(51)]
    cuts = sorted({*ticks, *(tick + 30_000_000 for tick in ticks[:-1])})
    found = split(ticks, [25.0] * 50, cuts, [index % 2 for index in range(len(cuts) - 1)])
    assert found.condition > CONDITION_LIMIT
    assert not found.known([0])
    assert not found.known([1])
    assert found.known([0, 1])


def test_a_phase_with_ticks_of_its_own_is_told_even_beside_two_that_are_not() -> None:
    ticks = [index * 100_000_000 for index in range(101)]
    cuts = sorted({*ticks, *(tick + 30_000_000 for tick in ticks[:50])})
    phases = [index % 2 for index in range(100)] + [2] * 50
    found = split(ticks, [25.0] * 50 + [10.0] * 50, cuts, phases)
    assert found.known([2])
    assert not found.known([0])


def test_a_phase_within_one_tick_has_an_interval_that_says_how_little_is_known() -> None:
    trace = PowerTrace.steps([(0.95, 200.0), (0.02, 400.0), (1.03, 200.0)])
    ticks = [index * 100_000_000 for index in range(21)]
    joules = [trace.joules_between(index / 10, (index + 1) / 10) for index in range(20)]
    found = split(ticks, joules, [0, 950_000_000, 970_000_000, 2_000_000_000], [0, 1, 0])
    assert found.joules[1] == pytest.approx(8.0, rel=0.01)
    assert found.half_width_j([1]) > 2.0


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_the_fit_equals_lawson_and_hanson(seed: int) -> None:
    chance = np.random.default_rng(seed)
    a, b = chance.normal(size=(30, 5)), chance.normal(size=30)
    ours = nonnegative_fit(a.T @ a, a.T @ b)
    theirs, _ = nnls(a, b)
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)
