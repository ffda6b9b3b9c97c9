"""What a store says of a result: the manifest, its written form and its check.

A manifest is one JSON object whose last field, `check`, is the SHA-256 of all bytes before it, so that a torn or rotten
manifest is told from a right one. Small JSON values stand in the manifest itself (in `codec`), larger ones in files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from etude.errors import StoreError
from etude.store.files.layout import SCHEMA

Json = Any
"""A JSON value: None, bool, int, float, str, or a list or str-keyed dict of such."""

_CHECK = b',"check":"'
_TAIL = len(_CHECK) + 64 + len(b'"}\n')


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the caller says of a result that it has stored."""

    trace: str
    """The trace key: identity with the inputs' content digests in place of their fingerprints."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Input → content digest of what was read there."""
    identity: Mapping[str, Json] = field(default_factory=dict)
    """All that the fingerprint was made of."""
    provenance: Mapping[str, Json] = field(default_factory=dict)
    """Where the result comes from: study, node, commit, host, packages."""
    cost: Mapping[str, Json] = field(default_factory=dict)
    """What it took; `wall_s` decides with the size whether the result is synced to the disk at once."""
    deterministic: bool = True
    observed: Mapping[str, str] = field(default_factory=dict)
    """What the step touched when it ran and its plan did not know → digest then. See `identity.observed`."""
    metrics: Mapping[str, object] = field(default_factory=dict)
    """The numbers of a result that is not made of numbers alone, by dotted name."""


class StoredFile(NamedTuple):
    """One data file of a result."""

    path: str
    """Relative to the result's folder, with forward slashes."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is stored under a fingerprint."""

    fingerprint: str
    content: str
    """Content digest: equal for equal values on every machine. See `content_digest`."""
    codec: Mapping[str, Json]
    """How the value is written, item by item."""
    files: tuple[StoredFile, ...]
    trace: str
    inputs: Mapping[str, str]
    identity: Mapping[str, Json]
    provenance: Mapping[str, Json]
    cost: Mapping[str, Json]
    deterministic: bool
    created: str
    """UTC, ISO 8601."""
    schema: int = SCHEMA
    observed: Mapping[str, str] = field(default_factory=dict)
    """What the step touched when it ran and its plan did not know → digest then; empty in older manifests."""

    @property
    def size(self) -> int:
        """Bytes of all data files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """Something stands under a fingerprint that is no sound result."""

    fingerprint: str
    reason: str


class Unreadable(ValueError):
    """Bytes that are no sound manifest; the message says why."""


def manifest_of(
    fingerprint: str, codec: Mapping[str, Json], files: Sequence[StoredFile], header: Header, at: datetime
) -> Manifest:
    """The manifest of a value that has been written."""
    return Manifest(
        fingerprint=fingerprint,
        content=content_digest(codec, files),
        codec=codec,
        files=tuple(sorted(files)),
        trace=header.trace,
        inputs=header.inputs,
        identity=header.identity,
        provenance=header.provenance,
        cost=header.cost,
        deterministic=header.deterministic,
        created=at.isoformat(),
        observed=header.observed,
    )


def content_digest(codec: Mapping[str, Json], files: Sequence[StoredFile]) -> str:
    """SHA-256 over the codec tree and the files' names, sizes and checksums.

    What a step can see of a value is in it, such as the order of a plain JSON object, and nothing else: neither times
    nor absolute paths, nor the order in which a composite's items were put in.
    """
    text = orjson.dumps([_unordered(codec), [list(file) for file in sorted(files)]], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as the bytes of `manifest.json`. StoreError where the header is not plain JSON."""
    fields = {
        "schema": manifest.schema,
        "fingerprint": manifest.fingerprint,
        "created": manifest.created,
        "content": manifest.content,
        "trace": manifest.trace,
        "deterministic": manifest.deterministic,
        "codec": manifest.codec,
        "files": [list(file) for file in manifest.files],
        "inputs": dict(manifest.inputs),
        "identity": dict(manifest.identity),
        "provenance": dict(manifest.provenance),
        "cost": dict(manifest.cost),
        **({"observed": dict(manifest.observed)} if manifest.observed else {}),
    }
    try:
        body = orjson.dumps(fields)[:-1]
    except TypeError as error:
        raise StoreError(f"result {manifest.fingerprint[:12]}: its header is not plain JSON: {error}") from error
    return body + _tail(body)


def manifest_from_bytes(data: bytes, fingerprint: str) -> Manifest:
    """The manifest in these bytes.

    Raises:
        Unreadable: They are cut, altered, or say another fingerprint.
        StoreError: A newer étude wrote them.
    """
    body = data[:-_TAIL]
    if data[-_TAIL:] != _tail(body):
        raise Unreadable(_why_unsound(data, fingerprint))
    found = orjson.loads(data)
    if found["schema"] != SCHEMA:
        raise _newer(fingerprint, found["schema"])
    if found["fingerprint"] != fingerprint:
        raise Unreadable(f"its manifest is that of {found['fingerprint'][:12]}")
    files = tuple(map(StoredFile._make, found["files"]))
    for path, _, _ in files:
        require_inside(path)
    return Manifest(
        fingerprint=fingerprint,
        content=found["content"],
        codec=found["codec"],
        files=files,
        trace=found["trace"],
        inputs=found["inputs"],
        identity=found["identity"],
        provenance=found["provenance"],
        cost=found["cost"],
        deterministic=found["deterministic"],
        created=found["created"],
        schema=SCHEMA,
        observed=found.get("observed", {}),
    )


def require_inside(path: str) -> None:
    """See that a path that a manifest names stays in the result's own folder. Unreadable where it does not."""
    if not path or path[0] == "/" or "\0" in path or (".." in path and ".." in path.split("/")):
        raise Unreadable(f"its manifest names a file outside of its folder: {path!r}")


def _tail(body: bytes) -> bytes:
    return b'%b%b"}\n' % (_CHECK, hashlib.sha256(body).hexdigest().encode())


def _why_unsound(data: bytes, fingerprint: str) -> str:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return f"its manifest is cut or overwritten ({len(data)} bytes, no JSON)"
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise _newer(fingerprint, schema)
    return "its manifest does not match its own check"


def _newer(fingerprint: str, schema: int) -> StoreError:
    return StoreError(
        f"result {fingerprint[:12]} was written by a newer étude (schema {schema}, this one reads {SCHEMA}).\n"
        "    Mend: update étude, or use another store."
    )


def _unordered(tree: Json) -> Json:
    """A codec tree without what only keeps the order of items. (Names of items are never keys of a tree.)"""
    if isinstance(tree, Mapping):
        return {key: _unordered(value) for key, value in tree.items() if key != "order"}
    return [_unordered(value) for value in tree] if isinstance(tree, list) else tree
