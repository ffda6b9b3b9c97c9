"""Groups against their baseline, replicate by replicate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from etude.analysis.estimates import is_finite
from etude.analysis.grouping import Row, key_of, name_of
from etude.analysis.intervals import t_interval
from etude.analysis.paired import (
    FEWEST_PAIRS,
    differences,
    hedges_effect,
    holm,
    paired_t,
    sign_flip,
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
    found: list[Comparison] = []
    for metric in metrics:
        family = [
            compare(
                metric, groups[left].name, groups[right].name, _pairs(grouped[left], grouped[right], metric, pairing)
            )
            for left, right in partners.items()
        ]
        found += corrected(family)
    return tuple(found)


def _compare(
    metric: str, group: tuple[Group, Sequence[Row]], baseline: tuple[Group, Sequence[Row]], pairing: Sequence[str]
) -> Comparison:
    return compare(metric, group[0].name, baseline[0].name, _pairs(group[1], baseline[1], metric, pairing))


def _pairs(left: Sequence[Row], right: Sequence[Row], metric: str, pairing: Sequence[str]) -> list[tuple[float, float]]:
    """Values of the same replicate on both sides, where both are finite."""
    sides = [
        {key_of({name: row[name] for name in pairing}): row[metric] for row in rows if is_finite(row[metric])}
        for rows in (left, right)
    ]
    return [(float(sides[0][key]), float(sides[1][key])) for key in sides[0] if key in sides[1]]


def compare(metric: str, group: str, baseline: str, pairs: Sequence[tuple[float, float]]) -> Comparison:
    """One group against its baseline; corrected p-values and the claim are for `corrected` to fill in."""
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
    return Comparison(
        metric=metric,
        group=group,
        baseline=baseline,
        pairs=len(pairs),
        difference=float(found.mean()) if len(found) else None,
        interval=t_interval(found.tolist()),
        p_t=paired_t(found),
        p_t_holm=None,
        p_sign=sign_flip(found),
        p_sign_holm=None,
        effect=hedges_effect(found),
        wins=win_share(found),
        claim="not tested",
        note=note,
    )


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
