"""What follows from what in a search, transition by transition: no clock, no log, no evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.search.driver_state import ABANDON_S, Attempt, Cancel, DriverState, outcome_of
from etude.search.early_stopping import Asha
from etude.search.evaluation import Ending
from etude.search.proposals import Proposal
from etude.search.spec import Limits
from etude.search.trial_events import Event, Finished, Halted, Reported, Retried, Started
from etude.search.trials import TrialOutcome
from search_spaces import MINIMISE

OK = Ending(outcome=TrialOutcome.OK, values=(1.0,))


def state(trials: int = 4, workers: int = 2, **limits: Any) -> DriverState:
    made = DriverState(limits=Limits(trials=trials, workers=workers, **limits), goal=MINIMISE)
    made.enter(0, 0)
    return made


def propose(search: DriverState, t: float = 0.0) -> None:
    """One proposal is drawn, asked for and written."""
    number = search.begin_proposal()
    proposal = Proposal(number=number, point={"x": 0.5}, seen=0, suggest_s=0.1)
    assert search.end_proposal(proposal)
    asked = search.ask(proposal, t)
    assert asked is not None
    search.take(asked, own=True)


def begin(search: DriverState, t: float = 0.0) -> Attempt:
    """The next trial is proposed and starts."""
    propose(search, t)
    attempt = search.start(t)
    assert attempt is not None
    return attempt


def settle(search: DriverState, attempt: Attempt, ending: Ending, t: float) -> None:
    outcome, error = outcome_of(ending, attempt.why, search.goal, search.limits.trial_timeout_s)
    search.settle(attempt, ending, error, outcome, t)


def written(search: DriverState) -> list[Event]:
    """What was to be written, now written."""
    events, search.unwritten = search.unwritten, []
    for event in events:
        search.take(event, own=True)
    return events


def test_a_proposal_is_wanted_while_a_worker_is_free_and_points_are_left() -> None:
    search = state(trials=1, workers=2)
    assert search.wants_proposal
    begin(search)
    assert not search.wants_proposal


def test_a_trial_goes_to_the_first_free_worker_and_frees_it_at_its_end() -> None:
    search = state()
    attempt = begin(search)
    assert (attempt.worker, search.free) == (0, [1])
    settle(search, attempt, OK, 3.0)
    assert search.free == [0, 1]
    kinds = [type(event) for event in written(search)]
    assert kinds == [Started, Finished]


def test_the_time_of_an_attempt_runs_from_when_a_worker_began() -> None:
    search = state(trial_timeout_s=5.0)
    attempt = begin(search)
    search.mark_running(attempt, 10.0)
    search.mark_running(attempt, 12.0)
    assert search.next_due_s == 15.0
    assert search.pass_time(14.9) == ([], [])
    assert search.pass_time(15.0) == ([Cancel(number=0, now=True)], [])
    assert attempt.why is TrialOutcome.TIMEOUT


def test_an_attempt_that_does_not_come_back_after_it_was_killed_is_given_up() -> None:
    search = state(trial_timeout_s=5.0)
    attempt = begin(search)
    search.mark_running(attempt, 0.0)
    search.pass_time(5.0)
    assert search.pass_time(5.0 + ABANDON_S) == ([], [attempt])


def test_when_the_time_is_up_what_runs_is_asked_to_stop_and_killed_after_its_grace() -> None:
    search = state(timeout_s=100.0, grace_s=10.0)
    attempt = begin(search)
    search.mark_running(attempt, 90.0)
    assert search.pass_time(100.0) == ([Cancel(number=0, now=False)], [])
    assert search.stopping == "timeout"
    assert search.pass_time(110.0) == ([Cancel(number=0, now=True)], [])


def test_what_is_cancelled_is_halted_and_goes_on_with_the_search() -> None:
    search = state()
    attempt = begin(search)
    settle(search, attempt, Ending(outcome=TrialOutcome.CANCELLED), 4.0)
    assert isinstance(written(search)[-1], Halted)
    assert (search.stopping, search.history.open()) == ("interrupted", [0])


def test_a_worker_that_was_taken_away_costs_a_wait_and_no_trial() -> None:
    search = state()
    attempt = begin(search)
    settle(search, attempt, Ending(outcome=TrialOutcome.PREEMPTED), 1.0)
    assert isinstance(written(search)[-1], Retried)
    assert not search.waiting
    search.pass_time(2.0)
    again = search.start(2.0)
    assert again is not None
    assert (again.number, again.attempt) == (0, 2)


def test_a_word_of_an_attempt_that_is_over_reaches_nothing() -> None:
    search = state()
    attempt = begin(search)
    assert search.attempt(attempt.number, 2) is None
    settle(search, attempt, OK, 1.0)
    assert search.attempt(attempt.number, 1) is None


def test_a_trial_behind_the_others_is_asked_to_stop_once() -> None:
    search = DriverState(limits=Limits(trials=9, workers=4), goal=MINIMISE, early_stop=Asha(reduction=2.0))
    search.enter(0, 0)
    good, bad = begin(search), begin(search)
    assert search.report(good, 1.0, 0.1, 1.0) == []
    assert search.report(bad, 1.0, 9.0, 1.0) == [Cancel(number=bad.number, now=False)]
    assert search.report(bad, 2.0, 9.0, 2.0) == []
    settle(search, bad, Ending(outcome=TrialOutcome.CANCELLED), 3.0)
    end = written(search)[-1]
    assert isinstance(end, Finished)
    assert (end.outcome, end.values) == (TrialOutcome.PRUNED, (9.0,))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_report_that_is_no_number_is_no_report(value: float) -> None:
    search = state()
    assert search.report(begin(search), 1.0, value, 1.0) == []
    assert not any(isinstance(event, Reported) for event in search.unwritten)


def test_a_number_that_another_driver_took_meanwhile_is_drawn_anew() -> None:
    search = state()
    number = search.begin_proposal()
    proposal = Proposal(number=number, point={"x": 0.5}, seen=0, suggest_s=0.1)
    search.end_proposal(proposal)
    other = state()
    asked = other.ask(_drawn(other), 0.0)
    assert asked is not None
    search.take(asked, own=False)
    assert search.ask(proposal, 0.0) is None


def _drawn(search: DriverState) -> Proposal:
    proposal = Proposal(number=search.begin_proposal(), point={"x": 0.1}, seen=0, suggest_s=0.1)
    search.end_proposal(proposal)
    return proposal


@pytest.mark.parametrize(
    ("proposal", "why"),
    [
        (Proposal(number=0, point=None, seen=0, suggest_s=0.0), "exhausted"),
        (Proposal(number=0, point=None, seen=0, suggest_s=0.0, error=ValueError("no")), "failed"),
    ],
)
def test_without_a_proposal_the_search_is_over_and_says_why(proposal: Proposal, why: str) -> None:
    search = state()
    search.begin_proposal()
    assert not search.end_proposal(proposal)
    assert search.is_over()
    assert search.reason_to_leave == why


def test_proposals_are_kept_ready_where_waiting_for_them_would_cost_workers() -> None:
    quick, slow = state(trials=50), state(trials=50)
    for search, suggest_s in ((quick, 0.001), (slow, 5.0)):
        number = search.begin_proposal()
        proposal = Proposal(number=number, point={"x": 0.5}, seen=0, suggest_s=suggest_s)
        search.end_proposal(proposal)
        asked = search.ask(proposal, 0.0)
        assert asked is not None
        search.take(asked, own=True)
        attempt = search.start(0.0)
        assert attempt is not None
        settle(search, attempt, OK, 10.0)
    assert quick.ahead == 0
    assert slow.ahead > 0


@given(st.lists(st.sampled_from(["ok", "crash", "preempted"]), max_size=20), st.integers(1, 4), st.integers(1, 6))
def test_workers_are_never_lost_nor_doubled(ends: list[str], workers: int, trials: int) -> None:
    search = state(trials=trials, workers=workers)
    t = 0.0
    for end in ends:
        t += 100.0
        search.pass_time(t)
        if search.wants_proposal:
            propose(search, t)
        search.start(t)
        assert sorted([*search.free, *(one.worker for one in search.attempts.values())]) == list(range(workers))
        if search.attempts:
            attempt = next(iter(search.attempts.values()))
            settle(search, attempt, Ending(outcome=TrialOutcome(end), values=(1.0,)), t)
            written(search)
    assert search.history.next_number <= trials
