"""A search as a study file says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etude.search.fidelity import Asha, EarlyStop, Median, NeverStop
from etude.search.rules import RETRIES, Rules
from etude.search.space import Point, Space
from etude.search.trials import Goal, Outcome

NO_LIMIT = 10**9
"""Trials of a search that is limited by time alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEarly:
    """The rule by which trials are stopped by what they report. Never identity."""

    method: str
    """`asha` or `median`."""
    min_step: float = 1.0
    """No trial is stopped before it reports this step."""
    reduction: float = 3.0
    """Of `asha`: one in so many goes on from each rung."""
    startup: int = 5
    """Of `median`: so many trials must have ended first."""

    def made(self) -> EarlyStop:
        """The rule, before any report."""
        if self.method == "asha":
            return Asha(self.min_step, self.reduction)
        return Median(self.startup, self.min_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """`vary: {search: …}`."""

    space: Space
    goal: Goal
    trials: int = NO_LIMIT
    timeout_s: float | None = None
    trial_timeout_s: float | None = None
    workers: int | None = None
    """Trials under way at once; None for as many as the study has workers."""
    sampler: str = "auto"
    settings: Mapping[str, object] = field(default_factory=dict)
    """The sampler's own."""
    seed: int = 0
    baseline: Point | None = None
    warm_start: str | None = None
    """A results table (a CSV or Parquet file) or an earlier searched study."""
    stop_early: StopEarly | None = None
    retry: Mapping[Outcome, int] = field(default_factory=lambda: RETRIES)
    ahead: int | None = None
    grace_s: float = 10.0

    def rules(self, workers: int, first: tuple[Point, ...] = ()) -> Rules:
        """The limits of its driver."""
        return Rules(
            trials=self.trials,
            workers=self.workers or workers,
            timeout_s=self.timeout_s,
            trial_timeout_s=self.trial_timeout_s,
            retry=self.retry,
            ahead=self.ahead,
            grace_s=self.grace_s,
            baseline=self.baseline,
            first=first,
        )

    def early_stop(self) -> EarlyStop:
        """The rule of early stopping, before any report."""
        return self.stop_early.made() if self.stop_early else NeverStop()
