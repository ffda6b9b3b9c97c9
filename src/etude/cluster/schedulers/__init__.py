"""How étude speaks to the batch systems: the only place that calls their programs."""

from __future__ import annotations

from collections.abc import Mapping

from etude.cluster.schedulers.htcondor import HtCondor
from etude.cluster.schedulers.pbs import Pbs
from etude.cluster.schedulers.scheduler import Scheduler
from etude.cluster.schedulers.slurm import Slurm
from etude.errors import BackendError

SPOKEN = ("slurm", "pbs", "htcondor")
"""The batch systems that take jobs of their own from étude; pilot jobs run on more."""


def scheduler_of(name: str, environment: Mapping[str, str]) -> Scheduler:
    """The batch system of a profile.

    Args:
        name: One of `SPOKEN`.
        environment: Environment of its programs: `PATH`, `SLURM_CONF` and the like.

    Raises:
        BackendError: étude hands no jobs of its own to that one.
    """
    match name:
        case "slurm":
            return Slurm(environment=environment)
        case "pbs":
            return Pbs(environment=environment)
        case "htcondor":
            return HtCondor(environment=environment)
    raise BackendError(
        f"one job per variant is not done on {name}: only on {', '.join(SPOKEN)}.\n"
        "    Mend: run without --one-job-per, so that the study's nodes share pilot jobs."
    )
