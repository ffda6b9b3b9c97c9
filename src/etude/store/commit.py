"""Putting results into place: written apart, made a result by one rename. The first writer wins."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from etude.errors import DamagedArtifact, StoreError
from etude.store.codecs import encode
from etude.store.files import disk
from etude.store.files.artifact import inspect
from etude.store.files.draft import Draft
from etude.store.files.faults import store_error
from etude.store.files.layout import Layout
from etude.store.files.manifest import Header, Manifest, manifest_bytes, manifest_of

_LARGE = 1_000_000
_LONG_S = 10.0
_ATTEMPTS = 20
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST}

Quarantine = Callable[[str, str], object]
"""Moves what stands under a fingerprint out of the way, for a reason."""


def commit(
    layout: Layout,
    fingerprint: str,
    value: Any,
    returns: object,
    header: Header,
    *,
    at: datetime,
    owned: str | None,
    replace: bool,
    quarantine: Quarantine,
) -> Manifest:
    """Store a value. The manifest of what then stands there: another writer's, where that one was first.

    Raises:
        StepError: The value cannot be stored.
        StoreError: The store cannot be written. Nothing is left under the fingerprint.
    """
    if not replace and isinstance(standing := inspect(layout, fingerprint), Manifest):
        return standing
    with _drafting(layout, fingerprint, owned) as draft:
        tree = encode(value, returns, draft)
        if header.metrics and not tree.get("metrics"):
            tree["metrics"] = json.dumps(dict(header.metrics))  # as text, for it may hold NaN and the infinities
        manifest = manifest_of(fingerprint, tree, draft.files, header, at)
        return _publish(draft, layout, manifest, replace=replace, quarantine=quarantine)


def adopt(
    layout: Layout,
    fingerprint: str,
    source: Manifest,
    header: Header,
    *,
    at: datetime,
    replace: bool,
    quarantine: Quarantine,
) -> Manifest:
    """Store another result's bytes under a fingerprint of their own.

    Raises:
        DamagedArtifact: The other result has lost files, or changed where it had to be copied.
        StoreError: The store cannot be written. Nothing is left under the fingerprint.
    """
    if not replace and isinstance(standing := inspect(layout, fingerprint), Manifest):
        return standing
    folder = layout.artifact(source.fingerprint)
    with _drafting(layout, fingerprint, None) as draft:
        try:
            draft.take_over(folder, source.files)
        except FileNotFoundError as error:
            raise DamagedArtifact(source.fingerprint, f"data file {error.filename} is missing") from error
        if sorted(draft.files) != sorted(source.files):
            raise DamagedArtifact(source.fingerprint, "a data file does not match its checksum")
        if inspect(layout, source.fingerprint) != source:
            raise DamagedArtifact(source.fingerprint, "it was replaced while it was adopted")
        manifest = manifest_of(fingerprint, source.codec, draft.files, header, at)
        return _publish(draft, layout, manifest, replace=replace, quarantine=quarantine)


@contextlib.contextmanager
def _drafting(layout: Layout, fingerprint: str, owned: str | None) -> Iterator[Draft]:
    """A draft that is gone when this ends, unless it became a result."""
    draft = Draft(disk.temporary(layout.tmp), owned)
    try:
        yield draft
    except OSError as error:
        draft.undo()
        raise store_error(error, layout.root, f"write result {fingerprint[:12]}") from error
    except BaseException:
        draft.undo()
        raise


def _publish(draft: Draft, layout: Layout, manifest: Manifest, *, replace: bool, quarantine: Quarantine) -> Manifest:
    durable = _is_precious(manifest)
    draft.finish(manifest_bytes(manifest), durable=durable)
    final = layout.artifact(manifest.fingerprint)
    standing = _settle(draft, layout, manifest.fingerprint, replace=replace, quarantine=quarantine)
    if standing is not None:
        disk.discard(draft.folder)
        return standing
    if durable:
        disk.sync(os.path.dirname(final))
    return manifest


def _settle(
    draft: Draft, layout: Layout, fingerprint: str, *, replace: bool, quarantine: Quarantine
) -> Manifest | None:
    """Rename a finished draft into place. What stands there instead, where another was first."""
    final = layout.artifact(fingerprint)
    for _ in range(_ATTEMPTS):
        try:
            disk.with_folder(lambda: os.rename(draft.folder, final), os.path.dirname(final))
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
        else:
            return None
        standing = inspect(layout, fingerprint)
        if not isinstance(standing, Manifest):
            quarantine(fingerprint, standing.reason if standing else "a folder without a manifest")
        elif not replace:
            return standing
        else:
            with contextlib.suppress(FileNotFoundError):
                disk.remove(final, layout.tmp)
    raise StoreError(f"result {fingerprint[:12]}: others kept writing it; gave up after {_ATTEMPTS} attempts")


def _is_precious(manifest: Manifest) -> bool:
    """Whether a result is worth waiting for the disk: large, or long in the making."""
    wall_s = manifest.cost.get("wall_s")
    return manifest.size > _LARGE or (isinstance(wall_s, int | float) and wall_s > _LONG_S)
