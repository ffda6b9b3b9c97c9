"""What a log says so far: every trial, who works on it, and in which order the results came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

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
from etude.search.trials import Trial, TrialOutcome


@dataclass(slots=True, kw_only=True)
class TrialHistory:
    """The state of a search, made of its events one by one."""

    begun: Begun | None = None
    count: int = 0
    """How many events there were."""
    trials: dict[int, Trial] = field(default_factory=dict)
    """Number → trial, from 0 on; results of earlier tables have negative numbers."""
    ended: list[int] = field(default_factory=list)
    """Numbers of the trials that came to an end, in that order."""
    owner: dict[int, int] = field(default_factory=dict)
    """Number of a trial that is open → the driver that sees to it."""
    drivers: dict[int, Opened] = field(default_factory=dict)
    closed: str = ""
    """Why the last driver left; empty while one is at work, or where it was killed."""
    last_t: float = 0.0
    next_number: int = 0
    failures: dict[int, list[TrialOutcome]] = field(default_factory=dict)
    """Number of an open trial → how its attempts ended so far."""
    _reports: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    @staticmethod
    def of(events: Iterable[Event]) -> TrialHistory:
        """The state after these events."""
        history = TrialHistory()
        for event in events:
            history.take(event)
        return history

    @property
    def asked(self) -> int:
        """How many trials there are, ended or not."""
        return self.next_number

    def open(self) -> list[int]:
        """Numbers of the trials that have not come to an end."""
        return sorted(self.owner)

    def reports(self, number: int) -> list[tuple[float, float]]:
        """What a trial has reported so far, in the user's sign."""
        trial = self.trials.get(number)
        return self._reports.get(number) or list(trial.reports if trial else ())

    def take(self, event: Event) -> None:
        """Take one more event in."""
        self.count += 1
        self.last_t = max(self.last_t, getattr(event, "t", 0.0))
        match event:
            case Begun():
                self.begun = event
            case Opened():
                self.drivers[event.driver] = event
                self.closed = ""
            case Closed():
                self.closed = event.why
            case Warm():
                self.trials[event.number] = Trial(
                    number=event.number,
                    point=event.point,
                    origin="warm",
                    seen=0,
                    outcome=event.outcome,
                    values=event.values,
                    constraints=event.constraints,
                )
            case Asked():
                self.trials[event.number] = Trial(
                    number=event.number,
                    point=event.point,
                    origin=event.origin,
                    seen=event.seen,
                    suggest_s=event.suggest_s,
                )
                self.owner[event.number] = event.driver
                self.next_number = max(self.next_number, event.number + 1)
            case Taken():
                self.owner[event.number] = event.driver
            case Reported():
                self._reports.setdefault(event.number, []).append((event.step, event.value))
            case _:
                self._take_change(event)

    def _take_change(self, event: Started | Retried | Halted | Finished) -> None:
        trial = self.trials[event.number]
        match event:
            case Started():
                trial = replace(
                    trial,
                    worker=event.worker,
                    submitted_s=event.submitted_s,
                    started_s=event.t,
                    ended_s=None,
                    outcome=None,
                    stale=event.stale,
                    attempts=event.attempt,
                )
            case Retried():
                self.failures.setdefault(event.number, []).append(event.outcome)
                trial = replace(trial, ended_s=event.t, outcome=event.outcome, error=event.error)
            case Halted():
                trial = replace(trial, ended_s=event.t, outcome=TrialOutcome.CANCELLED)
            case Finished():
                trial = replace(
                    trial,
                    ended_s=event.t,
                    outcome=event.outcome,
                    values=event.values,
                    constraints=event.constraints,
                    error=event.error,
                    fingerprint=event.fingerprint,
                    reports=tuple(self._reports.pop(event.number, ())),
                )
                self.owner.pop(event.number, None)
                self.failures.pop(event.number, None)
                self.ended.append(event.number)
        self.trials[event.number] = trial
