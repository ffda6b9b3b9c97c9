"""The keys of a cluster profile, each with its shape, meaning and an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from etude import units
from etude.cluster.profile import SCHEDULERS
from etude.config.shapes import Flag, JsonSchema, Key, ListOf, MappingOf, Quantity, Record, Text, Whole

_SIZE: Final = Quantity(
    expected="a size above 0, such as 512MB, 4GB or 4Gi",
    pattern=r"^\s*[0-9]+(\.[0-9]+)?\s*([kMGT]B?|[KMG]iB?|B)?\s*$",
    convert=units.bytes_of,
)
_DURATION: Final = Quantity(
    expected="a duration above 0, such as 90 (seconds), 2h, 1h30m or 01:30:00",
    pattern=r"^([0-9]+(:[0-9]{2}){2}|([0-9]+(\.[0-9]+)?\s*(min|[smhd])\s*)+)$",
    convert=units.seconds,
)
_WORD: Final = Text(expected="text without spaces", pattern=r"\S+")
_LINE: Final = Text(expected="one line of text", pattern=r"[^\n]+")

BLOCKS: Final = Record(
    what="blocks",
    keys={
        "min": Key(shape=Whole(least=0), tells="Jobs kept even when there is nothing to do. Default 0.", example=0),
        "max": Key(shape=Whole(least=1), tells="Most jobs at a time. Default 1.", example=10),
        "idle": Key(
            shape=_DURATION, tells="How long a job may idle before it is given back. Default 1m.", example="2m"
        ),
    },
)
MAIL: Final = Record(
    what="mail",
    keys={
        "to": Key(
            shape=Text(expected="an address", pattern=r"[^@\s]+@[^@\s]+"),
            tells="Whom the scheduler writes to.",
            example="me@example.org",
            required=True,
        ),
        "about": Key(
            shape=ListOf(item=Text(choices=("begin", "end", "fail")), least=1),
            tells="What about: begin, end, fail. Default [end, fail].",
            example=["fail"],
        ),
    },
)

_ASKED: Final[Mapping[str, Key]] = {
    "partition": Key(shape=_WORD, tells="SLURM's partition.", example="gpu"),
    "queue": Key(shape=_WORD, tells="Queue of PBS, LSF or Grid Engine.", example="prod"),
    "account": Key(shape=_WORD, tells="What the time is charged to: account, project or group.", example="def-me"),
    "qos": Key(shape=_WORD, tells="SLURM's quality of service.", example="normal"),
    "constraint": Key(shape=_LINE, tells="Features that SLURM's machines must have.", example="a100|v100"),
    "reservation": Key(shape=_WORD, tells="SLURM's reservation.", example="course"),
    "select": Key(shape=_WORD, tells="Further parts of PBS's select.", example="system=polaris"),
    "requirements": Key(shape=_LINE, tells="HTCondor's requirements.", example="TARGET.CUDACapability >= 8.0"),
    "walltime": Key(shape=_DURATION, tells="How long a job may run. Default 1h.", example="2h"),
    "nodes": Key(shape=Whole(least=1), tells="Machines per job. Default 1.", example=2),
    "cpus": Key(shape=Whole(least=1), tells="Cores that a job takes of each machine.", example=12),
    "memory": Key(shape=_SIZE, tells="Memory that a job takes of each machine.", example="120GB"),
    "gpus": Key(shape=Whole(least=0), tells="GPUs that a job takes of each machine. Default 0.", example=4),
    "gpus_as": Key(
        shape=Text(expected="a directive, with {gpus} where the number goes", pattern=r"[^\n]+"),
        tells="How GPUs are asked for where the scheduler's usual way does not do.",
        example="--gres=gpu:a100:{gpus}",
    ),
    "exclusive": Key(shape=Flag(), tells="Whether a job wants its machines for itself.", example=True),
    "workers": Key(shape=Whole(least=1), tells="Most nodes of a study at a time on one machine.", example=4),
    "directives": Key(
        shape=ListOf(item=_LINE, hint="write [{value}]"),
        tells="Further lines for the scheduler, without its prefix.",
        example=["--comment=etude"],
    ),
}

PROFILE: Final = Record(
    what="a cluster profile",
    keys={
        "scheduler": Key(
            shape=Text(choices=SCHEDULERS),
            tells="What schedules the cluster's jobs: " + ", ".join(SCHEDULERS) + ".",
            example="slurm",
            required=True,
        ),
        "description": Key(shape=Text(), tells="What cluster this is.", example="The group's machines"),
        **_ASKED,
        "gpu": Key(
            shape=Record(what="gpu", keys=_ASKED),
            tells="What is different for jobs with GPUs.",
            example={"partition": "gpu", "cpus": 12},
        ),
        "blocks": Key(shape=BLOCKS, tells="How many jobs at a time.", example={"max": 10}),
        "grace": Key(
            shape=_DURATION,
            tells="How long before its job's end a step is warned, to write a checkpoint. Default 2m.",
            example="5m",
        ),
        "start_timeout": Key(
            shape=_DURATION,
            tells="How long a job may wait in the queue before the run gives up. Default: for ever.",
            example="1d",
        ),
        "queued": Key(
            shape=Whole(least=1),
            tells="Most jobs in the queue at a time where each variant is a job of its own. Default 200.",
            example=50,
        ),
        "paced": Key(
            shape=Flag(),
            tells="Whether each of those jobs is submitted only once the one before it has started.",
            example=True,
        ),
        "array": Key(shape=Flag(), tells="Whether those jobs are submitted at once, as a job array.", example=True),
        "poll": Key(shape=_DURATION, tells="Time between two questions to the scheduler. Default 30 s.", example="1m"),
        "python": Key(
            shape=_LINE,
            tells="The interpreter on the cluster's machines. Default: the one that submits.",
            example="python",
        ),
        "setup": Key(
            shape=ListOf(item=Text(), hint="write [{value}]"),
            tells="Shell lines that make the environment ready.",
            example=["module load python/3.11", "source ~/venv/bin/activate"],
        ),
        "environment": Key(
            shape=MappingOf(item=Text(), names="[A-Za-z_][A-Za-z0-9_]*", called="a variable's name"),
            tells="Environment variables of the jobs; values may name others.",
            example={"HF_HOME": "$SCRATCH/hf"},
        ),
        "scratch": Key(
            shape=_LINE,
            tells="Folder for temporary files on the cluster's machines.",
            example="$SLURM_TMPDIR",
        ),
        "launch": Key(
            shape=Text(choices=("srun", "mpiexec")),
            tells="How a program is started on all machines of a job. Default: srun on SLURM, else mpiexec.",
            example="mpiexec",
        ),
        "address": Key(
            shape=_WORD,
            tells="Address of the submitting machine as the cluster's machines see it. Default: they try all it has.",
            example="10.0.0.5",
        ),
        "ports": Key(
            shape=ListOf(item=Whole(least=1), least=2, hint="write [54000, 55000]"),
            tells="First and last port that the cluster's machines may connect to. Default [54000, 55000].",
            example=[54000, 55000],
        ),
        "mail": Key(shape=MAIL, tells="Whom the scheduler writes to.", example={"to": "me@example.org"}),
        "namespace": Key(shape=_WORD, tells="Kubernetes' namespace. Default: default.", example="research"),
        "image": Key(shape=_WORD, tells="The container's image, on Kubernetes.", example="registry/etude:0.1"),
        "volumes": Key(
            shape=MappingOf(item=_WORD),
            tells="Persistent volume claim → where it is mounted, on Kubernetes. The store must lie in one.",
            example={"data": "/data"},
        ),
    },
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


def profile_schema() -> JsonSchema:
    """JSON Schema of a cluster profile, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "étude cluster profile",
        **PROFILE.schema(),
    }
