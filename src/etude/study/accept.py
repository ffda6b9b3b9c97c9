"""Adopts old results for a change of code that the user vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from etude.errors import ConfigError, Fault
from etude.graph.explain import Earlier, Reason, ReasonKind, changes
from etude.graph.node import Made, Node, input_contents
from etude.graph.plan import State
from etude.store.files.manifest import Header, Manifest
from etude.store.store import Store
from etude.study.needed_results import register
from etude.study.prepare import PreparedStudy
from etude.study.result_history import ResultHistory, after, write_history


def accept_node(prepared: PreparedStudy, name: str, because: str) -> Mapping[str, tuple[Reason, ...]]:
    """Adopt the last result of every variant of a node whose code alone has changed.

    What it reads may have been made anew by other code, where the same bytes came of it.

    Args:
        prepared: The study, laid out and planned.
        name: The node.
        because: Why the change does not matter; kept in the manifest and told in the records.

    Returns:
        Label of each node adopted → what had changed.

    Raises:
        ConfigError: There is nothing to adopt, or more than the code has changed.
    """
    nodes = [node for node in prepared.expansion.named(name) if _to_run(prepared, node)]
    if not nodes:
        raise ConfigError([Fault(name, "nothing to accept: no variant of this node is to be run")])
    adoptions = [_adoption(prepared, node) for node in nodes]
    faults = [adoption for adoption in adoptions if isinstance(adoption, Fault)]
    if faults:
        raise ConfigError(faults)
    differences = {}
    for node, adoption in zip(nodes, adoptions, strict=True):
        assert not isinstance(adoption, Fault)
        manifest, differ = adoption
        prepared.store.adopt(node.fingerprint, manifest.fingerprint, _header(prepared, node, manifest, differ, because))
        differences[node.label()] = differ
    done = {node.fingerprint: None for node in nodes}
    history, workplace = prepared.history, prepared.workplace
    changed = after(history, nodes, done, history.run, history.file, str(prepared.store.root))
    write_history(workplace.etude, replace(changed, results={**history.results, **changed.results}))
    register(prepared.store, workplace.project, changed.study, done.keys())
    return differences


def earlier_result(store: Store, history: ResultHistory, node: Node) -> Earlier | None:
    """What a node's last result was made with; None where none is known."""
    fingerprint = history.last(node)
    manifest = store.inspect(fingerprint) if fingerprint else None
    if not isinstance(manifest, Manifest):
        return None
    note = manifest.provenance.get("symbols")
    document = store.note("symbols", str(note)) if note else None
    symbols = {str(key): str(value) for key, value in document.items()} if isinstance(document, Mapping) else {}
    return Earlier(fingerprint=manifest.fingerprint, identity=manifest.identity, symbols=symbols)


def _to_run(prepared: PreparedStudy, node: Node) -> bool:
    action = prepared.plan.by_fingerprint.get(node.fingerprint)
    return action is not None and action.state is State.RUN


def _adoption(prepared: PreparedStudy, node: Node) -> tuple[Manifest, tuple[Reason, ...]] | Fault:
    label = node.label()
    fingerprint = prepared.history.results.get(label)
    manifest = prepared.store.inspect(fingerprint) if fingerprint else None
    earlier = earlier_result(prepared.store, prepared.history, node)
    if not isinstance(manifest, Manifest) or earlier is None:
        return Fault(label, "there is no earlier result to adopt", mend="run it")
    differ = changes(node, earlier)
    seen = prepared.present.compare()(manifest.observed) if prepared.present is not None else ""
    if seen:
        return Fault(label, f"more than its code has changed: {seen}", mend="run it; only code can be vouched for")
    other = [change for change in differ if change.kind not in (ReasonKind.SYMBOL, ReasonKind.CODE)]
    if any(change.kind is ReasonKind.UPSTREAM for change in other):
        contents = _contents_read(prepared, node)
        if contents is None:
            return Fault(label, "what it reads is not in the store", mend="run or accept that first")
        if contents == manifest.inputs:  # made anew, with the same bytes
            other = [change for change in other if change.kind is not ReasonKind.UPSTREAM]
    if other:
        text = "; ".join(map(str, other))
        return Fault(label, f"more than its code has changed: {text}", mend="run it; only code can be vouched for")
    return manifest, differ


def _contents_read(prepared: PreparedStudy, node: Node) -> dict[str, str] | None:
    """The content digest of each input as it is stored now; None where one is not there."""
    upstream = {}
    for other in node.upstream():
        manifest = prepared.store.inspect(other.fingerprint)
        if isinstance(manifest, Manifest):
            upstream[other.fingerprint] = Made.of(manifest)
    return input_contents(node, upstream)


def _header(
    prepared: PreparedStudy, node: Node, manifest: Manifest, differ: tuple[Reason, ...], because: str
) -> Header:
    contents = _contents_read(prepared, node)
    if contents is None:
        raise ConfigError([Fault(node.label(), "what it reads is not in the store", mend="run or accept that first")])
    accepted = {"from": manifest.fingerprint, "because": because, "changes": [str(change) for change in differ]}
    provenance = {**manifest.provenance, "accepted": accepted}
    if node.use is not None:
        provenance["symbols"] = prepared.store.put_note("symbols", dict(node.use.symbols.symbols))
    return Header(
        trace=node.trace_key(contents),
        inputs=contents,
        identity=node.identity(),
        provenance=provenance,
        cost=manifest.cost,
        deterministic=manifest.deterministic,
        observed=manifest.observed,
    )
