"""How many watts a busy thread draws: from a calibration of this machine, a table of data sheets, or a last resort.

The law is linear in CPU time with a tenth of the rated power at rest: P = TDP (0.1 + 0.9 u), u the share of threads
that are busy. Scored on five machines with known power and loads of at least 20 %, true over told lay between 0.52 and
1.74 in nine of ten cases; two boxes with the very same processor differed by a factor of 1.9, so no law on rated power
can do better. Only a calibration narrows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etude.errors import MeterError
from etude.meter.sources.quantity import Quality

_IDLE_SHARE = 0.1
_LAW = (0.52, 1.74)
"""True over told, 5 % and 95 %, where the rated power is known."""
_UNKNOWN_W = 4.0
"""Rated watts per thread of a processor that is in no table: the middle of ours."""
_UNKNOWN_SPREAD = (0.45, 1.46)
"""Rated watts per thread over that middle, 5 % and 95 % of our table."""
_LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuPower:
    """What the CPU-time model needs to know of a processor."""

    watts_per_thread: float
    """Power that one busy thread adds, above 0."""
    idle_w: float | None
    """Power of the whole machine's processors at rest; None where not known."""
    factor: tuple[float, float]
    """True energy over told energy, 5 % and 95 %."""
    quality: Quality
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibration of one machine's processor, as it stands in its file."""

    cpu_model: str
    watts_per_thread: float
    idle_w: float
    factor: tuple[float, float]
    made: str
    """Date, and what it was measured with."""


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the kernel tells it; empty where it does not."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def cpu_power(model: str, *, calibration: Calibration | None = None) -> CpuPower:
    """The best that is known of a processor: its calibration, its data sheet, or the middle of all data sheets."""
    if calibration is not None and calibration.cpu_model == model:
        return CpuPower(
            watts_per_thread=calibration.watts_per_thread,
            idle_w=calibration.idle_w,
            factor=calibration.factor,
            quality=Quality.CALIBRATED,
            method=f"CPU time × {calibration.watts_per_thread:.3g} W per thread, calibrated {calibration.made}",
        )
    rated = _rated(model)
    if rated is not None:
        tdp_w, threads = rated
        watts = (1 - _IDLE_SHARE) * tdp_w / threads
        method = f"CPU time × {watts:.3g} W per thread: {tdp_w:g} W over {threads} threads of {_plain(model)}"
        return CpuPower(
            watts_per_thread=watts, idle_w=_IDLE_SHARE * tdp_w, factor=_LAW, quality=Quality.ESTIMATED, method=method
        )
    watts = (1 - _IDLE_SHARE) * _UNKNOWN_W
    return CpuPower(
        watts_per_thread=watts,
        idle_w=None,
        factor=(_LAW[0] * _UNKNOWN_SPREAD[0], _LAW[1] * _UNKNOWN_SPREAD[1]),
        quality=Quality.ESTIMATED,
        method=f"CPU time × {watts:.3g} W per thread: no data sheet for {model or 'this processor'!r}",
    )


def calibrate(runs: Sequence[tuple[float, float, float]], *, cpu_model: str, made: str) -> Calibration:
    """Fit a processor's power to runs whose energy is known, from a wall meter or from RAPL.

    Args:
        runs: (CPU seconds, wall seconds, joules) of each run; at least three, with different loads.
        cpu_model: The processor, as `cpu_model` tells it.
        made: Date, and what the joules were measured with.

    Returns:
        Watts per busy thread and at rest by least squares on power, both 0 or more, and the spread of true over told
        among the runs, at least 5 % either way.

    Raises:
        MeterError: Too few runs, loads too much alike to part the two, or figures that are not positive.
    """
    if len(runs) < 3 or any(not (cpu >= 0 and wall > 0 and joules > 0) for cpu, wall, joules in runs):
        raise MeterError("a calibration needs three runs or more, each with wall seconds and joules above 0")
    loads = [cpu / wall for cpu, wall, _ in runs]
    powers = [joules / wall for _, wall, joules in runs]
    mean_load, mean_power = math.fsum(loads) / len(runs), math.fsum(powers) / len(runs)
    spread = math.fsum((load - mean_load) ** 2 for load in loads)
    if max(loads) - min(loads) < 0.5:
        raise MeterError(
            f"the runs' loads lie between {min(loads):.2f} and {max(loads):.2f} busy threads: too much alike. "
            "Mend: add a run with one thread more, and one at rest."
        )
    slope = math.fsum((x - mean_load) * (y - mean_power) for x, y in zip(loads, powers, strict=True)) / spread
    rest = mean_power - slope * mean_load
    if slope <= 0:
        raise MeterError(f"power falls as load rises ({slope:.3g} W per thread): the joules are not of this machine")
    if rest < 0:
        rest, slope = 0.0, math.fsum(map(_product, loads, powers)) / math.fsum(load**2 for load in loads)
    ratios = sorted(power / max(rest + slope * load, 1e-6 * power) for power, load in zip(powers, loads, strict=True))
    factor = (min(ratios[0], 1 - _LEAST_SPREAD), max(ratios[-1], 1 + _LEAST_SPREAD))
    return Calibration(cpu_model=cpu_model, watts_per_thread=slope, idle_w=rest, factor=factor, made=made)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Store a calibration; a reader sees the old file or the new one, never half."""
    import json

    told = {
        "cpu_model": calibration.cpu_model,
        "watts_per_thread": calibration.watts_per_thread,
        "idle_w": calibration.idle_w,
        "factor": list(calibration.factor),
        "made": calibration.made,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".tmp")
    aside.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def read_calibration(path: Path) -> Calibration:
    """A stored calibration. MeterError, with file and field, for what is none."""
    import json

    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        low, high = (float(end) for end in told["factor"])
        found = Calibration(
            cpu_model=str(told["cpu_model"]),
            watts_per_thread=float(told["watts_per_thread"]),
            idle_w=float(told["idle_w"]),
            factor=(low, high),
            made=str(told["made"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeterError(f"{path}: no calibration ({type(error).__name__}: {error})") from error
    if not (found.watts_per_thread > 0 and found.idle_w >= 0 and 0 < low <= 1 <= high < math.inf):
        raise MeterError(f"{path}: watts must be above 0 and the factor around 1, got {told!r}")
    return found


def _product(a: float, b: float) -> float:
    return a * b


def _rated(model: str) -> tuple[float, int] | None:
    """Rated watts and threads from the table beside this file."""
    import csv
    from importlib.resources import files

    wanted = _plain(model).casefold()
    if not wanted:
        return None
    with files("etude.meter").joinpath("cpu_power.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["model"].casefold() == wanted:
                return float(row["tdp_w"]), int(row["threads"])
    return None


def _plain(model: str) -> str:
    """A processor's name without trade marks, core counts and clock rates."""
    text = re.sub(r"\((R|TM|r|tm)\)|\bCPU\b|\bProcessor\b|\b\d+-Core\b|@.*$|\bwith Radeon.*$|\b\d+th Gen\b", " ", model)
    return " ".join(text.split())
