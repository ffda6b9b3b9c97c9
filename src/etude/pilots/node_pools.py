"""Which nodes share jobs: nodes of like needs form a pool, and a pool's jobs are all alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from etude.cluster.profile import Profile
from etude.graph.pipeline import Needs
from etude.units import readable_bytes, readable_seconds

TIMES_S: Final = (60.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0)
"""Bounds between short and long nodes: a block near its end still takes nodes that are short."""


START_S = 60.0
"""What a job may take to set itself up and still take a node that needs all the rest of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """Nodes of like needs, and the jobs that run them."""

    name: str
    gpus: int
    """GPUs, cores and memory of each machine that one node gets."""
    cpus: int
    memory_bytes: int | None
    nodes: int
    """Machines that one node spans."""
    processes: int
    """Processes that one node is started as."""
    time_s: float
    """No node of the pool needs longer than this; 0 where none says how long it takes."""
    workers: int
    """Nodes that run at a time on one machine; in a job of several machines that one node spans, 1."""
    machines: int
    """Machines of a job."""

    @property
    def per_block(self) -> int:
        """Nodes that run at a time in one job."""
        return 1 if self.nodes > 1 else self.workers * self.machines


def pool_of(profile: Profile, needs: Needs, here: int | None = None) -> NodePool:
    """The pool that a node belongs to.

    Args:
        profile: The cluster.
        needs: The node's needs, which `refusal` has let pass.
        here: Cores of this machine, for a local profile that says none.
    """
    own = profile.for_gpus(profile.gpus if needs.gpus else 0)
    cores = own.cpus or (here if profile.scheduler == "local" else None)
    time_s = 0.0
    if needs.walltime_s is not None:
        time_s = next((bound for bound in TIMES_S if needs.walltime_s <= bound <= longest_s(own) / 2), needs.walltime_s)
    workers = 1 if needs.nodes > 1 else _workers(own, needs, cores)
    parts = [f"gpu{needs.gpus}" if needs.gpus else "cpu", f"c{needs.cpus}"]
    if needs.memory_bytes:
        parts.append(f"m{-(-needs.memory_bytes // 2**20)}")
    if needs.nodes > 1 or needs.processes > 1:
        parts.append(f"n{needs.nodes}x{needs.processes}")
    if time_s:
        parts.append(f"t{round(time_s)}")
    return NodePool(
        name="-".join(parts),
        gpus=needs.gpus,
        cpus=needs.cpus,
        memory_bytes=needs.memory_bytes,
        nodes=needs.nodes,
        processes=needs.processes,
        time_s=time_s,
        workers=workers,
        machines=max(needs.nodes, 1 if needs.nodes > 1 else own.nodes),
    )


def longest_s(profile: Profile) -> float:
    """The longest that a node may take in one job: what is left of it when it has started and before it is warned."""
    return profile.walltime_s - profile.grace_s - min(START_S, profile.walltime_s / 20)


def _workers(profile: Profile, needs: Needs, cores: int | None) -> int:
    bounds = [profile.workers or 10**6]
    if cores:
        bounds.append(cores // needs.cpus)
    if needs.gpus:
        bounds.append(profile.gpus // needs.gpus)
    if needs.memory_bytes and profile.memory_bytes:
        bounds.append(profile.memory_bytes // needs.memory_bytes)
    least = min(bounds)
    return max(1, least) if least < 10**6 else 1


def block_profile(profile: Profile, pool: NodePool) -> Profile:
    """The profile as it is for a pool's jobs: GPUs only where its nodes need them, machines as they span."""
    own = profile.for_gpus(profile.gpus if pool.gpus else 0)
    return replace(own, nodes=pool.machines)


def refusal(profile: Profile, needs: Needs, here: int | None = None) -> str | None:
    """Why a node can never run on this cluster; None if it can."""
    if needs.gpus and not profile.gpus:
        return f"it needs {needs.gpus} GPU(s) and profile {profile.name!r} asks for none"
    own = profile.for_gpus(profile.gpus if needs.gpus else 0)
    if needs.gpus > own.gpus:
        return f"it needs {needs.gpus} GPU(s) of one machine and profile {profile.name!r} asks for {own.gpus}"
    cores = own.cpus or (here if profile.scheduler == "local" else None)
    if cores and needs.cpus > cores and profile.scheduler != "local":
        return f"it needs {needs.cpus} cores of one machine and profile {profile.name!r} asks for {cores}"
    if needs.memory_bytes and own.memory_bytes and needs.memory_bytes > own.memory_bytes:
        asked = readable_bytes(own.memory_bytes)
        return f"it needs {readable_bytes(needs.memory_bytes)} and profile {profile.name!r} asks for {asked}"
    if needs.walltime_s is not None and needs.walltime_s > longest_s(own):
        return (
            f"it may take {readable_seconds(needs.walltime_s)} and a job of profile {profile.name!r} lasts "
            f"{readable_seconds(own.walltime_s)}, of which it has {readable_seconds(longest_s(own))}"
        )
    if needs.nodes > 1 and profile.scheduler in ("htcondor", "sge", "kubernetes"):
        return f"it needs {needs.nodes} machines and a job of {profile.scheduler} has one"
    if needs.processes > 1 and needs.processes % needs.nodes:
        return f"its {needs.processes} processes cannot be shared out evenly among {needs.nodes} machines"
    return None


def blocks_to_ask_for(*, waiting: int, running: int, alive: int, per_block: int, least: int, most: int) -> int:
    """How many further jobs to submit.

    Args:
        waiting: Nodes that wait for a worker.
        running: Nodes that run.
        alive: Jobs that are queued or run.
        per_block: Nodes that run at a time in one job.
        least: Jobs that are kept even when there is nothing to do.
        most: Most jobs at a time.
    """
    wanted = -(-(waiting + running) // per_block)
    return max(0, min(most, max(least, wanted)) - alive)


def blocks_to_give_back(*, waiting: int, running: int, idle: int, alive: int, per_block: int, least: int) -> int:
    """How many of the jobs that have idled for long enough to end: those that what is left does not need.

    Args:
        waiting: Nodes that wait for a worker.
        running: Nodes that run.
        idle: Jobs that have had nothing to do for as long as the profile allows.
        alive: Jobs that are queued or run.
        per_block: Nodes that run at a time in one job.
        least: Jobs that are kept even when there is nothing to do.
    """
    needed = -(-(waiting + running) // per_block)
    return max(0, min(idle, alive - max(least, needed)))
