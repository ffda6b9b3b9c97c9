"""A study as values: what a study file says once it is read. Nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """Where one input of a node comes from."""

    node: str
    """The producing node's name; `records` for the table of all records (collect nodes only)."""
    item: str | None = None
    """`node.item`: one item of a mapping, dataclass or named-tuple result."""
    across: bool = False
    """`node[*]`: the results of all variants (collect nodes only)."""
    study: str | None = None
    """`@file/node`: a node of another study, with that study's own params."""

    def __str__(self) -> str:
        text = self.node + (f".{self.item}" if self.item else "") + ("[*]" if self.across else "")
        return f"@{self.study}/{text}" if self.study else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a node needs to run (`on:`). Placement, never identity."""

    gpus: int = 0
    cpus: int = 1
    memory_bytes: int | None = None
    walltime_s: float | None = None
    nodes: int = 1
    processes: int = 1
    login: bool = False
    """Must run where the driver runs, for instance because compute nodes have no network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node of a pipeline, or one collect node, as written."""

    name: str
    step: str
    """`room.function` of étude's own library, or a user's `package.module:function`."""
    sources: Mapping[str, Source | tuple[Source, ...]] = field(default_factory=dict)
    """Input → source. A single unnamed source has the key `""`; a list stands by position: `"0"`, `"1"`, ….
    A tuple of sources is one input that takes a sequence."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Setting → value, with `${param}` still in place."""
    needs: Needs = field(default_factory=Needs)
    pin: tuple[str, ...] = ()
    """Distributions whose version is part of this node's identity."""
    code: str = "track"
    """`track` the code, `ignore` it, or `version:TEXT` to state its version by hand."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The best variants of an earlier study."""

    of: str
    by: str
    k: int
    direction: str = "maximize"


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
    store: str | None = None
    """The store's folder; None for `.etude/store` in the project."""
    results: str | None = None
    """Folder of the exported tables; None for `results/<study>` in the project."""


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
    project: Path = field(default_factory=Path)
    """The folder whose code is importable and that holds `.etude` and `results`."""
    file: Path | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    """Dotted path → where its value came from, for what is not from the file itself: `--set`, `env POOL`, `profile tiny`."""
    lines: Mapping[str, Line] = field(default_factory=dict)
    """Dotted path → place in the file, for messages."""
