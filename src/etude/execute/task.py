"""What the runner hands to a backend and gets back. Keys and small values only: data move through the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from etude.graph.node import Feed, InputOf, Node, Row, Spread
from etude.graph.pipeline import Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRef:
    """A stored result, or one item of it."""

    fingerprint: str
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefsAcross:
    """The results of one node across all variants."""

    variants: tuple[Mapping[str, object], ...]
    refs: tuple[ResultRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefRow:
    """One variant's results, for the table of records."""

    variant: str
    params: Mapping[str, object]
    nodes: tuple[tuple[str, str, bool], ...]
    """Name, fingerprint, and whether the result is metrics."""
    status: str = ""
    """What became of a variant without results; empty for all others."""


InputRef = ResultRef | tuple[ResultRef, ...] | RefsAcross


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One node to compute."""

    fingerprint: str
    name: str
    label: str
    step: str
    settings: Mapping[str, object]
    inputs: Mapping[str, InputRef]
    rows: tuple[RefRow, ...]
    files: Mapping[str, str]
    """Absolute path of each file or folder that the settings name → digest of its content as planned."""
    needs: Needs
    trace: str
    contents: Mapping[str, str]
    identity: Mapping[str, object]
    provenance: Mapping[str, object]
    replace: bool = False
    attempt: int = 1
    order: int | None = None
    """How many nodes the run has started, this one counted; None where nobody counts."""
    project: str = ""
    """The project's folder, in which is seen what the step touches; empty to see nothing."""


class Status(StrEnum):
    """How an attempt at a node ended."""

    DONE = "done"
    FAILED = "failed"
    """The step raised, or its result cannot be stored. Not tried again."""
    STOPPED = "stopped"
    """The step left early on request; its scratch folder holds what it has."""
    DAMAGED = "damaged"
    """A result that it reads is damaged or gone."""
    LOST = "lost"
    """Its worker died: an infrastructure fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt at a node ended, and what is known of it."""

    status: Status
    content: str = ""
    cost: Mapping[str, object] = field(default_factory=dict)
    observed: Mapping[str, str] = field(default_factory=dict)
    """What the step touched and its plan did not know → digest. See `identity.observed`."""
    written: frozenset[str] = frozenset()
    """Of one of a node's several processes: the files that it wrote, by their names in `observed`."""
    classes: frozenset[str] = frozenset()
    """The classes that the result is made of, as `module:Name`."""
    error: str = ""
    """One line: what went wrong."""
    traceback: str = ""
    log: str = ""
    """Path of what the step printed; empty where it printed nothing."""
    damaged: str = ""
    """Fingerprint of the input at fault."""
    again: bool = True
    """Whether another attempt may succeed; of `lost` alone."""


def task_of(
    node: Node,
    contents: Mapping[str, str],
    provenance: Mapping[str, object],
    *,
    replace: bool = False,
    attempt: int = 1,
    order: int | None = None,
    project: str = "",
) -> Task:
    """The call that computes a planned node."""
    return Task(
        fingerprint=node.fingerprint,
        name=node.name,
        label=node.label(),
        step=node.step,
        settings=node.settings,
        inputs={name: _ref_of(source) for name, source in node.inputs.items()},
        rows=tuple(ref_row(row) for row in node.rows),
        files=node.files,
        needs=node.needs,
        trace=node.trace_key(contents),
        contents=contents,
        identity=node.identity(),
        provenance=provenance,
        replace=replace,
        attempt=attempt,
        order=order,
        project=project,
    )


def ref_row(row: Row) -> RefRow:
    """One variant's results by their keys."""
    nodes = tuple((part.name, part.fingerprint, part.metrics) for part in row.nodes)
    return RefRow(variant=row.variant, params=row.params, nodes=nodes, status=row.status)


def _ref_of(source: InputOf) -> InputRef:
    if isinstance(source, Feed):
        return ResultRef(fingerprint=source.node.fingerprint, item=source.item)
    if isinstance(source, Spread):
        return RefsAcross(
            variants=source.variants,
            refs=tuple(ResultRef(fingerprint=feed.node.fingerprint, item=feed.item) for feed in source.feeds),
        )
    return tuple(ResultRef(fingerprint=feed.node.fingerprint, item=feed.item) for feed in source)
