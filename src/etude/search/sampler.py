"""What a sampler is, to the driver and to the replay.

The rule that makes a search replayable: **what a sampler proposes is a function of (space, goal, seed, the sequence of
`tell` and `pend` calls so far, the number asked for), and of nothing else**: no clock, no global random state, no
thread, no dependence on how often or for which numbers it was asked before. Caches and lazily fitted models are welcome
as long as they give what a fresh sampler would give after the same `tell` and `pend` calls: a search that goes on after
a kill tells and pends what its log holds, and does not ask again.

The calls a sampler hears, in the order of the log:

    pend(n, point)        for every trial that was proposed, whoever proposed it: itself, the user (a baseline), another
                          driver of the same search; straight after `ask(n)` where it was itself
    tell(n, point, told)  when trial n ended, once; also for results of earlier tables, which were never pended
                          (negative numbers) and for trials that are cancelled (then: forget that it is pending)
    ask(n)                n is dense over the search (0, 1, 2, …): the index into a Sobol sequence or a grid

`Exhausted` from `ask` ends the proposals: the search ends when what runs has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from etude.errors import Exhausted as Exhausted
from etude.search.space import Point
from etude.search.trials import TrialOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What became of a trial, as samplers see it: every objective is to be minimised."""

    values: tuple[float, ...] | None
    """The objectives; None for failures. A pruned trial has its last report here where there is one objective."""
    outcome: TrialOutcome
    constraints: tuple[float, ...] = ()
    """For each constraint how far it is exceeded; 0 or less is feasible. Empty for failures."""
    reports: tuple[tuple[float, float], ...] = ()
    """(step, value), value to be minimised."""


class Sampler(Protocol):
    """Proposes points. See the head of this file for the rules."""

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Take in what became of a trial."""
        ...

    def pend(self, number: int, point: Point) -> None:
        """Take in that this point is proposed and not yet ended; it is told later under the same number."""
        ...

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`: one that the space contains. Random numbers come from (seed, number).

        Raises:
            Exhausted: There is nothing more to propose.
        """
        ...
