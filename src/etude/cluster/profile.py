"""A cluster profile: what a user knows of one cluster, whatever schedules its jobs. Values only; nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Final

from etude.graph.pipeline import NAME
from etude.keys import DURATION, SIZE, FileKey, Integer, ListOf, MappingOf, SectionText, Text, fields_of, section_of

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


_WORD: Final = Text(expected="text without spaces", pattern=r"\S+")
_LINE: Final = Text(expected="one line of text", pattern=r"[^\n]+")
_LINES: Final = ListOf(item=_LINE, hint="write [{value}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Whom the scheduler writes to, and about what."""

    SECTION: ClassVar = SectionText(what="mail")

    to: Annotated[
        str,
        Text(expected="an address", pattern=r"[^@\s]+@[^@\s]+"),
        FileKey("Whom the scheduler writes to.", "me@example.org"),
    ]
    about: Annotated[
        tuple[str, ...],
        ListOf(item=Text(choices=("begin", "end", "fail")), least=1),
        FileKey("What about: begin, end, fail. Default {default}.", ["fail"]),
    ] = ("end", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """How many jobs stand at a time."""

    SECTION: ClassVar = SectionText(what="blocks")

    least: Annotated[
        int, Integer(least=0), FileKey("Jobs kept even when there is nothing to do. Default {default}.", 0, name="min")
    ] = 0
    most: Annotated[int, Integer(least=1), FileKey("Most jobs at a time. Default {default}.", 10, name="max")] = 1
    idle_s: Annotated[
        float, DURATION, FileKey("How long a job may idle before it is given back. Default {default}.", "2m")
    ] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a job asks of the cluster."""

    SECTION: ClassVar = SectionText(what="gpu")

    partition: Annotated[str | None, _WORD, FileKey("SLURM's partition.", "gpu")] = None
    queue: Annotated[str | None, _WORD, FileKey("Queue of PBS, LSF or Grid Engine.", "prod")] = None
    account: Annotated[
        str | None, _WORD, FileKey("What the time is charged to: account, project or group.", "def-me")
    ] = None
    qos: Annotated[str | None, _WORD, FileKey("SLURM's quality of service.", "normal")] = None
    constraint: Annotated[str | None, _LINE, FileKey("Features that SLURM's machines must have.", "a100|v100")] = None
    reservation: Annotated[str | None, _WORD, FileKey("SLURM's reservation.", "course")] = None
    select: Annotated[str | None, _WORD, FileKey("Further parts of PBS's select.", "system=polaris")] = None
    requirements: Annotated[str | None, _LINE, FileKey("HTCondor's requirements.", "TARGET.CUDACapability >= 8.0")] = (
        None
    )
    """A ClassAd expression."""
    walltime_s: Annotated[float, DURATION, FileKey("How long a job may run. Default {default}.", "2h")] = 3600.0
    nodes: Annotated[int, Integer(least=1), FileKey("Machines per job. Default {default}.", 2)] = 1
    cpus: Annotated[int | None, Integer(least=1), FileKey("Cores that a job takes of each machine.", 12)] = None
    """None leaves it to the scheduler."""
    memory_bytes: Annotated[int | None, SIZE, FileKey("Memory that a job takes of each machine.", "120GB")] = None
    """None leaves it to the scheduler."""
    gpus: Annotated[int, Integer(least=0), FileKey("GPUs that a job takes of each machine. Default {default}.", 4)] = 0
    gpus_as: Annotated[
        str | None,
        Text(expected="a directive, with {gpus} where the number goes", pattern=r"[^\n]+"),
        FileKey("How GPUs are asked for where the scheduler's usual way does not do.", "--gres=gpu:a100:{gpus}"),
    ] = None
    exclusive: Annotated[bool, FileKey("Whether a job wants its machines for itself.", True)] = False
    workers: Annotated[int | None, Integer(least=1), FileKey("Most nodes of a study at a time on one machine.", 4)] = (
        None
    )
    """None for what cores, memory and GPUs give."""
    directives: Annotated[
        tuple[str, ...], _LINES, FileKey("Further lines for the scheduler, without its prefix.", ["--comment=etude"])
    ] = ()


def request_fields(read: Mapping[str, Any]) -> Mapping[str, object]:
    """What `gpu` says, by the fields of a profile."""
    return fields_of(JobRequest, read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(JobRequest):
    """One cluster, and how its jobs are asked for. Placement: nothing here changes what a result is."""

    SECTION: ClassVar = SectionText(
        what="a cluster profile",
        elsewhere={
            "kind": "write scheduler",
            "type": "write scheduler",
            "provider": "write scheduler",
            "time": "write walltime",
            "mem": "write memory",
            "cores": "write cpus",
            "project": "write account",
            "modules": "write setup: [module load …]",
            "venv": "write setup: [source …/bin/activate]",
            "worker_init": "write setup",
            "max_blocks": "write blocks: {max: …}",
            "min_blocks": "write blocks: {min: …}",
            "email": "write mail: {to: …}",
            "extra": "write directives",
            "gres": "write gpus: N, and gpus_as: --gres=… if the usual way does not do",
            "nodes_per_block": "write nodes",
        },
    )

    name: str
    scheduler: Annotated[
        str, Text(choices=SCHEDULERS), FileKey(f"What schedules the cluster's jobs: {', '.join(SCHEDULERS)}.", "slurm")
    ]
    description: Annotated[str, FileKey("What cluster this is.", "The group's machines")] = ""
    gpu: Annotated[
        Mapping[str, object],
        section_of(JobRequest),
        FileKey("What is different for jobs with GPUs.", {"partition": "gpu", "cpus": 12}, convert=request_fields),
    ] = field(default_factory=dict)
    """Field → value, laid over the rest."""
    blocks: Annotated[Blocks, FileKey("How many jobs at a time.", {"max": 10})] = field(default_factory=Blocks)
    grace_s: Annotated[
        float,
        DURATION,
        FileKey("How long before its job's end a step is warned, to write a checkpoint. Default {default}.", "5m"),
    ] = 120.0
    start_timeout_s: Annotated[
        float | None,
        DURATION,
        FileKey("How long a job may wait in the queue before the run gives up. Default: for ever.", "1d"),
    ] = None
    queued: Annotated[
        int,
        Integer(least=1),
        FileKey("Most jobs in the queue at a time where each variant is a job of its own. Default {default}.", 50),
    ] = 200
    paced: Annotated[
        bool, FileKey("Whether each of those jobs is submitted only once the one before it has started.", True)
    ] = False
    array: Annotated[bool, FileKey("Whether those jobs are submitted at once, as a job array.", True)] = False
    poll_s: Annotated[
        float | None, DURATION, FileKey("Time between two questions to the scheduler. Default 30 s.", "1m")
    ] = None
    """None for 30, or 1 where the scheduler is this machine."""
    python: Annotated[
        str | None,
        _LINE,
        FileKey("The interpreter on the cluster's machines. Default: the one that submits.", "python"),
    ] = None
    setup: Annotated[
        tuple[str, ...],
        FileKey(
            "Shell lines that make the environment ready.", ["module load python/3.11", "source ~/venv/bin/activate"]
        ),
    ] = ()
    environment: Annotated[
        Mapping[str, str],
        MappingOf(item=Text(), names=NAME, called="a variable's name"),
        FileKey("Environment variables of the jobs; values may name others.", {"HF_HOME": "$SCRATCH/hf"}),
    ] = field(default_factory=dict)
    scratch: Annotated[
        str | None, _LINE, FileKey("Folder for temporary files on the cluster's machines.", "$SLURM_TMPDIR")
    ] = None
    launch: Annotated[
        str | None,
        Text(choices=("srun", "mpiexec")),
        FileKey("How a program is started on all machines of a job. Default: srun on SLURM, else mpiexec.", "mpiexec"),
    ] = None
    address: Annotated[
        str | None,
        _WORD,
        FileKey(
            "Address of the submitting machine as the cluster's machines see it. Default: they try all it has.",
            "10.0.0.5",
        ),
    ] = None
    ports: Annotated[
        tuple[int, int],
        ListOf(item=Integer(least=1), least=2, hint="write [54000, 55000]"),
        FileKey("First and last port that the cluster's machines may connect to. Default {default}.", [54000, 55000]),
    ] = (54000, 55000)
    mail: Annotated[Mail | None, FileKey("Whom the scheduler writes to.", {"to": "me@example.org"})] = None
    namespace: Annotated[str, _WORD, FileKey("Kubernetes' namespace. Default: {default}.", "research")] = "default"
    image: Annotated[str | None, _WORD, FileKey("The container's image, on Kubernetes.", "registry/etude:0.1")] = None
    volumes: Annotated[
        Mapping[str, str],
        MappingOf(item=_WORD),
        FileKey(
            "Persistent volume claim → where it is mounted, on Kubernetes. The store must lie in one.",
            {"data": "/data"},
        ),
    ] = field(default_factory=dict)

    def for_gpus(self, gpus: int) -> Profile:
        """The profile of jobs with this many GPUs per machine: with what `gpu` says if there are any, else without."""
        if not gpus:
            return replace(self, gpus=0, gpu={})
        overlay: dict[str, Any] = dict(self.gpu)
        return replace(self, gpu={}, **overlay)
