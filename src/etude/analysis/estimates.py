"""One number over its replicates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from etude.analysis.intervals import FEWEST_TO_RESAMPLE, bootstrap_interval, t_interval
from etude.analysis.replicates import NO_VALUE, NOT_FINITE, Replicate, distinct
from etude.analysis.spread import interquartile_mean, mean_of, sample_std
from etude.analysis.summary import GroupEstimate


def estimate(values: Sequence[float | None]) -> GroupEstimate:
    """What values come to; missing ones and those that are not finite are left out, and the note says so."""
    causes = [NO_VALUE if value is None else "" if math.isfinite(value) else NOT_FINITE for value in values]
    finite = [float(value) for value, cause in zip(values, causes, strict=True) if value is not None and not cause]
    return _estimate(finite, causes, [])


def estimate_of(replicates: Sequence[Replicate]) -> GroupEstimate:
    """What one number comes to over the replicates of a group, each result counted once."""
    own = distinct(replicates)
    shared = f"{len(replicates)} replicates share {count_text(len(own), 'result')}"
    notes = [shared] if len(own) < len(replicates) else []
    return _estimate([one.value for one in own if one.value is not None], [one.cause for one in own], notes)


def _estimate(finite: Sequence[float], causes: Sequence[str], notes: list[str]) -> GroupEstimate:
    notes += why_missing(causes)
    if len(finite) == 1:
        notes.append("one value: no spread known")
    elif 1 < len(finite) < FEWEST_TO_RESAMPLE:
        notes.append(f"{len(finite)} values: too few to resample ({FEWEST_TO_RESAMPLE} needed)")
    bootstrap = bootstrap_interval(finite)
    if bootstrap is None and len(finite) >= FEWEST_TO_RESAMPLE:
        notes.append("too many equal values to resample")
    return GroupEstimate(
        n=len(finite),
        missing=len(causes) - len(finite),
        mean=mean_of(finite) if finite else None,
        std=sample_std(finite),
        median=median(finite) if finite else None,
        iqm=interquartile_mean(finite),
        low=min(finite, default=None),
        high=max(finite, default=None),
        t_interval=t_interval(finite),
        bootstrap=bootstrap,
        note="; ".join(notes),
    )


def why_missing(causes: Iterable[str]) -> list[str]:
    """How many replicates have no value for each cause: `1 of 4 missing`, `1 of 4 not finite, left out`."""
    causes = [*causes]
    found = Counter(cause for cause in causes if cause)
    order = sorted(found, key=lambda cause: (cause != NO_VALUE, cause == NOT_FINITE, cause))
    words = {NO_VALUE: "missing", NOT_FINITE: "not finite, left out"}
    return [f"{found[cause]} of {len(causes)} {words.get(cause, f'missing ({cause})')}" for cause in order]


def count_text(count: int, noun: str) -> str:
    """`1 replicate`, `3 replicates`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
