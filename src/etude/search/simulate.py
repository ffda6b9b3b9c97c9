"""Searches on a virtual clock: the real driver, with trials that only pretend to take time."""

from __future__ import annotations

import heapq
import itertools
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from etude.search.clock import Inbox
from etude.search.evaluation import Ending, Listen, Report, Underway
from etude.search.log_sampler import LogSampler
from etude.search.proposals import Proposal, propose
from etude.search.trial_events import Event
from etude.search.trials import Trial, TrialOutcome


class VirtualClock:
    """Passes time only when somebody waits. What is planned for a moment happens then, in the order planned."""

    def __init__(self) -> None:
        self._now = 0.0
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Plan something for a moment, not before now."""
        heapq.heappush(self._plans, (max(moment, self._now), next(self._order), act))

    def wait(self, inbox: Inbox, until: float) -> Any:
        while True:
            try:
                return inbox.get_nowait()
            except queue.Empty:
                pass
            if not self._plans or self._plans[0][0] > until:
                self._now = max(self._now, until)
                return None
            self._now, _, act = heapq.heappop(self._plans)
            act()


class Course(NamedTuple):
    """How a pretended trial goes."""

    duration_s: float
    ending: Ending
    reports: tuple[tuple[float, float, float], ...] = ()
    """(seconds after the start, step, value)."""
    hangs: bool = False
    """It goes on until it is killed, and hears no request to stop."""


@dataclass(slots=True, kw_only=True)
class SimulatedEvaluator:
    """Evaluates trials by a function that says how each attempt would go."""

    course: Callable[[Trial], Course]
    clock: VirtualClock
    running: dict[int, tuple[Future[Ending], Course]] = field(default_factory=dict)
    submitted: list[int] = field(default_factory=list)
    """Every attempt, by the number of its trial."""
    killed: list[tuple[int, float]] = field(default_factory=list)
    """(trial, when) of everything that was told to end at once."""
    deaf: bool = False
    """Whether even what is killed never comes back."""

    def submit(self, trial: Trial, listen: Listen) -> Future[Ending]:
        course, future, start = self.course(trial), Future[Ending](), self.clock.now()
        self.running[trial.number] = (future, course)
        self.submitted.append(trial.number)
        listen(Underway(trial.number))
        for after_s, step, value in course.reports:
            self.clock.at(start + after_s, lambda told=(step, value): self._report(trial.number, future, listen, told))  # type: ignore[misc]
        if not course.hangs:
            self.clock.at(start + course.duration_s, lambda: self._end(trial.number, future, course.ending))
        return future

    def cancel(self, number: int, *, now: bool) -> None:
        if now:
            self.killed.append((number, self.clock.now()))
        future, course = self.running[number]
        if not (course.hangs and not now) and not self.deaf:
            self._end(number, future, Ending(outcome=TrialOutcome.CANCELLED))

    def _report(self, number: int, future: Future[Ending], listen: Listen, told: tuple[float, float]) -> None:
        if not future.done():
            listen(Report(number, *told))

    def _end(self, number: int, future: Future[Ending], ending: Ending) -> None:
        if not future.done():
            del self.running[number]
            future.set_result(ending)


class SimulatedProposals:
    """Draws on the virtual clock: a proposal is there after the time that it is said to cost."""

    def __init__(
        self,
        sampler: LogSampler,
        clock: VirtualClock,
        wake: Callable[[], None],
        cost_s: Callable[[int], float] = lambda _number: 0.0,
    ) -> None:
        self._sampler = sampler
        self._clock = clock
        self._wake = wake
        self._cost_s = cost_s
        self._proposal: Proposal | None = None

    def start(self, number: int, events: Sequence[Event]) -> None:
        cost_s = self._cost_s(number)
        proposal = propose(self._sampler, number, events)
        told = Proposal(
            number=proposal.number, point=proposal.point, seen=proposal.seen, suggest_s=cost_s, error=proposal.error
        )
        if cost_s <= 0:
            self._proposal = told
        else:
            self._clock.at(self._clock.now() + cost_s, lambda: self._arrive(told))

    def take(self) -> Proposal | None:
        proposal, self._proposal = self._proposal, None
        return proposal

    def close(self) -> None:
        """Nothing to end."""

    def _arrive(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self._wake()
