"""What a search may spend, and what it does about trials that go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from etude.search.space import Point
from etude.search.trials import Outcome

RETRIES: Final[Mapping[Outcome, int]] = MappingProxyType(
    {
        Outcome.PREEMPTED: 10,
        Outcome.OUT_OF_MEMORY: 0,
        Outcome.CRASH: 0,
        Outcome.TIMEOUT: 0,
        Outcome.INVALID: 0,
    }
)
"""How often a trial is tried again after each kind of failure, unless the study says otherwise: a worker that was taken
away says nothing of the point, all else would most likely come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of a search."""

    trials: int
    """How many points are tried in all, the baseline included."""
    workers: int
    """How many trials this driver has under way at once."""
    timeout_s: float | None = None
    """How long the search may take in all, over all its runs."""
    trial_timeout_s: float | None = None
    """How long one attempt at a trial may take."""
    retry: Mapping[Outcome, int] = field(default_factory=lambda: RETRIES)
    ahead: int | None = None
    """Proposals kept ready beyond the workers that wait; None to choose by what proposals and trials take."""
    grace_s: float = 10.0
    """How long a trial that is asked to stop may take to its next checkpoint."""
    baseline: Point | None = None
    """The point that is tried first, and that all others are compared with."""
    first: tuple[Point, ...] = ()
    """Further points to try before the sampler is asked."""
