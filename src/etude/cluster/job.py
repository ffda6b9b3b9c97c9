"""One job for a scheduler: what it runs and what it asks for, in no scheduler's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etude.cluster.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One batch job."""

    name: str
    command: str
    """What it runs, after the environment is set up: one or more shell lines."""
    stdout: str
    """Path of the file that takes what it prints. `{task}` stands for the index in an array."""
    stderr: str
    walltime_s: float = 3600.0
    nodes: int = 1
    cpus: int | None = None
    memory_bytes: int | None = None
    gpus: int = 0
    """Per machine, as cores and memory are."""
    array: int | None = None
    """Makes it an array of this many tasks, numbered from 0 in `$ETUDE_TASK`."""
    at_once: int | None = None
    """Most tasks of an array that run at a time."""
    after: tuple[str, ...] = ()
    """Jobs that must have ended before it starts, however they ended."""
    requeue: bool = False
    """Whether the scheduler may start it again after it was preempted or its machine failed."""
    environment: Mapping[str, str] = field(default_factory=dict)


def pilot_job(profile: Profile, name: str, command: str, stdout: str, stderr: str) -> Job:
    """A job that takes what the profile says, to run one command on each of its machines."""
    return Job(
        name=name,
        command=command,
        stdout=stdout,
        stderr=stderr,
        walltime_s=profile.walltime_s,
        nodes=profile.nodes,
        cpus=profile.cpus,
        memory_bytes=profile.memory_bytes,
        gpus=profile.gpus,
    )
