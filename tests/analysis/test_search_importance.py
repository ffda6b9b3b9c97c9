"""Which params matter: planted truths are found, and a dead one is not taken for a live one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from etude.analysis.search.importance import _boxes, _marginal, importances
from etude.analysis.search.influence import influences
from etude.analysis.search.results import SearchResults, read_results
from searches import FRNN, Point, made_search, table_of

DEAD = ("momentum", "batch_size", "dense_size", "length", "lr_decay", "num_conv_filters", "num_conv_layers")
CUBE = {name: {"float": [0.0, 1.0]} for name in "abcd"}

Truth = Callable[[Point, np.random.Generator], float]


def searched(truth: Truth, space: dict[str, Any] | None = None, trials: int = 200, seed: int = 0) -> SearchResults:
    made = made_search(space or CUBE, truth, baseline=None, trials=trials, adaptive=False, failing=0.0, seed=seed)
    return read_results(made)


def test_shares_of_variance_are_those_of_a_sum() -> None:
    # Variances along a and b stand 9 to 1; c and d do nothing.
    found = {each.name: each for each in importances(searched(lambda x, _: 3 * x["a"] + x["b"], trials=400)).params}
    assert found["a"].alone == pytest.approx(0.9, abs=0.05)
    assert found["b"].alone == pytest.approx(0.1, abs=0.05)
    assert max(found["c"].total, found["d"].total) < 0.02
    assert found["a"].alone_interval[0] <= found["a"].alone <= found["a"].alone_interval[1]


def test_params_that_work_only_together_explain_much_in_total_and_little_alone() -> None:
    found = {
        each.name: each
        for each in importances(searched(lambda x, _: float((x["a"] > 0.5) == (x["b"] > 0.5)), trials=400)).params
    }
    assert found["a"].alone < 0.15
    assert found["a"].total > 0.7
    assert found["c"].total < 0.15


def test_importances_come_in_the_order_of_the_truth() -> None:
    params = importances(read_results(made_search(seed=3))).params
    assert params[0].name == "lr"
    rank = {each.name: at for at, each in enumerate(params)}
    assert np.mean([rank[name] for name in DEAD]) > np.mean([rank[name] for name in FRNN if name not in DEAD])


def test_the_curve_of_an_effect_follows_the_truth() -> None:
    found = importances(searched(lambda x, _: (x["a"] - 0.5) ** 2, trials=400)).params[0]
    truth = (np.array(found.effect.units) - 0.5) ** 2
    assert found.name == "a"
    assert np.corrcoef(found.effect.mean, truth)[0, 1] > 0.98


def test_an_option_is_one_level_of_its_param() -> None:
    space: dict[str, Any] = {**CUBE, "loss": {"choice": ["x", "y", "z"]}}
    found = importances(searched(lambda x, _: {"x": 0.0, "y": 1.0, "z": 0.2}[x["loss"]], space)).params[0]
    assert found.name == "loss"
    assert found.effect.mean == pytest.approx([0.0, 1.0, 0.2], abs=0.05)


def test_the_sum_over_boxes_is_the_mean_over_a_fine_grid() -> None:
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(0)
    units = rng.random((80, 2))
    tree = DecisionTreeRegressor(random_state=0).fit(units, units[:, 0] * 3 + np.sin(9 * units[:, 1]))
    boxes = _boxes(tree.tree_, 2)
    fine = (np.arange(1500) + 0.5) / 1500
    told = tree.predict(np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1).reshape(-1, 2)).reshape(1500, 1500)
    variance, curve = _marginal(boxes, 0, fine)
    assert boxes.mean == pytest.approx(told.mean(), rel=2e-3)
    assert boxes.variance == pytest.approx(told.var(), rel=5e-3)
    assert variance == pytest.approx(told.mean(axis=1).var(), rel=5e-3)
    assert np.allclose(curve, told.mean(axis=1), atol=0.02)


def test_a_conditional_param_is_weighed_where_it_is_active() -> None:
    space: dict[str, Any] = {**CUBE, "kind": {"choice": ["x", "y"]}, "e": {"float": [0, 1], "when": {"kind": ["y"]}}}
    results = searched(lambda x, _: x["a"] + 5 * x.get("e", 0.5), space)
    found = {each.name: each for each in importances(results).params}
    active = sum("e" in trial.point for trial in results.trials)
    assert found["e"].conditional
    assert found["e"].trials == active < 200
    assert found["e"].alone > 0.8
    tested = {each.name: each for each in influences(results)}
    assert (tested["e"].verdict, tested["e"].trials) == ("matters", active)


def test_too_few_trials_give_a_note_and_no_numbers() -> None:
    found = importances(searched(lambda x, _: x["a"], trials=12))
    assert found.params == ()
    assert "12 trials" in found.notes[0]
    assert {each.verdict for each in influences(searched(lambda x, _: x["a"], trials=12))} == {"undecided"}


def test_one_run_away_value_is_not_all_of_the_variance() -> None:
    results = searched(lambda x, rng: 1e9 if rng.random() < 0.02 else x["a"], trials=300)
    found = importances(results)
    assert found.params[0].name == "a"
    assert any("far outside" in note for note in found.notes)


@pytest.mark.parametrize("seed", range(4))
def test_a_param_that_reaches_nothing_is_told_from_those_that_matter(seed: int) -> None:
    found = {each.name: each for each in influences(read_results(made_search(seed=seed, trials=300)))}
    assert found["momentum"].verdict == "no effect seen"
    assert (found["momentum"].at_most or 1) < 0.08
    assert found["lr"].verdict == "matters"
    assert found["rnn_size"].verdict == "matters"


@pytest.mark.slow
def test_the_test_keeps_its_level_where_a_plain_correlation_is_fooled_by_the_sampler() -> None:
    ours, plain = [], []
    for seed in range(16):
        results = read_results(made_search(seed=seed))
        known = list(results.known())
        values = [trial.values[0] for trial in known if trial.values]
        ours += [each.p for each in influences(results) if each.name in DEAD and each.p is not None]
        plain += [spearmanr([trial.point[name] for trial in known], values).pvalue for name in DEAD]
    assert np.mean(np.array(ours) < 0.05) <= 0.10  # 112 tests at 0.05: more than 11 by chance in 1 of 50 rounds
    assert np.mean(np.array(plain) < 0.05) >= 0.25


def test_a_param_that_matters_only_with_another_is_found() -> None:
    results = searched(lambda x, rng: (x["a"] - 0.5) * (x["b"] - 0.5) + 0.02 * float(rng.normal()))
    verdicts = {each.name: each.verdict for each in influences(results)}
    assert verdicts == {"a": "matters", "b": "matters", "c": "no effect seen", "d": "no effect seen"}


def test_a_choice_that_matters_is_found() -> None:
    space: dict[str, Any] = {**CUBE, "loss": {"choice": ["x", "y", "z"]}, "other": {"choice": [True, False]}}
    results = searched(lambda x, rng: float(x["loss"] == "y") * 0.3 + x["a"] + 0.1 * float(rng.normal()), space)
    verdicts = {each.name: each.verdict for each in influences(results)}
    assert verdicts["loss"] == "matters"
    assert verdicts["other"] == "no effect seen"


def test_a_param_that_never_varied_is_undecided_with_its_reason() -> None:
    rows = made_search(CUBE, lambda x, _: x["b"], baseline=None, failing=0.0, adaptive=False).to_pylist()
    table = table_of([{**row, "param.a": 0.5} for row in rows], CUBE, {"quality.auc": "maximize"})
    found = {each.name: each for each in influences(read_results(table))}
    assert (found["a"].verdict, found["a"].note) == ("undecided", "always the same value")


def test_the_same_table_gives_the_same_numbers() -> None:
    results = read_results(made_search(trials=80))
    assert importances(results) == importances(results)
    assert influences(results) == influences(results)
