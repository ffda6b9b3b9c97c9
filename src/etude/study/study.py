"""A study as values: what a study file says once it is read. Nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from etude.graph.pipeline import Needs as Needs
from etude.graph.pipeline import NodeSpec as NodeSpec
from etude.graph.pipeline import Source as Source
from etude.search.spec import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    """How one pipeline becomes many variants: list × grid × repeat."""

    grid: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Param → its values; all combinations."""
    points: tuple[Mapping[str, object], ...] = ()
    """`list:` explicit points, each a mapping of params."""
    repeat: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """The replicated param (one, usually `seed`) → its values."""
    top: Top | None = None
    search: Search | None = None
    """An adaptive search. The points that it has tried so far stand in `points` once its log was read."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Written form of a point that a search tried in vain → what became of it: its row has no results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The best variants of an earlier study."""

    of: str
    by: str
    k: int
    direction: str | None = None
    """`maximize` or `minimize`; None for what the search, the step or the metric's name says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """What turns energy into carbon, and the estimate of the processor into a better one. Never identity."""

    country: str | None = None
    """ISO code of three letters; None leaves carbon unknown."""
    g_per_kwh: float | None = None
    """Carbon per energy where the user knows it; then no country is needed."""
    pue: float = 1.0
    """Power usage effectiveness of the building."""
    calibration: str | None = None
    """File of a calibrated processor."""
    beside: tuple[str, ...] = ()
    """Further sources to read for comparison; in no sum."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tracker that is told of the study's runs. Never identity."""

    name: str
    """`mlflow`, `wandb` or `tensorboard`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """As `place.track` says; secrets are never among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a study runs. Never identity."""

    backend: str = "processes"
    workers: int | None = None
    """Worker processes; None for as many as there are cores."""
    gpus: int | None = None
    """Device slots; None for all that are visible."""
    memory_bytes: int | None = None
    """Memory that running nodes may need together; None for what the machine has."""
    retries: int = 2
    """Further attempts after an infrastructure fault. A step's own error is never retried."""
    most_variants: int = 100_000
    """A study of more variants is refused before it is laid out."""
    store: str | None = None
    """The store's folder; None for `.etude/store` in the project."""
    results: str | None = None
    """Folder of the exported tables; None for `results/<study>` in the project."""
    meter: Metering = field(default_factory=Metering)
    track: tuple[Tracker, ...] = ()
    """Who is told of the runs."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where a part of the study stands in a file."""

    file: str
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study: params, pipeline, vary, collect, placement."""

    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    pipeline: Mapping[str, NodeSpec] = field(default_factory=dict)
    collect: Mapping[str, NodeSpec] = field(default_factory=dict)
    vary: Vary = field(default_factory=Vary)
    place: Place = field(default_factory=Place)
    description: str = ""
    secrets: tuple[str, ...] = ()
    """Variables of the environment whose values are secret, as `env` marks them."""
    project: Path = field(default_factory=Path)
    """The folder whose code is importable and that holds `.etude` and `results`."""
    file: Path | None = None
    files: tuple[Path, ...] = ()
    """Every file that was read for it, its own first: those it extends or imports as well."""
    form: str = ""
    """What of it was overridden, in words fit for a folder's name (`tiny,pooling=max`); empty where nothing was."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Dotted path → where its value came from, where that is not the file: `--set`, `env POOL`, `profile tiny`."""
    lines: Mapping[str, Line] = field(default_factory=dict)
    """Dotted path → place in the file, for messages."""

    @property
    def title(self) -> str:
        """Its name and form, under which its history and its search are kept."""
        return f"{self.name}@{self.form}" if self.form else self.name
