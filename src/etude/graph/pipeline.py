"""A pipeline as written: its nodes, where their inputs come from and what they need to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RECORDS = "records"
"""The built-in node that gathers every variant's metrics and costs into one table."""

OWN_COLUMNS = ("variant", "status", "missing", "results", "accepted", "by_chance")
"""What every record says of itself, besides its params, metrics and costs."""


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
