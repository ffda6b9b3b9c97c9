"""The loop of a search: keeps every worker busy, and has everything on disk before a trial follows from it.

One thread decides; evaluators and the pool that draws proposals answer through its inbox. It waits for news, for the
next deadline and for nothing else: never for a sampler. All state is the log's, so a driver can be killed at any moment
and another goes on; several may work on one search at once.
"""

from __future__ import annotations

import heapq
import math
import os
import queue
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from etude.errors import SearchError
from etude.search.clock import Inbox, RealClock, SearchClock
from etude.search.early_stopping import EarlyStop, NeverStop
from etude.search.evaluation import Ending, Evaluator, Report, Underway
from etude.search.proposals import Proposal, ProposalSource
from etude.search.spec import Limits
from etude.search.trial_events import (
    Asked,
    Begun,
    Closed,
    Event,
    Finished,
    Halted,
    Opened,
    Reported,
    Retried,
    Started,
    Taken,
    Warm,
)
from etude.search.trial_history import TrialHistory
from etude.search.trial_log import TrialLog
from etude.search.trials import Goal, Origin, TrialOutcome

ABANDON_S = 0.5
"""How long an attempt that was ended may take to be gone; then its worker is taken for free."""
LOOK_S = 1.0
"""How often a driver looks at what others of the same search wrote, and whether they still live."""
STALE_SHARE = 0.005
"""Proposals are drawn ahead where waiting for one would cost a worker more than this share of its time."""

MakeSource = Callable[[Callable[[], None]], ProposalSource]
"""Makes the pool, given what wakes the driver."""
Observe = Callable[[Event, TrialHistory], None]


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """A trial under way."""

    worker: int
    attempt: int
    submitted_s: float
    why: TrialOutcome | None = None
    """Why it was asked to end, if it was."""
    started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    number: int
    attempt: int
    future: Future[Ending]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    attempt: int
    message: Underway | Report


_WAKE = object()
_STOP = object()


