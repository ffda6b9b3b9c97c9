"""A log is the script of its search: every proposal follows from it once more, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from etude.search.evaluation import Ending
from etude.search.log_sampler import LogSampler
from etude.search.replay import compare_proposals
from etude.search.sampler import TrialResult
from etude.search.simulate import Course
from etude.search.space import Point, Space
from etude.search.spec import Limits
from etude.search.trial_events import Asked
from etude.search.trial_log import MemoryLog
from etude.search.trials import Trial, TrialOutcome
from search_spaces import CONDITIONAL, MINIMISE


class Mean:
    """Proposes from everything it was told and what is pending, so that any difference in what it saw shows."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed
        self.known: list[float] = []
        self.pending: set[int] = set()

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        self.pending.discard(number)
        self.known.append(result.values[0] if result.values else -1.0)

    def pend(self, number: int, point: Point) -> None:
        self.pending.add(number)

    def ask(self, number: int) -> Point:
        mix = int(sum(value * (place + 1) for place, value in enumerate(self.known)) * 1000) % 2**31
        return self.space.sample(np.random.default_rng((self.seed, number, mix, len(self.pending))))


def course(trial: Trial) -> Course:
    rng = np.random.default_rng(trial.number)
    outcome = TrialOutcome.CRASH if rng.random() < 0.2 else TrialOutcome.OK
    return Course(float(rng.lognormal(2.0, 0.7)), Ending(outcome=outcome, values=(float(rng.normal()),)))


def searched(stage: Any, log: MemoryLog, trials: int, workers: int = 5) -> Any:
    run = stage(Limits(trials=trials, workers=workers), course, space=CONDITIONAL, log=log, cost_s=lambda _number: 2.0)
    pool = run.driver.make_source
    run.driver.make_source = lambda wake: _with_mean(pool(wake))
    return run


def _with_mean(pool: Any) -> Any:
    pool._sampler = fresh()
    return pool


def fresh() -> LogSampler:
    return LogSampler(sampler=Mean(CONDITIONAL, 3), goal=MINIMISE)


def test_every_proposal_follows_again_from_what_it_had_seen(stage: Any) -> None:
    log = MemoryLog()
    searched(stage, log, 80).run()
    found = list(compare_proposals(log.events, fresh))
    assert len(found) == 80
    assert all(one.same for one in found)


def test_so_do_those_of_a_search_that_was_gone_on_with(stage: Any) -> None:
    log = MemoryLog()
    for trials in (20, 35, 60):
        searched(stage, log, trials, workers=trials // 10).run()
    assert [one.same for one in compare_proposals(log.events, fresh)] == [True] * 60


def test_a_proposal_that_does_not_follow_is_told(stage: Any) -> None:
    log = MemoryLog()
    searched(stage, log, 30).run()
    place = next(index for index, event in enumerate(log.events) if isinstance(event, Asked) and event.number == 20)
    asked = log.events[place]
    assert isinstance(asked, Asked)
    log.events[place] = replace(asked, point={"kind": "linear", "lr": 0.5})
    found = {one.number: one.same for one in compare_proposals(log.events, fresh)}
    assert not found[20]
    assert all(found[number] for number in range(20))


def test_another_seed_is_told(stage: Any) -> None:
    log = MemoryLog()
    searched(stage, log, 10).run()
    assert not any(
        one.same
        for one in compare_proposals(log.events, lambda: LogSampler(sampler=Mean(CONDITIONAL, 4), goal=MINIMISE))
    )


def test_a_sampler_that_fails_in_the_replay_is_told_and_the_rest_goes_on(stage: Any) -> None:
    log = MemoryLog()
    searched(stage, log, 5).run()

    class Broken(Mean):
        def ask(self, number: int) -> Point:
            if number == 2:
                raise ZeroDivisionError("no")
            return super().ask(number)

    found = list(compare_proposals(log.events, lambda: LogSampler(sampler=Broken(CONDITIONAL, 3), goal=MINIMISE)))
    assert [one.same for one in found] == [True, True, False, True, True]
    assert "ZeroDivisionError" in found[2].error


@pytest.mark.slow
def test_memory_stays_flat_over_ten_thousand_observations(stage: Any) -> None:
    """A trial leaves a few kilobytes, whatever the number of trials: nothing is kept of models or events."""
    import tracemalloc

    from etude.search.samplers.random import RandomSampler

    class Thrifty(MemoryLog):
        """Keeps no events: they would be on disk."""

        def write(self, events: Any) -> None:
            pass

    run = stage(Limits(trials=10_000, workers=50), course, space=CONDITIONAL, log=Thrifty())
    sizes = {}
    tracemalloc.start()

    def look(_event: object, history: Any) -> None:
        if len(history.ended) in (1_000, 10_000) and len(history.ended) not in sizes:
            sizes[len(history.ended)] = tracemalloc.get_traced_memory()[0]

    run.driver.observe = look
    assert RandomSampler
    run.run()
    tracemalloc.stop()
    assert (sizes[10_000] - sizes[1_000]) / 9_000 < 4_000, "bytes per trial"
