"""Which meters serve this machine, which do not and why, and what to do about it.

Having none is a normal state: then the CPU-time model estimates the processor, and everything else is not known.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from etude.errors import MeterError
from etude.meter.sampling.sampler import Sampler
from etude.meter.sources import nvml, rapl
from etude.meter.sources.clock import SYSTEM_CLOCK, Clock
from etude.meter.sources.codecarbon import CodeCarbonTracker
from etude.meter.sources.cpu_power import Calibration, cpu_model, cpu_power, read_calibration
from etude.meter.sources.cputime import CpuTimeMeter, machine_id
from etude.meter.sources.meter import Meter
from etude.meter.sources.processes import ProcessTree
from etude.meter.sources.quantity import Quality
from etude.meter.sources.zeus import zeus_meters

_GLANCE_S = 0.005
_LOOK_S = 0.3
_SANDBOX = (
    "Virtual machines and containers seldom show it. Measure on the host, or mount /sys/class/powercap read-only into "
    "the container; or calibrate the CPU-time model with a wall meter (docs/measuring.md)."
)
_PERMIT = (
    "An administrator can let a group read it with a udev rule: "
    'SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", RUN+="/bin/chgrp energy /sys%p/energy_uj", '
    'RUN+="/bin/chmod g+r /sys%p/energy_uj". It is closed to users because it can leak secrets (CVE-2020-8694).'
)


class State(StrEnum):
    """What became of a meter that could serve."""

    SERVING = "serving"
    BESIDE = "beside"
    """Read as well, for comparison; another's figures count."""
    NOT_NEEDED = "not needed"
    ABSENT = "absent"
    FORBIDDEN = "no permission"
    CONSTANT = "constant"
    """It is there and can be read, and never moves."""
    NOT_INSTALLED = "not installed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One meter that could serve one component."""

    component: str
    source: str
    state: State
    detail: str
    """What it is, or why it does not serve."""
    mend: str = ""
    quality: Quality = Quality.ABSENT
    """Of the numbers it gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found, in order of trust, and the meters that serve."""

    processor: str
    """As the kernel names it; empty where it does not."""
    findings: tuple[Finding, ...]
    meters: tuple[Meter, ...]
    beside: tuple[Meter, ...]
    """Read for comparison only."""
    tree: ProcessTree

    @property
    def absent(self) -> dict[str, str]:
        """Component → why nothing serves it. The platform as a whole is no part of a sum and is not missed."""
        served = {finding.component for finding in self.findings if finding.state is State.SERVING}
        reasons: dict[str, str] = {}
        for finding in self.findings:
            if finding.component not in {*served, "platform"} and finding.state is not State.NOT_NEEDED:
                reasons.setdefault(finding.component, f"{finding.source} {finding.state}: {finding.detail}")
        return reasons

    def sampler(self, *, clock: Clock = SYSTEM_CLOCK) -> Sampler:
        """A sampler over what serves."""
        return Sampler(self.meters, beside=self.beside, absent=self.absent, clock=clock, tree=self.tree)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    findings: tuple[Finding, ...]
    meters: tuple[Meter, ...] = ()
    beside: tuple[Meter, ...] = ()

    @property
    def components(self) -> set[str]:
        return {finding.component for finding in self.findings if finding.state is State.SERVING}


