"""Measures of probabilities and predictions equal those of other libraries; what is undefined is None."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from torchmetrics.functional.classification import multiclass_calibration_error

from etude.errors import StepError
from etude.text import steps
from predicted import named, predictions

CLASSES = ("a", "b", "c", "d")
SEEDS = st.integers(0, 10_000)
PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=60)


def drawn(seed: int, rows: int = 50) -> tuple[list[str], np.ndarray, pa.Table]:
    random = np.random.default_rng(seed)
    labels = random.choice(CLASSES, rows).tolist()
    likely = random.dirichlet(np.ones(4) * random.uniform(0.2, 2), rows).clip(1e-9)  # scikit-learn clips far below
    likely /= likely.sum(axis=1, keepdims=True)
    return labels, likely, predictions(labels, likely, CLASSES)


@given(PAIRS)
def test_matthews_correlation_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, guess = map(list, zip(*pairs, strict=True))
    found = steps.quality(named(truth, guess)).mcc
    assert found == pytest.approx(metrics.matthews_corrcoef(truth, guess), abs=1e-12)


def test_a_constant_prediction_has_a_correlation_of_zero() -> None:
    assert steps.quality(named(["a", "b", "a"], ["a", "a", "a"])).mcc == 0.0


@given(SEEDS)
def test_top_k_is_that_of_scikit_learn(seed: int) -> None:
    labels, likely, table = drawn(seed)
    found = steps.quality(table, top=(1, 2, 3, 4)).top
    for k in (1, 2, 3):
        expected = metrics.top_k_accuracy_score(labels, likely, k=k, labels=list(CLASSES))
        assert found[str(k)] == pytest.approx(expected)
    assert found["4"] is None


def test_of_equally_likely_classes_the_first_comes_first() -> None:
    table = predictions(["a", "b", "c"], [[1 / 3] * 3] * 3, "abc")
    assert steps.quality(table, top=(1, 2)).top == {"1": pytest.approx(1 / 3), "2": pytest.approx(2 / 3)}


@given(SEEDS, st.integers(1, 20))
def test_the_calibration_error_is_that_of_torchmetrics(seed: int, bins: int) -> None:
    labels, likely, table = drawn(seed)
    codes = torch.tensor([CLASSES.index(label) for label in labels])
    expected = multiclass_calibration_error(torch.tensor(likely), codes, num_classes=4, n_bins=bins, norm="l1")
    assert steps.quality(table, bins=bins).ece == pytest.approx(float(expected), abs=1e-6)


@given(SEEDS)
def test_brier_score_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    labels, likely, table = drawn(seed)
    found = steps.quality(table)
    expected = metrics.brier_score_loss(labels, likely, labels=list(CLASSES), scale_by_half=False)
    assert found.brier == pytest.approx(expected, abs=1e-12)
    assert found.log_loss == pytest.approx(metrics.log_loss(labels, likely, labels=list(CLASSES)), rel=1e-9)
    assert found.confidence == pytest.approx(likely.max(axis=1).mean())


def test_a_label_that_is_no_class_counts_as_one_of_probability_0() -> None:
    found = steps.quality(predictions(["z"], [[0.75, 0.25]], "ab"), top=(1,))
    assert found.brier == pytest.approx(0.75**2 + 0.25**2 + 1)
    assert found.top == {"1": 0.0}
    assert found.log_loss is None
    assert found.ece == pytest.approx(0.75)


def test_a_true_class_of_probability_0_has_no_finite_loss() -> None:
    assert steps.quality(named(["a", "b"], ["a", "a"])).log_loss is None


@given(SEEDS)
def test_bins_of_confidence_hold_every_example_once(seed: int) -> None:
    labels, likely, table = drawn(seed)
    rows = steps.reliability(table, bins=7).to_pylist()
    confidence, right = likely.max(axis=1), likely.argmax(axis=1) == [CLASSES.index(label) for label in labels]
    for row in rows:
        here = (confidence > row["above"]) & (confidence <= row["up_to"])
        assert row["count"] == here.sum()
        assert row["accuracy"] == (pytest.approx(right[here].mean()) if here.any() else None)
        assert row["confidence"] == (pytest.approx(confidence[here].mean()) if here.any() else None)


@given(PAIRS)
def test_the_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, guess = map(list, zip(*pairs, strict=True))
    names = sorted({*truth, *guess})
    matrix = np.zeros((len(names), len(names)), dtype=int)
    for row in steps.confusion(named(truth, guess)).to_pylist():
        assert row["count"] > 0
        matrix[names.index(row["label"]), names.index(row["prediction"])] = row["count"]
    if len(names) > 1:
        assert np.array_equal(matrix, metrics.confusion_matrix(truth, guess, labels=names))
    else:
        assert matrix.item() == len(pairs)


@given(PAIRS)
def test_scores_by_label_are_those_of_scikit_learn_and_null_where_undefined(pairs: list[tuple[str, str]]) -> None:
    truth, guess = map(list, zip(*pairs, strict=True))
    rows = steps.evaluate_labels(named(truth, guess)).to_pylist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = metrics.precision_recall_fscore_support(
            truth, guess, labels=[row["label"] for row in rows], zero_division=np.nan
        )
    for index, name in enumerate(("precision", "recall", "f1")):
        ours = [np.nan if row[name] is None else row[name] for row in rows]
        assert ours == pytest.approx(expected[index].tolist(), nan_ok=True)
    assert [row["support"] for row in rows] == expected[3].tolist()
    assert [row["predicted"] for row in rows] == [guess.count(row["label"]) for row in rows]


def test_nothing_to_evaluate_and_classes_that_do_not_fit_are_errors() -> None:
    table = named(["a", "b"], ["a", "a"])
    with pytest.raises(StepError, match="no rows"):
        steps.quality(table.slice(2))
    with pytest.raises(StepError, match="name 0 classes in their metadata, and have probabilities for 2"):
        steps.quality(table.replace_schema_metadata(None))
