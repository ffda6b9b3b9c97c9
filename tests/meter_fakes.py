"""Stand-ins for what a test machine lacks: kernel folders, drivers, foreign libraries, and power traces to follow."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from etude.meter.clock import ManualClock
from etude.meter.memory import MemoryGauge
from etude.meter.meter import Meter
from etude.meter.processes import ProcessTree
from etude.meter.simulated import PowerTrace, SimulatedMeter
from etude.meter.watch import Watch


class CpuHand:
    """CPU time that a test sets by hand, in the form a process tree takes."""

    def __init__(self) -> None:
        self.own_ns = 0
        self.reaped_ns = 0

    def __call__(self) -> tuple[int, int]:
        return self.own_ns, self.reaped_ns

    def burn(self, seconds: float) -> None:
        self.own_ns += round(seconds * 1e9)


def quiet_watch(
    meters: Sequence[Meter],
    clock: ManualClock,
    *,
    proc: Path,
    cpu: CpuHand | None = None,
    tree: ProcessTree | None = None,
    period_s: float = 0.1,
) -> Watch:
    """A watch that runs by a manual clock: no thread, no look at the real machine."""
    tree = tree or ProcessTree(proc=proc, own_ns=cpu or CpuHand())
    watch = Watch(
        meters,
        clock=clock,
        tree=tree,
        memory=MemoryGauge(tree, proc=proc, modules={}),
        period_s=period_s,
        threaded=False,
    )
    clock.attach(watch.step)
    return watch


@dataclass
class Zone:
    """One RAPL zone of a folder tree like the kernel's."""

    folder: Path

    def show(self, energy_uj: int | str) -> None:
        (self.folder / "energy_uj").write_text(f"{energy_uj}\n")


def rapl_zone(root: Path, folder: str, name: str, energy_uj: int = 0, span_uj: int = 262_143_328_850) -> Zone:
    """Add a zone to a tree like /sys/class/powercap."""
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{span_uj}\n")
    zone = Zone(path)
    zone.show(energy_uj)
    return zone


class NvmlError(Exception):
    """As nvidia-ml-py raises it."""


@dataclass
class FakeNvml:
    """The functions of nvidia-ml-py that are used, for boards whose counters a test sets."""

    energy_mj: list[int | Callable[[], int] | Exception] = field(default_factory=lambda: [0])
    power_mw: Callable[[], int] | None = None
    users: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    mig: bool = False
    init_fault: Exception | None = None
    NVMLError: type[Exception] = NvmlError

    def nvmlInit(self) -> None:
        if self.init_fault:
            raise self.init_fault

    def nvmlDeviceGetCount(self) -> int:
        return len(self.energy_mj)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle:04d}"

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"NVIDIA Fake"

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        return [int(self.mig), int(self.mig)]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        told = self.energy_mj[handle]
        if isinstance(told, Exception):
            raise told
        return told() if callable(told) else told

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        if self.power_mw is None:
            raise NvmlError("Not Supported")
        return self.power_mw()

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in self.users[handle % len(self.users)]]


@dataclass
class Phase:
    """A stretch of a simulated run."""

    name: str
    start_s: float
    end_s: float


def llm_run(
    seed: int, seconds: float, *, start_s: float = 0.0, idle_w: float = 70.0
) -> tuple[PowerTrace, list[Phase], float]:
    """Power of a language model at work, as a sampler of boards would like to see it and seldom can.

    Batches of a short prefill at about 400 W and decode steps of 20 ms whose power swings within each step, at about
    240 W, with pauses of the host in between; batches differ. Idle before `start_s` and after the end.

    Returns:
        The trace, the phases in order, and the moment of the end.
    """
    chance = random.Random(seed)
    pieces = [(start_s, idle_w)] if start_s else []
    phases: list[Phase] = []
    at = start_s
    while at < start_s + seconds:
        prefill = min(0.5, max(0.02, chance.lognormvariate(-2.5, 0.6)))
        pieces.append((prefill, chance.gauss(400, 15)))
        phases.append(Phase("prefill", at, at + prefill))
        at += prefill
        began, power = at, chance.gauss(240, 10)
        for _ in range(chance.randint(15, 80)):
            step = chance.gauss(0.02, 0.001)
            pieces += [(step * 0.7, power * 1.1 + chance.gauss(0, 8)), (step * 0.3, power * 0.75 + chance.gauss(0, 8))]
            at += step
        phases.append(Phase("decode", began, at))
        pause = chance.uniform(0.002, 0.02)
        pieces.append((pause, 110.0))
        phases.append(Phase("pause", at, at + pause))
        at += pause
    pieces.append((10.0, idle_w))
    return PowerTrace.steps(pieces), phases, at


def board(trace: PowerTrace, clock: ManualClock, seed: int = 0, period_s: float = 0.1) -> SimulatedMeter:
    """A board's counter that follows a trace: 100 ms ticks at a moment of their own, in millijoules."""
    phase_s = random.Random(seed).uniform(0, period_s)
    return SimulatedMeter(trace, clock, component="gpu0", period_s=period_s, phase_s=phase_s)


def pairs(values: Iterable[float], others: Iterable[float]) -> list[tuple[float, float]]:
    return list(zip(values, others, strict=True))
