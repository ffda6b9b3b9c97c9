"""One number over its replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from etude.analysis.intervals import FEWEST_TO_RESAMPLE, bootstrap_interval, t_interval
from etude.analysis.spread import interquartile_mean, mean_of, sample_std
from etude.analysis.summary import Estimate


def estimate(values: Sequence[float | None]) -> Estimate:
    """What values come to; missing ones and those that are not finite are left out, and the note says so."""
    known = [float(value) for value in values if value is not None]
    finite = [value for value in known if math.isfinite(value)]
    notes = []
    if len(known) < len(values):
        notes.append(f"{len(values) - len(known)} of {len(values)} missing")
    if len(finite) < len(known):
        notes.append(f"{len(known) - len(finite)} of {len(values)} not finite, left out")
    if len(finite) == 1:
        notes.append("one value: no spread known")
    elif 1 < len(finite) < FEWEST_TO_RESAMPLE:
        notes.append(f"{len(finite)} values: too few to resample ({FEWEST_TO_RESAMPLE} needed)")
    return Estimate(
        n=len(finite),
        mean=mean_of(finite) if finite else None,
        std=sample_std(finite),
        median=median(finite) if finite else None,
        iqm=interquartile_mean(finite),
        low=min(finite, default=None),
        high=max(finite, default=None),
        t_interval=t_interval(finite),
        bootstrap=bootstrap_interval(finite),
        note="; ".join(notes),
    )


def is_finite(value: object) -> bool:
    """Whether a value is a number that can be reckoned with."""
    return isinstance(value, (int, float)) and math.isfinite(value)
