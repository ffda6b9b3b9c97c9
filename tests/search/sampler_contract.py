"""What every sampler keeps, whatever it does inside. Each sampler's tests inherit this class and say how it is made.

class TestRandom(SamplerContract):
    name = "random"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import pytest

from etude.search.dimensions import Int
from etude.search.sampler import Exhausted, Sampler, TrialResult
from etude.search.samplers.factory import make
from etude.search.space import Point, Space
from etude.search.trials import Goal, TrialOutcome
from search_spaces import CONDITIONAL, MINIMISE, MIXED, TWO_GOALS


def loss(space: Space, point: Point) -> float:
    """A smooth bowl over the unit cube with its bottom off centre, plus a step for each choice."""
    return math.fsum((place - 0.3) ** 2 for place in space.to_unit(point).tolist() if not math.isnan(place))


def told(space: Space, point: Point, goal: Goal = MINIMISE) -> TrialResult:
    value = loss(space, point)
    return TrialResult(values=tuple(value + index for index in range(len(goal.metrics))), outcome=TrialOutcome.OK)


def walk(sampler: Sampler, space: Space, count: int, running: int = 3, goal: Goal = MINIMISE) -> list[Point]:
    """Ask for this many points with a few running at a time; every fifth trial fails in one of many ways."""
    points: list[Point] = []
    failures = [
        TrialOutcome.CRASH,
        TrialOutcome.INVALID,
        TrialOutcome.TIMEOUT,
        TrialOutcome.OUT_OF_MEMORY,
        TrialOutcome.PREEMPTED,
    ]
    for number in range(count):
        points.append(sampler.ask(number))
        sampler.pend(number, points[-1])
        ended = number - running
        if ended >= 0:
            failed = ended % 5 == 4
            outcome = failures[ended // 5 % len(failures)]
            sampler.tell(
                ended,
                points[ended],
                TrialResult(values=None, outcome=outcome) if failed else told(space, points[ended], goal),
            )
    return points


class SamplerContract:
    """Subclasses set `name`, and `settings` where the defaults will not do."""

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, object]] = {}
    conditional: ClassVar[bool] = True
    """Whether it takes spaces with conditions and forbidden combinations."""
    several_goals: ClassVar[bool] = True
    random: ClassVar[bool] = True
    """Whether another seed gives other points."""
    asks: ClassVar[int] = 24

    def sampler(self, space: Space = MIXED, seed: int = 0, goal: Goal = MINIMISE) -> Sampler:
        return make(self.name, space, goal, seed, **self.settings)

    def spaces(self) -> list[Space]:
        return [MIXED, CONDITIONAL] if self.conditional else [MIXED]

    def test_every_point_lies_in_the_space(self) -> None:
        for space in self.spaces():
            for point in walk(self.sampler(space), space, self.asks):
                assert space.contains(point), point

    def test_the_same_calls_give_the_same_points(self) -> None:
        for space in self.spaces():
            assert walk(self.sampler(space), space, self.asks) == walk(self.sampler(space), space, self.asks)

    def test_global_random_state_is_neither_read_nor_written(self) -> None:
        import random

        import numpy as np

        space = self.spaces()[0]
        random.seed(1)
        np.random.seed(1)
        before = random.getstate(), np.random.get_state()[1].tolist()
        first = walk(self.sampler(space), space, self.asks)
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before
        random.seed(2)
        np.random.seed(2)
        assert walk(self.sampler(space), space, self.asks) == first

    def test_another_seed_gives_other_points(self) -> None:
        if not self.random:
            pytest.skip("it draws nothing at random")
        space = self.spaces()[0]
        assert walk(self.sampler(space, seed=1), space, self.asks) != walk(
            self.sampler(space, seed=2), space, self.asks
        )

    def test_asking_changes_nothing_that_is_asked_later(self) -> None:
        """A search that goes on after a kill tells and pends what its log holds, without asking."""
        for space in self.spaces():
            points = walk(self.sampler(space), space, self.asks)
            again, running = self.sampler(space), 3
            for number, point in enumerate(points):
                if number == self.asks - 1:
                    assert again.ask(number) == point
                again.pend(number, point)
                ended = number - running
                if ended >= 0:
                    again.tell(ended, points[ended], self.as_told(space, ended, points[ended]))

    def as_told(self, space: Space, number: int, point: Point) -> TrialResult:
        failures = [
            TrialOutcome.CRASH,
            TrialOutcome.INVALID,
            TrialOutcome.TIMEOUT,
            TrialOutcome.OUT_OF_MEMORY,
            TrialOutcome.PREEMPTED,
        ]
        if number % 5 == 4:
            return TrialResult(values=None, outcome=failures[number // 5 % len(failures)])
        return told(space, point)

    def test_asking_twice_gives_the_same_point(self) -> None:
        sampler = self.sampler()
        for number in range(self.asks):
            point = sampler.ask(number)
            assert sampler.ask(number) == point
            sampler.pend(number, point)
            sampler.tell(number, point, told(MIXED, point))

    def test_it_goes_on_when_everything_fails(self) -> None:
        for space in self.spaces():
            sampler = self.sampler(space)
            for number in range(self.asks):
                point = sampler.ask(number)
                assert space.contains(point)
                sampler.pend(number, point)
                sampler.tell(number, point, TrialResult(values=None, outcome=TrialOutcome.CRASH))

    def test_it_goes_on_when_nothing_has_ended(self) -> None:
        sampler = self.sampler()
        points = []
        for number in range(self.asks):
            points.append(sampler.ask(number))
            sampler.pend(number, points[-1])
        texts = {MIXED.canonical_point(point) for point in points}
        assert len(texts) >= 0.9 * self.asks, "running points are proposed again"

    def test_it_takes_points_of_others(self) -> None:
        """A baseline, results of an earlier table (negative numbers, never pended) and trials of other drivers."""
        import numpy as np

        sampler, rng = self.sampler(), np.random.default_rng(0)
        for number in range(-10, 0):
            point = MIXED.sample(rng)
            sampler.tell(number, point, told(MIXED, point))
        sampler.pend(0, MIXED.sample(rng))
        sampler.pend(1, MIXED.sample(rng))
        assert MIXED.contains(sampler.ask(2))

    def test_cancelled_and_pruned_trials_are_taken(self) -> None:
        sampler = self.sampler()
        for number in range(self.asks):
            point = sampler.ask(number)
            sampler.pend(number, point)
            value = loss(MIXED, point)
            if number % 3 == 0:
                sampler.tell(number, point, TrialResult(values=None, outcome=TrialOutcome.CANCELLED))
            elif number % 3 == 1:
                sampler.tell(
                    number,
                    point,
                    TrialResult(values=(value,), outcome=TrialOutcome.PRUNED, reports=((1.0, value + 1), (2.0, value))),
                )
            else:
                sampler.tell(number, point, told(MIXED, point))

    def test_constant_and_huge_values_are_taken(self) -> None:
        sampler = self.sampler()
        for number in range(self.asks):
            point = sampler.ask(number)
            assert MIXED.contains(point)
            sampler.pend(number, point)
            sampler.tell(
                number, point, TrialResult(values=(1e30 if number % 4 == 0 else 5.0,), outcome=TrialOutcome.OK)
            )

    def test_several_goals_and_constraints_are_taken(self) -> None:
        if not self.several_goals:
            pytest.skip("it takes one goal")
        sampler = self.sampler(goal=TWO_GOALS)
        for number in range(self.asks):
            point = sampler.ask(number)
            assert MIXED.contains(point)
            sampler.pend(number, point)
            value = loss(MIXED, point)
            sampler.tell(
                number,
                point,
                TrialResult(values=(value, 1 - value), outcome=TrialOutcome.OK, constraints=(value - 0.5,)),
            )

    def test_a_finite_space_is_tried_whole_and_no_point_of_it_twice(self) -> None:
        small = Space({"layers": MIXED.dimensions["layers"], "loss": MIXED.dimensions["loss"]})
        sampler, texts = self.sampler(small), set[str]()
        for number in range(12):
            point = sampler.ask(number)
            assert small.contains(point)
            texts.add(small.canonical_point(point))
            sampler.pend(number, point)
            sampler.tell(number, point, told(small, point))
        assert len(texts) == 12
        with pytest.raises(Exhausted):
            sampler.ask(12)

    @pytest.mark.parametrize("log", [False, True])
    def test_no_value_of_a_wide_whole_axis_is_tried_twice(self, log: bool) -> None:
        wide = Space({"tokens": Int(1, 1_000_000, log=log)})
        sampler, values = self.sampler(wide), []
        for number in range(self.asks):
            try:
                point = sampler.ask(number)
            except Exhausted:
                break
            values.append(point["tokens"])
            sampler.pend(number, point)
            sampler.tell(number, point, told(wide, point))
        assert len(set(values)) == len(values) >= 3
