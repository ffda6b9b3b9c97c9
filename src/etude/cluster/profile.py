"""A cluster profile: what a user knows of one cluster, whatever schedules its jobs. Values only; nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

SCHEDULERS: Final = ("slurm", "pbs", "htcondor", "lsf", "sge", "kubernetes", "local")

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "slurm": ("sbatch", "squeue", "scancel"),
    "pbs": ("qsub", "qstat", "qdel"),
    "htcondor": ("condor_submit", "condor_q", "condor_rm"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "sge": ("qsub", "qstat", "qdel"),
    "kubernetes": (),
    "local": ("bash",),
}
"""The programs that each scheduler is spoken to with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Whom the scheduler writes to, and about what."""

    to: str
    about: tuple[str, ...] = ("end", "fail")
    """Of `begin`, `end`, `fail`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One cluster, and how its jobs are asked for. Placement: nothing here changes what a result is."""

    name: str
    scheduler: str
    """One of `SCHEDULERS`."""
    description: str = ""

    partition: str | None = None
    """SLURM's partition."""
    queue: str | None = None
    """The queue of PBS, LSF or Grid Engine."""
    account: str | None = None
    """What the time is charged to: account, project, accounting group."""
    qos: str | None = None
    """SLURM's quality of service."""
    constraint: str | None = None
    """Features that SLURM's machines must have."""
    reservation: str | None = None
    select: str | None = None
    """Further parts of PBS's `select`, such as `system=polaris`."""
    requirements: str | None = None
    """HTCondor's requirements, a ClassAd expression."""
    namespace: str = "default"
    """Kubernetes' namespace."""
    image: str | None = None
    """The container's image, on Kubernetes."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Persistent volume claim → where it is mounted, on Kubernetes."""

    walltime_s: float = 3600.0
    """How long a job may run."""
    nodes: int = 1
    """Machines per job."""
    cpus: int | None = None
    """Cores that a job takes of each machine; None leaves it to the scheduler."""
    memory_bytes: int | None = None
    """Memory that a job takes of each machine; None leaves it to the scheduler."""
    gpus: int = 0
    """GPUs that a job takes of each machine."""
    gpus_as: str | None = None
    """How GPUs are asked for where the usual way does not do: a directive with `{gpus}` in it."""
    exclusive: bool = False
    """Whether a job wants its machines for itself."""
    workers: int | None = None
    """Most nodes of a study that run at a time on one machine; None for what cores, memory and GPUs give."""

    min_blocks: int = 0
    """Jobs that are kept even when there is nothing to do."""
    max_blocks: int = 1
    """Most jobs at a time."""
    idle_s: float = 60.0
    """How long a job may have nothing to do before it is given back."""
    grace_s: float = 120.0
    """How long before the end of its job a running step is warned, to write a checkpoint."""
    start_timeout_s: float | None = None
    """How long a job may wait in the queue before the run gives up; None waits for ever."""
    queued: int = 200
    """Most jobs that stand in the queue at a time where each variant is a job of its own."""
    paced: bool = False
    """Whether each of those jobs is submitted only once the one before it has started."""
    array: bool = False
    """Whether those jobs are submitted at once, as a job array."""
    poll_s: float | None = None
    """Seconds between two questions to the scheduler; None for 30, or 1 where it is this machine."""

    python: str | None = None
    """The interpreter on the cluster's machines; None for the one that submits."""
    setup: tuple[str, ...] = ()
    """Shell lines that make the environment ready: modules, a virtual environment."""
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: str | None = None
    """Folder for temporary files on the cluster's machines; may name variables of the job, such as $SLURM_TMPDIR."""
    launch: str | None = None
    """How a program is started on all machines of a job: `srun`, `mpiexec`; None for the scheduler's usual way."""
    address: str | None = None
    """Address of the submitting machine as the cluster's machines see it; None to let them try all."""
    ports: tuple[int, int] = (54000, 55000)
    """Ports that the cluster's machines may connect to."""
    mail: Mail | None = None
    directives: tuple[str, ...] = ()
    """Further lines for the scheduler, without its prefix."""
    gpu: Mapping[str, object] = field(default_factory=dict)
    """What is different for jobs with GPUs: field → value, laid over the rest."""

    def for_gpus(self, gpus: int) -> Profile:
        """The profile of jobs with this many GPUs per machine: with what `gpu` says if there are any, else without."""
        if not gpus:
            return replace(self, gpus=0, gpu={})
        overlay: dict[str, Any] = dict(self.gpu)
        return replace(self, gpu={}, **overlay)


FIELDS: Final = tuple(each.name for each in fields(Profile))
