"""What noise costs, by example: paired, with intervals that hold against slower ways of reckoning."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, f1_score

from etude.errors import StepError
from etude.text import steps
from etude.text.types import Robustness
from predicted import named

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abcd")), min_size=5, max_size=40
)


def compared(truth: list[str], before: list[str], after: list[str], resamples: int = 300, seed: int = 0) -> Robustness:
    return steps.robustness(named(truth, before), named(truth, after), resamples=resamples, seed=seed)


def drawn(rows: int = 300) -> tuple[list[str], list[str], list[str]]:
    random = np.random.default_rng(3)
    truth = random.choice(list("abcde"), rows)
    before = np.where(random.random(rows) < 0.9, truth, random.choice(list("abcde"), rows))
    after = np.where(random.random(rows) < 0.85, before, random.choice(list("abcde"), rows))
    return truth.tolist(), before.tolist(), after.tolist()


@given(ROWS)
def test_scores_are_those_of_scikit_learn_and_the_drop_is_their_difference(rows: list[tuple[str, str, str]]) -> None:
    truth, before, after = map(list, zip(*rows, strict=True))
    found = compared(truth, before, after, resamples=20)
    for guess, accuracy, f1 in (
        (before, found.accuracy_clean, found.f1_macro_clean),
        (after, found.accuracy_noisy, found.f1_macro_noisy),
    ):
        assert accuracy == pytest.approx(accuracy_score(truth, guess))
        assert f1 == pytest.approx(f1_score(truth, guess, average="macro", zero_division=0))
    assert found.accuracy_drop == pytest.approx(found.accuracy_clean - found.accuracy_noisy)
    assert found.f1_macro_drop == pytest.approx(found.f1_macro_clean - found.f1_macro_noisy)
    assert found.broken - found.mended == round(found.accuracy_drop * len(truth))


def test_the_interval_of_accuracy_is_that_of_scipys_bootstrap() -> None:
    truth, before, after = drawn()
    lost = np.equal(truth, before).astype(float) - np.equal(truth, after)
    expected = bootstrap((lost,), np.mean, n_resamples=9999, method="percentile", rng=1).confidence_interval
    found = compared(truth, before, after, resamples=9999)
    # Ends are whole examples of 300; both are drawn at random.
    assert found.accuracy_drop_low == pytest.approx(expected.low, abs=1.5 / 300)
    assert found.accuracy_drop_high == pytest.approx(expected.high, abs=1.5 / 300)


def test_the_interval_of_macro_f1_is_that_of_resampling_row_by_row() -> None:
    truth, before, after = (np.array(values) for values in drawn(120))
    random = np.random.default_rng(5)
    lost = []
    for _ in range(600):
        rows = random.integers(0, 120, 120)
        scores = [f1_score(truth[rows], guess[rows], average="macro", zero_division=0) for guess in (before, after)]
        lost.append(scores[0] - scores[1])
    low, high = np.quantile(lost, [0.025, 0.975])
    found = compared(truth.tolist(), before.tolist(), after.tolist(), resamples=4000)
    # 600 samples of a spread of 0.03 leave some 0.004 of doubt in an outer quantile.
    assert found.f1_macro_drop_low == pytest.approx(low, abs=0.012)
    assert found.f1_macro_drop_high == pytest.approx(high, abs=0.012)


def test_pairs_make_the_interval_narrower_than_two_samples_would() -> None:
    truth, before, after = drawn()
    found = compared(truth, before, after, resamples=2000)
    alone = [np.equal(truth, guess).astype(float) for guess in (before, after)]
    unpaired = 2 * 1.96 * np.sqrt(sum(values.var() / 300 for values in alone))
    assert found.accuracy_drop_high is not None
    assert found.accuracy_drop_low is not None
    assert found.accuracy_drop_high - found.accuracy_drop_low < 0.9 * unpaired


def test_the_interval_covers_the_true_drop_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(120):
        before = random.random(200) < 0.9
        after = before & (random.random(200) < 0.9)  # The true drop is 0.09.
        guesses = [np.where(right, "a", "b").tolist() for right in (before, after)]
        found = compared(["a"] * 200, *guesses, resamples=400, seed=trial)
        assert found.accuracy_drop_low is not None
        assert found.accuracy_drop_high is not None
        covered += found.accuracy_drop_low <= 0.09 <= found.accuracy_drop_high
    assert covered >= 120 * 0.88  # 95 % less more than three standard deviations.


@pytest.mark.parametrize(("broken", "mended"), [(0, 1), (5, 0), (8, 3), (20, 22)])
def test_the_p_value_is_mcnemars_exact_one(broken: int, mended: int) -> None:
    truth = ["a"] * (broken + mended + 10)
    before = ["a"] * broken + ["b"] * mended + ["a"] * 10
    after = ["b"] * broken + ["a"] * mended + ["a"] * 10
    n, least = broken + mended, min(broken, mended)
    expected = min(1.0, 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n)
    found = compared(truth, before, after, resamples=10)
    assert (found.broken, found.mended) == (broken, mended)
    assert found.p_value == pytest.approx(expected)


def test_noise_that_changes_nothing_costs_nothing() -> None:
    truth, before, _ = drawn(60)
    found = compared(truth, before, before)
    assert found.accuracy_drop == found.accuracy_drop_low == found.accuracy_drop_high == 0
    assert found.f1_macro_drop == found.f1_macro_drop_low == found.f1_macro_drop_high == 0
    assert found.accuracy_kept == 1
    assert found.p_value is None


def test_what_is_undefined_is_none() -> None:
    found = compared(["a"] * 4, ["b"] * 4, ["a"] * 4)
    assert found.accuracy_kept is None
    assert found.accuracy_drop_low is found.f1_macro_drop_high is None


def test_rows_are_paired_by_their_ids_in_any_order() -> None:
    truth, before, after = drawn(40)
    clean, noisy = named(truth, before), named(truth, after)
    turned = noisy.take(list(range(39, -1, -1)))
    assert steps.robustness(clean, turned, resamples=50) == steps.robustness(clean, noisy, resamples=50)


def test_equal_seeds_give_equal_intervals_and_other_seeds_others() -> None:
    rows = drawn(100)
    assert compared(*rows) == compared(*rows)
    assert compared(*rows).f1_macro_drop_low != compared(*rows, seed=1).f1_macro_drop_low


def test_predictions_of_other_examples_are_refused() -> None:
    clean = named(["a", "b"], ["a", "b"], ids=[1, 2])
    with pytest.raises(StepError, match=r"2 and 2 rows, 2 ids in one alone, such as \[2, 3\]"):
        steps.robustness(clean, named(["a", "b"], ["a", "b"], ids=[1, 3]))
    with pytest.raises(StepError, match="the same example different labels"):
        steps.robustness(clean, named(["b", "b"], ["a", "b"], ids=[1, 2]))
