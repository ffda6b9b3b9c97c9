"""The native Gaussian process keeps the contract, and its own promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from etude.search.sampler import Sampler, TrialResult
from etude.search.samplers.factory import make
from etude.search.samplers.observations import Observations
from etude.search.samplers.unit_cube import Encoding
from etude.search.space import Float, Space
from etude.search.trials import Bound, Goal, TrialOutcome
from search.sampler_contract import SamplerContract
from search_spaces import MINIMISE, TWO_GOALS

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
