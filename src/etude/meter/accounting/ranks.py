"""Several processes that worked together: each device counted once, time by the slowest, work by the sum.

Four ranks on one GPU that each read its counter have each seen all of its energy. Adding that up would tell four times
the truth. Readings are keyed by the physical device; of the ranks that read one, the one that read it longest speaks
for it; what another read before or after that is added in proportion; and the whole is divided among the ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from etude.errors import MeterError
from etude.meter.accounting.cost import Cost, DeviceSpan, Energy
from etude.meter.sources.quantity import Quality, Quantity, total, worst

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTotal:
    """One physical device over the whole of the joint work."""

    component: str
    joules: Quantity
    reader: int
    """The rank that spoke for it."""
    by_rank: Mapping[int, float | None]
    """Each rank's part; they add up to the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What several processes cost together."""

    wall_s: float | None
    """The slowest rank's."""
    cpu_s: float | None
    """All ranks' together."""
    peak_rss_bytes: int | None
    """All ranks' together: at most, if all peaked at once."""
    devices: Mapping[str, DeviceTotal]
    covered: Quantity
    """Sum over devices."""
    covers: tuple[str, ...]
    by_rank: tuple[float | None, ...]
    """Each rank's part of that sum."""


def combine(costs: Sequence[Cost], *, weights: Sequence[float] | None = None) -> Joint:
    """Put the costs of ranks together.

    Args:
        costs: One per rank, each measured in its own process tree: none may be a descendant of another.
        weights: How a device is divided among the ranks that used it (tokens, FLOPs); None for by time.

    Raises:
        MeterError: No ranks, or weights that are not one number of 0 or more per rank.
    """
    if not costs or (weights is not None and (len(weights) != len(costs) or min(weights) < 0)):
        raise MeterError(f"ranks: expected one or more, each with a weight of 0 or more, got {len(costs)}, {weights}")
    readings: dict[str, list[tuple[int, Energy, DeviceSpan]]] = {}
    for rank, cost in enumerate(costs):
        for energy in cost.energy.values():
            for span in energy.spans if energy.component in cost.covers else ():
                readings.setdefault(span.device, []).append((rank, energy, span))
    devices = {device: _device(group, weights) for device, group in readings.items()}
    covered = total({device: found.joules for device, found in devices.items()}, "joules")
    if not devices:
        covered = Quantity.absent("joules", "no rank had a meter")
    return Joint(
        wall_s=_all(max, [cost.wall_s for cost in costs]),
        cpu_s=_all(math.fsum, [cost.cpu_s for cost in costs]),
        peak_rss_bytes=_all(sum, [cost.peak_rss_bytes for cost in costs]),
        devices=devices,
        covered=covered,
        covers=tuple(sorted({found.component for found in devices.values()})),
        by_rank=tuple(_rank_sum(rank, devices) for rank in range(len(costs))),
    )


def throughput(units: Sequence[float], costs: Sequence[Cost]) -> float | None:
    """Units of work per second of all ranks together: their sum over the slowest rank's time, never a mean of rates."""
    slowest = _all(max, [cost.wall_s for cost in costs])
    return math.fsum(units) / slowest if slowest else None


def _device(group: Sequence[tuple[int, Energy, DeviceSpan]], weights: Sequence[float] | None) -> DeviceTotal:
    ranks = [rank for rank, _, _ in group]
    component, source = group[0][1].component, group[0][1].joules
    reader, _, longest = max(group, key=lambda entry: (_length(entry[2]), -entry[0]))
    if any(span.joules is None for _, _, span in group):
        reason = next((energy.joules.reason for _, energy, span in group if span.joules is None), "not read")
        joules = Quantity.absent("joules", reason, method=source.method)
        return DeviceTotal(component=component, joules=joules, reader=reader, by_rank=dict.fromkeys(ranks))
    seen_j, guessed = _counted_once([span for _, _, span in group], longest)
    ours_j = _ours(group, seen_j)
    scale = ours_j / longest.joules if longest.joules else 1.0
    elected = next(energy.joules for rank, energy, _ in group if rank == reader)
    joules = Quantity(
        value=ours_j,
        unit="joules",
        quality=worst((elected.quality, Quality.ESTIMATED if guessed else Quality.MEASURED)),
        method=elected.method + (f", {len(ranks)} ranks counted once" if len(ranks) > 1 else ""),
        lo=_scaled(elected.lo, scale, elected.value, longest.joules),
        hi=_scaled(elected.hi, scale, elected.value, longest.joules),
    )
    parts = [weights[rank] if weights else _length(span) * energy.share for rank, energy, span in group]
    return DeviceTotal(component=component, joules=joules, reader=reader, by_rank=_divided(ours_j, ranks, parts))


def _counted_once(spans: Sequence[DeviceSpan], longest: DeviceSpan) -> tuple[float, bool]:
    """Joules over the union of the spans, and whether some of it had to be taken in proportion.

    The longest span counts as read. Of another, only the part that is covered by none so far counts, at that span's own
    mean power.
    """
    joules, guessed = longest.joules or 0.0, False
    covered = [(longest.start_ns, longest.end_ns)]
    for span in sorted(spans, key=_length, reverse=True):
        if span is longest or _length(span) == 0:
            continue
        bare = _length(span) - sum(_overlap(span, piece) for piece in covered)
        if bare > 0:
            joules += (span.joules or 0.0) * bare / _length(span)
            guessed = guessed or bare < _length(span)
            covered = _merged([*covered, (span.start_ns, span.end_ns)])
    return joules, guessed


def _ours(group: Sequence[tuple[int, Energy, DeviceSpan]], seen_j: float) -> float:
    """The ranks' part of a device that others used too: the sum of their own parts, at most the whole."""
    parts = [energy.share * (span.joules or 0.0) for _, energy, span in group]
    return min(seen_j, math.fsum(parts)) if any(energy.share < 1 for _, energy, _ in group) else seen_j


def _divided(joules: float, ranks: Sequence[int], parts: Sequence[float]) -> dict[int, float | None]:
    whole = math.fsum(parts)
    divided: dict[int, float | None] = {}
    left = joules
    for rank, part in list(zip(ranks, parts, strict=True))[:-1]:
        given = joules * part / whole if whole else joules / len(ranks)
        divided[rank] = given
        left -= given
    divided[ranks[-1]] = max(0.0, left)
    return divided


def _rank_sum(rank: int, devices: Mapping[str, DeviceTotal]) -> float | None:
    parts = [found.by_rank[rank] for found in devices.values() if rank in found.by_rank]
    known = [part for part in parts if part is not None]
    return math.fsum(known) if known and len(known) == len(parts) else None


def _scaled(end: float | None, scale: float, value: float | None, gross: float | None) -> float | None:
    """An end of the elected rank's interval, carried over to all ranks in proportion."""
    if end is None or not value or not gross:
        return None
    return end / value * gross * scale


def _all(fold: Callable[[list[N]], N], values: Sequence[N | None]) -> N | None:
    """The values folded into one; None where any is not known."""
    known = [value for value in values if value is not None]
    return fold(known) if len(known) == len(values) else None


def _length(span: DeviceSpan) -> int:
    return span.end_ns - span.start_ns


def _overlap(span: DeviceSpan, piece: tuple[int, int]) -> int:
    return max(0, min(span.end_ns, piece[1]) - max(span.start_ns, piece[0]))


def _merged(pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
