"""The part of a batch script that is the same everywhere: what a job's shell does before it runs its command."""

from __future__ import annotations

import re
import shlex

from etude.cluster.job import Job
from etude.cluster.profile import Profile

BLOCK_END = "ETUDE_BLOCK_END"
"""Variable that holds the second, since the epoch, at which a job's time is up."""
TASK = "ETUDE_TASK"
"""Variable that holds a task's index in its array, from 0."""


def body(profile: Profile, job: Job, task: str = "") -> list[str]:
    """The lines after the directives. The clock starts first: setting up takes of the job's time."""
    lines = [f"export {BLOCK_END}=$(($(date +%s) + {round(job.walltime_s)}))"]
    if task:
        lines.append(f"export {TASK}={task}")
    if profile.scratch:
        lines += [f"export TMPDIR={quote(profile.scratch)}", 'mkdir -p "$TMPDIR"']
    for name, value in {**profile.environment, **job.environment}.items():
        lines.append(f"export {name}={quote(value)}")
    lines += profile.setup
    return [*lines, "", job.command]


def quote(value: str) -> str:
    """A value in double quotes, so that variables in it are filled in and nothing else is."""
    return '"' + re.sub(r'([\\"`])|\$(?=\()', lambda match: "\\" + match[0], value) + '"'


def on_each_machine(profile: Profile, nodes: int, command: str) -> str:
    """A command started once on each machine of a job."""
    if nodes == 1:
        return command
    match launcher(profile):
        case "srun":
            return f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --kill-on-bad-exit=0 {command}"
        case "mpiexec":
            return f"mpiexec -n {nodes} --ppn 1 {command}"
        case other:
            return f"{other} {command}"


def launcher(profile: Profile) -> str:
    """What starts programs on all machines of a job."""
    return profile.launch or {"slurm": "srun", "lsf": "jsrun"}.get(profile.scheduler, "mpiexec")


def job_name(name: str, longest: int = 100) -> str:
    """A name that every scheduler takes: letters, digits, `.`, `_` and `-`, a letter first."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:longest]
    return plain if plain[:1].isalpha() else f"j{plain}"


def clock(duration_s: float) -> str:
    """A duration as `HH:MM:SS`, rounded up to whole seconds."""
    whole = -int(-duration_s // 1)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def mebibytes(count: int) -> int:
    """A size in MiB, rounded up."""
    return -(-count // 2**20)


def words(command: tuple[str, ...]) -> str:
    """A command line from its words."""
    return shlex.join(command)
