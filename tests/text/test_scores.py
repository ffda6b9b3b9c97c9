"""Scores equal scikit-learn's, and hand-made cases come out as reckoned by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from etude.errors import StepError
from etude.text.scores import scores

PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=60)


@given(PAIRS)
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, guess = map(list, zip(*pairs, strict=True))
    found = scores(truth, guess)
    assert found.accuracy == pytest.approx(accuracy_score(truth, guess), abs=1e-12)
    for mean in ("macro", "weighted"):
        expected = precision_recall_fscore_support(truth, guess, average=mean, zero_division=0)[:3]
        ours = [getattr(found, f"{name}_{mean}") for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(list(expected), abs=1e-12)


def test_a_case_by_hand() -> None:
    found = scores(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    assert found.accuracy == 0.75
    assert found.precision_macro == pytest.approx((1 + 1 / 2) / 2)
    assert found.recall_macro == pytest.approx((2 / 3 + 1) / 2)
    assert found.f1_weighted == pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3)


def test_a_class_that_is_only_predicted_lowers_the_macro_mean() -> None:
    assert scores(["a", "a"], ["a", "b"]).recall_macro == 0.25


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(StepError, match="no rows"):
        scores([], [])
