"""Where trials are evaluated, as the driver sees it: futures, and what running trials tell meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from etude.search.trials import Trial, TrialOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt at a trial ended."""

    outcome: TrialOutcome
    values: tuple[float | None, ...] | None = None
    """The objectives in the order of the goal, None for one that is missing; NaN and infinite ones are invalid."""
    constraints: tuple[float, ...] = ()
    error: str = ""
    fingerprint: str = ""
    """The result that the objective was read from."""
    detail: Mapping[str, object] = field(default_factory=dict)


class Underway(NamedTuple):
    """A trial that was submitted has begun: its time runs from now."""

    number: int


class Report(NamedTuple):
    """A running trial tells how it does, in the user's sign."""

    number: int
    step: float
    value: float


Listen = Callable[["Underway | Report"], None]


class Evaluator(Protocol):
    """Evaluates trials. May be called from the driver's thread alone; may answer from any."""

    def submit(self, trial: Trial, listen: Listen) -> Future[Ending]:
        """Start an attempt. `listen` takes what it tells until its future is done."""
        ...

    def cancel(self, number: int, *, now: bool) -> None:
        """End a running attempt: at its next checkpoint, or now. Its future comes to an end, whatever it then says."""
        ...
