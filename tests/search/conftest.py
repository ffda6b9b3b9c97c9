"""Fakes that tests of the driver share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from etude.search.driver import Driver
from etude.search.evaluation import Ending
from etude.search.events import Begun, Warm
from etude.search.fidelity import EarlyStop, NeverStop
from etude.search.history import History
from etude.search.log import Log, MemoryLog
from etude.search.replica import Replica
from etude.search.rules import Rules
from etude.search.samplers.registry import make
from etude.search.simulate import Course, SimulatedEvaluator, SimulatedPool, VirtualClock
from etude.search.space import Space
from etude.search.trials import Goal, Outcome, Trial
from search_spaces import MINIMISE, MIXED


def begun(space: Space = MIXED, goal: Goal = MINIMISE, sampler: str = "random", seed: int = 0) -> Begun:
    return Begun(
        study="made", space=space.as_json(), goal=goal.as_json(), seed=seed, sampler=sampler, settings={}, at_s=0.0
    )


def steady(trial: Trial) -> Course:
    """Ten seconds each, and a value that tells trials apart."""
    return Course(10.0, Ending(Outcome.OK, (float(trial.number),)))


@dataclass
class Stage:
    """A search on a virtual clock, run as often as wanted over one log."""

    rules: Rules
    course: Callable[[Trial], Course] = steady
    space: Space = MIXED
    goal: Goal = MINIMISE
    log: Log = field(default_factory=MemoryLog)
    early_stop: EarlyStop = field(default_factory=NeverStop)
    cost_s: Callable[[int], float] = lambda _number: 0.0
    sampler: str = "random"
    seed: int = 0
    warm: tuple[Warm, ...] = ()
    clock: VirtualClock = field(default_factory=VirtualClock)
    evaluator: SimulatedEvaluator = field(init=False)
    driver: Driver = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = SimulatedEvaluator(self.course, self.clock)
        replica = Replica(make(self.sampler, self.space, self.goal, self.seed), self.goal)
        self.driver = Driver(
            self.log,
            begun(self.space, self.goal, self.sampler, self.seed),
            self.goal,
            self.rules,
            self.evaluator,
            lambda wake: SimulatedPool(replica, self.clock, wake, self.cost_s),
            self.early_stop,
            self.clock,
            self.warm,
            wall=self.clock.now,
        )

    def run(self) -> History:
        return self.driver.run()


@pytest.fixture
def stage() -> type[Stage]:
    return Stage
