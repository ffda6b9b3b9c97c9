"""A pipeline as written: its nodes, where their inputs come from and what they need to run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final

from etude.keys import (
    DURATION,
    SIZE,
    Anything,
    Either,
    FileKey,
    Integer,
    ListOf,
    MappingOf,
    Referenced,
    SectionText,
    Text,
    section_of,
    spec_of,
)

RECORDS = "records"
"""The built-in node that gathers every variant's metrics and costs into one table."""

OWN_COLUMNS = ("variant", "status", "missing", "results", "accepted", "by_chance")
"""What every record says of itself, besides its params, metrics and costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


Sources = Mapping[str, Source | tuple[Source, ...]]
"""Input → source. A single unnamed source has the key `""`; a list stands by position: `"0"`, `"1"`, ….
A tuple of sources is one input that takes a sequence."""

NAME: Final = "[A-Za-z_][A-Za-z0-9_]*"
SOURCE: Final = r"(?:@([^\s@\[\]]+)/)?([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z0-9_-]+))?(\[\*\])?"
"""Study, node, item, across."""


def source_of(text: str) -> Source:
    """One source. The text must match `SOURCE`."""
    match = re.fullmatch(SOURCE, text)
    assert match is not None, text
    study, node, item, across = match.groups()
    return Source(node=node, item=item, across=across is not None, study=study)


def sources_of(written: object) -> Sources:
    """The inputs that a `from:` names, once its form is checked."""
    if isinstance(written, str):
        return {"": source_of(written)}
    if isinstance(written, list):
        return {str(index): source_of(text) for index, text in enumerate(written)}
    if isinstance(written, Mapping):
        return {
            name: tuple(map(source_of, each)) if isinstance(each, list) else source_of(str(each))
            for name, each in written.items()
        }
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a node needs to run (`on:`). Placement, never identity."""

    SECTION: ClassVar = SectionText(
        what="on",
        elsewhere={
            "time": "write walltime",
            "mem": "write memory",
            "cores": "write cpus",
            "ram": "write memory",
            "devices": "write gpus",
        },
    )

    gpus: Annotated[int, Integer(least=0), FileKey("GPUs the node needs. Default {default}.", 1)] = 0
    cpus: Annotated[int, Integer(least=1), FileKey("Cores the node needs. Default {default}.", 4)] = 1
    memory_bytes: Annotated[
        int | None, SIZE, FileKey("Memory the node needs, such as 4GB; bytes if a number.", "4GB")
    ] = None
    walltime_s: Annotated[
        float | None, DURATION, FileKey("Longest it may take, such as 2h; seconds if a number.", "2h")
    ] = None
    nodes: Annotated[int, Integer(least=1), FileKey("Machines the node spans. Default {default}.", 2)] = 1
    processes: Annotated[int, Integer(least=1), FileKey("Processes the node is started as. Default {default}.", 4)] = 1
    login: Annotated[
        bool,
        FileKey("Whether it must run where the driver runs, for instance because compute nodes have no network.", True),
    ] = False


def needs_of(read: str | Mapping[str, Any]) -> Needs:
    """What `on:` says, once its form is checked."""
    return Needs(login=True) if isinstance(read, str) else spec_of(Needs, read)


SOURCE_TEXT: Final = Referenced(
    name="source",
    value_type=Text(expected="a source: node, node.item, node[*], records or @study/node", pattern=SOURCE),
)
_SOURCES: Final = ListOf(item=SOURCE_TEXT, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node of a pipeline, or one collect node, as written."""

    SECTION: ClassVar = SectionText(
        what="a node",
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

    name: str
    step: Annotated[
        str,
        Text(
            expected="a step: room.function, or package.module:function",
            pattern=r"[A-Za-z_][A-Za-z0-9_.]*(?::[A-Za-z_][A-Za-z0-9_.]*)?",
        ),
        FileKey(
            "The function to run: room.function of étude's own steps, or package.module:function of yours.",
            "text.train",
        ),
    ]
    sources: Annotated[
        Sources,
        Either(
            expected="a source, a list of sources, or a mapping from inputs to sources",
            text=SOURCE_TEXT,
            items=_SOURCES,
            mapping=MappingOf(
                item=Either(expected="a source or a list of sources", text=SOURCE_TEXT, items=_SOURCES),
                names=NAME,
                called="an input's name",
            ),
        ),
        FileKey(
            "Where the inputs come from: one node, a list by position, or a mapping from input to node. "
            "node.item is one item of a result; node[*] (collect only) the results of all variants; records (collect "
            "only) the table of all records; @study/node a node of another study.",
            {"model": "model", "tokens": "tokens.test"},
            name="from",
            convert=sources_of,
        ),
    ] = field(default_factory=dict)
    settings: Annotated[
        Mapping[str, object],
        MappingOf(item=Anything(), names=NAME, called="a setting's name", null_removes=False),
        FileKey(
            "The step's settings by name. ${param} stands for a param's value; $${ for a literal ${.",
            {"seed": "${seed}", "epochs": 3},
            name="with",
        ),
    ] = field(default_factory=dict)
    needs: Annotated[
        Needs,
        Either(
            expected="`login`, or a mapping of what it needs",
            text=Text(expected="login", choices=("login",)),
            mapping=section_of(Needs),
        ),
        FileKey(
            "What the node needs to run. Placement: it never changes what a result is.",
            {"gpus": 1, "walltime": "2h"},
            name="on",
            convert=needs_of,
        ),
    ] = field(default_factory=Needs)
    pin: Annotated[
        tuple[Annotated[str, Text(expected="the name of a distribution", pattern=r"[A-Za-z0-9][A-Za-z0-9._-]*")], ...],
        FileKey("Installed distributions whose version is part of what the result is.", ["torch"]),
    ] = ()
    code: Annotated[
        str,
        Text(expected="track, ignore or version:TEXT", pattern=r"track|ignore|version:\S+"),
        FileKey(
            "Whether a change of the step's code makes a new result: {default} (default), ignore, or version:TEXT to "
            "state the version by hand.",
            "version:2",
        ),
    ] = "track"
