"""Under noise the best value seen is partly luck: the recommended trial is the one that a model expects most of."""

from __future__ import annotations

import numpy as np
import pytest

from etude.analysis.search.recommendation import Recommendation, recommendation
from etude.analysis.search.results import read_results
from searches import Point, made_search

LINE = {"x": {"float": [0.0, 1.0]}}


def truth(point: Point) -> float:
    """What a point is worth without noise: at most 0, where x is 0.3."""
    return float(-8 * (point["x"] - 0.3) ** 2)


def recommended(sd: float, seed: int = 0) -> Recommendation:
    def value(point: Point, rng: np.random.Generator) -> float:
        return truth(point) + float(rng.normal(0, sd))

    table = made_search(LINE, value, baseline=None, trials=40, failing=0.0, adaptive=False, seed=seed)
    found = recommendation(read_results(table))
    assert found is not None
    return found


def test_without_noise_it_is_the_best_value_seen() -> None:
    found = recommended(0.0)
    assert found.expected.number == found.observed.number
    assert found.noise_sd < 0.01
    assert found.low <= truth(found.expected.point) <= found.high


def test_under_noise_it_is_worth_more_than_the_best_value_seen() -> None:
    found = [recommended(0.5, seed) for seed in range(20)]
    assert np.mean([truth(each.expected.point) - truth(each.observed.point) for each in found]) > 0
    assert sum(each.low <= truth(each.expected.point) <= each.high for each in found) >= 15
    assert np.median([each.noise_sd for each in found]) == pytest.approx(0.5, rel=0.2)
    assert all(each.observed_mean < (each.observed.values or (0.0,))[0] for each in found)


def test_of_a_metric_that_is_to_be_small_it_is_the_smallest_mean() -> None:
    loss = {"q.loss": "minimize"}
    table = made_search(LINE, lambda point, _: -truth(point), metrics=loss, baseline=None, trials=30, failing=0.1)
    found = recommendation(read_results(table))
    assert found is not None
    assert found.expected.point["x"] == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize(("trials", "slope"), [(7, 1.0), (30, 0.0)])
def test_few_or_equal_values_recommend_nothing(trials: int, slope: float) -> None:
    table = made_search(LINE, lambda point, _: slope * point["x"], baseline=None, trials=trials, failing=0.0)
    assert recommendation(read_results(table)) is None


def test_conditional_mixed_spaces_and_hundreds_of_trials_are_taken() -> None:
    found = recommendation(read_results(made_search(trials=400)))
    assert found is not None
    assert found.low <= found.mean <= found.high
