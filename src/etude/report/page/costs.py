"""What results cost together: a sum is known where all its parts are, and no better than the worst of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etude.digits import between_text, half_width, number_text
from etude.meter.sources.quantity import Quality, worst
from etude.report.page.findings import NodeResult
from etude.units import readable_bytes, readable_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCosts:
    """What some results cost. None is not known, and 0 is measured."""

    results: int
    wall_s: float | None
    cpu_s: float | None
    peak_rss_bytes: float | None
    """The highest of them."""
    energy_j: float | None
    energy_low_j: float | None
    energy_high_j: float | None
    quality: str
    """The worst of the parts of the energy; empty where nothing is known."""
    methods: tuple[str, ...]
    covers: tuple[str, ...]
    """Components of the machine that the energy is that of."""
    carbon_g: float | None
    carbon_low_g: float | None
    carbon_high_g: float | None
    carbon_quality: str
    unknown: tuple[str, ...]
    """Why parts are not known."""

    def wall(self) -> str:
        """Wall time as people read it."""
        return _duration(self.wall_s)

    def cpu(self) -> str:
        """CPU time as people read it."""
        return _duration(self.cpu_s)

    def peak(self) -> str:
        """Peak memory as people read it."""
        return "not measured" if self.peak_rss_bytes is None else readable_bytes(self.peak_rss_bytes)

    def energy(self) -> str:
        """Energy with its interval and its quality."""
        if self.energy_j is None:
            return "not measured"
        return _physical(self.energy_j, self.energy_low_j, self.energy_high_j, "J", self.quality)

    def carbon(self) -> str:
        """Carbon with its unit."""
        if self.carbon_g is None:
            return "not known"
        return _physical(self.carbon_g, self.carbon_low_g, self.carbon_high_g, "g CO₂eq", self.carbon_quality)


def costs_of(results: Sequence[NodeResult]) -> ResultCosts:
    """The cost of results, each counted once; those that are not stored cost nothing that is known."""
    costs = [each.cost for each in results if each.state == "stored"]
    energies = [_part(cost, "energy_covered") for cost in costs]
    carbons = [_part(cost, "carbon") for cost in costs]
    reasons = dict.fromkeys(str(part["reason"]) for part in (*energies, *carbons) if part.get("reason"))
    gaps = sum(not part for part in energies)
    if gaps:
        reasons[f"{gaps} of {len(costs)} results were stored without energy"] = None
    return ResultCosts(
        results=len(costs),
        wall_s=_sum([cost.get("wall_s") for cost in costs]),
        cpu_s=_sum([cost.get("cpu_s") for cost in costs]),
        peak_rss_bytes=max(
            (float(cost["peak_rss_bytes"]) for cost in costs if cost.get("peak_rss_bytes")), default=None
        ),
        energy_j=_sum([part.get("joules") for part in energies]),
        energy_low_j=_sum([part.get("lo") for part in energies]),
        energy_high_j=_sum([part.get("hi") for part in energies]),
        quality=_quality(energies),
        methods=tuple(dict.fromkeys(str(part["method"]) for part in energies if part.get("method"))),
        covers=tuple(dict.fromkeys(str(name) for part in energies for name in part.get("covers", ()))),
        carbon_g=_sum([part.get("grams") for part in carbons]),
        carbon_low_g=_sum([part.get("lo") for part in carbons]),
        carbon_high_g=_sum([part.get("hi") for part in carbons]),
        carbon_quality=_quality(carbons),
        unknown=tuple(reasons),
    )


def _physical(value: float, low: float | None, high: float | None, unit: str, quality: str) -> str:
    between = "" if low is None or high is None else f" ({between_text(low, high)})"
    return f"{number_text(value, half_width(low, high))} {unit}{between}, {quality or 'quality not told'}"


def _duration(duration_s: float | None) -> str:
    if duration_s is None:
        return "not measured"
    return readable_seconds(duration_s)


def _quality(parts: Sequence[Mapping[str, Any]]) -> str:
    """The worst of all parts; empty where one does not tell its own."""
    known = [Quality(part["quality"]) for part in parts if part.get("quality") in set(Quality)]
    return str(worst(known)) if known and len(known) == len(parts) else ""


def _part(cost: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = cost.get(name)
    return found if isinstance(found, Mapping) else {}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
