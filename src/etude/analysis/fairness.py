"""Whether two costs may be compared: what else than the condition differed when they were measured.

A cost depends on the machine at the time as well as on the work. A difference is claimed only between costs that were
measured in one run, in pairs of the same replicate, neither of them cold where the other was warm, neither always
before the other, and neither always beside busier neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from etude.analysis.grouping import Row, key_of

BUSIER_CPUS = 0.2
"""Cores by which others must be busier, on average, for that to matter."""


class Conditions(NamedTuple):
    """Under which conditions one replicate's cost was measured; None for what is not known."""

    run: str | None = None
    first: bool | None = None
    order: float | None = None
    others_cpus: float | None = None


ByReplicate = Mapping[str, Conditions]
ByMetric = Mapping[str, ByReplicate]


class Fairness(NamedTuple):
    """What may be compared."""

    left_out: Collection[str] = ()
    """Replicates whose pair is not fair."""
    note: str = ""
    """Why they are left out."""
    refusal: str = ""
    """Why nothing may be claimed of the rest either."""


def conditions_of(rows: Sequence[Row], repeat: str | None, metrics: Iterable[str]) -> dict[str, ByReplicate]:
    """The conditions of a group's costs: metric → replicate → conditions. Metrics that are no costs have none."""
    found: dict[str, ByReplicate] = {}
    for metric in metrics:
        node, cost, _ = metric.partition(".cost.")
        if not cost:
            continue
        by_key: dict[str, list[Conditions]] = {}
        for at, row in enumerate(rows):
            key = str(at) if repeat is None else key_of({repeat: row[repeat]})
            by_key.setdefault(key, []).append(_of_row(row, f"{node}.cost."))
        found[metric] = {key: _together(each) for key, each in by_key.items()}
    return found


def fairness(metric: str, names: tuple[str, str], both: tuple[ByReplicate, ByReplicate]) -> Fairness:
    """What of two groups may be compared in a cost.

    Args:
        metric: The cost.
        names: Of the two groups.
        both: Their conditions by replicate; empty for what is no cost.
    """
    if ".cost.start_up_" in metric:
        return Fairness(refusal="no claim: starting up is paid by whichever node comes first, not by a condition")
    pairs = {key: (left, both[1][key]) for key, left in both[0].items() if key in both[1]}
    apart = {key for key, (left, right) in pairs.items() if left.run != right.run}
    cold = {key for key, (left, right) in pairs.items() if left.first != right.first} - apart
    notes = []
    if apart:
        notes.append(f"{_pairs(len(apart))} left out: the two were measured in different runs")
    if cold:
        notes.append(f"{_pairs(len(cold))} left out: one of the two was the first node of its process, and cold")
    fair = [pair for key, pair in pairs.items() if key not in apart | cold]
    return Fairness(apart | cold, "; ".join(notes), _order(names, fair) or _load(names, fair))


def _order(names: tuple[str, str], pairs: Sequence[tuple[Conditions, Conditions]]) -> str:
    """What to say where one group always went first."""
    known = [(left.order, right.order) for left, right in pairs if left.order is not None and right.order is not None]
    before = [left < right for left, right in known if left != right]
    if not before or len(before) < len(pairs) or len(set(before)) > 1:
        return ""
    first, second = names if before[0] else names[::-1]
    return f"no claim: {first} was measured before {second} in every pair, which may be the difference"


def _load(names: tuple[str, str], pairs: Sequence[tuple[Conditions, Conditions]]) -> str:
    """What to say where others always kept the machine busier beside one group."""
    more = [
        left.others_cpus - right.others_cpus
        for left, right in pairs
        if left.others_cpus is not None and right.others_cpus is not None
    ]
    if not more or len(more) < len(pairs) or not (min(more) > 0 or max(more) < 0):
        return ""
    mean = sum(more) / len(more)
    if abs(mean) < BUSIER_CPUS:
        return ""
    name = names[0] if mean > 0 else names[1]
    return (
        f"no claim: others kept {abs(mean):.2g} cores busier beside {name} in every pair, which may be the difference"
    )


def _of_row(row: Row, prefix: str) -> Conditions:
    run, first = row.get(f"{prefix}run"), row.get(f"{prefix}first_in_process")
    order, others = row.get(f"{prefix}order"), row.get(f"{prefix}others_cpus")
    return Conditions(
        None if run is None else str(run),
        None if first is None else bool(first),
        None if order is None else float(order),
        None if others is None else float(others),
    )


def _together(many: Sequence[Conditions]) -> Conditions:
    """Those of several results whose mean is one replicate's cost."""
    if len(many) == 1:
        return many[0]
    orders = [one.order for one in many if one.order is not None]
    others = [one.others_cpus for one in many if one.others_cpus is not None]
    return Conditions(
        ", ".join(sorted({str(one.run) for one in many})),
        any(one.first for one in many),
        sum(orders) / len(orders) if orders else None,
        sum(others) / len(others) if others else None,
    )


def _pairs(count: int) -> str:
    return f"{count} {'pair' if count == 1 else 'pairs'}"
