"""A planned node: one use of a step with its settings and inputs, and the fingerprint that follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from etude.graph.labels import text_of
from etude.graph.library import StepUse
from etude.graph.pipeline import RECORDS as RECORDS
from etude.graph.pipeline import Needs
from etude.identity.canonical import canonical
from etude.store.codecs import classes_in
from etude.store.files.manifest import Manifest

SCHEMA = "etude/1"
"""Enters every fingerprint: a change of the scheme itself makes every result a new one."""

RECORDS_STEP = "etude:records/1"


class Feed(NamedTuple):
    """One result, or one item of it."""

    node: Node
    item: str | None = None


class Spread(NamedTuple):
    """The results of one node across all variants."""

    variants: tuple[Mapping[str, object], ...]
    feeds: tuple[Feed, ...]


class Row(NamedTuple):
    """One variant, as the table of records tells it."""

    variant: str
    params: Mapping[str, object]
    nodes: tuple[Node, ...]
    status: str = ""
    """What became of a variant that has no results and will have none; empty for all others."""


InputOf = Feed | tuple[Feed, ...] | Spread


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """One planned node. Nodes with the same fingerprint are one node, whoever asked for them."""

    name: str
    step: str
    """`module:function`."""
    use: StepUse | None
    """The step itself; None for the built-in table of records."""
    settings: Mapping[str, object]
    """As the study gives them, params filled in: JSON values."""
    settings_text: str
    """Canonical form of all settings that bear identity, defaults included."""
    code: str
    """Digest of the code reached, or the version stated by hand."""
    pins: tuple[str, ...]
    inputs: Mapping[str, InputOf]
    needs: Needs
    params: Mapping[str, object]
    """The params that this node depends on, through itself or what it reads."""
    rows: tuple[Row, ...] = ()
    metrics: bool = False
    """Whether its result is metrics, which go into the record."""
    declared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What its step says of these metrics: name → `unit` and `better`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Absolute path of each file or folder that its settings name → digest of its content."""
    study: str = ""
    """The study that it is a node of, where that is another than the one planned."""
    fingerprint: str = field(init=False)
    _upstream: tuple[Node, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.fingerprint = self._fingerprint()
        nodes = [feed[0] for feed in self.feeds()]
        for row in self.rows:
            nodes.extend(row.nodes)
        self._upstream = tuple({node.fingerprint: node for node in nodes}.values()) if len(nodes) > 1 else tuple(nodes)

    def _fingerprint(self) -> str:
        lines = [SCHEMA, self.step, self.code, self.settings_text, *self.pins]
        lines += [f"{name}<{_identity_of(source)}" for name, source in self.inputs.items()]
        lines += [_identity_of_row(row) for row in self.rows]
        return sha256("\n".join(lines).encode()).hexdigest()

    def feeds(self) -> list[Feed]:
        """Every single result that this node reads, in order."""
        found: list[Feed] = []
        for source in self.inputs.values():
            if isinstance(source, Feed):
                found.append(source)
            else:
                found.extend(source.feeds if isinstance(source, Spread) else source)
        return found

    def upstream(self) -> tuple[Node, ...]:
        """The nodes that this node reads, each once, in order."""
        return self._upstream

    def label(self) -> str:
        """The node's title with the params that it depends on: `model pooling=max seed=0`."""
        return " ".join([self.title, *(f"{name}={text_of(value)}" for name, value in self.params.items())])

    @property
    def title(self) -> str:
        """The node's name, as other studies write it where it is of another study: `@search/model`."""
        return f"@{self.study}/{self.name}" if self.study else self.name

    def identity(self) -> dict[str, object]:
        """What the fingerprint was made of, to be kept beside the result and compared later."""
        return {
            "schema": SCHEMA,
            "step": self.step,
            "code": self.code,
            "settings": self.settings_text,
            "pins": list(self.pins),
            "inputs": {
                **{name: _identity_of(source) for name, source in self.inputs.items()},
                **{f"variant {row.variant}": _identity_of_row(row) for row in self.rows},
            },
        }

    def trace_key(self, contents: Mapping[str, str]) -> str:
        """The identity with the inputs' content digests in place of their fingerprints.

        Args:
            contents: Input name → content digest, as `input_contents` gives it.
        """
        lines = [SCHEMA, "trace", self.step, self.code, self.settings_text, *self.pins]
        lines += [f"{name}<{digest}" for name, digest in contents.items()]
        return sha256("\n".join(lines).encode()).hexdigest()


def _identity_of_row(row: Row) -> str:
    nodes = "\n".join(f"{node.name} {node.fingerprint}" for node in row.nodes)
    status = f"\n{row.status}" if row.status else ""
    return sha256(f"{_params_text(row.params)}\n{nodes}{status}".encode()).hexdigest()


def _identity_of(source: InputOf) -> str:
    if isinstance(source, Feed):
        return _feed_text(source, source.node.fingerprint)
    if isinstance(source, Spread):
        return (
            " ".join(map(_params_text, source.variants))
            + "|"
            + " ".join(_feed_text(feed, feed.node.fingerprint) for feed in source.feeds)
        )
    return "[" + " ".join(_feed_text(feed, feed.node.fingerprint) for feed in source) + "]"


def _feed_text(feed: Feed, digest: str) -> str:
    return f"{digest}.{feed.item}" if feed.item else digest


def _params_text(params: Mapping[str, object]) -> str:
    return canonical(dict(params))


class Made(NamedTuple):
    """What is known of a stored result: what it is and, for the records, what it cost."""

    content: str
    cost: Mapping[str, object]
    accepted: bool = False
    """Whether it was adopted from other code that the user vouched for."""
    classes: frozenset[str] = frozenset()
    """The classes that the value is made of, whose code a reader of it may run: `module:Name`."""

    @staticmethod
    def of(manifest: Manifest) -> Made:
        """The same from a manifest."""
        accepted = bool(manifest.provenance.get("accepted"))
        return Made(manifest.content, manifest.cost, accepted, classes_in(manifest.codec))


def input_contents(node: Node, made: Mapping[str, Made]) -> dict[str, str] | None:
    """The content digest of each input; None where some input's result is not there.

    Equal bytes are equal inputs only if the reader's own code tells all code that it can run on them. An object whose
    class the reader never names (it takes `Any`, a protocol or a base class) brings code of its own: it counts with the
    fingerprint of the node that gave it, in which that code is.

    Args:
        made: Fingerprint → content digest and cost of the stored result.
    """
    try:
        contents = {name: _content_of(source, made, node.use) for name, source in node.inputs.items()}
        if node.rows:
            contents["rows"] = _content_of_rows(node.rows, made)
    except KeyError:
        return None
    return contents


def _content_of_rows(rows: tuple[Row, ...], made: Mapping[str, Made]) -> str:
    digest = sha256()
    known: dict[str, bytes] = {}
    for row in rows:
        digest.update(f"{row.variant} {row.status}".encode() if row.status else row.variant.encode())
        for part in row.nodes:
            if part.fingerprint not in known:
                result = made[part.fingerprint]
                cost = json.dumps(result.cost, sort_keys=True)
                accepted = " accepted" if result.accepted else ""
                known[part.fingerprint] = f"\n{part.name}={result.content} {cost}{accepted}".encode()
            digest.update(known[part.fingerprint])
    return digest.hexdigest()


def _content_of(source: InputOf, made: Mapping[str, Made], reader: StepUse | None) -> str:
    if isinstance(source, Feed):
        return _feed_text(source, _seen_by(reader, source.node, made))
    feeds = source.feeds if isinstance(source, Spread) else source
    text = " ".join(_feed_text(feed, _seen_by(reader, feed.node, made)) for feed in feeds)
    if isinstance(source, Spread):
        text += "|" + " ".join(map(_params_text, source.variants))
    return sha256(text.encode()).hexdigest()


def _seen_by(reader: StepUse | None, node: Node, made: Mapping[str, Made]) -> str:
    result = made[node.fingerprint]
    if not result.classes or reader is None or all(map(reader.symbols.covers, result.classes)):
        return result.content
    return f"{result.content}~{node.fingerprint}"
