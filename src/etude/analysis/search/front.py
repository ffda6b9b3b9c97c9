"""Several objectives: which trials no other beats in all, and how much of the space they cover together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etude.analysis.search.results import SearchResults, Trial
from etude.analysis.search.trajectory import ended_trials

MARGIN = 0.1
"""The reference point lies this share of the range behind the worst value of each objective."""
MOST_MEASURED = 60
"""Moments at which the hypervolume is taken."""

Loss = tuple[float, ...]


class Growth(NamedTuple):
    """The front after some evaluations."""

    evaluations: int
    time_s: float
    hypervolume: float


def nondominated_mask(losses: Sequence[Loss]) -> tuple[bool, ...]:
    """For each point, all of whose parts are to be small, whether no other is as small in all and smaller in one."""
    held: list[int] = []
    on = [False] * len(losses)
    for index in sorted(range(len(losses)), key=lambda each: losses[each]):
        if not any(_dominates(losses[other], losses[index]) for other in held):
            held.append(index)
            on[index] = True
    return tuple(on)


def _dominates(one: Loss, other: Loss) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def front(results: SearchResults) -> tuple[Trial, ...]:
    """The feasible trials on the front, by the first metric."""
    known = [trial for trial in results.known() if trial.feasible]
    losses = [results.losses(trial) for trial in known]
    chosen = [(loss, trial) for loss, trial, on in zip(losses, known, nondominated_mask(losses), strict=True) if on]
    return tuple(trial for _, trial in sorted(chosen, key=lambda each: (each[0], each[1].number)))


def hypervolume(losses: Sequence[Loss], reference: Loss) -> float:
    """The volume between points and a reference point behind them, exactly, for any number of objectives.

    Points that are not in front of the reference in all parts add nothing.

    Source: slicing by the last objective, as in Zitzler, Hypervolume metric calculation, 2001.
    """
    inside = [loss for loss in losses if all(a < b for a, b in zip(loss, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(inside)[0]
    inside = [loss for loss, on in zip(inside, nondominated_mask(inside), strict=True) if on]
    if len(reference) == 2:
        return _area(inside, reference)
    inside.sort(key=lambda loss: loss[-1])
    ends = [*(loss[-1] for loss in inside[1:]), reference[-1]]
    return sum(
        (end - loss[-1]) * hypervolume([each[:-1] for each in inside[: at + 1]], reference[:-1])
        for at, (loss, end) in enumerate(zip(inside, ends, strict=True))
        if end > loss[-1]
    )


def _area(inside: Sequence[Loss], reference: Loss) -> float:
    """Of a front of two objectives: a stair, step by step."""
    total, height = 0.0, reference[1]
    for first, second in sorted(inside):
        if second < height:
            total += (reference[0] - first) * (height - second)
            height = second
    return total


def reference_point(results: SearchResults) -> Loss | None:
    """A point a little behind the worst value of each objective, in signs such that less is better."""
    losses = [results.losses(trial) for trial in results.known()]
    if not losses:
        return None
    columns = list(zip(*losses, strict=True))
    return tuple(max(column) + MARGIN * ((max(column) - min(column)) or 1.0) for column in columns)


def growth(results: SearchResults) -> tuple[Growth, ...]:
    """The hypervolume over the search, against one reference point."""
    reference = reference_point(results)
    order = ended_trials(results)
    if reference is None or not order:
        return ()
    steps = sorted({round(1 + at * (len(order) - 1) / (MOST_MEASURED - 1)) for at in range(MOST_MEASURED)})
    found: list[Growth] = []
    held: list[Loss] = []
    for count, trial in enumerate(order, start=1):
        if trial.values is not None and trial.feasible:
            held.append(results.losses(trial))
        if count in steps:
            held = [loss for loss, on in zip(held, nondominated_mask(held), strict=True) if on]
            found.append(Growth(count, trial.ended_s or 0.0, hypervolume(held, reference)))
    return tuple(found)
