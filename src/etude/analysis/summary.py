"""What is known of a study's groups: plain values, so that it is stored as JSON and any report can be drawn from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from etude.graph.metric import Direction

Scalar: TypeAlias = str | int | float | bool | None
Claim: TypeAlias = Literal["higher", "lower", "none shown", "not tested"]


# positional: the low end before the high one, as everybody writes an interval
@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval of a mean."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEstimate:
    """One number of one group over its replicates. What cannot be known from so few is None, and `note` says why."""

    n: int
    """Replicates with a finite value, those that share a result counted once."""
    mean: float | None
    std: float | None
    """Sample standard deviation (n − 1 below the line); None for fewer than two."""
    median: float | None
    iqm: float | None
    """Interquartile mean: the mean without the lowest and the highest quarter."""
    low: float | None
    """The smallest value."""
    high: float | None
    """The largest value."""
    t_interval: Interval | None
    """By Student's t: right for a mean of roughly normal values."""
    bootstrap: Interval | None
    """By resampling, studentised: covers the mean of few and of skewed values better."""
    note: str = ""
    missing: int = 0
    """Replicates without a value, or with one that is not finite: `note` says why."""
    quality: str = ""
    """Of a physical number, how it was got: the worst of its values, from `measured` to `estimated`."""
    method: str = ""
    """By which method it was got, all of them where there are several."""
    interval: Interval | None = None
    """Of a physical number, what its mean lies in by the spread over the replicates and by the error of the method,
    which the replicates share, so that no number of them averages it out."""

    @property
    def counts(self) -> str:
        """How many values there are, and of how many where some are missing: `3`, `1 of 3`."""
        return f"{self.n} of {self.n + self.missing}" if self.missing else str(self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The replicates that share all params but the repeated one."""

    name: str
    """The varied params as text: `pooling=max`."""
    params: Mapping[str, Scalar]
    replicates: int
    """Rows of the records."""
    estimates: Mapping[str, GroupEstimate]
    """By metric, then by cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A group against its baseline, replicate by replicate, in one metric."""

    metric: str
    group: str
    baseline: str
    pairs: int
    """Replicates that both have."""
    difference: float | None
    """Mean of group minus baseline."""
    interval: Interval | None
    """Of that mean, by Student's t."""
    p_t: float | None
    """Two-sided paired t-test."""
    p_t_holm: float | None
    """The same, corrected for all comparisons in this metric."""
    p_sign: float | None
    """Two-sided sign-flip permutation test: no assumption but symmetry."""
    p_sign_holm: float | None
    effect: float | None
    """Mean difference in standard deviations of the differences, corrected for small n (Hedges)."""
    wins: float | None
    """Share of the pairs in which the group is above the baseline, a tie counting half."""
    claim: Claim
    """What the corrected t-test shows at the 5 % level."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A node that is no part of what varies, to be read beside the groups."""

    node: str
    title: str
    values: Mapping[str, float | None]
    """By metric, where the node has a number of the same name; None where it has none or the number is not one."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """A study in numbers."""

    metrics: tuple[str, ...]
    costs: tuple[str, ...]
    varied: tuple[str, ...]
    """Params that tell the groups apart."""
    repeat: str | None
    """The replicated param."""
    lower_is_better: tuple[str, ...]
    """Metrics and costs of which less is better: as the study says, or the step that made them, or their name."""
    groups: tuple[Group, ...]
    comparisons: tuple[Comparison, ...]
    references: tuple[Reference, ...]
    notes: tuple[str, ...] = ()
    higher_is_better: tuple[str, ...] = ()
    """Metrics and costs of which more is better. Of those in neither list nobody knows, and no group is the best."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Metric or cost → its unit, where one is declared: `J`, `ms`. A unit is never read off a name."""

    def direction(self, number: str) -> Direction | None:
        """Whether lower or higher is better of a metric or cost; None where nobody says and its name does not tell."""
        if number in self.lower_is_better:
            return "lower"
        return "higher" if number in self.higher_is_better else None

    def best(self, metric: str, *, short: bool = False) -> frozenset[str]:
        """Names of the groups with the best mean in a metric, more than one for a tie.

        Empty where no mean is known, and where it is not known whether lower or higher is better.

        Args:
            metric: A metric or cost.
            short: Whether groups of which replicates are missing count as well: those that failed may be the bad ones.
        """
        direction = self.direction(metric)
        found = {group.name: group.estimates[metric] for group in self.groups}
        means = {name: one.mean for name, one in found.items() if short or not one.missing}
        known = {name: mean for name, mean in means.items() if mean is not None}
        if not known or direction is None:
            return frozenset()
        top = (min if direction == "lower" else max)(known.values())
        return frozenset(name for name, mean in known.items() if math.isclose(mean, top, rel_tol=1e-12))
