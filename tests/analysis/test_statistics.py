"""Every statistic equals scipy's or NumPy's, and says nothing where too few values are there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from etude.analysis.estimates import count_text, estimate, why_missing
from etude.analysis.intervals import _quantiles, bootstrap_interval, t_interval
from etude.analysis.paired_tests import differences, hedges_effect, holm, paired_t, sign_flip, sign_flips, win_share
from etude.analysis.spread import interquartile_mean, mean_of, sample_std

VALUES = st.floats(-1e3, 1e3, allow_nan=False).map(lambda value: round(value, 6))


def lists(fewest: int, most: int = 12) -> st.SearchStrategy[list[float]]:
    return st.lists(VALUES, min_size=fewest, max_size=most)


def spread_out(values: list[float]) -> bool:
    return float(np.ptp(values)) > 1e-3


@given(lists(2))
def test_the_sample_deviation_divides_by_n_minus_one(values: list[float]) -> None:
    assert sample_std(values) == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-9)


def test_one_value_has_no_deviation_and_equal_values_have_none_to_the_bit() -> None:
    assert sample_std([0.7]) is None
    assert sample_std([0.1] * 7) == 0.0


@given(lists(1))
def test_the_interquartile_mean_is_the_mean_trimmed_by_a_quarter(values: list[float]) -> None:
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-9)


@given(lists(2))
def test_the_t_interval_is_that_of_scipy(values: list[float]) -> None:
    assume(spread_out(values))
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    found = t_interval(values)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_an_interval_needs_two_values_and_resampling_needs_five() -> None:
    assert t_interval([1.0]) is None
    assert bootstrap_interval([1.0, 2.0, 3.0, 4.0]) is None


def studentised(values: list[float]) -> tuple[float, float]:
    """The interval by the book, one resample after the other."""
    found, t = np.array(values), []
    for drawn in np.random.default_rng(0).integers(0, len(values), (9999, len(values))):
        again = found[drawn]
        if np.ptp(again) == 0:
            t.append(math.copysign(math.inf, again.mean() - found.mean()))
        else:
            t.append((again.mean() - found.mean()) / (again.std(ddof=1) / math.sqrt(len(values))))
    error = found.std(ddof=1) / math.sqrt(len(values))
    high, low = np.quantile(t, [0.025, 0.975])
    return float(found.mean() - low * error), float(found.mean() - high * error)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0, 8.0, 16.0], [0.7113, 0.7229, 0.6934, 0.7041, 0.7568, 0.6897]])
def test_the_bootstrap_interval_is_the_studentised_one_of_the_book(values: list[float]) -> None:
    found = bootstrap_interval(values, seed=0)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(studentised(values), rel=1e-9)


@pytest.mark.parametrize(("n", "kind", "least"), [(5, "normal", 0.93), (8, "normal", 0.93), (5, "skewed", 0.9)])
def test_the_intervals_cover_the_mean_as_often_as_they_say(n: int, kind: str, least: float) -> None:
    draw = np.random.default_rng(n)
    samples = draw.normal(0, 1, (1000, n)) if kind == "normal" else draw.exponential(1, (1000, n)) - 1
    found = [bootstrap_interval(sample.tolist(), resamples=1999) for sample in samples]
    covered = np.mean([one is not None and one.low <= 0 <= one.high for one in found])
    by_t = np.mean([one is not None and one.low <= 0 <= one.high for one in map(t_interval, samples.tolist())])
    assert covered >= least
    assert covered >= by_t - 0.015
    assert by_t >= 0.93 or kind == "skewed"


@given(lists(5, 9), VALUES, st.floats(0.1, 10))
def test_a_bootstrap_interval_moves_and_grows_with_the_values(values: list[float], shift: float, scale: float) -> None:
    assume(spread_out(values))
    found = bootstrap_interval(values, resamples=999)
    moved = bootstrap_interval([scale * v + shift for v in values], resamples=999)
    assert (found is None) == (moved is None)
    if found is not None and moved is not None:
        assert found.low <= np.mean(values) <= found.high
        expected = (scale * found.low + shift, scale * found.high + shift)
        assert (moved.low, moved.high) == pytest.approx(expected, rel=1e-6, abs=1e-6 * max(1, *map(abs, expected)))


def test_of_values_that_are_nearly_all_equal_nothing_can_be_resampled() -> None:
    assert bootstrap_interval([0.0, 0.0, 0.0, 0.0, 1.0]) is None


def test_equal_values_have_an_interval_without_width() -> None:
    found = bootstrap_interval([0.3] * 6)
    assert found is not None
    assert (found.low, found.high) == (0.3, 0.3)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=3, max_size=12))
def test_the_paired_t_test_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    left, right = map(list, zip(*pairs, strict=True))
    assume(spread_out(list(np.subtract(left, right))))
    assert paired_t(differences(left, right)) == pytest.approx(stats.ttest_rel(left, right).pvalue, rel=1e-6, abs=1e-12)


@given(st.lists(VALUES, min_size=3, max_size=9))
def test_the_sign_flip_test_is_scipy_s_exact_permutation_test(found: list[float]) -> None:
    reference = stats.permutation_test(
        (np.array(found), np.zeros(len(found))),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flip(np.array(found)) == pytest.approx(reference.pvalue, abs=1e-9)


def test_a_sampled_sign_flip_test_comes_near_the_t_test() -> None:
    found = np.random.default_rng(3).normal(0.5, 1.0, 40)
    assert sign_flip(found) == pytest.approx(stats.ttest_1samp(found, 0).pvalue, abs=0.003)


def test_five_pairs_cannot_be_more_surprising_than_two_in_thirty_two() -> None:
    assert sign_flip(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == 2 / 32


def test_no_test_is_made_of_two_pairs() -> None:
    assert paired_t(np.array([0.1, 0.2])) is None
    assert sign_flip(np.array([0.1, 0.2])) is None


def test_no_difference_at_all_is_no_evidence_and_one_without_spread_is_no_t_test() -> None:
    assert paired_t(differences([0.3, 0.7, 0.1], [0.3, 0.7, 0.1])) == 1.0
    assert paired_t(differences([0.3, 0.7, 0.1], [0.2, 0.6, 0.0])) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8))
def test_holm_s_correction_keeps_the_order_only_raises_and_is_at_most_bonferroni_s(
    p_values: list[float | None],
) -> None:
    corrected = holm(p_values)
    tests = [(p, q) for p, q in zip(p_values, corrected, strict=True) if p is not None and q is not None]
    assert [p is None for p in p_values] == [q is None for q in corrected]
    assert all(p <= q <= min(1.0, len(tests) * p) for p, q in tests)
    assert [q for _, q in sorted(tests)] == sorted(q for _, q in tests)


def test_holm_s_correction_by_hand() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06])


def test_hedges_correction_for_five_pairs_by_hand() -> None:
    found = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    # The exact factor for 4 degrees of freedom is gamma(2) / (sqrt(2) gamma(1.5)) = 0.79788.
    assert hedges_effect(found) == pytest.approx(0.797884561 * 3 / np.std(found, ddof=1))


def test_effects_without_spread_are_unknown() -> None:
    assert hedges_effect(np.array([1.0, 1.0, 1.0])) is None
    assert hedges_effect(np.array([1.0, 2.0])) is None


def test_a_tie_is_half_a_win() -> None:
    assert win_share(np.array([1.0, 0.0, -1.0, 2.0])) == 0.625
    assert win_share(np.array([])) is None


@given(st.lists(st.tuples(lists(3, 3), lists(7, 7), lists(20, 20)), min_size=1, max_size=3))
@settings(max_examples=10)
def test_sets_of_differences_that_are_flipped_together_have_the_p_that_each_has_alone(
    many: list[tuple[list[float], ...]],
) -> None:
    sets = [np.asarray(values) for group in many for values in group]
    assert sign_flips(sets) == [sign_flip(values) for values in sets]


@given(st.lists(st.tuples(VALUES, st.integers(1, 9)), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_of_counted_values_are_those_of_the_values_written_out(
    counted: list[tuple[float, int]], one: float, other: float
) -> None:
    values, weights = (np.asarray(column) for column in zip(*counted, strict=True))
    expected = np.quantile(np.repeat(values, weights), [one, other])
    assert _quantiles(values, weights, np.array([one, other])) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_numbers_near_the_largest_there_are_have_a_mean_and_a_deviation() -> None:
    assert mean_of([1.6e308, 1.6e308]) == 1.6e308
    assert sample_std([-1.6e308, 0.0, 1.6e308]) == pytest.approx(1.6e308)
    assert sample_std([1e200, 3e200, 2e200]) == pytest.approx(1e200)


def test_an_estimate_is_of_the_finite_values_and_says_what_is_missing() -> None:
    found = estimate([1.0, None, math.inf, 4.0, 2.5, math.nan])
    assert (found.n, found.missing, found.mean, found.median, found.low, found.high) == (3, 3, 2.5, 2.5, 1.0, 4.0)
    assert found.note == "1 of 6 missing; 2 of 6 not finite, left out; 3 values: too few to resample (5 needed)"
    assert estimate([1.0]).note == "one value: no spread known"
    assert estimate([1.0, 1.0, 1.0, 1.0, 2.0]).note == "too many equal values to resample"
    assert estimate([1.0, 2.0, 4.0, 8.0, 16.0]).note == ""


def test_of_no_values_nothing_is_known() -> None:
    found = estimate([None])
    assert (found.n, found.missing, found.mean, found.std, found.median, found.iqm) == (0, 1, None, None, None, None)
    assert (found.low, found.high, found.t_interval, found.bootstrap) == (None, None, None, None)
    assert found.note == "1 of 1 missing"


def test_causes_are_counted_with_what_is_missing_first_and_what_is_not_finite_last() -> None:
    causes = ["not finite", "b failed", "no value", "", "a failed", "b failed"]
    assert why_missing(causes) == [
        "1 of 6 missing",
        "1 of 6 missing (a failed)",
        "2 of 6 missing (b failed)",
        "1 of 6 not finite, left out",
    ]


def test_one_is_singular() -> None:
    assert [count_text(count, "pair") for count in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]
