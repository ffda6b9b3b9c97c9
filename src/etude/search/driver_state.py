"""Where a search stands for one driver: its workers, its queue, its attempts and what is due when.

Nothing here knows a clock, a log, a thread or an evaluator: each transition is told the time, in seconds since the
search began (`t`), changes the state, leaves what is to be written in `unwritten` and says what is to be cancelled.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from etude.search.early_stopping import EarlyStop, NeverStop
from etude.search.evaluation import Ending
from etude.search.proposals import Proposal
from etude.search.spec import Limits
from etude.search.trial_events import Asked, Event, Finished, Halted, Reported, Retried, Started
from etude.search.trial_history import TrialHistory
from etude.search.trials import Goal, Origin, TrialOutcome

ABANDON_S = 0.5
"""How long an attempt that was ended may take to be gone; then its worker is taken for free."""
STALE_SHARE = 0.005
"""Proposals are drawn ahead where waiting for one would cost a worker more than this share of its time."""
LONGEST_WAIT_S = 60.0
"""Before a trial is tried again."""

ROUNDING_S = 1e-9
"""What is due so soon is due: a driver that wakes for it may be early by the last digit of its clock."""

Due = Literal["retry", "deadline", "kill", "abandon"]
"""What becomes due: a trial is to be tried again; an attempt has had its time; one that was asked to stop has not; one
that was killed has not come back."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A trial under way."""

    number: int
    attempt: int
    """1 for the first."""
    worker: int
    submitted_s: float
    why: TrialOutcome | None = None
    """Why it was asked to end, if it was."""
    running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An attempt is to be ended: at its next checkpoint, or now."""

    number: int
    now: bool


@dataclass(slots=True, kw_only=True)
class DriverState:
    """One driver's part in a search. Every change is one of the transitions below."""

    limits: Limits
    goal: Goal
    early_stop: EarlyStop = field(default_factory=NeverStop)
    history: TrialHistory = field(default_factory=TrialHistory)
    driver: int = 0
    """Its number in the log."""
    free: list[int] = field(default_factory=list)
    """Heap of the workers that have nothing to do."""
    waiting: deque[int] = field(default_factory=deque)
    """Trials that wait for a worker here."""
    attempts: dict[int, Attempt] = field(default_factory=dict)
    unwritten: list[Event] = field(default_factory=list)
    """Events to write."""
    proposing: int | None = None
    """The number that a proposal is being drawn for."""
    exhausted: bool = False
    """The sampler has nothing more to propose."""
    error: BaseException | None = None
    """What went wrong in the sampler."""
    stopping: str = ""
    """Why nothing more is started: `timeout` or `interrupted`; empty where the search goes on."""
    _due: list[tuple[float, int, int, Due]] = field(default_factory=list)
    """Heap of (when, trial, attempt, what)."""
    _results_at_proposal: int = 0
    _results_before: dict[int, int] = field(default_factory=dict)
    """Trial that waits → how many results there were when its proposal was begun."""
    _suggest_s: float | None = None
    _trial_s: float | None = None

    # What it says.

    def is_over(self) -> bool:
        """Whether there is nothing left to do, to wait for or to write."""
        if self.stopping:
            return not (self.attempts or self.unwritten)
        if self.attempts or self.proposing is not None:
            return False
        return not (self.waiting or self.history.owner or self.has_room or self.unwritten)

    @property
    def has_room(self) -> bool:
        """Whether more points may be asked for."""
        return not self.exhausted and self.error is None and self.history.next_number < self.limits.trials

    @property
    def wants_proposal(self) -> bool:
        """Whether one is to be drawn now: for a free worker, or to be kept ready."""
        if self.stopping or self.proposing is not None or not self.has_room:
            return False
        return len(self.waiting) < len(self.free) + self.ahead

    @property
    def ahead(self) -> int:
        """Proposals to keep ready beyond the workers that wait."""
        if self.limits.ahead is not None:
            return self.limits.ahead
        if self._suggest_s is None or self._trial_s is None:
            return 0
        every_s = self._trial_s / self.limits.workers
        if self._suggest_s <= STALE_SHARE * self._trial_s and self._suggest_s <= 0.5 * every_s:
            return 0
        return min(self.limits.workers, math.ceil(self._suggest_s / max(every_s, 1e-9)) + 1)

    @property
    def next_due_s(self) -> float:
        """When something happens by itself; infinite where nothing does."""
        moments = [self._due[0][0]] if self._due else []
        if self.limits.timeout_s is not None and not self.stopping:
            moments.append(self.limits.timeout_s)
        return min(moments, default=math.inf)

    @property
    def reason_to_leave(self) -> str:
        """Why the driver leaves, as the log has it."""
        return "failed" if self.error else self.stopping or ("exhausted" if self.exhausted else "complete")

    # Coming in.

    def enter(self, driver: int, lane: int) -> None:
        """Take part under this number, with the workers of this lane; what was its own before waits again."""
        self.driver = driver
        self.free = list(range(lane * self.limits.workers, (lane + 1) * self.limits.workers))
        self.adopt(number for number in self.history.open() if self.history.owner[number] == driver)

    def adopt(self, numbers: Iterable[int]) -> None:
        """See to these trials from now on."""
        self.waiting.extend(numbers)

    def first_points(self, t: float) -> list[Event]:
        """The points that the user gave, as far as they were not asked before."""
        origins = {trial.origin for trial in self.history.trials.values()}
        points: list[tuple[Origin, Mapping[str, object]]] = []
        if self.limits.baseline is not None and "baseline" not in origins:
            points.append(("baseline", self.limits.baseline))
        if "told" not in origins:
            points += [("told", point) for point in self.limits.first]
        start, room = self.history.next_number, max(0, self.limits.trials - self.history.next_number)
        return [
            Asked(number=number, point=point, origin=origin, seen=0, driver=self.driver, suggest_s=None, t=t)
            for number, (origin, point) in enumerate(points[:room], start)
        ]

    def take(self, event: Event, *, own: bool) -> None:
        """Take in an event of the log: one written here, or by another driver."""
        self.history.take(event)
        match event:
            case Reported() if not own:  # its own were judged as they came
                self.early_stop.report(event.number, event.step, self._signed(event.value))
            case Finished(outcome=TrialOutcome.OK):
                self.early_stop.end(event.number)

    # Proposals.

    def begin_proposal(self) -> int:
        """The number that a proposal is drawn for from now on."""
        self.proposing = self.history.next_number
        self._results_at_proposal = len(self.history.ended)
        return self.proposing

    def end_proposal(self, proposal: Proposal) -> bool:
        """Take in that it is there; whether it gives a point."""
        assert self.proposing == proposal.number
        self.proposing = None
        if proposal.error is not None:
            self.error = proposal.error
        elif proposal.point is None:
            self.exhausted = True
        else:
            self._suggest_s = _average(self._suggest_s, proposal.suggest_s)
            return True
        return False

    def ask(self, proposal: Proposal, t: float) -> Asked | None:
        """Queue its point; None where another driver has the number by now: draw anew, knowing that."""
        if self.history.next_number != proposal.number or proposal.point is None:
            return None
        self.waiting.append(proposal.number)
        self._results_before[proposal.number] = self._results_at_proposal
        return Asked(
            number=proposal.number,
            point=proposal.point,
            origin="sampler",
            seen=proposal.seen,
            driver=self.driver,
            suggest_s=proposal.suggest_s,
            t=t,
        )

    # An attempt, from its start to its end.

    def start(self, t: float) -> Attempt | None:
        """Give the next trial to a free worker; None where one of them is lacking, or nothing more is started."""
        if self.stopping or not self.free or not self.waiting:
            return None
        number = self.waiting.popleft()
        attempt = len(self.history.failures.get(number, ())) + 1
        started = Attempt(number=number, attempt=attempt, worker=heapq.heappop(self.free), submitted_s=t)
        self.attempts[number] = started
        return started

    def attempt(self, number: int, attempt: int) -> Attempt | None:
        """This attempt at a trial; None where it is over."""
        current = self.attempts.get(number)
        return current if current is not None and current.attempt == attempt else None

    def mark_running(self, attempt: Attempt, t: float) -> None:
        """A worker has really begun: the time of the attempt runs from now."""
        if attempt.running:
            return
        attempt.running = True
        results = len(self.history.ended)
        self.unwritten.append(
            Started(
                number=attempt.number,
                driver=self.driver,
                worker=attempt.worker,
                attempt=attempt.attempt,
                submitted_s=attempt.submitted_s,
                stale=results - self._results_before.pop(attempt.number, results),
                t=t,
            )
        )
        if self.limits.trial_timeout_s is not None:
            self._plan(t + self.limits.trial_timeout_s, attempt, "deadline")

    def report(self, attempt: Attempt, step: float, value: float, t: float) -> list[Cancel]:
        """A running attempt tells how it does; it is stopped where the rule of early stopping says so."""
        if not math.isfinite(value) or not math.isfinite(step):
            return []
        self.unwritten.append(Reported(number=attempt.number, step=step, value=value, t=t))
        stops = self.early_stop.report(attempt.number, step, self._signed(value))
        if stops and attempt.why is None:
            return self.end(attempt, TrialOutcome.PRUNED, t, now=False)
        return []

    def end(self, attempt: Attempt, why: TrialOutcome, t: float, *, now: bool) -> list[Cancel]:
        """Have an attempt ended: at its next checkpoint, or now. Only the first reason counts."""
        if attempt.why is not None and not now:
            return []
        attempt.why = attempt.why or why
        if now:
            self._plan(t + ABANDON_S, attempt, "abandon")
        else:
            self._plan(t + self.limits.grace_s, attempt, "kill")
        return [Cancel(number=attempt.number, now=now)]

    def settle(self, attempt: Attempt, ending: Ending, error: str, outcome: TrialOutcome, t: float) -> None:
        """An attempt is over: its worker is free, and its trial has ended, is halted or is tried again.

        Args:
            attempt: The attempt.
            ending: What the evaluator says of it.
            error: What went wrong, without secrets.
            outcome: What it is, from `outcome_of`.
            t: The time.
        """
        self.mark_running(attempt, t)
        number = attempt.number
        del self.attempts[number]
        heapq.heappush(self.free, attempt.worker)
        if outcome is TrialOutcome.CANCELLED:
            self.unwritten.append(Halted(number=number, t=t))
            self.stopping = self.stopping or "interrupted"
            return
        failures = self.history.failures.get(number, [])
        if not self.stopping and failures.count(outcome) < self.limits.retry.get(outcome, 0):
            self.unwritten.append(Retried(number=number, outcome=outcome, error=error, t=t))
            wait_s = min(LONGEST_WAIT_S, 2.0 ** len(failures))
            heapq.heappush(self._due, (t + wait_s, number, attempt.attempt + 1, "retry"))
            return
        self._trial_s = _average(self._trial_s, t - attempt.submitted_s)
        self.unwritten.append(
            Finished(
                number=number,
                outcome=outcome,
                values=self._values(number, outcome, ending),
                constraints=ending.constraints if outcome is TrialOutcome.OK else (),
                error=error,
                fingerprint=ending.fingerprint,
                t=t,
            )
        )

    # Time, and the end.

    def pass_time(self, t: float) -> tuple[list[Cancel], list[Attempt]]:
        """What is due by now: the attempts to be cancelled, and those that are given up as lost."""
        cancels, lost = [], list[Attempt]()
        if self.limits.timeout_s is not None and t + ROUNDING_S >= self.limits.timeout_s and not self.stopping:
            self.stopping = "timeout"
            for attempt in self.attempts.values():
                cancels += self.end(attempt, TrialOutcome.CANCELLED, t, now=False)
        while self._due and self._due[0][0] <= t + ROUNDING_S:
            _, number, place, what = heapq.heappop(self._due)
            current = self.attempt(number, place)
            if what == "retry":
                self.waiting.append(number)
            elif current is not None and what == "deadline":
                cancels += self.end(current, TrialOutcome.TIMEOUT, t, now=True)
            elif current is not None and what == "kill":
                cancels.append(Cancel(number=number, now=True))
                self._plan(t + ABANDON_S, current, "abandon")
            elif current is not None:
                lost.append(current)
        return cancels, lost

    def interrupt(self) -> None:
        """Start nothing more."""
        self.stopping = self.stopping or "interrupted"

    def _plan(self, t: float, attempt: Attempt, what: Due) -> None:
        heapq.heappush(self._due, (t, attempt.number, attempt.attempt, what))

    def _values(self, number: int, outcome: TrialOutcome, ending: Ending) -> tuple[float, ...] | None:
        if outcome is TrialOutcome.OK:
            assert ending.values is not None
            return tuple(float(value) for value in ending.values if value is not None)
        if outcome is TrialOutcome.PRUNED and len(self.goal.metrics) == 1:
            reports = [value for _, value in self.history.reports(number)]
            reports += [one.value for one in self.unwritten if isinstance(one, Reported) and one.number == number]
            return (reports[-1],) if reports else None
        return None

    def _signed(self, value: float) -> float:
        return -value if self.goal.directions[0] == "maximize" else value


def outcome_of(ending: Ending, why: TrialOutcome | None, goal: Goal, limit_s: float | None) -> tuple[TrialOutcome, str]:
    """The outcome of an attempt and what went wrong, by what the evaluator says and by why it was asked to end."""
    if ending.outcome is TrialOutcome.OK:
        values: Sequence[float | None] = ending.values or ()
        bad = [
            f"{metric} is {'missing' if value is None else value}"
            for metric, value in zip(goal.metrics, [*values, *[None] * len(goal.metrics)], strict=False)
            if value is None or not math.isfinite(value)
        ]
        reason = "; ".join([*bad, *([ending.error] if ending.error else [])])
        return (TrialOutcome.INVALID, reason) if bad else (TrialOutcome.OK, "")
    if why is TrialOutcome.TIMEOUT:
        return why, f"it ran longer than the {limit_s:g} s that a trial may take"
    if why is TrialOutcome.PRUNED:
        return why, ""
    if why is not None:
        return why, ending.error
    return ending.outcome, ending.error


def _average(old: float | None, new: float) -> float:
    return new if old is None else 0.8 * old + 0.2 * new
