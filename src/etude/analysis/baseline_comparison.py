"""Groups against their baseline, replicate by replicate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from etude.analysis.fairness import ByMetric, Fairness, fairness
from etude.analysis.grouping import key_of, name_of
from etude.analysis.intervals import t_interval
from etude.analysis.paired_tests import (
    FEWEST_PAIRS,
    differences,
    hedges_effect,
    holm,
    paired_t,
    sign_flips,
    win_share,
)
from etude.analysis.replicates import Replicate, pairs
from etude.analysis.spread import sample_std
from etude.analysis.summary import Claim, Comparison, Group, Scalar
from etude.errors import StepError, nearest

ALPHA = 0.05


def comparisons(
    groups: Sequence[Group],
    replicates: Sequence[Mapping[str, Sequence[Replicate]]],
    metrics: Sequence[str],
    baseline: Mapping[str, Scalar],
    conditions: Sequence[ByMetric] = (),
) -> tuple[Comparison, ...]:
    """Each group against the one that has the baseline's params and is else the same, in each metric.

    Args:
        groups: The groups.
        replicates: By group, in the same order: metric → its replicates.
        metrics: What is compared.
        baseline: Param → value of the baseline.
        conditions: By group: under which conditions its costs were measured; none where nothing is known of them.

    Raises:
        StepError: No group is the baseline of another.
    """
    places = {key_of(group.params): index for index, group in enumerate(groups)}
    for name in baseline:
        if name not in groups[0].params:
            raise StepError(f"baseline: {name!r} is no param of the groups: {nearest(name, groups[0].params)}")
    partners = {
        index: places[wanted]
        for index, group in enumerate(groups)
        if (wanted := key_of({**group.params, **baseline})) in places and places[wanted] != index
    }
    if len(groups) > 1 and not partners:
        listed = ", ".join(group.name for group in groups)
        raise StepError(f"baseline: no group has {name_of(baseline, tuple(baseline))}. Mend: name one of {listed}.")
    families = [
        [
            _fairly(
                metric,
                (groups[left].name, groups[right].name),
                (replicates[left][metric], replicates[right][metric]),
                fairness(
                    metric,
                    (groups[left].name, groups[right].name),
                    (conditions[left].get(metric, {}), conditions[right].get(metric, {})) if conditions else ({}, {}),
                ),
            )
            for left, right in partners.items()
        ]
        for metric in metrics
    ]
    flipped = iter(sign_flips([apart for family in families for _, apart in family]))
    told = [[replace(one, p_sign=next(flipped)) for one, _ in family] for family in families]
    return tuple(one for family in told for one in with_holm(family))


def _fairly(
    metric: str,
    names: tuple[str, str],
    both: tuple[Sequence[Replicate], Sequence[Replicate]],
    fair: Fairness,
) -> tuple[Comparison, npt.NDArray[np.float64]]:
    """A comparison of the pairs that may be compared; not tested where what else differs could make the difference."""
    left, right = ([one for one in side if one.key not in fair.left_out] for side in both)
    told, found = compare(metric, *names, pairs(left, right))
    note = "; ".join(part for part in (fair.refusal or told.note, fair.note) if part)
    if not fair.refusal:
        return replace(told, note=note), found
    return replace(told, p_t=None, note=note), np.empty(0)


def compare(
    metric: str, group: str, baseline: str, both: Sequence[tuple[float, float]]
) -> tuple[Comparison, npt.NDArray[np.float64]]:
    """One group against its baseline, and the differences that its sign-flip test is still to be made of.

    Corrected p-values and the claim are for `with_holm` to fill in.
    """
    apart = differences([left for left, _ in both], [right for _, right in both])
    note = ""
    if len(both) < FEWEST_PAIRS:
        note = f"{len(both)} {'pair' if len(both) == 1 else 'pairs'}: too few for a test ({FEWEST_PAIRS} needed)"
    elif apart.any() and not sample_std(apart):
        note = "the differences are all the same: a t-test has nothing to go by"
    elif 2 ** (1 - len(both)) > ALPHA:
        note = (
            f"{len(both)} pairs: the t-test rests on normal differences; the sign-flip test cannot fall below {ALPHA}"
        )
    told = Comparison(
        metric=metric,
        group=group,
        baseline=baseline,
        pairs=len(both),
        difference=float(apart.mean()) if len(apart) else None,
        interval=t_interval(apart.tolist()),
        p_t=paired_t(apart),
        p_t_holm=None,
        p_sign=None,
        p_sign_holm=None,
        effect=hedges_effect(apart),
        wins=win_share(apart),
        claim="not tested",
        note=note,
    )
    return told, apart


def with_holm(family: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons of one metric with their p-values corrected for each other, and what may be claimed."""
    by_t = holm([one.p_t for one in family])
    by_sign = holm([one.p_sign for one in family])
    return tuple(
        replace(one, p_t_holm=t, p_sign_holm=sign, claim=_claim(t, one.difference))
        for one, t, sign in zip(family, by_t, by_sign, strict=True)
    )


def _claim(p: float | None, difference: float | None) -> Claim:
    if p is None or difference is None:
        return "not tested"
    if p >= ALPHA:
        return "none shown"
    return "higher" if difference > 0 else "lower"
