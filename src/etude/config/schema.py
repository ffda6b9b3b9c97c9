"""The study file's keys, each with its shape, meaning and an example: the reader and the JSON Schema come from here."""

from __future__ import annotations

from typing import Final

from etude import units
from etude.config.search_schema import SEARCH
from etude.config.shapes import (
    Anything,
    Flag,
    JsonSchema,
    Key,
    ListOf,
    MappingOf,
    Named,
    OneOf,
    Partial,
    Quantity,
    Real,
    Record,
    Text,
    Whole,
)
from etude.config.sources import RECORDS, SOURCE

NAME: Final = "[A-Za-z_][A-Za-z0-9_]*"
STUDY_NAME: Final = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
NAME_RULE: Final = "a folder's name: letters, digits, `.`, `_` and `-`"

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
_SOURCE: Final = Named(
    name="source",
    shape=Text(expected="a source: node, node.item, node[*], records or @study/node", pattern=SOURCE),
)
_AXIS: Final = ListOf(item=Anything(nan=False), least=1, hint="write [{value}]")

NEEDS: Final = Record(
    what="on",
    keys={
        "gpus": Key(shape=Whole(least=0), tells="GPUs the node needs. Default 0.", example=1),
        "cpus": Key(shape=Whole(least=1), tells="Cores the node needs. Default 1.", example=4),
        "memory": Key(shape=_SIZE, tells="Memory the node needs, such as 4GB; bytes if a number.", example="4GB"),
        "walltime": Key(shape=_DURATION, tells="Longest it may take, such as 2h; seconds if a number.", example="2h"),
        "nodes": Key(shape=Whole(least=1), tells="Machines the node spans. Default 1.", example=2),
        "processes": Key(shape=Whole(least=1), tells="Processes the node is started as. Default 1.", example=4),
        "login": Key(
            shape=Flag(),
            tells="Whether it must run where the driver runs, for instance because compute nodes have no network.",
            example=True,
        ),
    },
    elsewhere={
        "time": "write walltime",
        "mem": "write memory",
        "cores": "write cpus",
        "ram": "write memory",
        "devices": "write gpus",
    },
)

