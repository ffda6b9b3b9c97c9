"""All that a report tells of one study, read once; everything after this is text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from etude.analysis.aggregation import summarise
from etude.analysis.records import rows_of
from etude.analysis.summary import StudySummary
from etude.errors import EtudeError
from etude.execute.record_table import current_records
from etude.graph.node import RECORDS, Node
from etude.redaction.names import names_a_secret
from etude.report.charts.gallery import Gallery, Row, gallery
from etude.report.charts.search.charts import SearchCharts, charts_of_study
from etude.report.tables.summaries import summaries_of
from etude.store.files.manifest import Damaged, Manifest
from etude.study.prepare import PreparedStudy

WITHHELD = "(withheld)"
"""In place of a value whose name says that it is secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """One node's result, or that there is none."""

    label: str
    name: str
    step: str
    fingerprint: str
    state: str
    """`stored`, `damaged`, `failed` or `absent`."""
    reason: str
    """Why it is not stored."""
    settings: Mapping[str, object]
    code: str
    """Digest of the code that it reaches."""
    reads: tuple[str, ...]
    """Labels of the nodes that it reads."""
    cost: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""
    created: str = ""
    size: int = 0
    deterministic: bool = True
    observed: Mapping[str, str] = field(default_factory=dict)
    """What its step touched when it ran, and its plan did not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSummary:
    """A summary with its charts."""

    title: str
    summary: StudySummary
    gallery: Gallery


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBox:
    """A node as written: all its results together."""

    name: str
    step: str
    results: int
    stored: int
    kind: str
    """`pipeline`, `collect`, `records` or `other study`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFindings:
    """One study, as far as it has been run."""

    title: str
    study: str
    description: str
    file: str
    varied: tuple[str, ...]
    summaries: tuple[NamedSummary, ...]
    rows: tuple[Row, ...]
    """The records, one for each variant."""
    nodes: Mapping[str, NodeResult]
    """By fingerprint."""
    variants: tuple[tuple[str, ...], ...]
    """For each row the fingerprints of its nodes."""
    boxes: tuple[NodeBox, ...]
    edges: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    search: SearchCharts | None = None
    """What its search came to, where it has one with trials that ended."""

    @property
    def done(self) -> int:
        """Variants with all their results."""
        return sum(row["status"] == "done" for row in self.rows)


def findings(prepared: PreparedStudy, title: str = "") -> StudyFindings:
    """Read a study's records, summaries and manifests. Nothing is run."""
    table = current_records(prepared.store, prepared.expansion.records)
    rows: list[Row] = rows_of(table)
    notes: list[str] = []
    summaries = dict(summaries_of(prepared))
    if any(not _is_stored(prepared, name) for name in summaries):
        notes.append(f"{_why_no_table(prepared)}: these means were made for this report")
    if not summaries and any(row["status"] == "done" for row in rows):
        try:
            summaries = {"all records": summarise(table)}
            notes.append(f"{_why_no_table(prepared)}: these means were made for this report")
        except EtudeError as error:
            notes.append(f"no means: {error}")
    study = prepared.study
    boxes, edges = _graph(prepared)
    named = tuple(
        NamedSummary(title=name, summary=summary, gallery=gallery(prepared, summary, rows))
        for name, summary in summaries.items()
    )
    notes += dict.fromkeys(note for each in named for note in each.gallery.notes)
    return StudyFindings(
        title=title or study.name,
        study=study.name,
        description=study.description,
        file=study.file.name if study.file else "",
        varied=tuple(dict.fromkeys([*study.vary.grid, *(key for point in study.vary.points for key in point)])),
        summaries=named,
        rows=tuple(map(without_secrets, rows)),
        nodes={node.fingerprint: _finding(prepared, node) for node in _all_nodes(prepared)},
        variants=tuple(tuple(node.fingerprint for node in row.values()) for row in prepared.expansion.nodes),
        boxes=boxes,
        edges=edges,
        notes=(*notes, *_unfinished(rows)),
        search=charts_of_study(prepared),
    )


def _is_stored(prepared: PreparedStudy, name: str) -> bool:
    node = prepared.expansion.collect[name]
    return isinstance(prepared.store.inspect(node.fingerprint), Manifest)


