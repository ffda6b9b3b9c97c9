"""What a piece of work cost: the record that goes into a manifest. Plain numbers, each with how it was got."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etude.meter.accounting.carbon import Footprint
from etude.meter.accounting.ledger import Account, Ledger
from etude.meter.sampling.recording import Recording
from etude.meter.sampling.windows import cpu_times, segments
from etude.meter.sources.quantity import Quantity, total

VERSION = 1
_MOST_PATHS = 2000
"""Of more paths of windows than this a manifest keeps those that were open longest, and says so."""
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
        from etude.meter.accounting.cost_json import told

        return told(self)

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> Cost:
        """What `as_json` told. MeterError for anything else."""
        from etude.meter.accounting.cost_json import heard

        return heard(told)


def cost(ledger: Ledger, *, footprint: Footprint | None = None) -> Cost:
    """Put a resolved ledger into a record; without a footprint carbon is unknown."""
    recording = ledger.recording
    accounts = ledger.accounts
    energy, beside = _by_component(accounts, recording)
    covers = tuple(name for name in energy if name != "platform") or tuple(energy)
    covered = total({name: energy[name].joules for name in covers}, "joules")
    if not covers:
        covered = Quantity.absent("joules", "no meter serves this machine")
    grams = Quantity.absent("grams", NO_FACTOR) if footprint is None else footprint.of(covered)
    return Cost(
        wall_s=recording.wall_s,
        cpu_s=recording.cpu_s,
        others_cpus=_others_cpus(recording),
        started_utc=recording.started_utc,
        machine=recording.machine,
        start_ns=recording.start_ns,
        end_ns=recording.end_ns,
        memory=_memory(ledger),
        energy=energy,
        beside=beside,
        covered=covered,
        covers=covers,
        absent={name: reason for name, reason in recording.absent.items() if name not in energy},
        carbon=grams,
        footprint={} if footprint is None else footprint.as_json(),
        windows=_windows(ledger, [account for account in accounts if _counts(account, energy)]),
        closure_error=ledger.closure_error,
        warnings=(*recording.warnings, *_left_out(ledger), *_warnings(accounts)),
    )


_COARSE_NS = 200_000_000
"""The kernel tells the machine's CPU time in steps of 10 ms in each of several fields."""


def _others_cpus(recording: Recording) -> float | None:
    wall_ns = recording.end_ns - recording.start_ns
    if recording.busy_ns is None or wall_ns < _COARSE_NS:
        return None
    return max(0.0, (recording.busy_ns - (recording.end_cpu_ns - recording.start_cpu_ns)) / wall_ns)


def _counts(account: Account, energy: Mapping[str, Energy]) -> bool:
    counted = energy.get(account.traits.component)
    return counted is not None and not account.beside and counted.source == account.traits.source


def _by_component(accounts: Sequence[Account], recording: Recording) -> tuple[dict[str, Energy], tuple[Energy, ...]]:
    """The parts of a component (two packages) together; of several sources, the first counts."""
    parts: dict[tuple[str, str, bool], list[Account]] = {}
    for account in accounts:
        parts.setdefault((account.traits.component, account.traits.source, account.beside), []).append(account)
    counted: dict[str, Energy] = {}
    beside = []
    for (component, source, aside), group in parts.items():
        told = _energy(component, source, group, recording)
        if aside or component in counted:
            beside.append(told)
        else:
            counted[component] = told
    return counted, tuple(beside)


def _energy(component: str, source: str, group: Sequence[Account], recording: Recording) -> Energy:
    idle = [account.traits.idle_w for account in group]
    start_ns, end_ns = recording.start_ns, recording.end_ns
    return Energy(
        component=component,
        source=source,
        joules=total({account.traits.device: account.run for account in group}, "joules"),
        gross_j=total({account.traits.device: account.gross for account in group}, "joules").value,
        share=group[0].share,
        idle_joules=None if None in idle else recording.wall_s * sum(filter(None, idle)),
        spans=tuple(
            DeviceSpan(device=each.traits.device, start_ns=start_ns, end_ns=end_ns, joules=each.gross.value)
            for each in group
        ),
        foreign=_all_foreign(account.foreign for account in group),
    )


def _all_foreign(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _memory(ledger: Ledger) -> Memory:
    kept = ledger.recording.memory
    return Memory(
        peak_rss_bytes=kept.peak_rss_bytes,
        method=kept.method,
        start_rss_bytes=kept.start_rss_bytes,
        end_rss_bytes=kept.end_rss_bytes,
        devices={name: (peak.allocated_bytes, peak.reserved_bytes) for name, peak in kept.devices.items()},
        timeline=tuple((at, most) for at, most in kept.timeline(ledger.recording.start_ns)),
    )


def _windows(ledger: Ledger, accounts: Sequence[Account]) -> dict[str, WindowCost]:
    windows = ledger.recording.windows
    paths, path_of = windows.paths()
    times = cpu_times(windows, segments(windows, ledger.recording.start_ns, ledger.recording.end_ns))
    members: list[list[int]] = [[] for _ in paths]
    for index, path in enumerate(path_of):
        members[path].append(index)
    walls = [math.fsum(map(windows.wall_s, group)) for group in members]
    found = {}
    for path in _longest(paths, walls):
        group = members[path]
        cpus = [times[index].seconds for index in group]
        peaks = [
            ledger.recording.memory.peak_between(windows.start_ns[index], windows.end_ns[index]) for index in group
        ]
        found[paths[path]] = WindowCost(
            count=len(group),
            wall_s=walls[path],
            cpu_s=None if None in cpus else math.fsum(filter(None, cpus)),
            energy=_spent(accounts, paths[path]),
            peak_rss_bytes=max((peak for peak in peaks if peak is not None), default=None),
            cpu_method="; ".join(dict.fromkeys(times[index].method for index in group if times[index].method)),
        )
    return found


def _longest(paths: Sequence[str], walls: Sequence[float]) -> list[int]:
    """The paths that are kept, in the order of their first use."""
    ranked = sorted(range(len(walls)), key=lambda path: (not paths[path].endswith(START_UP), -walls[path]))
    return sorted(ranked[:_MOST_PATHS])


def _left_out(ledger: Ledger) -> list[str]:
    paths, _ = ledger.recording.windows.paths()
    count = len(paths) - _MOST_PATHS
    if count <= 0:
        return []
    return [
        f"{count} of {len(paths)} kinds of windows are not kept: the shortest. "
        "Mend: one name for one kind of work, not one for each piece of it."
    ]


def _spent(accounts: Sequence[Account], path: str) -> dict[str, Quantity]:
    parts: dict[str, dict[str, Quantity]] = {}
    for account in accounts:
        parts.setdefault(account.traits.component, {})[account.traits.device] = account.paths[path]
    return {component: total(devices, "joules") for component, devices in parts.items()}


def _warnings(accounts: Sequence[Account]) -> list[str]:
    told = [
        f"{account.traits.component}: {account.foreign} processes of others were on the device"
        for account in accounts
        if account.foreign
    ]
    return told + [
        f"{account.traits.component}: the parts do not add up to the run ({account.closure_error:.1e})"
        for account in accounts
        if account.closure_error is not None and account.closure_error > 1e-9
    ]
