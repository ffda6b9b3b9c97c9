"""Stand-ins for what a test machine lacks: kernel folders, drivers, foreign libraries, and power traces to follow."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from etude.meter.measure import Measurement
from etude.meter.sampling.sampler import Sampler
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.memory import MemoryGauge
from etude.meter.sources.meter import Meter, Traits
from etude.meter.sources.processes import ProcessTree
from etude.meter.sources.quantity import Quality
from etude.meter.sources.simulated import PowerTrace


class CpuHand:
    """CPU time that a test sets by hand, in the form a process tree takes."""

    def __init__(self) -> None:
        self.own_ns = 0
        self.reaped_ns = 0

    def __call__(self) -> tuple[int, int]:
        return self.own_ns, self.reaped_ns

    def burn(self, seconds: float) -> None:
        self.own_ns += round(seconds * 1e9)


def quiet_sampler(
    meters: Sequence[Meter],
    clock: ManualClock,
    *,
    proc: Path,
    cpu: CpuHand | None = None,
    tree: ProcessTree | None = None,
    period_s: float = 0.1,
    beside: Sequence[Meter] = (),
) -> Sampler:
    """A sampler that runs by a manual clock: no thread, no look at the real machine."""
    tree = tree or ProcessTree(proc=proc, own_ns=cpu or CpuHand())
    sampler = Sampler(
        meters,
        beside=beside,
        clock=clock,
        tree=tree,
        memory=MemoryGauge(tree, proc=proc, modules={}),
        period_s=period_s,
        threaded=False,
    )
    clock.attach(sampler.step)
    return sampler


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
    users: list[tuple[int, ...] | None] = field(default_factory=lambda: [()])
    mig: bool = False
    limit_mw: int | None = None
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

    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: int) -> list[int]:
        if self.limit_mw is None:
            raise NvmlError("Not Supported")
        return [100_000, self.limit_mw]

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
        users = self.users[handle % len(self.users)]
        if users is None:
            raise NvmlError("Not Supported")
        return [SimpleNamespace(pid=pid) for pid in users]


class LiveBoard:
    """A board whose power a test sets as time goes on, with a counter that ticks, and the truth to compare with."""

    def __init__(
        self,
        clock: ManualClock,
        *,
        idle_w: float = 70.0,
        wobble_w: float = 0.0,
        seed: int = 0,
        period_s: float = 0.1,
        component: str = "gpu0",
    ) -> None:
        self.clock = clock
        self.component = component
        self.period_ns = round(period_s * 1e9)
        self.phase_ns = random.Random(seed).randrange(self.period_ns)
        self.fault: Exception | None = None
        self.frozen_ns: int | None = None
        self._since = [clock.ns - 10**12]
        self._joules = [0.0]
        self._watts = [idle_w]
        self._idle_w: float | None = idle_w
        self._wobble_w = wobble_w
        self._chance = random.Random(seed)
        if wobble_w:
            clock.attach(self._wobble)

    @property
    def traits(self) -> Traits:
        return Traits(
            component=self.component,
            source="fake",
            device=f"board:{self.component}",
            method="fake counter",
            quality=Quality.MEASURED,
            unit_j=1e-3,
            max_power_w=2000.0,
            period_s=self.period_ns / 1e9,
            scope="device",
        )

    def draw(self, watts: float) -> None:
        """From now on, this much."""
        self._idle_w = None
        self._set(watts)

    def rest(self, watts: float) -> None:
        """From now on idle at about this much."""
        self._idle_w = watts
        self._set(watts)

    def _wobble(self) -> float:
        if self._idle_w is not None:
            self._set(self._idle_w + self._chance.gauss(0, self._wobble_w))
        return 0.03

    def _set(self, watts: float) -> None:
        self._joules.append(self.joules_at(self.clock.ns))
        self._since.append(self.clock.ns)
        self._watts.append(watts)

    def joules_at(self, ns: int) -> float:
        index = bisect_right(self._since, ns) - 1
        return self._joules[index] + self._watts[index] * (ns - self._since[index]) / 1e9

    def joules_between(self, start_ns: int, end_ns: int) -> float:
        return self.joules_at(end_ns) - self.joules_at(start_ns)

    def read(self) -> int:
        if self.fault is not None:
            raise self.fault
        now = self.clock.ns if self.frozen_ns is None else min(self.clock.ns, self.frozen_ns)
        tick = (now - self.phase_ns) // self.period_ns * self.period_ns + self.phase_ns
        return int(self.joules_at(tick) * 1e3)

    def close(self) -> None:
        """Nothing to let go of."""


def work_like_a_language_model(
    board: LiveBoard, m: Measurement, seconds: float, seed: int
) -> dict[str, list[tuple[int, int]]]:
    """Batches of a short prefill and many decode steps, marked as windows, until about this long has passed.

    Returns:
        Window's path → when each began and ended.
    """
    clock, chance = board.clock, random.Random(seed)
    spans: dict[str, list[tuple[int, int]]] = {"batch": [], "batch/prefill": [], "batch/decode": []}
    began = clock.ns
    while clock.ns < began + seconds * 1e9:
        batch = clock.ns
        with m.window("batch"):
            with m.window("prefill"):
                board.draw(chance.gauss(400, 15))
                clock.sleep(min(0.5, max(0.02, chance.lognormvariate(-2.5, 0.6))))
            middle = clock.ns
            with m.window("decode"):
                power = chance.gauss(240, 10)
                for _ in range(chance.randint(15, 80)):
                    step_s = chance.gauss(0.02, 0.001)
                    board.draw(power * 1.1 + chance.gauss(0, 8))
                    clock.sleep(step_s * 0.7)
                    board.draw(power * 0.75 + chance.gauss(0, 8))
                    clock.sleep(step_s * 0.3)
        spans["batch"].append((batch, clock.ns))
        spans["batch/prefill"].append((batch, middle))
        spans["batch/decode"].append((middle, clock.ns))
        board.draw(110.0)
        clock.sleep(chance.uniform(0.002, 0.02))
    board.rest(90.0)
    return spans


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
