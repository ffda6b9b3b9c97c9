"""A cost as plain JSON values and back, one key per fact, so that it flattens into dotted columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from etude.errors import MeterError
from etude.meter.accounting.cost import VERSION, Cost, DeviceSpan, Energy, Memory, WindowCost
from etude.meter.sources.quantity import Quantity


def told(cost: Cost) -> dict[str, Any]:
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
        "energy": {name: _energy_told(energy) for name, energy in cost.energy.items()},
        "energy_covered": {
            **cost.covered.as_json(),
            "covers": list(cost.covers),
            "absent": dict(cost.absent),
        },
        "energy_beside": [{"component": energy.component, **_energy_told(energy)} for energy in cost.beside],
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
        "windows": {path: _spent_told(spent) for path, spent in cost.windows.items()},
        "closure_error": cost.closure_error,
        "warnings": list(cost.warnings),
        "attempts": cost.attempts,
        "processes": cost.processes,
        "start_up": None if cost.start_up is None else _start_up_told(cost.start_up, cost.covers),
        "first_in_process": cost.first_in_process,
        "others_cpus": cost.others_cpus,
        "order": cost.order,
    }


def heard(record: Mapping[str, Any]) -> Cost:
    """The cost that a record tells. MeterError, with what is missing, for what is none."""
    try:
        if record["version"] != VERSION:
            raise MeterError(f"cost of version {record['version']!r}, this is étude for version {VERSION}")
        covered, carbon, memory = record["energy_covered"], record["carbon"], record["memory"]
        energy = {name: _energy_heard(name, energy) for name, energy in record["energy"].items()}
        return Cost(
            wall_s=record["wall_s"],
            cpu_s=record["cpu_s"],
            started_utc=record["started_utc"],
            machine=record["machine"],
            start_ns=record["start_ns"],
            end_ns=record["end_ns"],
            memory=_memory_heard(memory, record["peak_rss_bytes"]),
            energy=energy,
            beside=tuple(_energy_heard(energy["component"], energy) for energy in record["energy_beside"]),
            covered=Quantity.from_json(covered, "joules"),
            covers=tuple(covered["covers"]),
            absent=dict(covered["absent"]),
            carbon=Quantity.from_json(carbon, "grams"),
            footprint={name: value for name, value in carbon.items() if name not in _QUANTITY},
            windows={path: _spent_heard(spent, energy) for path, spent in record["windows"].items()},
            closure_error=record["closure_error"],
            warnings=tuple(record["warnings"]),
            attempts=record.get("attempts", 1),
            processes=record.get("processes", 1),
            start_up=_spent_heard(record["start_up"], energy) if record.get("start_up") else None,
            first_in_process=record.get("first_in_process"),
            others_cpus=record.get("others_cpus"),
            order=record.get("order"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeterError(f"no cost record ({type(error).__name__}: {error})") from error


_QUANTITY = {"grams", "quality", "method", "lo", "hi", "reason"}


def _energy_told(energy: Energy) -> dict[str, Any]:
    return {
        **energy.joules.as_json(),
        "source": energy.source,
        "gross_joules": energy.gross_j,
        "share": energy.share,
        "idle_joules": energy.idle_joules,
        "foreign": energy.foreign,
        "spans": [[span.device, span.start_ns, span.end_ns, span.joules] for span in energy.spans],
    }


def _span(record: Sequence[Any]) -> DeviceSpan:
    device, start_ns, end_ns, joules = record
    return DeviceSpan(device=device, start_ns=start_ns, end_ns=end_ns, joules=joules)


def _energy_heard(component: str, record: Mapping[str, Any]) -> Energy:
    return Energy(
        component=component,
        source=record["source"],
        joules=Quantity.from_json(record, "joules"),
        gross_j=record["gross_joules"],
        share=record["share"],
        idle_joules=record["idle_joules"],
        spans=tuple(map(_span, record["spans"])),
        foreign=record["foreign"],
    )


def _memory_heard(record: Mapping[str, Any], peak: int | None) -> Memory:
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


def _spent_told(spent: WindowCost) -> dict[str, Any]:
    return {
        "count": spent.count,
        "wall_s": spent.wall_s,
        "cpu_s": spent.cpu_s,
        "peak_rss_bytes": spent.peak_rss_bytes,
        "energy": {name: _part_told(quantity) for name, quantity in spent.energy.items()},
        **({"cpu_method": spent.cpu_method} if spent.cpu_method else {}),
    }


def _start_up_told(spent: WindowCost, covers: Sequence[str]) -> dict[str, Any]:
    """The account of start-up, with its sum over the components that the cost covers."""
    known = [spent.energy[name].value for name in covers if name in spent.energy]
    joules = None if not known or None in known else math.fsum(value for value in known if value is not None)
    return {**_spent_told(spent), "joules": joules}


def _part_told(quantity: Quantity) -> dict[str, Any]:
    """A window's energy; its quality and method are the run's."""
    told = {"joules": quantity.value, "lo": quantity.lo, "hi": quantity.hi}
    return told | ({"reason": quantity.reason} if quantity.reason else {})


def _spent_heard(record: Mapping[str, Any], energy: Mapping[str, Energy]) -> WindowCost:
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
