"""What a piece of work cost: the record that goes into a manifest. Plain numbers, each with how it was got.

As JSON it has one key per fact, so that it flattens into dotted columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etude.errors import MeterError
from etude.meter.sources.quantity import Quantity

VERSION = 1
START_UP = "(start-up)"
"""Name of the windows in which something starts up that other work of the same process finds ready."""
NO_FACTOR = "no country and no factor were given"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpan:
    """What one device used from one moment to another: what it takes to count it once for several processes."""

    device: str
    start_ns: int
    end_ns: int
    joules: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """One component's energy as one source tells it."""

    component: str
    source: str
    joules: Quantity
    """Our part."""
    gross_j: float | None
    """All that the devices used."""
    share: float
    """Our part of the CPU time where the counter sees the whole machine; else 1."""
    idle_joules: float | None = None
    """What a model says the machine would have used at rest; never in any sum."""
    spans: tuple[DeviceSpan, ...] = ()
    foreign: int | None = None
    """Processes of others seen on the devices; None where they were not looked for, or could not be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCost:
    """All windows of one path together."""

    count: int
    wall_s: float
    cpu_s: float | None
    """CPU seconds of all processes meanwhile; of its threads alone where windows of others were open beside it."""
    energy: Mapping[str, Quantity] = field(default_factory=dict)
    peak_rss_bytes: int | None = None
    """The most that was resident at the samples taken while one of them was open; None where none was taken."""
    cpu_method: str = ""
    """How `cpu_s` was got where windows overlapped, or why it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory while the work ran."""

    peak_rss_bytes: int | None = None
    method: str = ""
    start_rss_bytes: int | None = None
    end_rss_bytes: int | None = None
    devices: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Device → the most bytes that torch's tensors held, and that its allocator kept."""
    timeline: tuple[tuple[float, float], ...] = ()
    """(seconds since the start, most bytes since the point before)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one piece of work cost."""

    wall_s: float | None
    cpu_s: float | None
    """CPU seconds of the process and its descendants."""
    started_utc: float | None = None
    machine: str = ""
    """The machine since its boot: times below compare only within one."""
    start_ns: int = 0
    end_ns: int = 0
    memory: Memory = field(default_factory=Memory)
    energy: Mapping[str, Energy] = field(default_factory=dict)
    """Component → its energy, by the source that is trusted most."""
    beside: tuple[Energy, ...] = ()
    """The same components as other sources tell them."""
    covered: Quantity = field(default_factory=lambda: Quantity.absent("joules", "no meter"))
    """The sum of the components named in `covers`, and of nothing else."""
    covers: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    """Component → why nothing is known of it."""
    carbon: Quantity = field(default_factory=lambda: Quantity.absent("grams", NO_FACTOR))
    footprint: Mapping[str, object] = field(default_factory=dict)
    """The factor, its source and the PUE."""
    windows: Mapping[str, WindowCost] = field(default_factory=dict)
    closure_error: float | None = None
    warnings: tuple[str, ...] = ()
    attempts: int = 1
    """How many attempts it is the cost of, those that were stopped or killed counted."""
    processes: int = 1
    """How many processes, started together, it is the cost of."""
    start_up: WindowCost | None = None
    """What starting up cost, where that has an account of its own: it is in no other figure. See `meter.start_up`."""
    first_in_process: bool | None = None
    """Whether the process had measured nothing before: caches, pools and libraries were cold. None where not known."""
    others_cpus: float | None = None
    """Cores of the machine that others kept busy, on average; None where the time was too short to tell."""
    order: int | None = None
    """How many nodes the run had started when this one was, itself counted."""

    @property
    def peak_rss_bytes(self) -> int | None:
        return self.memory.peak_rss_bytes

    @staticmethod
    def unknown(reason: str, *, wall_s: float | None = None, cpu_s: float | None = None) -> Cost:
        """The cost of work whose measuring failed."""
        return Cost(
            wall_s=wall_s,
            cpu_s=cpu_s,
            covered=Quantity.absent("joules", reason),
            carbon=Quantity.absent("grams", reason),
            warnings=(reason,),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for a manifest; None is kept, never left out."""
        return _to_json(self)

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Cost:
        """What `as_json` gave. MeterError for anything else."""
        return _from_json(record)


def _to_json(cost: Cost) -> dict[str, Any]:
    """The record; None is kept, never left out."""
    return {
        "version": VERSION,
        "wall_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "peak_rss_bytes": cost.memory.peak_rss_bytes,
        "started_utc": cost.started_utc,
        "machine": cost.machine,
        "start_ns": cost.start_ns,
        "end_ns": cost.end_ns,
        "energy": {name: _energy_json(energy) for name, energy in cost.energy.items()},
        "energy_covered": {
            **cost.covered.as_json(),
            "covers": list(cost.covers),
            "absent": dict(cost.absent),
        },
        "energy_beside": [{"component": energy.component, **_energy_json(energy)} for energy in cost.beside],
        "carbon": {**cost.carbon.as_json(), **cost.footprint},
        "memory": {
            "method": cost.memory.method,
            "start_rss_bytes": cost.memory.start_rss_bytes,
            "end_rss_bytes": cost.memory.end_rss_bytes,
            "devices": {
                name: {"peak_allocated_bytes": allocated, "peak_reserved_bytes": reserved}
                for name, (allocated, reserved) in cost.memory.devices.items()
            },
            "timeline": [list(point) for point in cost.memory.timeline],
        },
        "windows": {path: _window_json(spent) for path, spent in cost.windows.items()},
        "closure_error": cost.closure_error,
        "warnings": list(cost.warnings),
        "attempts": cost.attempts,
        "processes": cost.processes,
        "start_up": None if cost.start_up is None else _start_up_json(cost.start_up, cost.covers),
        "first_in_process": cost.first_in_process,
        "others_cpus": cost.others_cpus,
        "order": cost.order,
    }


def _from_json(record: Mapping[str, Any]) -> Cost:
    """The cost that a record tells. MeterError, with what is missing, for what is none."""
    try:
        if record["version"] != VERSION:
            raise MeterError(f"cost of version {record['version']!r}, this is étude for version {VERSION}")
        covered, carbon, memory = record["energy_covered"], record["carbon"], record["memory"]
        energy = {name: _energy_of(name, energy) for name, energy in record["energy"].items()}
        return Cost(
            wall_s=record["wall_s"],
            cpu_s=record["cpu_s"],
            started_utc=record["started_utc"],
            machine=record["machine"],
            start_ns=record["start_ns"],
            end_ns=record["end_ns"],
            memory=_memory_of(memory, record["peak_rss_bytes"]),
            energy=energy,
            beside=tuple(_energy_of(energy["component"], energy) for energy in record["energy_beside"]),
            covered=Quantity.from_json(covered, "joules"),
            covers=tuple(covered["covers"]),
            absent=dict(covered["absent"]),
            carbon=Quantity.from_json(carbon, "grams"),
            footprint={name: value for name, value in carbon.items() if name not in _QUANTITY},
            windows={path: _window_of(spent, energy) for path, spent in record["windows"].items()},
            closure_error=record["closure_error"],
            warnings=tuple(record["warnings"]),
            attempts=record.get("attempts", 1),
            processes=record.get("processes", 1),
            start_up=_window_of(record["start_up"], energy) if record.get("start_up") else None,
            first_in_process=record.get("first_in_process"),
            others_cpus=record.get("others_cpus"),
            order=record.get("order"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeterError(f"no cost record ({type(error).__name__}: {error})") from error


_QUANTITY = {"grams", "quality", "method", "lo", "hi", "reason"}


def _energy_json(energy: Energy) -> dict[str, Any]:
    return {
        **energy.joules.as_json(),
        "source": energy.source,
        "gross_joules": energy.gross_j,
        "share": energy.share,
        "idle_joules": energy.idle_joules,
        "foreign": energy.foreign,
        "spans": [[span.device, span.start_ns, span.end_ns, span.joules] for span in energy.spans],
    }


def _span_of(record: Sequence[Any]) -> DeviceSpan:
    device, start_ns, end_ns, joules = record
    return DeviceSpan(device=device, start_ns=start_ns, end_ns=end_ns, joules=joules)


def _energy_of(component: str, record: Mapping[str, Any]) -> Energy:
    return Energy(
        component=component,
        source=record["source"],
        joules=Quantity.from_json(record, "joules"),
        gross_j=record["gross_joules"],
        share=record["share"],
        idle_joules=record["idle_joules"],
        spans=tuple(map(_span_of, record["spans"])),
        foreign=record["foreign"],
    )


def _memory_of(record: Mapping[str, Any], peak: int | None) -> Memory:
    return Memory(
        peak_rss_bytes=peak,
        method=record["method"],
        start_rss_bytes=record["start_rss_bytes"],
        end_rss_bytes=record["end_rss_bytes"],
        devices={
            name: (peaks["peak_allocated_bytes"], peaks["peak_reserved_bytes"])
            for name, peaks in record["devices"].items()
        },
        timeline=tuple((at, most) for at, most in record["timeline"]),
    )


def _window_json(spent: WindowCost) -> dict[str, Any]:
    return {
        "count": spent.count,
        "wall_s": spent.wall_s,
        "cpu_s": spent.cpu_s,
        "peak_rss_bytes": spent.peak_rss_bytes,
        "energy": {name: _part_json(quantity) for name, quantity in spent.energy.items()},
        **({"cpu_method": spent.cpu_method} if spent.cpu_method else {}),
    }


def _start_up_json(spent: WindowCost, covers: Sequence[str]) -> dict[str, Any]:
    """The account of start-up, with its sum over the components that the cost covers."""
    known = [spent.energy[name].value for name in covers if name in spent.energy]
    joules = None if not known or None in known else math.fsum(value for value in known if value is not None)
    return {**_window_json(spent), "joules": joules}


def _part_json(quantity: Quantity) -> dict[str, Any]:
    """A window's energy; its quality and method are the run's."""
    told = {"joules": quantity.value, "lo": quantity.lo, "hi": quantity.hi}
    return told | ({"reason": quantity.reason} if quantity.reason else {})


def _window_of(record: Mapping[str, Any], energy: Mapping[str, Energy]) -> WindowCost:
    parts = {
        name: Quantity.from_json({**energy[name].joules.as_json(), "reason": "", **part}, "joules")
        for name, part in record["energy"].items()
    }
    return WindowCost(
        count=record["count"],
        wall_s=record["wall_s"],
        cpu_s=record["cpu_s"],
        energy=parts,
        peak_rss_bytes=record.get("peak_rss_bytes"),
        cpu_method=record.get("cpu_method", ""),
    )