def _why_no_table(prepared: PreparedStudy) -> str:
    uses = [node.use for node in prepared.expansion.collect.values()]
    own = any(use is not None and use.signature.returns is StudySummary for use in uses)
    return "the study's table is not computed yet" if own else "the study has no table of its own"


def _unfinished(rows: Sequence[Row]) -> Iterator[str]:
    missing = sum(row["status"] != "done" for row in rows)
    if missing:
        yield f"{missing} of {len(rows)} variants are not done: what is shown is of what there is"
    accepted = {name for row in rows for name in str(row.get("accepted") or "").split()}
    if accepted:
        yield f"results of earlier code were adopted by hand for: {', '.join(sorted(accepted))}"


def _all_nodes(prepared: PreparedStudy) -> Iterator[Node]:
    expansion = prepared.expansion
    for row in expansion.nodes:
        yield from row.values()
    yield expansion.records
    yield from expansion.collect.values()


def _finding(prepared: PreparedStudy, node: Node) -> NodeResult:
    manifest = prepared.store.inspect(node.fingerprint)
    reads = tuple(other.label() for other in node.upstream()) if node.name != RECORDS else ()
    settings = without_secrets(node.settings)
    failure = None if isinstance(manifest, Manifest) else prepared.store.failure(node.fingerprint)
    if isinstance(manifest, Manifest):
        state, reason = "stored", ""
    elif isinstance(manifest, Damaged):
        state, reason = "damaged", manifest.reason
    elif failure is not None:
        state, reason = "failed", str(failure.get("error", ""))
    else:
        state, reason = "absent", "not computed as code and settings are now"
    result = NodeResult(
        label=node.label(),
        name=node.name,
        step=node.step,
        fingerprint=node.fingerprint,
        state=state,
        reason=reason,
        settings=settings,
        code=node.code,
        reads=reads,
    )
    if not isinstance(manifest, Manifest):
        return result
    return replace(
        result,
        cost=manifest.cost,
        provenance=manifest.provenance,
        content=manifest.content,
        created=manifest.created,
        size=manifest.size,
        deterministic=manifest.deterministic,
        observed=manifest.observed,
    )


def _graph(prepared: PreparedStudy) -> tuple[tuple[NodeBox, ...], tuple[tuple[str, str], ...]]:
    """The nodes as written and what reads what."""
    by_name: dict[str, dict[str, Node]] = {}
    for node in _all_nodes(prepared):
        by_name.setdefault(node.name, {})[node.fingerprint] = node
    own = {fingerprint for nodes in by_name.values() for fingerprint in nodes}
    boxes = {name: _box(prepared, name, nodes) for name, nodes in by_name.items()}
    edges: dict[tuple[str, str], None] = {}
    for name, nodes in by_name.items():
        for node in nodes.values():
            for other in _shown_upstream(node):
                source = other.name if other.fingerprint in own else f"@{other.name}"
                if source not in boxes:
                    boxes[source] = NodeBox(name=source, step=other.step, results=1, stored=1, kind="other study")
                edges[source, name] = None
    return tuple(boxes.values()), tuple(edges)


def _shown_upstream(node: Node) -> list[Node]:
    """What a node reads; of the records only the metrics, for they read everything."""
    if node.name != RECORDS:
        return list(node.upstream())
    return [other for other in node.upstream() if other.metrics]


def _box(prepared: PreparedStudy, name: str, nodes: Mapping[str, Node]) -> NodeBox:
    kind = "records" if name == RECORDS else "collect" if name in prepared.expansion.collect else "pipeline"
    stored = sum(isinstance(prepared.store.inspect(fingerprint), Manifest) for fingerprint in nodes)
    return NodeBox(name=name, step=next(iter(nodes.values())).step, results=len(nodes), stored=stored, kind=kind)


def without_secrets(value: Any) -> Any:
    """What may be mailed and published: the same without texts under telling names (`api_key`, `hub_token`)."""
    if isinstance(value, Mapping):
        return {name: WITHHELD if _is_secret(name, inner) else without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(inner) for inner in value]
    return value


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and bool(value) and names_a_secret(str(name), value)
