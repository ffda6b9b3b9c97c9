"""Fakes that tests of the driver share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from etude.search.driver import SearchDriver
from etude.search.early_stopping import EarlyStop, NeverStop
from etude.search.evaluation import Ending
from etude.search.log_sampler import LogSampler
from etude.search.samplers.factory import make
from etude.search.simulate import Course, SimulatedEvaluator, SimulatedProposals, VirtualClock
from etude.search.space import Space
from etude.search.spec import Limits
from etude.search.trial_events import Begun, Warm
from etude.search.trial_history import TrialHistory
from etude.search.trial_log import MemoryLog, TrialLog
from etude.search.trials import Goal, Trial, TrialOutcome
from search_spaces import MINIMISE, MIXED


def begun(space: Space = MIXED, goal: Goal = MINIMISE, sampler: str = "random", seed: int = 0) -> Begun:
    return Begun(
        study="made", space=space.as_json(), goal=goal.as_json(), seed=seed, sampler=sampler, settings={}, at_s=0.0
    )


def steady(trial: Trial) -> Course:
    """Ten seconds each, and a value that tells trials apart."""
    return Course(10.0, Ending(outcome=TrialOutcome.OK, values=(float(trial.number),)))


@dataclass
class Stage:
    """A search on a virtual clock, run as often as wanted over one log."""

    rules: Limits
    course: Callable[[Trial], Course] = steady
    space: Space = MIXED
    goal: Goal = MINIMISE
    log: TrialLog = field(default_factory=MemoryLog)
    early_stop: EarlyStop = field(default_factory=NeverStop)
    cost_s: Callable[[int], float] = lambda _number: 0.0
    sampler: str = "random"
    seed: int = 0
    warm: tuple[Warm, ...] = ()
    clock: VirtualClock = field(default_factory=VirtualClock)
    evaluator: SimulatedEvaluator = field(init=False)
    driver: SearchDriver = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = SimulatedEvaluator(course=self.course, clock=self.clock)
        log_sampler = LogSampler(sampler=make(self.sampler, self.space, self.goal, self.seed), goal=self.goal)
        self.driver = SearchDriver(
            log=self.log,
            begun=begun(self.space, self.goal, self.sampler, self.seed),
            goal=self.goal,
            limits=self.rules,
            evaluator=self.evaluator,
            make_source=lambda wake: SimulatedProposals(log_sampler, self.clock, wake, self.cost_s),
            early_stop=self.early_stop,
            clock=self.clock,
            warm=self.warm,
            wall=self.clock.now,
        )

    def run(self) -> TrialHistory:
        return self.driver.run()


@pytest.fixture
def stage() -> type[Stage]:
    return Stage
