"""Batch scripts as text: pure functions from a profile and a job, one module for each scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts import htcondor_script, kubernetes_script, lsf_script, pbs_script, sge_script, slurm_script
from etude.cluster.scripts.shell import body


class RenderedJob(NamedTuple):
    """What is handed to a scheduler."""

    script: str
    """The shell script that the job runs."""
    description: str | None = None
    """The submit file or manifest beside it, where the scheduler wants one."""


_DIRECTIVES: Mapping[str, Callable[[Profile, Job], list[str]]] = MappingProxyType(
    {
        "slurm": slurm_script.directives,
        "pbs": pbs_script.directives,
        "lsf": lsf_script.directives,
        "sge": sge_script.directives,
    }
)
_DESCRIPTIONS: Mapping[str, Callable[[Profile, Job, str], str]] = MappingProxyType(
    {"htcondor": htcondor_script.description, "kubernetes": kubernetes_script.manifest}
)
_TASKS: Mapping[str, str] = MappingProxyType(
    {
        "slurm": "$SLURM_ARRAY_TASK_ID",
        "pbs": "$PBS_ARRAY_INDEX",
        "lsf": "$((LSB_JOBINDEX - 1))",
        "sge": "$((SGE_TASK_ID - 1))",
    }
)


def render_job(profile: Profile, job: Job, script_path: str = "job.sh") -> RenderedJob:
    """What is submitted for a job on a cluster.

    Args:
        profile: The cluster, as it is for this job's GPUs: see `Profile.for_gpus`.
        job: The job.
        script_path: Where the script will lie, for descriptions that name it.
    """
    scheduler = profile.scheduler
    write = _DIRECTIVES.get(scheduler)
    head = ["#!/bin/bash", *(write(profile, job) if write else [])]
    task = _TASKS.get(scheduler, "") if job.array is not None else ""
    script = "\n".join([*head, "", *body(profile, job, task), ""])
    describe = _DESCRIPTIONS.get(scheduler)
    return RenderedJob(script, describe(profile, job, script_path) if describe else None)
