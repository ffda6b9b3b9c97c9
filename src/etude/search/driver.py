"""The loop of a search: keeps every worker busy, and has everything on disk before a trial follows from it.

One thread decides; evaluators and the source of proposals answer through its inbox. It waits for news, for the next
deadline and for nothing else: never for a sampler. All state is the log's, so a driver can be killed at any moment and
another goes on; several may work on one search at once. What follows from what is in `driver_state`, without a clock.
"""

from __future__ import annotations

import math
import os
import queue
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from etude.errors import SearchError
from etude.search.clock import Inbox, RealClock, SearchClock
from etude.search.driver_state import Attempt, Cancel, DriverState, outcome_of
from etude.search.early_stopping import EarlyStop, NeverStop
from etude.search.evaluation import Ending, Evaluator, Report, Underway
from etude.search.proposals import ProposalSource
from etude.search.spec import Limits
from etude.search.trial_events import Begun, Closed, Event, Opened, Taken, Warm
from etude.search.trial_history import TrialHistory
from etude.search.trial_log import TrialLog
from etude.search.trials import Goal, TrialOutcome

LOOK_S = 1.0
"""How often a driver looks at what others of the same search wrote, and whether they still live."""

MakeSource = Callable[[Callable[[], None]], ProposalSource]
"""Makes the source of proposals, given what wakes the driver."""
Observe = Callable[[Event, TrialHistory], None]


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
    state: DriverState = field(init=False)
    _inbox: Inbox = field(default_factory=queue.SimpleQueue)
    _source: ProposalSource = field(init=False)
    _unread: list[Event] = field(default_factory=list)
    """Events that the source of proposals has not been given."""
    _offset_s: float = 0.0
    """Seconds since the search began, less the clock's."""
    _looked_s: float = -math.inf

    def __post_init__(self) -> None:
        self.state = DriverState(limits=self.limits, goal=self.goal, early_stop=self.early_stop)

    @property
    def history(self) -> TrialHistory:
        """The search so far."""
        return self.state.history

    def run(self) -> TrialHistory:
        """Work until the search is complete, its time is up or it is asked to stop.

        Raises:
            SearchError: The sampler failed; what was running has ended by then.
        """
        self._source = self.make_source(lambda: self._inbox.put(_WAKE))
        try:
            self._open()
            while not self.state.is_over():
                self._keep_time()
                self._fill()
                self._flush()
                if self.state.is_over():
                    break
                self.log.sync()
                self._wait()
                self._flush()
            self._close()
        finally:
            self._source.close()
            self.log.close()
        if self.state.error is not None:
            raise SearchError(f"the sampler {self.begun.sampler!r} failed: {self.state.error}") from self.state.error
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
            driver = len(self.history.drivers)
            lanes = {self.history.drivers[number].lane for number in living}
            lane = next(lane for lane in range(len(lanes) + 1) if lane not in lanes)
            self.log.enter(driver)
            self._offset_s = self._time_so_far(living) - self.clock.now()
            opened = Opened(
                driver=driver,
                lane=lane,
                workers=self.limits.workers,
                host=socket.gethostname(),
                pid=os.getpid(),
                at_s=self.wall(),
                t=self._t(),
            )
            self._write([self.begun, opened, *self.warm] if first else [opened])
            self.state.driver = driver
            self._write(self.state.first_points(self._t()))
        self.state.enter(driver, lane)
        self._adopt()

    def _time_so_far(self, living: Sequence[int]) -> float:
        """Seconds since the search began. While others work on it, they are the clock."""
        if not living:
            return self.history.last_t
        opened = self.history.drivers[living[-1]]
        return max(self.history.last_t, opened.t + self.wall() - opened.at_s)

    def _close(self) -> None:
        with self.log.exclusive():
            self._follow(self.log.read())
            self._write([Closed(driver=self.state.driver, why=self.state.reason_to_leave, t=self._t())])

    def _t(self) -> float:
        return self.clock.now() + self._offset_s

    # The log.

    def _follow(self, events: Sequence[Event]) -> None:
        self._take_in(events, own=False)

    def _write(self, events: Sequence[Event]) -> None:
        """Add events. Only inside `log.exclusive`, after everything that others wrote was read."""
        self.log.write(events)
        self._take_in(events, own=True)

    def _take_in(self, events: Iterable[Event], *, own: bool) -> None:
        for event in events:
            self.state.take(event, own=own)
            self._unread.append(event)
            self.observe(event, self.history)

    def _flush(self) -> None:
        if self.state.unwritten:
            events, self.state.unwritten = self.state.unwritten, []
            with self.log.exclusive():
                self._follow(self.log.read())
                self._write(events)

    # Time.

    def _keep_time(self) -> None:
        if self.clock.now() - self._looked_s >= LOOK_S:
            self._looked_s = self.clock.now()
            self._follow(self.log.read())
            self._adopt()
        cancels, lost = self.state.pass_time(self._t())
        self._cancel(cancels)
        for attempt in lost:
            self._settle(attempt, Ending(outcome=TrialOutcome.CANCELLED, error="it did not end when it was told to"))

    def _cancel(self, cancels: Iterable[Cancel]) -> None:
        for one in cancels:
            self.evaluator.cancel(one.number, now=one.now)

    def _adopt(self) -> None:
        """See to the trials of drivers that are gone."""
        others = set(self.history.owner.values()) - {self.state.driver}
        dead = {driver for driver in others if not self.log.lives(driver)}
        if not dead or self.state.stopping:
            return
        with self.log.exclusive():
            self._follow(self.log.read())
            gone = sorted(number for number, owner in self.history.owner.items() if owner in dead)
            self._write([Taken(number=number, driver=self.state.driver, t=self._t()) for number in gone])
        self.state.adopt(gone)

    # Keeping workers busy.

    def _fill(self) -> None:
        """Give every free worker a trial, and have the next proposal drawn."""
        while True:
            while self._start():
                pass
            if not self.state.wants_proposal:
                return
            self._flush()
            unread, self._unread = self._unread, []
            self._source.start(self.state.begin_proposal(), unread)
            self._take_proposal()

    def _take_proposal(self) -> None:
        proposal = self._source.take()
        if proposal is None or not self.state.end_proposal(proposal):
            return
        with self.log.exclusive():
            self._follow(self.log.read())
            events, self.state.unwritten = self.state.unwritten, []
            self._write(events)
            asked = self.state.ask(proposal, self._t())
            if asked is not None:
                self._write([asked])

    def _start(self) -> bool:
        """Have a free worker begin the next trial; whether there was one."""
        attempt = self.state.start(self._t())
        if attempt is None:
            return False
        self.log.sync()  # nothing starts before what led to it is on disk
        number, place = attempt.number, attempt.attempt
        trial = self.history.trials[number]
        future = self.evaluator.submit(trial, lambda message: self._inbox.put(_Message(attempt=place, message=message)))
        future.add_done_callback(lambda done: self._inbox.put(_Ended(number=number, attempt=place, future=done)))
        return True

    # Hearing back.

    def _wait(self) -> None:
        until = min(self.state.next_due_s - self._offset_s, max(self._looked_s, self.clock.now() - LOOK_S) + LOOK_S)
        message = self.clock.wait(self._inbox, until)
        while message is not None:
            self._take(message)
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return

    def _take(self, message: Any) -> None:
        match message:
            case _Ended():
                attempt = self.state.attempt(message.number, message.attempt)
                if attempt is not None:
                    self._settle(attempt, _ending_of(message.future))
            case _Message():
                attempt = self.state.attempt(message.message.number, message.attempt)
                if attempt is not None:
                    self._take_message(message.message, attempt)
            case _ if message is _WAKE and self.state.proposing is not None:
                self._take_proposal()
            case _ if message is _STOP:
                self.state.interrupt()

    def _take_message(self, message: Underway | Report, attempt: Attempt) -> None:
        self.state.mark_running(attempt, self._t())
        if isinstance(message, Report):
            self._cancel(self.state.report(attempt, message.step, message.value, self._t()))

    def _settle(self, attempt: Attempt, ending: Ending) -> None:
        outcome, reason = outcome_of(ending, attempt.why, self.goal, self.limits.trial_timeout_s)
        self.state.settle(attempt, ending, self.redact(reason), outcome, self._t())


def _ending_of(future: Future[Ending]) -> Ending:
    error = future.exception()
    if error is None:
        return future.result()
    return Ending(outcome=TrialOutcome.CRASH, error=f"{type(error).__name__}: {error}")
