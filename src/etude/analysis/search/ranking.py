"""Which trials are the best, and which are better than the baseline."""

from __future__ import annotations

from etude.analysis.search.results import SearchResults, Trial


def top(results: SearchResults, k: int, at: int = 0) -> tuple[Trial, ...]:
    """The k best feasible trials in a metric, the best first; of equal ones the earlier number."""
    sign = -1.0 if results.maximise[at] else 1.0
    known = [trial for trial in results.known() if trial.feasible and trial.values is not None]
    return tuple(sorted(known, key=lambda trial: (sign * trial.values[at], trial.number))[:k])  # type: ignore[index]


def better_than_baseline(results: SearchResults, at: int = 0) -> tuple[Trial, ...]:
    """The feasible trials that beat the baseline, the best first; none where there is no baseline."""
    base = results.baseline
    if base is None or base.values is None:
        return ()
    limit = base.values[at]
    everyone = top(results, len(results.trials), at)
    return tuple(trial for trial in everyone if trial.values and results.better(trial.values[at], limit, at))
