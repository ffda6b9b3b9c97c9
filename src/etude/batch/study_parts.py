"""Which batch jobs a plan makes: one for each variant that has something to do, and one for what collects. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.graph.node import Node
from etude.graph.plan import Plan, State, topological_order
from etude.study.expand import Expansion

COLLECT = "collect"
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPart:
    """The part of a plan that one job computes."""

    name: str
    """Unique in its run; names the job, its folder and its log."""
    label: str
    """The variant, as tables show it."""
    targets: tuple[str, ...]
    """Fingerprints of the results that it is there for."""
    nodes: tuple[str, ...]
    """Fingerprints of all nodes that it needs."""
    todo: tuple[str, ...]
    """Of these, what it computes, unless another job does so first."""
    force: frozenset[str] = frozenset()
    """Of these, what is computed even if a result is there."""
    after: tuple[str, ...] = ()
    """Names of the parts that must have ended before it starts."""
    collects: bool = False
    """Whether it computes only what reads all variants: what these lack is not computed here."""
    gpus: int = 0
    cpus: int = 1
    memory_bytes: int | None = None
    walltime_s: float | None = None
    """The most it may need; None where some node does not say."""


def parts_of(expansion: Expansion, plan: Plan, study: str) -> list[StudyPart]:
    """The parts of a plan, those that collect last.

    Variants share nodes. Whichever job comes first computes such a node and the others wait for it or find it, as runs
    side by side do. Only what is computed *again* on purpose belongs to one job alone, and the jobs of the other
    variants that read it come after that one.
    """
    states = {action.node.fingerprint: action.state for action in plan.actions}
    names: set[str] = set()
    parts: list[StudyPart] = []
    takes: dict[str, str] = {}
    """Forced node → the part that computes it."""
    seen: set[tuple[str, ...]] = set()
    within: set[str] = set()
    for variant, row in zip(expansion.variants, expansion.nodes, strict=True):
        nodes = _planned(topological_order(row.values()), states)
        within.update(node.fingerprint for node in nodes)
        targets = _ends(nodes)
        if targets in seen or not any(states[node.fingerprint] is State.RUN for node in nodes):
            continue
        seen.add(targets)
        forced = [node.fingerprint for node in nodes if node.fingerprint in plan.forced]
        after = tuple(dict.fromkeys(takes[one] for one in forced if one in takes))
        name = unique_name(f"{study}-{variant.label}", names)
        own = frozenset(one for one in forced if one not in takes)
        takes.update(dict.fromkeys(own, name))
        parts.append(_part(name, variant.label, nodes, targets, states, own, after))
    last = _planned((action.node for action in plan.actions if action.node.fingerprint not in within), states)
    if last and (parts or any(states[node.fingerprint] is State.RUN for node in last)):
        name = unique_name(f"{study}-{COLLECT}", names)
        force = frozenset(node.fingerprint for node in last) & plan.forced
        after = tuple(part.name for part in parts)
        parts.append(_part(name, COLLECT, last, _ends(last), states, force, after, collects=True))
    return parts


def _planned(nodes: Iterable[Node], states: Mapping[str, State]) -> list[Node]:
    known = [node for node in nodes if states.get(node.fingerprint, State.UNNEEDED) is not State.UNNEEDED]
    return list({node.fingerprint: node for node in known}.values())


def _ends(nodes: Sequence[Node]) -> tuple[str, ...]:
    read = {other.fingerprint for node in nodes for other in node.upstream()}
    return tuple(node.fingerprint for node in nodes if node.fingerprint not in read)


def _part(
    name: str,
    label: str,
    nodes: Sequence[Node],
    targets: tuple[str, ...],
    states: Mapping[str, State],
    force: frozenset[str],
    after: tuple[str, ...],
    *,
    collects: bool = False,
) -> StudyPart:
    todo = [node for node in nodes if states[node.fingerprint] is State.RUN] or nodes
    times = [node.needs.walltime_s for node in todo]
    said = [time for time in times if time is not None]
    return StudyPart(
        name=name,
        label=label,
        targets=targets,
        nodes=tuple(node.fingerprint for node in nodes),
        todo=tuple(node.fingerprint for node in todo),
        force=force,
        after=after,
        collects=collects,
        gpus=max(node.needs.gpus for node in todo),
        cpus=max(node.needs.cpus for node in todo),
        memory_bytes=max((node.needs.memory_bytes or 0 for node in todo), default=0) or None,
        walltime_s=sum(said) if len(said) == len(times) else None,
    )


def unique_name(text: str, taken: set[str]) -> str:
    """A name for files and schedulers that says what the text says, unlike every one that is taken; it is now."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("_.-")[:LONGEST_NAME]
    plain = plain if plain[:1].isalpha() else f"j{plain}"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name)
    return name


def job_request(part: StudyPart, profile: Profile) -> tuple[Profile, Job]:
    """What is asked of the cluster for a part, as a job without command and files.

    The profile's walltime holds, or less where every node says how long it takes: a short job waits less. Cores and
    memory are what the part's nodes need, and at least the share of what the profile takes of a machine that goes with
    their GPUs, or with their cores where there are none.
    """
    own = profile.for_gpus(part.gpus)
    walltime_s = own.walltime_s
    if part.walltime_s is not None:
        walltime_s = min(walltime_s, part.walltime_s + own.grace_s + SPARE_S)
    share = part.gpus / own.gpus if part.gpus and own.gpus else part.cpus / own.cpus if own.cpus else 0.0
    share = 1.0 if own.exclusive else min(share, 1.0)
    cpus = max(part.cpus, int((own.cpus or 0) * share))
    memory_bytes = max(part.memory_bytes or 0, int((own.memory_bytes or 0) * share)) or None
    job = Job(
        name=part.name,
        command="",
        stdout="",
        stderr="",
        walltime_s=walltime_s,
        cpus=cpus,
        memory_bytes=memory_bytes,
        gpus=part.gpus,
        requeue=True,
    )
    return own, job


SPARE_S = 120.0
"""Added to what nodes say they take: starting Python, loading libraries, reading inputs."""
