"""Groups against their baseline, replicate by replicate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from etude.analysis.estimates import is_finite
from etude.analysis.grouping import Row, key_of, name_of
from etude.analysis.intervals import t_interval
from etude.analysis.paired import (
    FEWEST_PAIRS,
    differences,
    hedges_effect,
    holm,
    paired_t,
    sign_flips,
    win_share,
)
from etude.analysis.spread import sample_std
from etude.analysis.summary import Claim, Comparison, Group, Scalar
from etude.errors import StepError, nearest

ALPHA = 0.05


def comparisons(
    groups: Sequence[Group],
    grouped: Sequence[Sequence[Row]],
    metrics: Sequence[str],
    pairing: Sequence[str],
    baseline: Mapping[str, Scalar],
) -> tuple[Comparison, ...]:
    """Each group against the one that has the baseline's params and is else the same, in each metric.

    Args:
        groups: The groups.
        grouped: Their rows, in the same order.
        metrics: What is compared.
        pairing: Params that tell which rows of two groups belong together: all that are not grouped by.
        baseline: Param → value of the baseline.

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
    sides = {
        index: [(key_of({name: row[name] for name in pairing}), row) for row in grouped[index]]
        for index in {*partners, *partners.values()}
    }
    families = [
        [
            compare(metric, groups[left].name, groups[right].name, _pairs(sides[left], sides[right], metric))
            for left, right in partners.items()
        ]
        for metric in metrics
    ]
    flipped = iter(sign_flips([found for family in families for _, found in family]))
    told = [[replace(one, p_sign=next(flipped)) for one, _ in family] for family in families]
    return tuple(one for family in told for one in corrected(family))


def _pairs(left: Sequence[tuple[str, Row]], right: Sequence[tuple[str, Row]], metric: str) -> list[tuple[float, float]]:
    """Values of the same replicate on both sides, where both are finite."""
    known = {key: row[metric] for key, row in right if is_finite(row[metric])}
    own = {key: row[metric] for key, row in left if is_finite(row[metric])}
    return [(float(value), float(known[key])) for key, value in own.items() if key in known]


def compare(
    metric: str, group: str, baseline: str, pairs: Sequence[tuple[float, float]]
) -> tuple[Comparison, npt.NDArray[np.float64]]:
    """One group against its baseline, and the differences that its sign-flip test is still to be made of.

    Corrected p-values and the claim are for `corrected` to fill in.
    """
    found = differences([left for left, _ in pairs], [right for _, right in pairs])
    note = ""
    if len(pairs) < FEWEST_PAIRS:
        note = f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}: too few for a test ({FEWEST_PAIRS} needed)"
    elif found.any() and not sample_std(found):
        note = "the differences are all the same: a t-test has nothing to go by"
    elif 2 ** (1 - len(pairs)) > ALPHA:
        note = (
            f"{len(pairs)} pairs: the t-test rests on normal differences; the sign-flip test cannot fall below {ALPHA}"
        )
    told = Comparison(
        metric=metric,
        group=group,
        baseline=baseline,
        pairs=len(pairs),
        difference=float(found.mean()) if len(found) else None,
        interval=t_interval(found.tolist()),
        p_t=paired_t(found),
        p_t_holm=None,
        p_sign=None,
        p_sign_holm=None,
        effect=hedges_effect(found),
        wins=win_share(found),
        claim="not tested",
        note=note,
    )
    return told, found


def corrected(family: Sequence[Comparison]) -> tuple[Comparison, ...]:
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