def discover(
    *,
    calibration: Path | None = None,
    beside: Collection[str] = (),
    country: str | None = None,
    thorough: bool = False,
    powercap: Path = rapl.POWERCAP,
    root: Path = Path("/"),
    libraries: Mapping[str, Any] | None = None,
    tree: ProcessTree | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Discovery:
    """Look for every meter. Never raises for what a machine lacks.

    Args:
        calibration: File of a calibrated processor; one that is not there, or of another processor, is a finding.
        beside: Further sources to read for comparison: `cpu-time`, `codecarbon`, `zeus`.
        country: ISO code of three letters, which CodeCarbon needs.
        thorough: Look long enough (0.3 s) to tell a counter that never moves, and load what is only looked for.
        powercap: Where the kernel shows RAPL.
        root: The root of the file system, where an NVIDIA driver shows itself.
        libraries: Name → module to use instead of importing `pynvml`, `codecarbon`, `zeus.device`.
        tree: The processes whose CPU time counts.
        clock: Tells the time.
    """
    tree = tree or ProcessTree()
    given = libraries or {}
    model = cpu_model(root / "proc" / "cpuinfo")
    wait_s = _LOOK_S if thorough else _GLANCE_S
    parts = [
        _rapl(powercap, clock, wait_s),
        _nvml(root, clock, given.get("pynvml"), wait_s if thorough else 0.0),
    ]
    measured = set().union(*(part.components for part in parts))
    parts.append(_cpu_time(tree, model, calibration, needed="cpu" not in measured, wanted="cpu-time" in beside))
    if "codecarbon" in beside:
        parts.append(_codecarbon(country, given.get("codecarbon")))
    if "zeus" in beside:
        parts.append(_zeus(given.get("zeus.device")))
    return Discovery(
        processor=model,
        findings=tuple(finding for part in parts for finding in part.findings),
        meters=tuple(meter for part in parts for meter in part.meters),
        beside=tuple(meter for part in parts for meter in part.beside),
        tree=tree,
    )


def doctor(*, calibration: Path | None = None, country: str | None = None) -> Discovery:
    """The discovery with everything tried, for people: it takes some seconds, and closes what it opened."""
    # CodeCarbon starts only with a country; which one does not matter to whether its meters serve.
    every = ("cpu-time", "codecarbon", "zeus")
    found = discover(calibration=calibration, beside=every, country=country or "FRA", thorough=True)
    for meter in (*found.meters, *found.beside):
        meter.close()
    return found


def _rapl(powercap: Path, clock: Clock, wait_s: float) -> _Part:
    zones = rapl.zones(powercap)
    if not zones:
        why = f"no RAPL zones under {powercap}" if sys.platform == "linux" else "RAPL is read on Linux only"
        return _Part(
            findings=tuple(_finding(name, "rapl", State.ABSENT, why, _SANDBOX) for name in ("cpu", "dram", "platform"))
        )
    opened: dict[str, list[Meter]] = {}
    faults: dict[str, Finding] = {}
    for zone in zones:
        try:
            opened.setdefault(zone.component, []).append(rapl.RaplMeter(zone, machine_id()))
        except MeterError as error:
            denied = isinstance(error.__cause__, PermissionError)
            state, mend = (State.FORBIDDEN, _PERMIT) if denied else (State.FAILED, "")
            faults.setdefault(zone.component, _finding(zone.component, "rapl", state, str(error), mend))
    still = _still([meter for meters in opened.values() for meter in meters], clock, wait_s)
    for meter in still:
        told = (
            f"{meter.traits.device.rpartition(':')[2]} does not move: the hypervisor shows a counter it does not fill"
        )
        component = meter.traits.component
        faults.setdefault(component, _finding(component, "rapl", State.CONSTANT, told, _SANDBOX))
    # A component that serves only in part would be told too low: all its zones, or none.
    for component in faults:
        for meter in opened.pop(component, []):
            meter.close()
    serving = [_serving(meters) for meters in opened.values()]
    missing = {"cpu", "dram", "platform"} - opened.keys() - faults.keys()
    nowhere = [_finding(name, "rapl", State.ABSENT, "this processor has no such zone") for name in sorted(missing)]
    kept = tuple(meter for meters in opened.values() for meter in meters)
    return _Part(findings=(*serving, *faults.values(), *nowhere), meters=kept)


def _nvml(root: Path, clock: Clock, library: Any, wait_s: float) -> _Part:
    if library is None and sys.platform == "linux" and not nvml.is_driver_loaded(root):
        return _Part(findings=(_finding("gpu", "nvml", State.ABSENT, "no NVIDIA driver on this machine"),))
    try:
        boards = nvml.boards(clock, library)
    except MeterError as error:
        missing = isinstance(error.__cause__, ImportError)
        state, mend = (State.NOT_INSTALLED, "pip install 'etude[nvml]'") if missing else (State.FAILED, "")
        return _Part(findings=(_finding("gpu", "nvml", state, str(error), mend),))
    meters = [board.meter for board in boards if board.meter is not None]
    still = _still(meters, clock, wait_s) if wait_s else []
    findings = [
        _finding(board.component, "nvml", State.ABSENT, f"{board.name or 'the board'} tells no energy: {board.reason}")
        for board in boards
        if board.meter is None
    ]
    findings += [
        _finding(meter.traits.component, "nvml", State.CONSTANT, "the energy counter does not move") for meter in still
    ]
    kept = tuple(meter for meter in meters if meter not in still)
    return _Part(findings=(*(_serving([meter]) for meter in kept), *findings), meters=kept)


def _cpu_time(tree: ProcessTree, model: str, calibration: Path | None, *, needed: bool, wanted: bool) -> _Part:
    findings: list[Finding] = []
    calibrated: Calibration | None = None
    if calibration is not None and calibration.exists():
        try:
            calibrated = read_calibration(calibration)
        except MeterError as error:
            findings.append(_finding("cpu", "calibration", State.FAILED, str(error), "Calibrate again."))
    if calibrated is not None and calibrated.cpu_model != model:
        why = f"{calibration} is for {calibrated.cpu_model!r}, this machine has {model!r}"
        findings.append(_finding("cpu", "calibration", State.NOT_NEEDED, why, "Calibrate on this machine."))
    meter = CpuTimeMeter(tree, cpu_power(model, calibration=calibrated))
    state = State.SERVING if needed else State.BESIDE if wanted else State.NOT_NEEDED
    traits = meter.traits
    low, high = traits.factor
    detail = f"{traits.method}; the true value is {low:.2g} to {high:.2g} times the told one in nine of ten cases"
    told = Finding(component="cpu", source="cpu-time", state=state, detail=detail, quality=traits.quality)
    return _Part(
        findings=(told, *findings), meters=(meter,) if needed else (), beside=(meter,) if wanted and not needed else ()
    )


def _codecarbon(country: str | None, library: Any) -> _Part:
    if country is None:
        return _Part(
            findings=(_finding("cpu", "codecarbon", State.FAILED, "it needs a country", "Name one: country=FRA."),)
        )
    try:
        meters = CodeCarbonTracker(country=country, library=library).meters()
    except MeterError as error:
        return _Part(findings=(_foreign_fault("codecarbon", error, "pip install 'etude[carbon]'"),))
    return _Part(findings=tuple(_beside(meter) for meter in meters), beside=tuple(meters))


def _zeus(library: Any) -> _Part:
    try:
        meters, faults = zeus_meters(library)
    except MeterError as error:
        return _Part(findings=(_foreign_fault("zeus", error, "pip install 'etude[zeus]'"),))
    missing = [_finding(component, "zeus", State.ABSENT, why) for component, why in faults.items()]
    return _Part(findings=(*map(_beside, meters), *missing), beside=tuple(meters))


def _still(meters: Sequence[Meter], clock: Clock, wait_s: float) -> list[Meter]:
    """Those of the meters that do not move for a while, or cannot be read."""
    before = [_count(meter) for meter in meters]
    if meters:
        clock.sleep(wait_s)
    return [meter for meter, count in zip(meters, before, strict=True) if count is None or count == _count(meter)]


def _count(meter: Meter) -> int | None:
    try:
        return meter.read()
    except MeterError:
        return None


def _finding(component: str, source: str, state: State, detail: str, mend: str = "") -> Finding:
    return Finding(component=component, source=source, state=state, detail=detail, mend=mend)


def _serving(meters: Sequence[Meter], state: State = State.SERVING) -> Finding:
    traits = meters[0].traits
    detail = " + ".join(meter.traits.method for meter in meters)
    return Finding(component=traits.component, source=traits.source, state=state, detail=detail, quality=traits.quality)


def _beside(meter: Meter) -> Finding:
    return _serving([meter], State.BESIDE)


def _foreign_fault(source: str, error: MeterError, install: str) -> Finding:
    missing = isinstance(error.__cause__, ImportError)
    state = State.NOT_INSTALLED if missing else State.ABSENT
    return _finding("cpu", source, state, str(error).partition(" Mend: ")[0], install if missing else "")
