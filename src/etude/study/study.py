"""A study as values: what a study file says once it is read. Nothing here acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Final

from etude.execute.node_metering import MeterSettings
from etude.graph.pipeline import NAME, RECORDS
from etude.graph.pipeline import Needs as Needs
from etude.graph.pipeline import NodeSpec as NodeSpec
from etude.graph.pipeline import Source as Source
from etude.keys import (
    SIZE,
    Anything,
    Either,
    FileKey,
    Integer,
    ListOf,
    MappingOf,
    Referenced,
    Section,
    SectionText,
    Text,
    section_of,
)
from etude.search.spec import Search
from etude.search.trials import Direction

STUDY_NAME: Final = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
NAME_RULE: Final = "a folder's name: letters, digits, `.`, `_` and `-`"
_AXIS: Final = ListOf(item=Anything(nan=False), least=1, hint="write [{value}]")
_POINT: Final = MappingOf(item=Anything(nan=False), null_removes=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The best variants of an earlier study."""

    SECTION: ClassVar = SectionText(what="top")

    of: Annotated[str, Text(expected="a study"), FileKey("The earlier study.", "search")]
    by: Annotated[str, Text(expected="a metric"), FileKey("The metric to rank by, dotted.", "quality.auc")]
    k: Annotated[int, Integer(least=1), FileKey("How many variants to take.", 80)]
    direction: Annotated[
        Direction | None,
        FileKey(
            "Whether the best is the largest (maximize) or the smallest; needed where neither the other study's "
            "search, nor the step, nor the metric's name tells.",
            "minimize",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    """How one pipeline becomes many variants: list × grid × repeat."""

    SECTION: ClassVar = SectionText(
        what="vary", elsewhere=dict.fromkeys(("seeds", "seed"), "write repeat: {seed: [0, 1, 2]}")
    )

    grid: Annotated[
        Mapping[str, tuple[object, ...]],
        MappingOf(item=_AXIS),
        FileKey("Param → list of values; every combination is a variant.", {"pooling": ["mean", "max"]}),
    ] = field(default_factory=dict)
    points: Annotated[
        tuple[Mapping[str, object], ...],
        ListOf(item=_POINT, least=1),
        FileKey(
            "Explicit points, each a mapping of the same params; each is combined with the grid.",
            [{"pooling": "mean"}, {"pooling": "max"}],
            name="list",
        ),
    ] = ()
    repeat: Annotated[
        Mapping[str, tuple[object, ...]],
        MappingOf(item=_AXIS),
        FileKey(
            "The one param that replicates differ in, usually seed → its values. Statistics are over these.",
            {"seed": [0, 1, 2]},
        ),
    ] = field(default_factory=dict)
    top: Annotated[
        Top | None, FileKey("The best variants of an earlier study.", {"of": "search", "by": "quality.auc", "k": 80})
    ] = None
    search: Annotated[
        Search | None,
        FileKey(
            "Variants that are proposed one after another by what the earlier ones came to.",
            {"space": {"lr": {"float": [1e-5, 1e-2], "log": True}}, "objective": "quality.auc", "trials": 200},
        ),
    ] = None
    """The points that it has tried so far stand in `points` once its log was read."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Written form of a point that a search tried in vain → what became of it: its row has no results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """A tracker that is told of the study's runs. Never identity."""

    name: str
    """One of `TRACKERS`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """As `place.track` says; secrets are never among them."""


_TRACKERS: Final = {
    "mlflow": FileKey(
        "MLflow, on a server or in a database file.",
        {"experiment": "intent-heads"},
        type=Section(
            what="mlflow",
            keys={
                "uri": FileKey(
                    "Tracking server or database. Default: MLFLOW_TRACKING_URI, else mlflow.db in the project.",
                    "sqlite:///mlflow.db",
                    type=Text(expected="the address of a server or a database", pattern=r"[A-Za-z][A-Za-z0-9+.-]*:.+"),
                ),
                "experiment": FileKey("Its name. Default: the study's.", "intent-heads", type=Text()),
            },
            elsewhere={"tracking_uri": "write uri", "password": "set MLFLOW_TRACKING_PASSWORD in the environment"},
        ),
    ),
    "wandb": FileKey(
        "Weights & Biases.",
        {"project": "intent-heads", "mode": "offline"},
        type=Section(
            what="wandb",
            keys={
                "project": FileKey("Its name. Default: the study's.", "intent-heads", type=Text()),
                "entity": FileKey("User or team. Default: the user's own.", "lab", type=Text()),
                "mode": FileKey(
                    "online, or offline into the project's wandb folder, for `wandb sync`. Default: WANDB_MODE, "
                    "else online where WANDB_API_KEY is set.",
                    "offline",
                    type=Text(choices=("online", "offline")),
                ),
            },
            elsewhere=dict.fromkeys(("key", "api_key"), "set WANDB_API_KEY in the environment"),
        ),
    ),
    "tensorboard": FileKey(
        "TensorBoard's event files.",
        {"folder": "tensorboard"},
        type=Section(
            what="tensorboard",
            keys={
                "folder": FileKey(
                    "Folder of the event files. Default tensorboard in the project.",
                    "tensorboard",
                    type=Text(expected="a folder", pattern=r".+"),
                )
            },
            elsewhere=dict.fromkeys(("logdir", "log_dir"), "write folder"),
        ),
    ),
}
TRACKERS: Final = tuple(_TRACKERS)


def trackers_of(read: Iterable[str | Mapping[str, Mapping[str, str]]]) -> tuple[Tracker, ...]:
    """The trackers that `place.track` names, once its form is checked."""
    return tuple(
        Tracker(name=name, settings=settings)
        for each in read
        for name, settings in ({each: {}} if isinstance(each, str) else each).items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSettings:
    """Where and how a study runs (`place`). Never identity."""

    SECTION: ClassVar = SectionText(what="place")

    backend: Annotated[
        str,
        Text(choices=("inline", "processes")),
        FileKey(
            "Where nodes run: {default} (default) in worker processes of this machine, inline in this process.",
            "inline",
        ),
    ] = "processes"
    workers: Annotated[
        int | None, Integer(least=1), FileKey("Worker processes. Default: as many as there are cores.", 4)
    ] = None
    gpus: Annotated[int | None, Integer(least=0), FileKey("GPUs to use. Default: all that are visible.", 2)] = None
    memory_bytes: Annotated[
        int | None, SIZE, FileKey("Memory that running nodes may need together. Default: the machine's.", "32GB")
    ] = None
    retries: Annotated[
        int,
        Integer(least=0),
        FileKey(
            "Further attempts after an infrastructure fault. Default {default}. A step's own error is never retried.", 0
        ),
    ] = 2
    most_variants: Annotated[
        int,
        Integer(least=1),
        FileKey(
            "A study of more variants is refused. Default {default}, which takes half a minute to lay out.", 500000
        ),
    ] = 100_000
    store: Annotated[
        str | None,
        Text(expected="a folder", pattern=r".+"),
        FileKey("Folder of the store. Default .etude/store in the project.", "../store"),
    ] = None
    results: Annotated[
        str | None,
        Text(expected="a folder", pattern=r".+"),
        FileKey("Folder of the exported tables and figures. Default results/<study> in the project.", "results/first"),
    ] = None
    meter: Annotated[MeterSettings, FileKey("How energy becomes carbon.", {"country": "DEU"})] = field(
        default_factory=MeterSettings
    )
    track: Annotated[
        tuple[Tracker, ...],
        ListOf(
            item=Either(
                expected=f"one of {', '.join(TRACKERS)}, or a mapping from one to its settings",
                text=Text(choices=TRACKERS),
                mapping=Section(what="track", keys=_TRACKERS),
            ),
            hint="write [{value}]",
        ),
        FileKey(
            f"Trackers that are told of every variant: {', '.join(TRACKERS)}. A tracker never stops a run.",
            ["mlflow", {"wandb": {"project": "intent-heads", "mode": "offline"}}],
            convert=trackers_of,
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """Where a part of the study stands in a file."""

    file: str
    line: int | None = None


_NODES: Final = MappingOf(
    item=Referenced(name="node", value_type=section_of(NodeSpec), has_partial=True),
    names=NAME,
    called="a node's name: letters, digits and _",
    reserved=(RECORDS,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study: params, pipeline, vary, collect, placement."""

    SECTION: ClassVar = SectionText(
        what="a study",
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

    name: Annotated[
        str,
        Text(expected=NAME_RULE, pattern=STUDY_NAME, mend="leave out spaces and slashes"),
        FileKey(
            "The study's name, also of its folder of results. Default: the file's name.", "intent-heads", required=False
        ),
    ]
    description: Annotated[str, FileKey("What the study is for.", "Which pooling suits which backbone?")] = ""
    params: Annotated[
        Mapping[str, object],
        MappingOf(
            item=Anything(nan=False), names=NAME, called="a param's name: letters, digits and _", null_removes=False
        ),
        FileKey(
            "The study's knobs with their values. Settings refer to them as ${name}; vary and --set change them.",
            {"pooling": "mean", "seed": 0},
        ),
    ] = field(default_factory=dict)
    pipeline: Annotated[
        Mapping[str, NodeSpec],
        _NODES,
        FileKey(
            "Name → node. Run for every variant; nodes that come out the same are run once.",
            {"raw": {"step": "text.load"}},
        ),
    ] = field(default_factory=dict)
    vary: Annotated[Vary, FileKey("How one pipeline becomes many variants.", {"repeat": {"seed": [0, 1, 2]}})] = field(
        default_factory=Vary
    )
    collect: Annotated[
        Mapping[str, NodeSpec],
        _NODES,
        FileKey(
            "Name → node. Run once, after all variants, with their records or results.",
            {"table": {"step": "analysis.aggregate", "from": "records"}},
        ),
    ] = field(default_factory=dict)
    groups: Annotated[
        Mapping[str, tuple[str, ...]],
        MappingOf(
            item=ListOf(item=Text(expected="a node's name", pattern=NAME), least=1, hint="write [{value}]"),
            names=NAME,
            called="a group's name: letters, digits and _",
        ),
        FileKey(
            "Name → nodes, to be asked for together: `--until prepare_data`. Never changes what a result is.",
            {"prepare_data": ["raw", "tokens"]},
        ),
    ] = field(default_factory=dict)
    place: Annotated[
        PlaceSettings, FileKey("Where and how the study runs. Never changes what a result is.", {"workers": 2})
    ] = field(default_factory=PlaceSettings)
    secrets: tuple[str, ...] = ()
    """Variables of the environment whose values are secret, as `env` marks them."""
    project: Path = field(default_factory=Path)
    """The folder whose code is importable and that holds `.etude` and `results`."""
    file: Path | None = None
    files: tuple[Path, ...] = ()
    """Every file that was read for it, its own first: those it extends or imports as well."""
    sources: Mapping[str, bytes] = field(default_factory=dict)
    """Modules whose bytes count in place of those on disk, by absolute path: of a running script, of a notebook."""
    form: str = ""
    """What of it was overridden, in words fit for a folder's name (`tiny,pooling=max`); empty where nothing was."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Dotted path → where its value came from, where that is not the file: `--set`, `env POOL`, `profile tiny`."""
    lines: Mapping[str, SourceLine] = field(default_factory=dict)
    """Dotted path → place in the file, for messages."""

    @property
    def title(self) -> str:
        """Its name and form, under which its history and its search are kept."""
        return f"{self.name}@{self.form}" if self.form else self.name
