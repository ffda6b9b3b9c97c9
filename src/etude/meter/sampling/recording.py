"""What was noted while work was measured: marks and counter readings, and nothing worked out yet.

It can be stored and resolved again later, by another method or on another machine.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from etude.errors import MeterError
from etude.meter.sampling.log import Log
from etude.meter.sampling.windows import Windows
from etude.meter.sources.memory import DevicePeak, MemoryAccount
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality

_VERSION = 2
_READABLE = (1, 2)
"""Version 1 did not tell of threads."""
_COLUMNS = ("name_of", "parent_of", "start_ns", "end_ns", "start_cpu_ns", "end_cpu_ns", "events")
_OF_THREADS = ("thread_of", "thread_cpu_ns")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReadings:
    """One meter's readings."""

    traits: Traits
    log: Log
    period_s: float | None = None
    """The period as observed; None where it was not."""
    foreign: frozenset[int] | None = None
    """Processes of others seen on the device; None where they were not looked for, or could not be told."""
    beside: bool = False
    """Read for comparison only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One piece of work, from its first mark to its last."""

    start_ns: int
    end_ns: int
    started_utc: float
    """Seconds since 1970, for the record."""
    start_cpu_ns: int
    end_cpu_ns: int
    """CPU time of the process tree."""
    busy_ns: int | None = None
    """CPU time of the whole machine in between; None where it was not asked or not told."""
    cores: int = 1
    machine: str = ""
    """The machine since its boot."""
    windows: Windows = field(default_factory=Windows)
    meters: tuple[MeterReadings, ...] = ()
    memory: MemoryAccount = field(default_factory=MemoryAccount)
    absent: Mapping[str, str] = field(default_factory=dict)
    """Component → why no meter serves it."""
    warnings: tuple[str, ...] = ()

    @property
    def wall_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    @property
    def cpu_s(self) -> float:
        return (self.end_cpu_ns - self.start_cpu_ns) / 1e9

    def save(self, path: Path) -> None:
        """Write everything to one JSON file; a reader sees the old one or the new one, never half."""
        import json

        aside = path.with_name(path.name + ".tmp")
        aside.write_text(json.dumps(_as_json(self)), encoding="utf-8")
        aside.replace(path)

    @staticmethod
    def load(path: Path) -> Recording:
        """Read it back. MeterError, with the file and what is wrong, for anything else."""
        import json

        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["version"] not in _READABLE:
                raise MeterError(f"{path}: recording of version {data['version']!r}, this is étude for {_VERSION}")
            return _recording_from_json(data)
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise MeterError(f"{path}: no recording ({type(error).__name__}: {error})") from error


def _as_json(recording: Recording) -> dict[str, Any]:
    windows, memory = recording.windows, recording.memory
    plain = ("start_ns", "end_ns", "started_utc", "start_cpu_ns", "end_cpu_ns", "busy_ns", "cores", "machine")
    return {
        "version": _VERSION,
        **{name: getattr(recording, name) for name in plain},
        "absent": dict(recording.absent),
        "warnings": list(recording.warnings),
        "windows": {
            "names": windows.names,
            **{name: list(getattr(windows, name)) for name in (*_COLUMNS, *_OF_THREADS)},
        },
        "memory": {
            "start": memory.start_rss_bytes,
            "end": memory.end_rss_bytes,
            "own_peak": memory.own_peak_bytes,
            "method": memory.method,
            "ns": list(memory.ns),
            "rss": list(memory.rss_bytes),
            "devices": {name: [peak.allocated_bytes, peak.reserved_bytes] for name, peak in memory.devices.items()},
        },
        "meters": [
            {
                "traits": asdict(each.traits),
                "period_s": each.period_s,
                "foreign": None if each.foreign is None else sorted(each.foreign),
                "beside": each.beside,
                "times": list(each.log.times),
                "raws": list(each.log.raws),
                "reasons": list(each.log.reasons.items()),
            }
            for each in recording.meters
        ],
    }


def _recording_from_json(data: Mapping[str, Any]) -> Recording:
    memory = data["memory"]
    return Recording(
        start_ns=data["start_ns"],
        end_ns=data["end_ns"],
        started_utc=data["started_utc"],
        start_cpu_ns=data["start_cpu_ns"],
        end_cpu_ns=data["end_cpu_ns"],
        busy_ns=data["busy_ns"],
        cores=data["cores"],
        machine=data["machine"],
        absent=data["absent"],
        warnings=tuple(data["warnings"]),
        windows=_windows_from_json(data["windows"]),
        memory=MemoryAccount(
            start_rss_bytes=memory["start"],
            end_rss_bytes=memory["end"],
            own_peak_bytes=memory["own_peak"],
            method=memory["method"],
            ns=array("q", memory["ns"]),
            rss_bytes=array("q", memory["rss"]),
            devices={
                name: DevicePeak(allocated_bytes=allocated, reserved_bytes=reserved)
                for name, (allocated, reserved) in memory["devices"].items()
            },
        ),
        meters=tuple(map(_readings_from_json, data["meters"])),
    )


def _windows_from_json(data: Mapping[str, Any]) -> Windows:
    windows = Windows(names=list(data["names"]))
    for name in _COLUMNS:
        getattr(windows, name).extend(data[name])
    for name in _OF_THREADS:
        getattr(windows, name).extend(data.get(name, [-1] * len(windows)))
    return windows


def _readings_from_json(data: Mapping[str, Any]) -> MeterReadings:
    traits = dict(data["traits"])
    traits["quality"] = Quality(traits["quality"])
    traits["factor"] = tuple(traits["factor"])
    log = Log(times=array("q", data["times"]), raws=array("q", data["raws"]), reasons=dict(map(tuple, data["reasons"])))
    foreign = None if data["foreign"] is None else frozenset(data["foreign"])
    return MeterReadings(
        traits=Traits(**traits), log=log, period_s=data["period_s"], foreign=foreign, beside=data["beside"]
    )
