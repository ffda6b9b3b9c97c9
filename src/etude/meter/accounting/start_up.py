"""Starting up has an account of its own: what its windows cost is taken out of the work around them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from etude.meter.accounting.cost import START_UP, Cost, Energy, WindowCost
from etude.meter.sources.quantity import Quality, Quantity, total

if TYPE_CHECKING:
    from etude.meter.accounting.carbon import Footprint

_MODELS = (Quality.CALIBRATED, Quality.ESTIMATED)


def without_start_up(cost: Cost, *, footprint: Footprint | None = None) -> Cost:
    """The cost of the work alone, with what its windows of start-up cost beside it in `start_up`.

    Where a counter is too slow to tell a window of start-up, it has that part of the energy that it has of the time,
    and the quality is `estimated`. Peaks of memory stay those of the whole.

    Args:
        cost: Of the whole, with windows of the name `START_UP` at any depth, none within another.
        footprint: How energy becomes carbon; None leaves carbon unknown.
    """
    paths = [path for path in cost.windows if _is_start_up(path)]
    apart = _together([cost.windows[path] for path in paths], cost)
    if not paths:
        return replace(cost, start_up=apart)
    energy = {name: _less(each, apart.energy[name]) for name, each in cost.energy.items()}
    covered = total({name: energy[name].joules for name in cost.covers}, "joules") if cost.covers else cost.covered
    return replace(
        cost,
        wall_s=_rest(cost.wall_s, apart.wall_s),
        cpu_s=_rest(cost.cpu_s, apart.cpu_s),
        energy=energy,
        covered=covered,
        carbon=cost.carbon if footprint is None else footprint.of(covered),
        windows={
            path: _around(path, spent, cost)
            for path, spent in cost.windows.items()
            if not _is_start_up(path) and not any(path.startswith(f"{apart}/") for apart in paths)
        },
        start_up=apart,
    )


def _is_start_up(path: str) -> bool:
    return path.rpartition("/")[2] == START_UP


def _together(parts: Sequence[WindowCost], cost: Cost) -> WindowCost:
    """All windows of start-up. Nothing where there was none: that was measured."""
    peaks = [part.peak_rss_bytes for part in parts if part.peak_rss_bytes is not None]
    energy = {
        name: total({str(index): _told(name, part, cost) for index, part in enumerate(parts)}, "joules")
        if parts
        else replace(each.joules, value=0.0, lo=0.0, hi=0.0)
        if each.joules.value is not None
        else each.joules
        for name, each in cost.energy.items()
    }
    return WindowCost(
        count=sum(part.count for part in parts),
        wall_s=math.fsum(part.wall_s for part in parts),
        cpu_s=_sum([part.cpu_s for part in parts]),
        energy=energy,
        peak_rss_bytes=max(peaks, default=None),
    )


def _told(component: str, part: WindowCost, cost: Cost) -> Quantity:
    """A window's energy; in proportion to its time where the counter does not tell it."""
    told = part.energy.get(component)
    whole = cost.energy[component].joules
    if (told is not None and told.value is not None) or whole.value is None or not cost.wall_s:
        return told if told is not None else whole
    guess = whole.scaled(min(1.0, part.wall_s / cost.wall_s))
    return replace(guess, quality=Quality.ESTIMATED, lo=0.0, hi=whole.hi, method=f"{whole.method}, by time")


def _less(energy: Energy, apart: Quantity) -> Energy:
    return replace(energy, joules=_difference(energy.joules, apart))


def _difference(whole: Quantity, part: Quantity) -> Quantity:
    """What is left. A model errs in proportion; a counter by as much as before."""
    if whole.value is None or part.value is None:
        return whole if whole.value is None else replace(part, lo=None, hi=None)
    left = max(0.0, whole.value - part.value)
    quality = max(whole.quality, part.quality, key=lambda each: each.rank)
    if whole.quality in _MODELS:
        return replace(whole.scaled(left / whole.value if whole.value else 1.0), quality=quality)
    moved = [None if end is None else max(0.0, end - part.value) for end in (whole.lo, whole.hi)]
    return replace(whole, value=left, lo=moved[0], hi=moved[1], quality=quality)


def _around(path: str, spent: WindowCost, cost: Cost) -> WindowCost:
    """A window without the start-up that is in it."""
    inside = [part for name, part in cost.windows.items() if _is_start_up(name) and name.startswith(f"{path}/")]
    if not inside:
        return spent
    apart = _together(inside, cost)
    return replace(
        spent,
        wall_s=max(0.0, spent.wall_s - apart.wall_s),
        cpu_s=_rest(spent.cpu_s, apart.cpu_s),
        energy=_left(spent.energy, apart.energy),
    )


def _left(energy: Mapping[str, Quantity], apart: Mapping[str, Quantity]) -> dict[str, Quantity]:
    return {name: _difference(each, apart[name]) if name in apart else each for name, each in energy.items()}


def _rest(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else max(0.0, whole - part)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