NODE: Final = Record(
    what="a node",
    keys={
        "step": Key(
            shape=Text(
                expected="a step: room.function, or package.module:function",
                pattern=r"[A-Za-z_][A-Za-z0-9_.]*(?::[A-Za-z_][A-Za-z0-9_.]*)?",
            ),
            tells="The function to run: room.function of étude's own steps, or package.module:function of yours.",
            example="text.train",
            required=True,
        ),
        "from": Key(
            shape=OneOf(
                expected="a source, a list of sources, or a mapping from inputs to sources",
                text=_SOURCE,
                items=ListOf(item=_SOURCE, least=1),
                mapping=MappingOf(
                    item=OneOf(
                        expected="a source or a list of sources", text=_SOURCE, items=ListOf(item=_SOURCE, least=1)
                    ),
                    names=NAME,
                    called="an input's name",
                ),
            ),
            tells="Where the inputs come from: one node, a list by position, or a mapping from input to node. "
            "node.item is one item of a result; node[*] (collect only) the results of all variants; records (collect "
            "only) the table of all records; @study/node a node of another study.",
            example={"model": "model", "tokens": "tokens.test"},
        ),
        "with": Key(
            shape=MappingOf(item=Anything(), names=NAME, called="a setting's name", null_removes=False),
            tells="The step's settings by name. ${param} stands for a param's value; $${ for a literal ${.",
            example={"seed": "${seed}", "epochs": 3},
        ),
        "on": Key(
            shape=OneOf(
                expected="`login`, or a mapping of what it needs",
                text=Text(expected="login", choices=("login",)),
                mapping=NEEDS,
            ),
            tells="What the node needs to run. Placement: it never changes what a result is.",
            example={"gpus": 1, "walltime": "2h"},
        ),
        "pin": Key(
            shape=ListOf(
                item=Text(expected="the name of a distribution", pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*"),
                hint="write [{value}]",
            ),
            tells="Installed distributions whose version is part of what the result is.",
            example=["torch"],
        ),
        "code": Key(
            shape=Text(expected="track, ignore or version:TEXT", pattern=r"track|ignore|version:\S+"),
            tells="Whether a change of the step's code makes a new result: track (default), ignore, or version:TEXT to "
            "state the version by hand.",
            example="version:2",
        ),
    },
    elsewhere={
        "transform_name": "write step",
        "setup_kwargs": "write with",
        "input_node": "write from",
        "inputs": "write from",
        "settings": "write with",
        "params": "write with",
        "needs": "write from for inputs, on for resources",
        "resources": "write on",
        "cache": "leave it out: every result is kept",
        "regenerate": "leave it out: a node runs again when its code, settings or inputs change",
    },
)

_NODES: Final = MappingOf(
    item=Named(name="node", shape=NODE, has_partial=True),
    names=NAME,
    called="a node's name: letters, digits and _",
    reserved=(RECORDS,),
)

TOP: Final = Record(
    what="top",
    keys={
        "of": Key(shape=Text(expected="a study"), tells="The earlier study.", example="search", required=True),
        "by": Key(
            shape=Text(expected="a metric"),
            tells="The metric to rank by, dotted.",
            example="quality.auc",
            required=True,
        ),
        "k": Key(shape=Whole(least=1), tells="How many variants to take.", example=80, required=True),
        "direction": Key(
            shape=Text(choices=("maximize", "minimize")),
            tells="Whether the best is the largest (maximize) or the smallest; needed where neither the other study's "
            "search, nor the step, nor the metric's name tells.",
            example="minimize",
        ),
    },
)

VARY: Final = Record(
    what="vary",
    keys={
        "grid": Key(
            shape=MappingOf(item=_AXIS),
            tells="Param → list of values; every combination is a variant.",
            example={"pooling": ["mean", "max"]},
        ),
        "list": Key(
            shape=ListOf(item=MappingOf(item=Anything(nan=False), null_removes=False), least=1),
            tells="Explicit points, each a mapping of the same params; each is combined with the grid.",
            example=[{"pooling": "mean"}, {"pooling": "max"}],
        ),
        "repeat": Key(
            shape=MappingOf(item=_AXIS),
            tells="The one param that replicates differ in, usually seed → its values. Statistics are over these.",
            example={"seed": [0, 1, 2]},
        ),
        "top": Key(
            shape=TOP,
            tells="The best variants of an earlier study.",
            example={"of": "search", "by": "quality.auc", "k": 80},
        ),
        "search": Key(
            shape=SEARCH,
            tells="Variants that are proposed one after another by what the earlier ones came to.",
            example={
                "space": {"lr": {"float": [1e-5, 1e-2], "log": True}},
                "objective": "quality.auc",
                "trials": 200,
            },
        ),
    },
    elsewhere={
        "seeds": "write repeat: {seed: [0, 1, 2]}",
        "seed": "write repeat: {seed: [0, 1, 2]}",
    },
)

METER: Final = Record(
    what="meter",
    keys={
        "country": Key(
            shape=Text(expected="an ISO code of three letters", pattern=r"[A-Za-z]{3}"),
            tells="Where the energy comes from, for its carbon. Without it and g_per_kwh, carbon is not known.",
            example="DEU",
        ),
        "g_per_kwh": Key(shape=Real(least=0), tells="Carbon per energy, where you know it.", example=35.0),
        "pue": Key(shape=Real(least=1), tells="Power usage effectiveness of the building. Default 1.", example=1.2),
        "calibration": Key(
            shape=Text(expected="a file", pattern=r".+"),
            tells="File of a calibrated processor, for the estimate where no counter can be read.",
            example="processor.json",
        ),
        "beside": Key(
            shape=ListOf(item=Text(choices=("cpu-time", "codecarbon", "zeus"))),
            tells="Further sources to read for comparison: cpu-time, codecarbon, zeus. They are in no sum.",
            example=["codecarbon"],
        ),
    },
)

_TRACKERS: Final = {
    "mlflow": Key(
        shape=Record(
            what="mlflow",
            keys={
                "uri": Key(
                    shape=Text(expected="the address of a server or a database", pattern=r"[A-Za-z][A-Za-z0-9+.-]*:.+"),
                    tells="Tracking server or database. Default: MLFLOW_TRACKING_URI, else mlflow.db in the project.",
                    example="sqlite:///mlflow.db",
                ),
                "experiment": Key(shape=Text(), tells="Its name. Default: the study's.", example="intent-heads"),
            },
            elsewhere={"tracking_uri": "write uri", "password": "set MLFLOW_TRACKING_PASSWORD in the environment"},
        ),
        tells="MLflow, on a server or in a database file.",
        example={"experiment": "intent-heads"},
    ),
    "wandb": Key(
        shape=Record(
            what="wandb",
            keys={
                "project": Key(shape=Text(), tells="Its name. Default: the study's.", example="intent-heads"),
                "entity": Key(shape=Text(), tells="User or team. Default: the user's own.", example="lab"),
                "mode": Key(
                    shape=Text(choices=("online", "offline")),
                    tells="online, or offline into the project's wandb folder, for `wandb sync`. Default: WANDB_MODE, "
                    "else online where WANDB_API_KEY is set.",
                    example="offline",
                ),
            },
            elsewhere={
                "key": "set WANDB_API_KEY in the environment",
                "api_key": "set WANDB_API_KEY in the environment",
            },
        ),
        tells="Weights & Biases.",
        example={"project": "intent-heads", "mode": "offline"},
    ),
    "tensorboard": Key(
        shape=Record(
            what="tensorboard",
            keys={
                "folder": Key(
                    shape=Text(expected="a folder", pattern=r".+"),
                    tells="Folder of the event files. Default tensorboard in the project.",
                    example="tensorboard",
                )
            },
            elsewhere={"logdir": "write folder", "log_dir": "write folder"},
        ),
        tells="TensorBoard's event files.",
        example={"folder": "tensorboard"},
    ),
}
TRACKERS: Final = tuple(_TRACKERS)

PLACE: Final = Record(
    what="place",
    keys={
        "backend": Key(
            shape=Text(choices=("inline", "processes")),
            tells="Where nodes run: processes (default) in worker processes of this machine, inline in this process.",
            example="inline",
        ),
        "workers": Key(shape=Whole(least=1), tells="Worker processes. Default: as many as there are cores.", example=4),
        "gpus": Key(shape=Whole(least=0), tells="GPUs to use. Default: all that are visible.", example=2),
        "memory": Key(
            shape=_SIZE, tells="Memory that running nodes may need together. Default: the machine's.", example="32GB"
        ),
        "retries": Key(
            shape=Whole(least=0),
            tells="Further attempts after an infrastructure fault. Default 2. A step's own error is never retried.",
            example=0,
        ),
        "most_variants": Key(
            shape=Whole(least=1),
            tells="A study of more variants is refused. Default 100000, which takes half a minute to lay out.",
            example=500000,
        ),
        "store": Key(
            shape=Text(expected="a folder", pattern=r".+"),
            tells="Folder of the store. Default .etude/store in the project.",
            example="../store",
        ),
        "results": Key(
            shape=Text(expected="a folder", pattern=r".+"),
            tells="Folder of the exported tables and figures. Default results/<study> in the project.",
            example="results/first",
        ),
        "meter": Key(shape=METER, tells="How energy becomes carbon.", example={"country": "DEU"}),
        "track": Key(
            shape=ListOf(
                item=OneOf(
                    expected=f"one of {', '.join(TRACKERS)}, or a mapping from one to its settings",
                    text=Text(choices=TRACKERS),
                    mapping=Record(what="track", keys=_TRACKERS),
                ),
                hint="write [{value}]",
            ),
            tells="Trackers that are told of every variant: mlflow, wandb, tensorboard. A tracker never stops a run.",
            example=["mlflow", {"wandb": {"project": "intent-heads", "mode": "offline"}}],
        ),
    },
)

_SHARED: Final = {
    "name": Key(
        shape=Text(expected=NAME_RULE, pattern=STUDY_NAME, mend="leave out spaces and slashes"),
        tells="The study's name, also of its folder of results. Default: the file's name.",
        example="intent-heads",
    ),
    "description": Key(shape=Text(), tells="What the study is for.", example="Which pooling suits which backbone?"),
    "params": Key(
        shape=MappingOf(
            item=Anything(nan=False), names=NAME, called="a param's name: letters, digits and _", null_removes=False
        ),
        tells="The study's knobs with their values. Settings refer to them as ${name}; vary and --set change them.",
        example={"pooling": "mean", "seed": 0},
    ),
    "pipeline": Key(
        shape=_NODES,
        tells="Name → node. Run for every variant; nodes that come out the same are run once.",
        example={"raw": {"step": "text.load"}},
    ),
    "vary": Key(shape=VARY, tells="How one pipeline becomes many variants.", example={"repeat": {"seed": [0, 1, 2]}}),
    "collect": Key(
        shape=_NODES,
        tells="Name → node. Run once, after all variants, with their records or results.",
        example={"table": {"step": "analysis.aggregate", "from": "records"}},
    ),
    "place": Key(
        shape=PLACE, tells="Where and how the study runs. Never changes what a result is.", example={"workers": 2}
    ),
}

PROFILE: Final = Record(what="a profile", keys=_SHARED)

_TARGET: Final = Text(expected="a param, or a dotted path")
BINDING: Final = OneOf(
    expected="a param, a dotted path, or a mapping with sets and one_of, or secret",
    text=_TARGET,
    mapping=Record(
        what="a variable of the environment",
        keys={
            "sets": Key(shape=_TARGET, tells="The param or dotted path that it sets.", example="pooling"),
            "one_of": Key(
                shape=ListOf(item=Anything(), least=1),
                tells="What it may be. Anything else is a fault.",
                example=["mean", "max"],
            ),
            "secret": Key(
                shape=Flag(), tells="Whether its value is shown and written nowhere. It sets nothing.", example=True
            ),
        },
    ),
)

STUDY: Final = Record(
    what="a study",
    keys={
        **_SHARED,
        "env": Key(
            shape=MappingOf(item=BINDING, names=NAME, called="an environment variable's name"),
            tells="Environment variable → param or dotted path that it sets, for cluster scripts.",
            example={"SEED": "seed", "POOL": {"sets": "pooling", "one_of": ["mean", "max"]}, "LOGIN": {"secret": True}},
        ),
        "profiles": Key(
            shape=MappingOf(item=Partial(name="profile", shape=PROFILE), names=STUDY_NAME, called="a profile's name"),
            tells="Named variations of the whole study, laid over it when chosen.",
            example={"tiny": {"params": {"seed": 1}, "place": {"workers": 1}}},
        ),
        "extends": Key(
            shape=OneOf(
                expected="a file, or a list of files",
                text=Text(expected="a file"),
                items=ListOf(item=Text(expected="a file"), least=1),
            ),
            tells="YAML and JSON studies that this one is laid over, relative to this file; later ones over earlier.",
            example="base.yaml",
        ),
    },
    elsewhere={
        "experiment_name": "write name",
        "data_pipeline": "write pipeline",
        "nodes": "write pipeline",
        "seeds": "write vary: {repeat: {seed: [0, 1, 2]}}",
        "grid": "write vary: {grid: …}",
        "repeat": "write vary: {repeat: …}",
        "search": "write vary: {search: …}",
        "imports": "write extends",
        "import": "write extends",
    },
)


def json_schema() -> JsonSchema:
    """JSON Schema (2020-12) of the study file, with a description of every key, for editors to check and complete."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "étude study",
        "description": "One study: params, pipeline, vary, collect, placement.",
        **STUDY.schema(),
        "anyOf": [{"required": ["pipeline"]}, {"required": ["extends"]}],
        "$defs": {
            "source": _SOURCE.shape.schema(),
            "node": NODE.schema(),
            "partial-node": NODE.schema(partial=True),
            "profile": PROFILE.schema(partial=True),
        },
    }
