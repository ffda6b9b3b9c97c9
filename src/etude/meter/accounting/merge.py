"""Merges several costs into one: of processes that worked together, or of attempts one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from etude.meter.accounting.cost import NO_FACTOR, Cost, DeviceSpan, Energy, Memory, WindowCost
from etude.meter.accounting.ranks import Joint, combine
from etude.meter.sources.quantity import Quantity, total

if TYPE_CHECKING:
    from etude.meter.accounting.carbon import Footprint

N = TypeVar("N", int, float)


def merge_ranks(costs: Sequence[Cost], *, footprint: Footprint | None = None) -> Cost:
    """What processes that worked at the same time cost together.

    Time is from the start of the first to the end of the last, CPU time and memory are added up (memory: at most, if
    all peaked at once), and each device is counted once. A component that one rank could not measure, and no other
    measured for it, is not known.

    Args:
        costs: One per rank, each measured in its own process tree.
        footprint: How energy becomes carbon; None leaves carbon unknown.
    """
    if len(costs) == 1:
        return costs[0]
    joint = combine(costs)
    energy = {name: _over_ranks(name, costs, joint) for name in dict.fromkeys(_components(costs))}
    first = costs[0]
    start_ns, end_ns = min(each.start_ns for each in costs), max(each.end_ns for each in costs)
    same_clock = len({each.machine for each in costs}) == 1
    whole = replace(
        first,
        wall_s=_whole_wall_s(costs),
        cpu_s=joint.cpu_s,
        started_utc=_fold(min, [each.started_utc for each in costs]),
        start_ns=start_ns if same_clock else first.start_ns,
        end_ns=end_ns if same_clock else first.end_ns,
        memory=_memory(costs, sum, f"{len(costs)} processes added up"),
        energy=energy,
        beside=(),
        windows=_windows(costs, max, sum, joint),
        processes=len(costs),
        first_in_process=None if None in (firsts := [each.first_in_process for each in costs]) else any(firsts),
        others_cpus=None,
    )
    return _summed(whole, costs, footprint)


def merge_attempts(costs: Sequence[Cost], *, footprint: Footprint | None = None) -> Cost:
    """What attempts at one piece of work cost together, oldest first: all adds up, but the peak of memory.

    Args:
        costs: One per attempt. The last is the one that succeeded.
        footprint: How energy becomes carbon; None leaves carbon unknown.
    """
    last = costs[-1]
    if len(costs) == 1:
        return last
    energy = {name: _over_attempts(name, costs) for name in dict.fromkeys(_components(costs))}
    whole = replace(
        last,
        wall_s=_fold(math.fsum, [each.wall_s for each in costs]),
        cpu_s=_fold(math.fsum, [each.cpu_s for each in costs]),
        started_utc=costs[0].started_utc,
        memory=_memory(costs, max, ""),
        energy=energy,
        beside=(),
        windows=_windows(costs, math.fsum, max, None),
        attempts=sum(each.attempts for each in costs),
    )
    return _summed(whole, costs, footprint)


def _summed(whole: Cost, costs: Sequence[Cost], footprint: Footprint | None) -> Cost:
    """The cost with all that follows from the energy of its components."""
    covers = tuple(name for name in whole.energy if name != "platform") or tuple(whole.energy)
    covered = total({name: whole.energy[name].joules for name in covers}, "joules") if covers else costs[-1].covered
    closure = [each.closure_error for each in costs if each.closure_error is not None]
    return replace(
        whole,
        covers=covers,
        covered=covered,
        absent={name: why for each in costs for name, why in each.absent.items() if name not in whole.energy},
        carbon=Quantity.absent("grams", NO_FACTOR) if footprint is None else footprint.of(covered),
        footprint={} if footprint is None else footprint.as_json(),
        closure_error=max(closure, default=None),
        warnings=tuple(dict.fromkeys(warning for each in costs for warning in each.warnings)),
    )


def _components(costs: Iterable[Cost]) -> list[str]:
    return [name for each in costs for name in each.energy]


def _over_ranks(component: str, costs: Sequence[Cost], joint: Joint) -> Energy:
    """One component over all ranks."""
    readers = [each for each in costs if component in each.energy]
    devices = {name: found.joules for name, found in joint.devices.items() if found.component == component}
    if component == "platform" and not devices:  # in no sum: told by the rank that read it longest
        longest = max(readers, key=lambda each: each.wall_s or 0.0)
        return longest.energy[component]
    parts = {**devices, **_unread(component, costs, readers)}
    spans = _merged(span for each in readers for span in each.energy[component].spans)
    idle = [each.energy[component].idle_joules for each in readers]
    return replace(
        readers[0].energy[component],
        joules=total(parts, "joules"),
        gross_j=_fold(math.fsum, [span.joules for span in spans]),
        share=1.0 if all(each.energy[component].share == 1 for each in readers) else _share(readers, component),
        idle_joules=_fold(max, idle),
        spans=spans,
        foreign=_fold(max, [each.energy[component].foreign for each in readers]),
    )


def _unread(component: str, costs: Sequence[Cost], readers: Sequence[Cost]) -> dict[str, Quantity]:
    """Ranks whose part of a component nobody has read."""
    shared = {
        each.machine
        for each in readers
        if not any(span.device.startswith("process:") for span in each.energy[component].spans)
    }
    return {
        f"rank {rank}": Quantity.absent("joules", each.absent.get(component) or each.covered.reason or "not measured")
        for rank, each in enumerate(costs)
        if component not in each.energy and each.machine not in shared
    }


def _share(readers: Sequence[Cost], component: str) -> float:
    return min(1.0, math.fsum(each.energy[component].share for each in readers))


def _merged(spans: Iterable[DeviceSpan]) -> tuple[DeviceSpan, ...]:
    """One span for each device, by whoever read it longest."""
    longest: dict[str, DeviceSpan] = {}
    for span in spans:
        known = longest.get(span.device)
        if known is None or span.end_ns - span.start_ns > known.end_ns - known.start_ns:
            longest[span.device] = span
    return tuple(longest.values())


def _over_attempts(component: str, costs: Sequence[Cost]) -> Energy:
    """One component over all attempts; not known where one of them has not measured it."""
    readers = [each for each in costs if component in each.energy]
    parts = {
        f"attempt {index}": each.energy[component].joules
        if component in each.energy
        else Quantity.absent("joules", each.absent.get(component) or each.covered.reason or "not measured")
        for index, each in enumerate(costs, 1)
    }
    return replace(
        readers[-1].energy[component],
        joules=total(parts, "joules"),
        gross_j=_fold(math.fsum, [each.energy[component].gross_j for each in readers]),
        idle_joules=_fold(math.fsum, [each.energy[component].idle_joules for each in readers]),
        spans=tuple(span for each in readers for span in each.energy[component].spans),
        foreign=_fold(max, [each.energy[component].foreign for each in readers]),
    )


def _whole_wall_s(costs: Sequence[Cost]) -> float | None:
    """From the first start to the last end; by the machines' clocks where there are several machines."""
    if len({each.machine for each in costs}) == 1 and all(each.end_ns for each in costs):
        return (max(each.end_ns for each in costs) - min(each.start_ns for each in costs)) / 1e9
    walls = [each.wall_s for each in costs]
    starts = [each.started_utc for each in costs]
    known = [(at, wall) for at, wall in zip(starts, walls, strict=True) if at is not None and wall is not None]
    if len(known) < len(costs):
        return _fold(max, walls)
    return max(at + wall for at, wall in known) - min(at for at, _ in known)