@dataclass(slots=True, eq=False, kw_only=True)
class SearchDriver:
    """One driver of one search, from its first event to its last."""

    log: TrialLog
    begun: Begun
    goal: Goal
    limits: Limits
    evaluator: Evaluator
    make_source: MakeSource
    early_stop: EarlyStop = field(default_factory=NeverStop)
    clock: SearchClock = field(default_factory=RealClock)
    warm: Sequence[Warm] = ()
    """Results of earlier tables, told when the search begins."""
    observe: Observe = field(default=lambda _event, _history: None)
    wall: Callable[[], float] = time.time
    redact: Callable[[str], str] = field(default=lambda text: text)
    """Takes secrets out of errors before they are written."""
    history: TrialHistory = field(default_factory=TrialHistory)
    _inbox: Inbox = field(default_factory=queue.SimpleQueue)
    _source: ProposalSource = field(init=False)
    _unread: list[Event] = field(default_factory=list)
    """Events that the pool has not been given."""
    _out: list[Event] = field(default_factory=list)
    """Events to write."""
    _me: int = 0
    _offset: float = 0.0
    _free: list[int] = field(default_factory=list)
    _queue: deque[int] = field(default_factory=deque)
    """Trials that wait for a worker here."""
    _begun_at: dict[int, int] = field(default_factory=dict)
    """Trial that waits → how many results there were when its proposal was begun."""
    _running: dict[int, _Attempt] = field(default_factory=dict)
    _moments: list[tuple[float, int, int, str]] = field(default_factory=list)
    """Heap of (when, trial, attempt, what is due)."""
    _drawing: int | None = None
    _results_at_draw: int = 0
    _suggest_s: float | None = None
    _trial_s: float | None = None
    _exhausted: bool = False
    _error: BaseException | None = None
    _stopping: str = ""
    _looked: float = -math.inf

    def run(self) -> TrialHistory:
        """Work until the search is complete, its time is up or it is asked to stop.

        Raises:
            SearchError: The sampler failed; what was running has ended by then.
        """
        self._source = self.make_source(lambda: self._inbox.put(_WAKE))
        try:
            self._open()
            while not self._over():
                self._keep_time()
                self._fill()
                self._flush()
                if self._over():
                    break
                self.log.sync()
                self._wait()
                self._flush()
            self._close()
        finally:
            self._source.close()
            self.log.close()
        if self._error is not None:
            raise SearchError(f"the sampler {self.begun.sampler!r} failed: {self._error}") from self._error
        return self.history

    def stop(self) -> None:
        """Start nothing more, and end when what runs has come to a checkpoint. From any thread."""
        self._inbox.put(_STOP)

    # Beginning and end.

    def _open(self) -> None:
        with self.log.exclusive():
            self._follow(self.log.read())
            first = self.history.begun is None
            living = [number for number in self.history.drivers if self.log.lives(number)]
            self._me = len(self.history.drivers)
            lanes = {self.history.drivers[number].lane for number in living}
            lane = next(lane for lane in range(len(lanes) + 1) if lane not in lanes)
            self.log.enter(self._me)
            self._offset = self._time_so_far(living) - self.clock.now()
            opened = Opened(
                driver=self._me,
                lane=lane,
                workers=self.limits.workers,
                host=socket.gethostname(),
                pid=os.getpid(),
                at_s=self.wall(),
                t=self._t(),
            )
            self._write([self.begun, opened, *self.warm] if first else [opened])
            self._write(self._first_asked())
        self._free = list(range(lane * self.limits.workers, (lane + 1) * self.limits.workers))
        heapq.heapify(self._free)
        self._queue.extend(number for number in self.history.open() if self.history.owner[number] == self._me)
        self._adopt()

    def _time_so_far(self, living: Sequence[int]) -> float:
        """Seconds since the search began. While others work on it, they are the clock."""
        if not living:
            return self.history.last_t
        opened = self.history.drivers[living[-1]]
        return max(self.history.last_t, opened.t + self.wall() - opened.at_s)

    def _first_asked(self) -> list[Event]:
        """The points that the user gave, as far as they were not asked before."""
        origins = {trial.origin for trial in self.history.trials.values()}
        points: list[tuple[Origin, Mapping[str, object]]] = []
        if self.limits.baseline is not None and "baseline" not in origins:
            points.append(("baseline", self.limits.baseline))
        if "told" not in origins:
            points += [("told", point) for point in self.limits.first]
        start, room = self.history.next_number, max(0, self.limits.trials - self.history.next_number)
        return [
            Asked(number=number, point=point, origin=origin, seen=0, driver=self._me, suggest_s=None, t=self._t())
            for number, (origin, point) in enumerate(points[:room], start)
        ]

    def _close(self) -> None:
        why = "failed" if self._error else self._stopping or ("exhausted" if self._exhausted else "complete")
        with self.log.exclusive():
            self._follow(self.log.read())
            self._write([Closed(driver=self._me, why=why, t=self._t())])

    def _over(self) -> bool:
        if self._stopping:
            return not (self._running or self._out)
        if self._running or self._drawing is not None:
            return False
        return not (self._queue or self.history.owner or self._more_to_ask() or self._out)

    def _more_to_ask(self) -> bool:
        return not self._exhausted and self._error is None and self.history.next_number < self.limits.trials

    def _t(self) -> float:
        return self.clock.now() + self._offset

    # The log.

    def _follow(self, events: Sequence[Event]) -> None:
        for event in events:
            self.history.take(event)
            self._unread.append(event)
            match event:
                case Reported():
                    self.early_stop.report(event.number, event.step, self._signed(event.value))
                case Finished(outcome=TrialOutcome.OK):
                    self.early_stop.end(event.number)
            self.observe(event, self.history)

    def _write(self, events: Sequence[Event]) -> None:
        """Add events. Only inside `log.exclusive`, after everything that others wrote was read."""
        self.log.write(events)
        for event in events:
            self.history.take(event)
            self._unread.append(event)
            if isinstance(event, Finished) and event.outcome is TrialOutcome.OK:
                self.early_stop.end(event.number)
            self.observe(event, self.history)

    def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            with self.log.exclusive():
                self._follow(self.log.read())
                self._write(out)

    # Time.

    def _keep_time(self) -> None:
        now = self.clock.now()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._follow(self.log.read())
            self._adopt()
        if self.limits.timeout_s is not None and self._t() >= self.limits.timeout_s and not self._stopping:
            self._stopping = "timeout"
            for number in self._running:
                self._end(number, TrialOutcome.CANCELLED, now=False)
        while self._moments and self._moments[0][0] <= self.clock.now():
            _, number, attempt, what = heapq.heappop(self._moments)
            self._due(number, attempt, what)

    def _due(self, number: int, attempt: int, what: str) -> None:
        if what == "again":
            self._queue.append(number)
            return
        running = self._running.get(number)
        if running is None or running.attempt != attempt:
            return
        match what:
            case "deadline":
                self._end(number, TrialOutcome.TIMEOUT, now=True)
            case "now":
                self.evaluator.cancel(number, now=True)
                self._at(ABANDON_S, number, attempt, "gone")
            case "gone":
                self._settle(
                    number, running, Ending(outcome=TrialOutcome.CANCELLED, error="it did not end when it was told to")
                )

    def _end(self, number: int, why: TrialOutcome, *, now: bool) -> None:
        running = self._running[number]
        if running.why is None or now:
            running.why = running.why or why
            self.evaluator.cancel(number, now=now)
            if now:
                self._at(ABANDON_S, number, running.attempt, "gone")
            else:
                self._at(self.limits.grace_s, number, running.attempt, "now")

    def _at(self, after_s: float, number: int, attempt: int, what: str) -> None:
        heapq.heappush(self._moments, (self.clock.now() + after_s, number, attempt, what))

    def _next_moment(self) -> float:
        moments = [self._moments[0][0]] if self._moments else []
        if self.limits.timeout_s is not None and not self._stopping:
            moments.append(self.limits.timeout_s - self._offset)
        return min([*moments, max(self._looked, self.clock.now() - LOOK_S) + LOOK_S])

    # Keeping workers busy.

    def _adopt(self) -> None:
        """See to the trials of drivers that are gone."""
        others = set(self.history.owner.values()) - {self._me}
        dead = {driver for driver in others if not self.log.lives(driver)}
        if not dead or self._stopping:
            return
        with self.log.exclusive():
            self._follow(self.log.read())
            gone = sorted(number for number, owner in self.history.owner.items() if owner in dead)
            self._write([Taken(number=number, driver=self._me, t=self._t()) for number in gone])
        self._queue.extend(gone)

    def _fill(self) -> None:
        """Give every free worker a trial, and have the next proposal drawn."""
        while not self._stopping:
            while self._free and self._queue:
                self._start(self._queue.popleft())
            wanted = len(self._free) + self._ahead()
            if self._drawing is not None or not self._more_to_ask() or len(self._queue) >= wanted:
                return
            self._flush()
            self._drawing = self.history.next_number
            self._results_at_draw = len(self.history.ended)
            news, self._unread = self._unread, []
            self._source.start(self._drawing, news)
            self._take_proposal()

    def _ahead(self) -> int:
        if self.limits.ahead is not None:
            return self.limits.ahead
        if self._suggest_s is None or self._trial_s is None:
            return 0
        every_s = self._trial_s / self.limits.workers
        if self._suggest_s <= STALE_SHARE * self._trial_s and self._suggest_s <= 0.5 * every_s:
            return 0
        return min(self.limits.workers, math.ceil(self._suggest_s / max(every_s, 1e-9)) + 1)

    def _take_proposal(self) -> None:
        proposal = self._source.take()
        if proposal is None:
            return
        number, self._drawing = self._drawing, None
        assert number == proposal.number
        if proposal.error is not None:
            self._error = proposal.error
        elif proposal.point is None:
            self._exhausted = True
        else:
            self._suggest_s = _average(self._suggest_s, proposal.suggest_s)
            self._ask(proposal, proposal.point)

    def _ask(self, proposal: Proposal, point: Mapping[str, object]) -> None:
        asked = Asked(
            number=proposal.number,
            point=point,
            origin="sampler",
            seen=proposal.seen,
            driver=self._me,
            suggest_s=proposal.suggest_s,
            t=self._t(),
        )
        with self.log.exclusive():
            self._follow(self.log.read())
            self._write(self._out)
            self._out = []
            if self.history.next_number == proposal.number:  # else another driver has it: draw anew, knowing that
                self._write([asked])
                self._queue.append(proposal.number)
                self._begun_at[proposal.number] = self._results_at_draw

    def _start(self, number: int) -> None:
        self.log.sync()  # nothing starts before what led to it is on disk
        trial = self.history.trials[number]
        attempt = len(self.history.failures.get(number, ())) + 1
        worker = heapq.heappop(self._free)
        self._running[number] = _Attempt(worker=worker, attempt=attempt, submitted_s=self._t())
        future = self.evaluator.submit(
            trial, lambda message: self._inbox.put(_Message(attempt=attempt, message=message))
        )
        future.add_done_callback(lambda done: self._inbox.put(_Ended(number=number, attempt=attempt, future=done)))

    # Hearing back.

    def _wait(self) -> None:
        message = self.clock.wait(self._inbox, self._next_moment())
        while message is not None:
            self._take(message)
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return

    def _take(self, message: Any) -> None:
        match message:
            case _Ended():
                running = self._running.get(message.number)
                if running is not None and running.attempt == message.attempt:
                    self._settle(message.number, running, _ending_of(message.future))
            case _Message():
                running = self._running.get(message.message.number)
                if running is not None and running.attempt == message.attempt:
                    self._take_message(message.message, running)
            case _ if message is _WAKE and self._drawing is not None:
                self._take_proposal()
            case _ if message is _STOP:
                self._stopping = self._stopping or "interrupted"

    def _take_message(self, message: Underway | Report, running: _Attempt) -> None:
        self._underway(message.number, running)
        if isinstance(message, Report):
            if not math.isfinite(message.value) or not math.isfinite(message.step):
                return
            self._out.append(Reported(number=message.number, step=message.step, value=message.value, t=self._t()))
            stops = self.early_stop.report(message.number, message.step, self._signed(message.value))
            if stops and running.why is None:
                self._end(message.number, TrialOutcome.PRUNED, now=False)

    def _underway(self, number: int, running: _Attempt) -> None:
        if running.started:
            return
        running.started = True
        begun_at = self._begun_at.pop(number, len(self.history.ended))
        self._out.append(
            Started(
                number=number,
                driver=self._me,
                worker=running.worker,
                attempt=running.attempt,
                submitted_s=running.submitted_s,
                stale=len(self.history.ended) - begun_at,
                t=self._t(),
            )
        )
        if self.limits.trial_timeout_s is not None:
            self._at(self.limits.trial_timeout_s, number, running.attempt, "deadline")

    def _settle(self, number: int, running: _Attempt, ending: Ending) -> None:
        """An attempt has ended: what follows from it."""
        self._underway(number, running)
        del self._running[number]
        heapq.heappush(self._free, running.worker)
        outcome, reason = _outcome_of(ending, running.why, self.goal, self.limits.trial_timeout_s)
        error = self.redact(reason)
        if outcome is TrialOutcome.CANCELLED:
            self._out.append(Halted(number=number, t=self._t()))
            if not self._stopping:
                self._stopping = "interrupted"
            return
        failed = self.history.failures.get(number, [])
        if not self._stopping and failed.count(outcome) < self.limits.retry.get(outcome, 0):
            self._out.append(Retried(number=number, outcome=outcome, error=error, t=self._t()))
            self._at(min(60.0, 2.0 ** len(failed)), number, running.attempt + 1, "again")
            return
        self._trial_s = _average(self._trial_s, self._t() - running.submitted_s)
        values: tuple[float, ...] | None = None
        if outcome is TrialOutcome.OK:
            assert ending.values is not None
            values = tuple(float(value) for value in ending.values if value is not None)
        elif outcome is TrialOutcome.PRUNED and len(self.goal.metrics) == 1:
            reports = [*self.history.reports(number), *self._reported(number)]
            values = (reports[-1][1],) if reports else None
        self._out.append(
            Finished(
                number=number,
                outcome=outcome,
                values=values,
                constraints=ending.constraints if outcome is TrialOutcome.OK else (),
                error=error,
                fingerprint=ending.fingerprint,
                t=self._t(),
            )
        )

    def _reported(self, number: int) -> list[tuple[float, float]]:
        return [
            (event.step, event.value) for event in self._out if isinstance(event, Reported) and event.number == number
        ]

    def _signed(self, value: float) -> float:
        return -value if self.goal.directions[0] == "maximize" else value


def _outcome_of(
    ending: Ending, why: TrialOutcome | None, goal: Goal, limit_s: float | None
) -> tuple[TrialOutcome, str]:
    """The outcome of an attempt, by what the evaluator says of it and what was asked of it."""
    if ending.outcome is TrialOutcome.OK:
        values = ending.values or ()
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


def _ending_of(future: Future[Ending]) -> Ending:
    error = future.exception()
    return (
        future.result()
        if error is None
        else Ending(outcome=TrialOutcome.CRASH, error=f"{type(error).__name__}: {error}")
    )


def _average(old: float | None, new: float) -> float:
    return new if old is None else 0.8 * old + 0.2 * new
