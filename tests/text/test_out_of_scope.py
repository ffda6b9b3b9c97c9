"""Out-of-scope detection: scores by their formulas, thresholds from validation alone, measures as other libraries'."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn import metrics
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from etude.errors import ConfigError, StepError
from etude.text import steps
from etude.text.out_of_scope import ScoredTexts, auroc, average_precision, candidates, false_in_scope, threshold
from etude.text.outputs import outputs_of
from etude.text.scope_scores import mahalanobis, nearest_distance, scope_score
from etude.text.types import ScopeMethod, ThresholdChoice
from predicted import predictions

CLASSES = ("a", "b", "oos")
SCORED = st.lists(st.tuples(st.integers(0, 12).map(float), st.booleans(), st.booleans()), min_size=2, max_size=40)


def arrays(rows: list[tuple[float, bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _, _ in rows]), np.array([outside for _, outside, _ in rows])


def judged(rows: list[tuple[float, bool, bool]]) -> ScoredTexts:
    score, outside = arrays(rows)
    return ScoredTexts(score=score, outside=outside, right=np.array([right for _, _, right in rows]) & ~outside)


# ----- measures without a threshold


@given(SCORED)
def test_areas_are_those_of_scikit_learn_or_none_where_a_kind_is_lacking(rows: list[tuple[float, bool, bool]]) -> None:
    score, outside = arrays(rows)
    if outside.all() or not outside.any():
        assert auroc(score, outside) is average_precision(score, outside) is false_in_scope(score, outside) is None
        return
    assert auroc(score, outside) == pytest.approx(metrics.roc_auc_score(outside, score))
    assert average_precision(score, outside) == pytest.approx(metrics.average_precision_score(outside, score))
    assert average_precision(-score, ~outside) == pytest.approx(metrics.average_precision_score(~outside, -score))
    false, true, _ = metrics.roc_curve(~outside, -score, drop_intermediate=False)
    assert false_in_scope(score, outside) == pytest.approx(false[np.argmax(true >= 0.95 - 1e-9)])


# ----- scores


def states(seed: int, rows: int, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)) @ np.diag(np.arange(1.0, width + 1))


@given(st.integers(0, 200))
def test_the_distance_of_mahalanobis_is_that_of_scipy_under_the_covariance_within_classes(seed: int) -> None:
    known, found, labels = states(seed, 60), states(seed + 1, 9), np.arange(60) % 3
    means = np.stack([known[labels == label].mean(axis=0) for label in range(3)])
    inverse = EmpiricalCovariance(assume_centered=True).fit(known - means[labels]).precision_
    expected = cdist(found, means, "mahalanobis", VI=inverse).min(axis=1) ** 2
    assert mahalanobis(found, known, labels.astype(float)) == pytest.approx(expected, rel=1e-6)


def test_directions_without_spread_do_not_count() -> None:
    known = np.column_stack([states(0, 30, 2), np.zeros(30)])
    found = np.column_stack([states(1, 5, 2), np.arange(5.0)])
    flat = mahalanobis(found[:, :2], known[:, :2], np.zeros(30))
    assert mahalanobis(found, known, np.zeros(30)) == pytest.approx(flat)


@given(st.integers(0, 200), st.integers(1, 20))
def test_the_distance_from_neighbours_is_that_of_scikit_learn(seed: int, neighbours: int) -> None:
    known, found = states(seed, 20), states(seed + 1, 7)
    expected = NearestNeighbors(n_neighbors=neighbours, metric="cosine").fit(known).kneighbors(found)[0][:, -1]
    assert nearest_distance(found, known, neighbours) == pytest.approx(expected, abs=1e-9)


def test_more_neighbours_than_there_are_is_an_error() -> None:
    with pytest.raises(StepError, match="of 3 training states in scope none is the 4th nearest"):
        nearest_distance(states(0, 2), states(1, 3), 4)


def table(labels: str, probabilities: list[list[float]], **more: Any) -> pa.Table:
    names = {"o": "oos"}
    return predictions([names.get(label, label) for label in labels], probabilities, CLASSES, **more)


def score(found: pa.Table, method: ScopeMethod, train: pa.Table | None = None, **settings: Any) -> list[float]:
    known = outputs_of(train) if train is not None else None
    settings = {"temperature": 1.0, "neighbours": 1, **settings}
    scores: list[float] = scope_score(outputs_of(found), method, train=known, outside="oos", **settings).tolist()
    return scores


def test_scores_from_probabilities_compare_the_classes_in_scope_alone() -> None:
    found = table("ab", [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    assert score(found, "msp") == pytest.approx([0.7, 0.3])
    assert score(found, "oos_class") == pytest.approx([0.2, -0.6])


def test_energy_by_hand() -> None:
    found = table("a", [[0.2, 0.3, 0.5]], logits=[[1.0, 2.0, 5.0]])
    assert score(found, "energy") == pytest.approx([-np.log(np.e + np.e**2)])
    assert score(found, "energy", temperature=2.0) == pytest.approx([-2 * np.log(np.exp(0.5) + np.e)])


def test_states_of_training_texts_out_of_scope_are_no_neighbours() -> None:
    train = table("abo", [[1, 0, 0]] * 3, states=[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    found = table("o", [[1, 0, 0]], states=[[-1.0, 0.0]])
    assert score(found, "knn", train) == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("method", "train", "reason"),
    [
        ("energy", None, r"no logits(?s:.*)keep: \[logits\]"),
        ("knn", None, "the predictions of the training split are needed"),
        ("mahalanobis", "a", r"no states(?s:.*)keep: \[states\]"),
    ],
)
def test_what_a_method_lacks_is_told_with_the_setting_that_gives_it(
    method: ScopeMethod, train: str | None, reason: str
) -> None:
    with pytest.raises(StepError, match=reason):
        score(table("a", [[1, 0, 0]]), method, table(train, [[1, 0, 0]]) if train else None)


def test_a_model_without_a_class_for_it_cannot_name_what_is_out_of_scope() -> None:
    with pytest.raises(StepError, match="oos_class: the model has no class 'oos'"):
        score(predictions(["a"], [[1, 0]], ("a", "b")), "oos_class")


# ----- thresholds


@given(SCORED)
def test_the_threshold_for_accuracy_is_the_best_there_is_and_the_highest_of_equals(
    rows: list[tuple[float, bool, bool]],
) -> None:
    known = judged(rows)
    if known.outside.all() or not known.outside.any():
        return

    def right(limit: float) -> int:
        rejected = known.score > limit
        return int((rejected & known.outside).sum() + (known.right & ~rejected).sum())

    best = max(candidates(known.score), key=lambda limit: (right(limit), limit))
    assert threshold(known, choose="accuracy", at_least=0.0) == best


@given(SCORED, st.floats(0, 1), st.sampled_from(["in_scope_accuracy", "in_scope_kept"]))
def test_a_threshold_for_a_share_in_scope_is_the_lowest_that_reaches_it(
    rows: list[tuple[float, bool, bool]], at_least: float, choose: ThresholdChoice
) -> None:
    known = judged(rows)
    inside = ~known.outside
    if not inside.any():
        return
    good = known.right if choose == "in_scope_accuracy" else inside
    shares = {limit: (good & inside & (known.score <= limit)).sum() / inside.sum() for limit in candidates(known.score)}
    reaching = [limit for limit, share in shares.items() if share >= at_least - 1e-9]
    assert threshold(known, choose=choose, at_least=at_least) == (min(reaching) if reaching else None)


VALIDATION = table("aabo", [[0.9, 0.1, 0], [0.6, 0.4, 0], [0.3, 0.7, 0], [0.5, 0.5, 0]])
TEST = table("aabbooo", [[p, 1 - p, 0] for p in (0.95, 0.52, 0.2, 0.8, 0.51, 0.53, 0.97)])


def test_a_case_by_hand() -> None:
    found = steps.out_of_scope(VALIDATION, TEST, method="msp")
    # On validation the scores are .1, .4, .3 in scope and .5 out: anything from .4 to .5 parts them.
    assert found.threshold == pytest.approx(0.45)
    assert (found.in_scope, found.out_of_scope) == (4, 3)
    assert found.in_scope_accuracy_without == pytest.approx(3 / 4)
    assert found.in_scope_accuracy == pytest.approx(2 / 4)
    assert found.in_scope_kept == pytest.approx(3 / 4)
    assert found.oos_recall == pytest.approx(2 / 3)
    assert found.oos_precision == pytest.approx(2 / 3)
    assert found.oos_f1 == pytest.approx(2 / 3)
    assert found.accuracy == pytest.approx(4 / 7)
    # Scores in scope .05 .48 .2 .2, out .49 .47 .03: of 12 pairs 4 + 3 + 0 are in order.
    assert found.auroc == pytest.approx(7 / 12)


def test_the_test_split_does_not_move_the_threshold() -> None:
    limits = {steps.out_of_scope(VALIDATION, TEST.slice(start), method="msp").threshold for start in range(7)}
    assert len(limits) == 1


def test_without_texts_of_a_kind_its_measures_are_none() -> None:
    inside = steps.out_of_scope(VALIDATION, TEST.slice(0, 4), method="msp")
    assert inside.auroc is inside.fpr95 is inside.aupr_out is inside.oos_recall is None
    assert inside.in_scope_accuracy == 0.5
    outside = steps.out_of_scope(VALIDATION, TEST.slice(4), method="msp")
    assert outside.in_scope_accuracy is outside.in_scope_kept is outside.in_scope_accuracy_without is None
    assert outside.oos_recall == pytest.approx(2 / 3)
    none = steps.out_of_scope(VALIDATION, TEST.slice(0, 1), method="msp")
    assert none.oos_precision is none.oos_f1 is None


def test_a_share_that_validation_never_reaches_leaves_no_threshold_and_no_measure_that_needs_one() -> None:
    wrong = table("ab", [[0.1, 0.9, 0], [0.9, 0.1, 0]])
    found = steps.out_of_scope(wrong, TEST, method="msp", choose="in_scope_accuracy", at_least=0.5)
    assert found.threshold is found.oos_recall is found.accuracy is found.in_scope_accuracy is None
    assert found.auroc is not None


def test_choosing_by_accuracy_needs_out_of_scope_texts_in_validation() -> None:
    with pytest.raises(StepError, match=r"needs out-of-scope texts in the validation split(?s:.*)in_scope_kept"):
        steps.out_of_scope(VALIDATION.slice(0, 3), TEST, method="msp")
    assert steps.out_of_scope(VALIDATION.slice(0, 3), TEST, method="msp", choose="in_scope_kept").threshold is not None


def test_a_class_for_what_is_out_of_scope_may_simply_be_predicted() -> None:
    test = table("ooab", [[0.2, 0.3, 0.5], [0.6, 0, 0.4], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    found = steps.out_of_scope(test, test, method="oos_class", choose="argmax")
    rejected = [guess == "oos" for guess in test["prediction"].to_pylist()]
    assert found.oos_recall == sum(rejected[:2]) / 2
    assert found.in_scope_kept == 1 - sum(rejected[2:]) / 2
    with pytest.raises(ConfigError, match="argmax with method oos_class alone"):
        steps.out_of_scope(test, test, method="msp", choose="argmax")


@given(SCORED)
def test_the_curve_runs_from_all_rejected_to_none(rows: list[tuple[float, bool, bool]]) -> None:
    from etude.text.out_of_scope import curve

    found = curve(judged(rows))
    for name, falls in (("in_scope_accuracy", False), ("in_scope_kept", False), ("oos_recall", True)):
        values = found[name].to_pylist()
        if None in values:
            assert set(values) == {None}
        else:
            assert values == sorted(values, reverse=falls)
            assert values[-1 if falls else 0] == 0


def test_the_curve_passes_through_what_a_threshold_gives() -> None:
    found = steps.out_of_scope(TEST, TEST, method="msp")
    points = steps.out_of_scope_curve(TEST, method="msp").to_pylist()
    (here,) = [point for point in points if point["threshold"] == found.threshold]
    assert {name: here[name] for name in ("in_scope_accuracy", "in_scope_kept", "oos_recall")} == {
        name: getattr(found, name) for name in ("in_scope_accuracy", "in_scope_kept", "oos_recall")
    }


@pytest.mark.parametrize("method", ["msp", "energy", "mahalanobis", "knn"])
def test_every_method_tells_far_texts_from_near_ones(method: ScopeMethod) -> None:
    random = np.random.default_rng(0)
    weights = np.eye(2, 6)

    def made(labels: str) -> pa.Table:
        centres = {"a": [4.0, 0, 0, 0, 0, 0], "b": [0, 4.0, 0, 0, 0, 0], "o": [0.5, 0.5, 3.0, 0, 0, 0]}
        rows = np.array([centres[label] for label in labels]) + random.normal(scale=0.5, size=(len(labels), 6))
        logits = np.column_stack([rows @ weights.T, np.full(len(labels), -9.0)])
        likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return table(labels, likely.tolist(), logits=logits, states=rows)

    train, validation, test = made("ab" * 40), made("ab" * 20 + "o" * 10), made("ab" * 30 + "o" * 30)
    found = steps.out_of_scope(validation, test, train, method=method, neighbours=3)
    assert found.auroc is not None
    assert found.auroc > 0.95
    assert found.in_scope_accuracy is not None
    assert found.in_scope_accuracy > 0.9
    assert all(getattr(found, field.name) is not None for field in fields(found))
