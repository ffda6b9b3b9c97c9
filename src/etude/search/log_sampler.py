"""A sampler that follows a log: the one way in which a driver, a search that goes on and a replay use samplers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from etude.search.sampler import Sampler, TrialResult
from etude.search.space import Point
from etude.search.trial_events import Asked, Event, Finished, Reported, Warm
from etude.search.trials import Goal, TrialOutcome


@dataclass(slots=True, kw_only=True)
class LogSampler:
    """A sampler and how much of the log it has taken in."""

    sampler: Sampler
    goal: Goal
    seen: int = 0
    """Events taken in, of whatever kind."""
    _open: dict[int, Point] = field(default_factory=dict)
    _reports: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def follow(self, events: Iterable[Event]) -> None:
        """Take in the next events of the log."""
        for event in events:
            self.seen += 1
            match event:
                case Asked():
                    self._open[event.number] = event.point
                    self.sampler.pend(event.number, event.point)
                case Warm():
                    self.sampler.tell(event.number, event.point, self._result(event, ()))
                case Reported():
                    self._reports.setdefault(event.number, []).append((event.step, event.value))
                case Finished():
                    point = self._open.pop(event.number)
                    reports = tuple(self._reports.pop(event.number, ()))
                    self.sampler.tell(event.number, point, self._result(event, reports))

    def ask(self, number: int) -> Point:
        """What the sampler proposes now."""
        return self.sampler.ask(number)

    def _result(self, event: Finished | Warm, reports: tuple[tuple[float, float], ...]) -> TrialResult:
        values = None if event.values is None else self.goal.signed(event.values)
        if event.outcome not in (TrialOutcome.OK, TrialOutcome.PRUNED):
            return TrialResult(values=None, outcome=event.outcome)
        flip = -1.0 if self.goal.directions[0] == "maximize" else 1.0
        signed = tuple((step, flip * value) for step, value in reports)
        return TrialResult(values=values, outcome=event.outcome, constraints=event.constraints, reports=signed)
