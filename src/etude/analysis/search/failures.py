"""What became of the trials: how many of each outcome, and the commonest reason of each kind of failure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from etude.analysis.search.results import OK, RUNNING, SearchResults

ORDER = ("ok", "pruned", "invalid", "crash", "timeout", "out_of_memory", "preempted", "cancelled", "running")


class Outcomes(NamedTuple):
    """The trials of one outcome."""

    outcome: str
    trials: int
    share: float
    lost_s: float
    """Seconds that workers spent on them."""
    reason: str
    """The commonest first line of their errors; empty where none is told."""
    reasons: int
    """Different first lines."""


def outcomes(results: SearchResults) -> tuple[Outcomes, ...]:
    """One entry for each outcome that occurred: the good one first, then in a fixed order."""
    found = Counter(trial.outcome for trial in results.trials)
    rank = {outcome: at for at, outcome in enumerate(ORDER)}
    return tuple(
        _outcome(results, outcome) for outcome in sorted(found, key=lambda name: (rank.get(name, len(rank)), name))
    )


def failures(results: SearchResults) -> tuple[Outcomes, ...]:
    """Those that are failures: neither good nor stopped on purpose."""
    return tuple(each for each in outcomes(results) if each.outcome not in (OK, "pruned", "cancelled", RUNNING))


def _outcome(results: SearchResults, outcome: str) -> Outcomes:
    those = [trial for trial in results.trials if trial.outcome == outcome]
    told = Counter(trial.error.strip().splitlines()[0] for trial in those if trial.error.strip())
    spent = sum((trial.ended_s or 0) - trial.started_s for trial in those if trial.started_s is not None)
    commonest = min(told, key=lambda reason: (-told[reason], reason), default="")
    return Outcomes(outcome, len(those), len(those) / len(results.trials), max(0.0, spent), commonest, len(told))
