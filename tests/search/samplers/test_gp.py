"""The native Gaussian process keeps the contract, and its own promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from etude.errors import ConfigError
from etude.search.sampler import Sampler, TrialResult
from etude.search.samplers.factory import make, make_for_log, version_of
from etude.search.samplers.gp import VERSION
from etude.search.samplers.observations import Observations
from etude.search.samplers.surrogate import Epoch, Surrogate, Tuning
from etude.search.samplers.unit_cube import Encoding
from etude.search.space import Float, Space
from etude.search.trial_events import Begun, from_line, to_line
from etude.search.trials import Bound, Goal, TrialOutcome
from search.sampler_contract import SamplerContract
from search_spaces import MINIMISE, TWO_GOALS

LINE = Space({"x": Float(0.0, 1.0)})
PLANE = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})


class TestGp(SamplerContract):
    name = "gp"


def searched(
    sampler: Sampler, space: Space, loss: Callable[[Any], TrialResult], count: int, running: int = 1
) -> list[dict[str, Any]]:
    """The points of a search with a few running at a time, in the order in which they were proposed."""
    points: list[Any] = []
    for number in range(count + running - 1):
        if number < count:
            points.append(sampler.ask(number))
            sampler.pend(number, points[-1])
        if number >= running - 1:
            ended = number - running + 1
            sampler.tell(ended, points[ended], loss(points[ended]))
    return points


def bowl(point: Any) -> TrialResult:
    return TrialResult(values=((point["x"] - 0.7) ** 2 + (point["y"] - 0.2) ** 2,), outcome=TrialOutcome.OK)


def test_a_bowl_is_searched_to_its_bottom() -> None:
    points = searched(make("gp", PLANE, MINIMISE, 0), PLANE, bowl, 40)
    assert min(bowl(point).values[0] for point in points) < 1e-5  # type: ignore[index]


def test_running_points_are_not_proposed_again() -> None:
    sampler = make("gp", PLANE, MINIMISE, 0, explore=0)
    searched(sampler, PLANE, bowl, 12)
    places = []
    for number in range(100, 116):
        point = sampler.ask(number)
        sampler.pend(number, point)
        places.append(PLANE.to_unit(point))
    grid = np.array(places)
    apart = np.abs(grid[:, None] - grid[None]).max(2) + np.eye(len(grid))
    assert apart.min() > 0
    assert np.median(apart.min(1)) > 1e-4


def test_a_half_of_the_space_that_fails_is_left() -> None:
    def half(point: Any) -> TrialResult:
        return TrialResult(values=None, outcome=TrialOutcome.OUT_OF_MEMORY) if point["x"] > 0.6 else bowl(point)

    points = searched(make("gp", PLANE, MINIMISE, 0, explore=0), PLANE, half, 60)
    failed = [half(point).values is None for point in points]
    assert np.mean(failed[30:]) < 0.4, "the best that works lies at the edge of what fails"
    assert min(bowl(point).values[0] for point in points if point["x"] <= 0.6) < 0.02  # type: ignore[index]


def test_failures_by_chance_do_not_spoil_a_search() -> None:
    rng = np.random.default_rng(0)

    def flaky(point: Any) -> TrialResult:
        return TrialResult(values=None, outcome=TrialOutcome.CRASH) if rng.random() < 0.2 else bowl(point)

    points = searched(make("gp", PLANE, MINIMISE, 1), PLANE, flaky, 60)
    assert min(bowl(point).values[0] for point in points) < 1e-3  # type: ignore[index]


def test_a_constraint_is_kept_where_the_best_lies_beyond_it() -> None:
    goal = Goal(metrics=("loss",), directions=("minimize",), constraints=(Bound(metric="cost", at_most=0.5),))

    def limited(point: Any) -> TrialResult:
        return TrialResult(values=bowl(point).values, outcome=TrialOutcome.OK, constraints=(point["x"] - 0.5,))

    points = searched(make("gp", PLANE, goal, 0), PLANE, limited, 50)
    feasible = [point for point in points if point["x"] <= 0.5]
    best = min(feasible, key=lambda point: bowl(point).values[0])  # type: ignore[index]
    assert best["x"] > 0.45
    assert abs(best["y"] - 0.2) < 0.05


def test_a_front_of_two_goals_is_covered_from_end_to_end() -> None:
    def split(point: Any) -> TrialResult:
        off = (point["y"] - 0.5) ** 2
        return TrialResult(values=(point["x"] ** 2 + off, (1 - point["x"]) ** 2 + off), outcome=TrialOutcome.OK)

    points = searched(make("gp", PLANE, TWO_GOALS, 0), PLANE, split, 60)
    near = sorted(point["x"] for point in points if abs(point["y"] - 0.5) < 0.1)
    assert len(near) >= 25
    assert max(np.diff([0.0, *near, 1.0])) < 0.25


def test_a_pruned_trial_counts_by_its_last_report() -> None:
    def pruned(point: Any) -> TrialResult:
        told = bowl(point)
        return TrialResult(values=told.values, outcome=TrialOutcome.PRUNED if point["x"] < 0.3 else TrialOutcome.OK)

    ours = searched(make("gp", PLANE, MINIMISE, 0), PLANE, pruned, 25)
    assert ours == searched(make("gp", PLANE, MINIMISE, 0), PLANE, bowl, 25)


def test_results_beyond_what_is_fitted_on_keep_the_best_and_a_random_half() -> None:
    history = Observations(encoding=Encoding(PLANE), seed=0)
    rng = np.random.default_rng(0)
    for number in range(500):
        point = PLANE.sample(rng)
        history.tell(number, point, bowl(point))
    chosen = history.chosen(100)
    order = np.argsort([value[0] for value in history.values])
    assert len(chosen) == len(set(chosen)) == 100
    assert set(order[:50]) <= set(chosen)
    assert history.values[max(chosen, key=lambda row: history.values[row])][0] > np.median(history.values)


def test_a_search_of_hundreds_of_results_is_the_same_after_a_kill() -> None:
    """Beyond `fit_on` results epochs last longer, and a sampler that was only told must find the same one."""
    sampler = make("gp", PLANE, MINIMISE, 0, fit_on=32)
    points = searched(sampler, PLANE, bowl, 150, running=5)
    again = make("gp", PLANE, MINIMISE, 0, fit_on=32)
    for number, point in enumerate(points):
        again.pend(number, point)
        if number >= 4:
            again.tell(number - 4, points[number - 4], bowl(points[number - 4]))
    for ended in range(146, 150):
        again.tell(ended, points[ended], bowl(points[ended]))
    assert again.ask(150) == sampler.ask(150)


def test_more_running_points_than_are_believed_are_taken() -> None:
    sampler = make("gp", PLANE, MINIMISE, 0)
    searched(sampler, PLANE, bowl, 20)
    texts = set()
    for number in range(20, 150):
        point = sampler.ask(number)
        sampler.pend(number, point)
        texts.add(PLANE.canonical_point(point))
    assert len(texts) == 130


def test_constraints_that_are_no_numbers_are_taken_as_far_exceeded() -> None:
    goal = Goal(metrics=("loss",), directions=("minimize",), constraints=(Bound(metric="cost", at_most=0.5),))
    over = [float("inf"), float("nan"), 1e308, -1.0, -2.0]

    def odd(point: Any) -> TrialResult:
        return TrialResult(
            values=bowl(point).values, outcome=TrialOutcome.OK, constraints=(over[int(point["x"] * 4.99)],)
        )

    points = searched(make("gp", PLANE, goal, 0), PLANE, odd, 40)
    assert np.mean([point["x"] > 0.6 for point in points[20:]]) > 0.5


def test_a_log_from_before_samplers_had_versions_goes_on_with_the_first() -> None:
    goal, space = MINIMISE.as_json(), PLANE.as_json()
    new = Begun(study="s", space=space, goal=goal, seed=0, sampler="gp", settings={}, at_s=0.0, sampler_version=VERSION)
    old = json.loads(to_line(new))
    del old["sampler_version"]
    read = from_line(json.dumps(old))
    assert isinstance(read, Begun)
    same = partial(searched, space=PLANE, loss=bowl, count=25, running=4)
    first, newest = make("gp", PLANE, MINIMISE, 0, version=1), make("gp", PLANE, MINIMISE, 0)
    assert same(make_for_log(read, PLANE, MINIMISE)) == same(first) != same(newest)


def test_a_new_log_says_the_newest_version_or_that_of_its_settings() -> None:
    assert [version_of("gp", {}), version_of("gp", {"version": 1}), version_of("random", {})] == [VERSION, 1, 1]


def test_a_version_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.version"):
        make("gp", PLANE, MINIMISE, 0, version=3)


def surrogate(values: list[float], **options: bool) -> tuple[Surrogate, Observations]:
    """A model of a line of points, one of which runs where the least is expected."""
    encoding = Encoding(LINE)
    history = Observations(encoding=encoding, seed=0)
    for number, value in enumerate(values):
        point = {"x": (number + 0.5) / (len(values) + 2)}
        history.tell(number, point, TrialResult(values=(value,), outcome=TrialOutcome.OK))
    epoch = Epoch(index=0, rows=tuple(range(len(values))), failed=(), running=())
    model = Surrogate(encoding, history, epoch, [Tuning(width=1), Tuning(width=1)], 4, **options)
    model.believe(99, history.pend(99, {"x": (len(values) + 0.5) / (len(values) + 2)}))
    return model, history


def test_an_improvement_is_measured_from_what_a_running_point_is_believed_to_bring() -> None:
    falling = [1.0 - 0.1 * number for number in range(8)]
    plain, minding = surrogate(falling)[0], surrogate(falling, counts_running=True)[0]
    assert minding.best < plain.best


def test_once_it_has_come_in_what_was_believed_of_it_counts_no_more() -> None:
    falling = [1.0 - 0.1 * number for number in range(8)]
    model, history = surrogate(falling, counts_running=True)
    believed = model.best
    kept = history.tell(99, {"x": 0.85}, TrialResult(values=(5.0,), outcome=TrialOutcome.OK))
    assert kept is not None
    model.learn(99, *kept)
    assert model.best > believed


def test_a_model_knows_how_much_of_what_it_has_not_seen_it_predicts() -> None:
    smooth = surrogate([0.1 * number for number in range(12)])[0].predicted_share()
    rng = np.random.default_rng(3)
    noisy = surrogate([float(value) for value in rng.standard_normal(12)])[0].predicted_share()
    assert smooth > 0.8 > 0.4 > noisy
