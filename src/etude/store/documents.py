"""Small JSON documents beside the results: notes that many results share, failures, and trace keys."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Mapping

import orjson

from etude.errors import StoreError
from etude.store.files import disk
from etude.store.files.layout import MANIFEST, Layout, is_digest
from etude.store.files.manifest import Json

_KIND = re.compile(r"[a-z][a-z0-9_-]*")


def put_note(layout: Layout, kind: str, document: Json) -> str:
    """Keep a document under the digest of its canonical form, once for all; the digest."""
    _require_kind(kind)
    data = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(data).hexdigest()
    path = layout.note(kind, digest)
    if not _has_size(path, len(data)):
        disk.replace(path, data, layout.tmp)
    return digest


def note(layout: Layout, kind: str, digest: str) -> Json | None:
    """A document by its digest; None where there is none, or none that still has this digest."""
    _require_kind(kind)
    try:
        data = disk.read(layout.note(kind, digest))
    except FileNotFoundError:
        return None
    return orjson.loads(data) if hashlib.sha256(data).hexdigest() == digest else None


def record_failure(layout: Layout, fingerprint: str, document: Mapping[str, Json]) -> None:
    """Keep what went wrong last with a node. Never a result: the node stays to be computed."""
    disk.replace(layout.failure(fingerprint), orjson.dumps(dict(document)), layout.tmp)


def failure(layout: Layout, fingerprint: str) -> dict[str, Json] | None:
    """What went wrong last; None where nothing did, or where the record of it is torn."""
    try:
        found = orjson.loads(disk.read(layout.failure(fingerprint)))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def forget_failure(layout: Layout, fingerprint: str) -> None:
    """A node has a result now."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(layout.failure(fingerprint))


def put_trace(layout: Layout, key: str, fingerprint: str) -> None:
    """Say which result has a trace key; the latest word counts.

    A link to the result's own manifest says it without a file of its own, which would cost as much as the result;
    where links are impossible, it is a file that holds the fingerprint.
    """
    path, manifest = layout.trace(key), f"{layout.artifact(fingerprint)}/{MANIFEST}"
    try:
        disk.with_folder(lambda: os.link(manifest, path), os.path.dirname(path))
    except FileExistsError:
        if trace(layout, key) != fingerprint:
            disk.replace(path, fingerprint.encode(), layout.tmp)
    except OSError as error:
        if error.errno not in {*disk.NO_LINKS, errno.ENOENT}:
            raise
        disk.replace(path, fingerprint.encode(), layout.tmp)


def trace(layout: Layout, key: str) -> str | None:
    """The fingerprint that was noted for a trace key."""
    try:
        return fingerprint_of_trace(disk.read(layout.trace(key)))
    except FileNotFoundError:
        return None


def fingerprint_of_trace(data: bytes) -> str | None:
    """The fingerprint in a trace's bytes: a manifest, or the bare text. None where they are torn."""
    if not data.startswith(b"{"):
        text = data.decode("ascii", "replace")
        return text if is_digest(text) else None
    try:
        found = orjson.loads(data)["fingerprint"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and is_digest(found) else None


def _require_kind(kind: str) -> None:
    if _KIND.fullmatch(kind) is None:
        raise StoreError(f"{kind!r} is no kind of note: expected a lower-case word, for it names a folder")


def _has_size(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
