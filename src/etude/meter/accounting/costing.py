"""Makes the cost of a piece of work from its ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from etude.meter.accounting.carbon import Footprint
from etude.meter.accounting.cost import NO_FACTOR, START_UP, Cost, DeviceSpan, Energy, Memory, WindowCost
from etude.meter.accounting.ledger import Account, Ledger
from etude.meter.sampling.recording import Recording
from etude.meter.sampling.windows import cpu_times, segments
from etude.meter.sources.quantity import Quantity, total

_MOST_PATHS = 2000
"""Of more paths of windows than this a manifest keeps those that were open longest, and says so."""


def cost_of(ledger: Ledger, *, footprint: Footprint | None = None) -> Cost:
    """Make a record of a resolved ledger; without a footprint carbon is unknown."""
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
