"""The driver on a virtual clock: busy workers, typed outcomes, deadlines, retries, going on."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from etude.errors import SearchError
from etude.search.early_stopping import Asha, MedianRule
from etude.search.evaluation import Ending
from etude.search.simulate import Course
from etude.search.spec import RETRIES, Limits
from etude.search.trial_events import Closed, Finished, Halted, Retried, Started, Taken
from etude.search.trial_history import TrialHistory
from etude.search.trial_log import MemoryLog
from etude.search.trials import Trial, TrialOutcome
from search_spaces import FINITE, MIXED, TWO_GOALS

RULES = Limits(trials=20, workers=4)


def outcomes(history: TrialHistory) -> Counter[TrialOutcome | None]:
    return Counter(trial.outcome for trial in history.trials.values())


def test_every_trial_is_evaluated_once(stage: Any) -> None:
    run = stage(RULES)
    history = run.run()
    assert outcomes(history) == {TrialOutcome.OK: 20}
    assert sorted(run.evaluator.submitted) == list(range(20))


def test_workers_are_never_idle_while_trials_are_left(stage: Any) -> None:
    run = stage(RULES)
    history = run.run()
    assert run.clock.now() == 50.0, "20 trials of 10 s on 4 workers"
    assert {trial.worker for trial in history.trials.values()} == {0, 1, 2, 3}


def test_the_baseline_is_the_first_trial(stage: Any) -> None:
    baseline = MIXED.sample(np.random.default_rng(9))
    history = stage(replace(RULES, baseline=baseline)).run()
    assert history.trials[0].origin == "baseline"
    assert history.trials[0].point == baseline
    assert len(history.trials) == 20


def test_a_proposal_says_how_many_events_it_follows_from(stage: Any) -> None:
    history = stage(RULES).run()
    assert [history.trials[number].seen for number in (0, 1)] == [2, 3]
    assert all(trial.seen > 0 for trial in history.trials.values())


def test_a_value_that_is_no_number_is_an_invalid_trial_and_not_an_error(stage: Any) -> None:
    def course(trial: Trial) -> Course:
        value = [math.nan, math.inf, None, 1.0][trial.number % 4]
        return Course(1.0, Ending(outcome=TrialOutcome.OK, values=(value,)))

    history = stage(RULES, course).run()
    assert outcomes(history) == {TrialOutcome.INVALID: 15, TrialOutcome.OK: 5}
    assert "quality.loss is nan" in history.trials[0].error


def test_many_failures_of_every_kind_end_no_search(stage: Any) -> None:
    """20 % crash, 5 % hang, 5 % give NaN."""

    def course(trial: Trial) -> Course:
        draw = np.random.default_rng(trial.number).random()
        if draw < 0.2:
            return Course(3.0, Ending(outcome=TrialOutcome.CRASH, error="ValueError: no"))
        if draw < 0.25:
            return Course(1e9, Ending(outcome=TrialOutcome.OK, values=(1.0,)), hangs=True)
        value = math.nan if draw < 0.3 else draw
        return Course(10.0, Ending(outcome=TrialOutcome.OK, values=(value,)))

    run = stage(Limits(trials=400, workers=8, trial_timeout_s=60.0), course)
    found = outcomes(run.run())
    assert found[TrialOutcome.CRASH] == pytest.approx(80, abs=30)
    assert found[TrialOutcome.TIMEOUT] >= 8
    assert found[TrialOutcome.INVALID] >= 8
    assert sum(found.values()) == 400
    started = {event.number: event.t for event in run.log.events if isinstance(event, Started)}
    assert all(0 <= when - started[number] - 60.0 <= 1.0 for number, when in run.evaluator.killed)


def test_a_trial_that_does_not_come_back_when_it_is_killed_holds_up_nothing(stage: Any) -> None:
    run = stage(
        Limits(trials=6, workers=1, trial_timeout_s=5.0),
        lambda trial: Course(1e9, Ending(outcome=TrialOutcome.OK), hangs=True),
    )
    run.evaluator.deaf = True
    history = run.run()
    assert outcomes(history) == {TrialOutcome.TIMEOUT: 6}
    ends = {event.number: event.t for event in run.log.events if isinstance(event, Finished)}
    starts = {event.number: event.t for event in run.log.events if isinstance(event, Started)}
    assert all(ends[number] - starts[number] <= 6.0 for number in ends)


def test_a_worker_that_is_taken_away_is_no_failure_of_the_point(stage: Any) -> None:
    seen: Counter[int] = Counter()

    def course(trial: Trial) -> Course:
        seen[trial.number] += 1
        ending = (
            Ending(outcome=TrialOutcome.PREEMPTED)
            if seen[trial.number] <= 2
            else Ending(outcome=TrialOutcome.OK, values=(1.0,))
        )
        return Course(1.0, ending)

    run = stage(Limits(trials=3, workers=2), course)
    history = run.run()
    assert outcomes(history) == {TrialOutcome.OK: 3}
    assert history.trials[0].attempts == 3
    assert sum(isinstance(event, Retried) for event in run.log.events) == 6


def test_each_cause_has_its_own_number_of_tries(stage: Any) -> None:
    rules = Limits(trials=2, workers=1, retry={**RETRIES, TrialOutcome.CRASH: 1, TrialOutcome.OUT_OF_MEMORY: 2})
    kinds = [TrialOutcome.CRASH, TrialOutcome.OUT_OF_MEMORY]
    run = stage(rules, lambda trial: Course(1.0, Ending(outcome=kinds[trial.number], error="no")))
    history = run.run()
    assert Counter(run.evaluator.submitted) == {0: 2, 1: 3}
    assert [history.trials[number].outcome for number in (0, 1)] == kinds


def test_the_time_of_a_search_is_up_after_its_timeout_and_goes_on_when_that_is_raised(stage: Any) -> None:
    log = MemoryLog()
    first = stage(Limits(trials=20, workers=4, timeout_s=25.0), log=log).run()
    assert first.closed == "timeout"
    assert first.last_t == pytest.approx(25.0, abs=1.0)
    assert len(first.ended) == 8
    again = stage(Limits(trials=20, workers=4, timeout_s=25.0), log=log)
    assert len(again.run().ended) == 8, "the time is still up"
    last = stage(Limits(trials=20, workers=4, timeout_s=1000.0), log=log).run()
    assert len(last.ended) == 20
    assert last.closed == "complete"


def test_a_search_is_extended_with_more_trials(stage: Any) -> None:
    log = MemoryLog()
    stage(Limits(trials=5, workers=2), log=log).run()
    run = stage(Limits(trials=9, workers=2), log=log)
    history = run.run()
    assert len(history.ended) == 9
    assert sorted(run.evaluator.submitted) == [5, 6, 7, 8]


def test_a_finished_search_does_nothing_when_it_is_run_again(stage: Any) -> None:
    log = MemoryLog()
    stage(RULES, log=log).run()
    run = stage(RULES, log=log)
    run.run()
    assert run.evaluator.submitted == []


def test_stopping_keeps_what_runs_for_the_next_time(stage: Any) -> None:
    log = MemoryLog()
    run = stage(RULES, log=log)
    run.clock.at(15.0, run.driver.stop)
    history = run.run()
    assert history.closed == "interrupted"
    assert len(history.ended) == 8, "what runs may end"
    assert len(stage(RULES, log=log).run().ended) == 20


def test_what_a_dead_driver_left_open_is_taken_over(stage: Any) -> None:
    log = MemoryLog()
    run = stage(RULES, log=log)

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    run.clock.at(15.0, die)
    with pytest.raises(Killed):
        run.run()
    log.living.clear()
    open_ = TrialHistory.of(log.events).open()
    assert len(open_) == 4
    again = stage(RULES, log=log)
    history = again.run()
    assert [event.number for event in log.events if isinstance(event, Taken)] == open_
    assert len(history.ended) == len(set(history.ended)) == 20
    assert sorted(again.evaluator.submitted) == [*open_, *range(8, 20)]


def test_the_clock_of_a_search_goes_on_where_it_stood(stage: Any) -> None:
    log = MemoryLog()
    stage(Limits(trials=4, workers=4), log=log).run()
    history = stage(Limits(trials=8, workers=4), log=log).run()
    assert history.trials[7].ended_s == pytest.approx(20.0)


def test_a_used_up_space_ends_the_search(stage: Any) -> None:
    from etude.search.sampler import Exhausted

    class Few:
        def tell(self, *_: object) -> None: ...
        def pend(self, *_: object) -> None: ...
        def ask(self, number: int) -> dict[str, object]:
            if number >= 12:
                raise Exhausted("all 12 points have been")
            return FINITE.sample(np.random.default_rng(number))

    from etude.search.log_sampler import LogSampler
    from etude.search.simulate import SimulatedProposals

    run = stage(RULES, space=FINITE)
    run.driver.make_source = lambda wake: SimulatedProposals(LogSampler(sampler=Few(), goal=run.goal), run.clock, wake)
    history = run.run()
    assert len(history.ended) == 12
    assert history.closed == "exhausted"


def test_a_sampler_that_fails_is_told_after_what_ran_has_ended(stage: Any) -> None:
    from etude.search.log_sampler import LogSampler
    from etude.search.simulate import SimulatedProposals

    class Broken:
        def tell(self, *_: object) -> None: ...
        def pend(self, *_: object) -> None: ...
        def ask(self, number: int) -> dict[str, object]:
            if number == 6:
                raise ZeroDivisionError("float division by zero")
            return MIXED.sample(np.random.default_rng(number))

    run = stage(RULES)
    run.driver.make_source = lambda wake: SimulatedProposals(
        LogSampler(sampler=Broken(), goal=run.goal), run.clock, wake
    )
    with pytest.raises(SearchError, match="float division by zero"):
        run.run()
    assert len(run.driver.history.ended) == 6
    assert isinstance(run.log.events[-1], Closed)


def test_slow_proposals_are_drawn_ahead_and_their_staleness_is_told(stage: Any) -> None:
    run = stage(Limits(trials=200, workers=8), cost_s=lambda _number: 1.0)
    history = run.run()
    busy = sum((trial.ended_s or 0) - (trial.submitted_s or 0) for trial in history.trials.values())
    assert busy / (8 * run.clock.now()) > 0.9
    assert max(trial.stale for trial in history.trials.values()) >= 1


def test_quick_proposals_are_drawn_when_they_are_needed_from_all_results(stage: Any) -> None:
    history = stage(Limits(trials=100, workers=2), cost_s=lambda _number: 0.001).run()
    assert max(trial.stale for trial in history.trials.values() if trial.number > 4) <= 1


def test_a_hopeless_trial_is_stopped_early_and_told_with_its_last_report(stage: Any) -> None:
    def course(trial: Trial) -> Course:
        level = float(trial.number % 5)
        reports = tuple((float(step), float(step), level) for step in range(1, 10))
        return Course(10.0, Ending(outcome=TrialOutcome.OK, values=(level,)), reports)

    run = stage(Limits(trials=40, workers=4), course, early_stop=Asha(min_step=1, reduction=3))
    history = run.run()
    pruned = [trial for trial in history.trials.values() if trial.outcome is TrialOutcome.PRUNED]
    assert len(pruned) > 10
    assert all(trial.values == (float(trial.number % 5),) for trial in pruned)
    assert all(len(trial.reports) < 9 for trial in pruned)
    assert all(trial.outcome is TrialOutcome.OK for trial in history.trials.values() if trial.number % 5 == 0)


def test_the_median_rule_lets_the_better_half_run(stage: Any) -> None:
    def course(trial: Trial) -> Course:
        level = float(trial.number % 10)
        return Course(10.0, Ending(outcome=TrialOutcome.OK, values=(level,)), ((1.0, 1.0, level), (2.0, 2.0, level)))

    history = stage(Limits(trials=60, workers=2), course, early_stop=MedianRule(startup=10)).run()
    later = [trial for trial in history.trials.values() if trial.number >= 20]
    assert all(trial.outcome is TrialOutcome.OK for trial in later if trial.number % 10 <= 3)
    assert all(trial.outcome is TrialOutcome.PRUNED for trial in later if trial.number % 10 >= 7)


def test_a_trial_that_does_not_heed_being_stopped_early_is_ended_after_its_grace(stage: Any) -> None:
    def course(trial: Trial) -> Course:
        bad = trial.number % 2 == 1
        return Course(50.0, Ending(outcome=TrialOutcome.OK, values=(1.0,)), ((1.0, 1.0, float(bad)),), hangs=bad)

    run = stage(Limits(trials=12, workers=1, grace_s=5.0), course, early_stop=Asha(min_step=1, reduction=2))
    found = outcomes(run.run())
    assert found[TrialOutcome.PRUNED] == 6
    assert len(run.evaluator.killed) == 6


def test_several_goals_are_kept_in_the_users_sign(stage: Any) -> None:
    history = stage(
        RULES, lambda trial: Course(1.0, Ending(outcome=TrialOutcome.OK, values=(1.0, -2.0))), goal=TWO_GOALS
    ).run()
    assert history.trials[3].values == (1.0, -2.0)


def test_halted_trials_count_as_cancelled_until_they_go_on(stage: Any) -> None:
    log = MemoryLog()
    rules = Limits(trials=4, workers=4, timeout_s=5.0)
    history = stage(rules, log=log).run()
    assert outcomes(history) == {TrialOutcome.CANCELLED: 4}
    assert sum(isinstance(event, Halted) for event in log.events) == 4
    history = stage(replace(rules, timeout_s=None), log=log).run()
    assert outcomes(history) == {TrialOutcome.OK: 4}
