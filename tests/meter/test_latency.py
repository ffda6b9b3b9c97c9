"""Latency statistics: intervals that hold when neighbours resemble each other, and claims that need enough requests."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.latency import (
    binomial_cdf,
    effective_size,
    mean_interval,
    necessary_requests,
    percentile_holds,
    percentile_interval,
    summary,
)


def autoregressive(seed: int, n: int, r: float, mean: float = 100.0) -> list[float]:
    """A first-order autoregression around a mean, with variance 1."""
    chance = np.random.default_rng(seed)
    noise = chance.normal(size=n) * np.sqrt(1 - r * r)
    values = np.empty(n)
    values[0] = chance.normal()
    for i in range(1, n):
        values[i] = r * values[i - 1] + noise[i]
    return list(values + mean)


@pytest.mark.parametrize("r", [0.0, 0.5, 0.8])
def test_the_interval_of_a_mean_holds_it_in_93_of_100_cases_whatever_the_correlation(r: float) -> None:
    held = 0
    for seed in range(400):
        told = mean_interval(autoregressive(seed, 200, r))
        assert told.lo is not None
        assert told.hi is not None
        held += told.lo <= 100.0 <= told.hi
    assert held / 400 >= 0.93


def test_an_interval_that_takes_neighbours_for_strangers_would_not_hold() -> None:
    held = 0
    for seed in range(200):
        sample = np.array(autoregressive(seed, 200, 0.8))
        half = 1.96 * sample.std(ddof=1) / np.sqrt(len(sample))
        held += abs(sample.mean() - 100.0) <= half
    assert held / 200 < 0.7


def test_independent_observations_are_worth_about_their_number() -> None:
    assert np.median([effective_size(autoregressive(seed, 400, 0.0)) for seed in range(50)]) > 350


def test_a_constant_sample_is_known_exactly() -> None:
    told = mean_interval([5.0] * 10)
    assert (told.value, told.lo, told.hi) == (5.0, 5.0, 5.0)


def test_a_mean_of_one_has_no_interval() -> None:
    told = mean_interval([5.0])
    assert (told.value, told.lo, told.hi) == (5.0, None, None)


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_the_interval_of_a_percentile_holds_it_whatever_the_distribution(p: float) -> None:
    true = float(-np.log(1 - p))
    held = 0
    for seed in range(300):
        told = percentile_interval(list(np.random.default_rng(seed).exponential(size=200)), p)
        assert told.lo is not None
        assert told.hi is not None
        held += told.lo <= true <= told.hi
    assert held / 300 >= 0.93


def test_fifty_observations_have_no_upper_end_for_a_99th_percentile() -> None:
    told = percentile_interval([float(x) for x in range(50)], 0.99)
    assert told.hi is None
    assert told.lo is not None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_percentile_is_numpys_and_lies_in_its_interval(sample: list[float], p: float) -> None:
    told = percentile_interval(sample, p)
    assert told.value == pytest.approx(float(np.percentile(sample, 100 * p)), rel=1e-9, abs=1e-9)
    assert told.lo is None or told.lo <= told.value or told.lo == pytest.approx(told.value)
    assert told.hi is None or told.hi >= told.value or told.hi == pytest.approx(told.value)


@given(st.integers(1, 60), st.integers(1, 19), st.integers(-1, 61))
def test_the_binomial_equals_its_sum_in_fractions(n: int, twentieths: int, k: int) -> None:
    p = Fraction(twentieths, 20)
    exact = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(k, n) + 1))
    assert binomial_cdf(n, float(p), k) == pytest.approx(float(exact), abs=1e-12)


def test_a_99th_percentile_with_none_over_the_limit_needs_459_requests() -> None:
    # 0.99^459 < 0.01 < 0.99^458.
    assert necessary_requests(0, 0.99) == 459
    assert percentile_holds(459, 0, 0.99)
    assert not percentile_holds(458, 0, 0.99)


def test_each_request_over_the_limit_asks_for_more_requests() -> None:
    needed = [necessary_requests(over, 0.99) for over in range(5)]
    assert needed == sorted(set(needed))


def test_a_summary_tells_n_mean_spread_and_percentiles() -> None:
    told = summary([1.0, 2.0, 3.0, 4.0], percentiles=(0.5,))
    assert (told.n, told.mean.value, told.percentiles["p50"].value) == (4, 2.5, 2.5)
    assert told.std == pytest.approx(np.std([1, 2, 3, 4], ddof=1))


def test_the_spread_of_one_observation_is_unknown() -> None:
    assert summary([1.0]).std is None


@pytest.mark.parametrize("sample", [[], [1.0, float("nan")], [float("inf")]])
def test_what_is_no_sample_is_refused(sample: list[float]) -> None:
    with pytest.raises(MeterError, match="a statistic needs"):
        summary(sample)