def _memory(costs: Sequence[Cost], fold: Callable[[list[int]], int], told: str) -> Memory:
    last = costs[-1].memory
    devices: dict[str, list[tuple[int, int]]] = {}
    for each in costs:
        for name, peaks in each.memory.devices.items():
            devices.setdefault(name, []).append(peaks)
    return replace(
        last,
        peak_rss_bytes=_fold(fold, [each.peak_rss_bytes for each in costs]),
        method="; ".join(filter(None, (last.method, told))),
        start_rss_bytes=_fold(fold, [each.memory.start_rss_bytes for each in costs]),
        end_rss_bytes=_fold(fold, [each.memory.end_rss_bytes for each in costs]),
        devices={name: (fold([a for a, _ in peaks]), fold([r for _, r in peaks])) for name, peaks in devices.items()},
        timeline=() if told else last.timeline,
    )


def _windows(
    costs: Sequence[Cost],
    wall: Callable[[list[float]], float],
    peak: Callable[[list[int]], int],
    joint: Joint | None,
) -> dict[str, WindowCost]:
    """The windows of each path together. Of a device that ranks shared, each has the part that it has of the whole."""
    paths = dict.fromkeys(path for each in costs for path in each.windows)
    merged = {}
    for path in paths:
        parts = [(rank, each.windows[path]) for rank, each in enumerate(costs) if path in each.windows]
        components = dict.fromkeys(name for _, spent in parts for name in spent.energy)
        merged[path] = WindowCost(
            count=sum(spent.count for _, spent in parts),
            wall_s=wall([spent.wall_s for _, spent in parts]),
            cpu_s=_fold(math.fsum, [spent.cpu_s for _, spent in parts]),
            energy={name: _window_energy(name, parts, costs, joint) for name in components},
            peak_rss_bytes=_fold(peak, [spent.peak_rss_bytes for _, spent in parts]),
            cpu_method="; ".join(dict.fromkeys(spent.cpu_method for _, spent in parts if spent.cpu_method)),
        )
    return merged


def _window_energy(
    component: str, parts: Sequence[tuple[int, WindowCost]], costs: Sequence[Cost], joint: Joint | None
) -> Quantity:
    quantities = {}
    for rank, spent in parts:
        told = spent.energy.get(component)
        name = f"{'attempt' if joint is None else 'rank'} {rank}"
        if told is None:
            quantities[name] = Quantity.absent("joules", "not measured")
        else:
            quantities[name] = told if joint is None else told.scaled(_part(component, rank, costs[rank], joint))
    return total(quantities, "joules")


def _part(component: str, rank: int, cost: Cost, joint: Joint) -> float:
    """A rank's part of what it has read itself of the devices of a component."""
    own = cost.energy[component].joules.value if component in cost.energy else None
    given = [found.by_rank.get(rank) for found in joint.devices.values() if found.component == component]
    known = [joules for joules in given if joules is not None]
    return math.fsum(known) / own if own else 1.0


def _fold(fold: Callable[[list[N]], N], values: Sequence[N | None]) -> N | None:
    """The values folded into one; None where any is not known."""
    known = [value for value in values if value is not None]
    return fold(known) if known and len(known) == len(values) else None
