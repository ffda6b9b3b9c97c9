"""Trials and what became of them; the goal of a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from etude.search.space import Point

Direction = Literal["maximize", "minimize"]
Origin = Literal["baseline", "initial", "sampler", "warm", "told"]
"""Why a point was tried: the user's baseline, before there was anything to learn from, the sampler's proposal, a result
of an earlier table, or a point that was told by hand."""


class TrialOutcome(StrEnum):
    """How a trial ended."""

    OK = "ok"
    INVALID = "invalid"
    """It ran to its end, but an objective is missing, NaN or infinite."""
    CRASH = "crash"
    """A step raised an error."""
    TIMEOUT = "timeout"
    """It ran longer than a trial may."""
    PREEMPTED = "preempted"
    """Its worker was taken away."""
    OUT_OF_MEMORY = "out_of_memory"
    PRUNED = "pruned"
    """Stopped early, for what it reported was not promising. It can go on from its checkpoint."""
    CANCELLED = "cancelled"
    """Stopped with the search. It starts again when the search goes on."""

    @property
    def failed(self) -> bool:
        """Whether it says that the point did not work out."""
        return self in (
            TrialOutcome.INVALID,
            TrialOutcome.CRASH,
            TrialOutcome.TIMEOUT,
            TrialOutcome.OUT_OF_MEMORY,
            TrialOutcome.PREEMPTED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit that a feasible trial keeps."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None

    def excess(self, value: float) -> float:
        """How far a value is beyond the limit; 0 or less is feasible."""
        over = [value - self.at_most] if self.at_most is not None else []
        under = [self.at_least - value] if self.at_least is not None else []
        return max([*over, *under], default=-math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a search is after."""

    metrics: tuple[str, ...]
    directions: tuple[Direction, ...]
    constraints: tuple[Bound, ...] = ()

    def signed(self, values: Sequence[float]) -> tuple[float, ...]:
        """Values as samplers see them, all to be minimised; and back again."""
        flips = [-1.0 if direction == "maximize" else 1.0 for direction in self.directions]
        return tuple(flip * value for flip, value in zip(flips, values, strict=True))

    def better(self, one: Sequence[float], other: Sequence[float]) -> bool:
        """Whether the first values dominate the second: nowhere worse and somewhere better."""
        ours, theirs = self.signed(one), self.signed(other)
        return all(a <= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs

    def as_json(self) -> dict[str, object]:
        """As plain values, for logs and metadata."""
        return {
            "metrics": list(self.metrics),
            "directions": list(self.directions),
            "constraints": [
                {"metric": one.metric, "at_most": one.at_most, "at_least": one.at_least} for one in self.constraints
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One point of a search and what became of it. Times are seconds since the search began."""

    number: int
    point: Point
    origin: Origin
    seen: int
    """How many events the proposal was made from."""
    worker: int | None = None
    submitted_s: float | None = None
    started_s: float | None = None
    ended_s: float | None = None
    outcome: TrialOutcome | None = None
    """None while it waits or runs."""
    values: tuple[float, ...] | None = None
    """The objectives, in the user's sign."""
    constraints: tuple[float, ...] = ()
    """For each constraint how far it is exceeded; 0 or less is feasible."""
    reports: tuple[tuple[float, float], ...] = ()
    """What it reported on its way: (step, value), in the user's sign."""
    error: str = ""
    suggest_s: float | None = None
    """What the proposal cost."""
    stale: int = 0
    """Results that came in while the proposal was drawn or waited."""
    fingerprint: str = ""
    """The result that the objective was read from."""
    attempts: int = 1

    @property
    def feasible(self) -> bool:
        """Whether it succeeded and keeps all constraints."""
        return self.outcome is TrialOutcome.OK and all(value <= 0 for value in self.constraints)
