"""The store: results of nodes by fingerprint. One folder, safe to share between processes, users and hosts.

There is no database and no lock on the whole: a result appears by one rename and is checked against its checksums when
it is read, so that neither a kill nor a full disk nor a second writer can make a wrong value readable.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from etude.errors import DamagedArtifact, StoreError
from etude.store import commit, documents, gc, roots
from etude.store.codecs import decode, decode_item
from etude.store.files import artifact, disk
from etude.store.files.artifact import Content, Verified
from etude.store.files.faults import store_error
from etude.store.files.layout import MANIFEST, SCHEMA, Layout, is_own
from etude.store.files.manifest import Damaged, Header, Json, Manifest
from etude.store.files.owner import living
from etude.store.gc import Removed, Sweep
from etude.store.lease import Holder, Lease, Leases
from etude.store.roots import Registration

_DAY_S = 86400.0
_SWAPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a full check found under one fingerprint."""

    fingerprint: str
    damage: str | None
    """What is wrong; None where all is sound."""
    size: int
    """Bytes of data that were checked."""
    unknown: str | None = None
    """Why nothing can be said of it: a newer étude wrote it, or it cannot be read now."""


class Store:
    """A store of results. Make one with `Store.open`."""

    def __init__(self, root: Path, *, clock: Callable[[], datetime] | None = None) -> None:
        """
        Args:
            root: The store's folder, absolute.
            clock: The present time for manifests, with its zone; None for this machine's.
        """
        self.root = root
        self._layout = Layout(root=str(root))
        self._clock = clock or (lambda: datetime.now(UTC))
        self._leases = Leases(self._layout)
        self._verified = Verified()
        self._made = False

    @staticmethod
    def open(root: Path, *, create: bool = True) -> Store:
        """The store in a folder. A fresh one is made when something is first written, not before.

        Args:
            root: The store's folder.
            create: Whether a store that does not exist may come to be.

        Raises:
            StoreError: The folder cannot be read, is something else than a store, or is a store of a newer étude.
        """
        store = Store(Path(os.path.abspath(root)))
        store._made = _exists(store._layout)
        if not store._made and not create:
            raise StoreError(f"there is no store at {root}.\n    Mend: run a study first, or name the right folder.")
        return store

    def is_there(self) -> bool:
        """Whether the store can be seen, or has not come to be yet: a shared file system may go away for a while."""
        return not self._made or os.path.exists(self._layout.marker)

    def inspect(self, fingerprint: str) -> Manifest | Damaged | None:
        """What stands under a fingerprint: sound by its manifest and sizes, damaged, or nothing. Touches nothing.

        Raises:
            StoreError: It cannot be looked at, or is of a newer étude.
        """
        return artifact.inspect(self._layout, fingerprint)

    def folder(self, fingerprint: str) -> Path:
        """Where a result stands, or would stand. For people: what is there is checked by `read` alone."""
        return Path(self._layout.artifact(fingerprint))

    def commit(
        self,
        fingerprint: str,
        value: object,
        returns: object,
        header: Header,
        *,
        replace: bool = False,
        owned: Path | None = None,
    ) -> Manifest:
        """Store a result in one step. The first writer wins; a later one gets the standing manifest back.

        Args:
            fingerprint: Where.
            value: What the step returned.
            returns: Its return annotation; `object` where there is none.
            header: What else is to be said of it.
            replace: Put this result in the place of one that stands there.
            owned: Folder whose files may be moved into the store instead of copied: the step's scratch folder.

        Raises:
            StepError: The value has no codec, is not what the annotation says, or would not come back as it is.
            StoreError: The store cannot be written. Nothing half-written is left.
        """
        self._make()
        manifest = commit.commit(
            self._layout,
            fingerprint,
            value,
            returns,
            header,
            at=self._clock(),
            owned=None if owned is None else str(owned),
            replace=replace,
            quarantine=self.quarantine,
        )
        self._after(manifest)
        return manifest

    def adopt(self, fingerprint: str, source: str, header: Header, *, replace: bool = False) -> Manifest:
        """Give a fingerprint the same bytes as another result has, without copying where the disk allows that.

        Args:
            fingerprint: Which one.
            source: Fingerprint of the other result.
            header: What else is to be said of it.
            replace: Put it in the place of a result that stands there; otherwise that one stays.

        Raises:
            DamagedArtifact: The other result is not sound.
            StoreError: There is no other result, or the store cannot be written.
        """
        self._make()
        manifest = commit.adopt(
            self._layout,
            fingerprint,
            self._sound(source),
            header,
            at=self._clock(),
            replace=replace,
            quarantine=self.quarantine,
        )
        self._after(manifest)
        return manifest

    def traced(self, trace_key: str) -> str | None:
        """The fingerprint of a sound result with this trace key."""
        with self._doing(f"look up trace {trace_key[:12]}"):
            fingerprint = documents.trace(self._layout, trace_key)
        if fingerprint is None:
            return None
        found = self.inspect(fingerprint)
        return fingerprint if isinstance(found, Manifest) and found.trace == trace_key else None

    def read(self, fingerprint: str, *, item: str | None = None, as_type: object = object) -> Any:
        """A result, checked against its checksums; fresh or read-only.

        Args:
            fingerprint: Which.
            item: One item of a mapping or record; the others are not read where they have files of their own.
            as_type: The type to read it as; `object` for the stored one.

        Raises:
            StepError: There is no such item, or the value is not of that type.
            DamagedArtifact: What is stored is not what was written.
            StoreError: There is no such result, or it cannot be read.
        """
        for _ in range(_SWAPS):
            before = self._identity(fingerprint)
            try:
                manifest = self._sound(fingerprint)
                content = Content(self._layout.artifact(fingerprint), manifest, self._verified)
                with self._doing(f"read result {fingerprint[:12]}"):
                    tree = dict(manifest.codec)
                    if item is None:
                        value = decode(tree, content, as_type)
                    else:
                        value = decode_item(tree, content, item, as_type)
            except DamagedArtifact:
                if self._identity(fingerprint) == before:
                    raise
            else:
                if self._identity(fingerprint) == before:
                    return value
        raise StoreError(f"result {fingerprint[:12]} is replaced again and again while it is read")

    def quarantine(self, fingerprint: str, reason: str) -> Path | None:
        """Move a damaged result out of the way; where it is now, or None where another was faster."""
        target = f"{self._layout.quarantine}/{fingerprint}.{secrets.token_hex(6)}"
        told = orjson.dumps({"fingerprint": fingerprint, "reason": reason, "at": self._clock().isoformat()})
        with self._doing(f"quarantine result {fingerprint[:12]}"):
            disk.make_folders(self._layout.quarantine)
            try:
                os.rename(self._layout.artifact(fingerprint), target)
            except FileNotFoundError:
                return None
            disk.replace(f"{target}.json", told, self._layout.tmp)
        return Path(target)

    def verify(self, fingerprints: Iterable[str] | None = None) -> Iterator[Verification]:
        """Check the manifests and all bytes of results: of all, or of those named."""
        for fingerprint in self.entries() if fingerprints is None else fingerprints:
            try:
                found = self.inspect(fingerprint)
                damage = self._damage(found) if isinstance(found, Manifest) else None
            except StoreError as error:
                yield Verification(fingerprint=fingerprint, damage=None, size=0, unknown=str(error))
                continue
            if isinstance(found, Manifest):
                yield Verification(fingerprint=fingerprint, damage=damage, size=found.size)
            else:
                yield Verification(
                    fingerprint=fingerprint, damage=found.reason if found else "there is no such result", size=0
                )

    def gc(self, keep: Collection[str], *, dry_run: bool = False, older_than_s: float = _DAY_S) -> Removed:
        """Remove results that are not to be kept, and what is left over: see `Removed`.

        Never touches what is leased, what a living process writes, or what is younger than that.

        Args:
            keep: Fingerprints of results to keep.
            dry_run: Only say what would go.
            older_than_s: Age from which things may go, seconds.
        """
        if not self._made and not _exists(self._layout):
            return Removed()
        with self._doing("sweep"):
            sweep = Sweep(self._layout, self._leases, living, keep=keep, older_than_s=older_than_s, dry_run=dry_run)
            return sweep.run()

    def register(self, key: str, project: str, study: str, fingerprints: Collection[str]) -> None:
        """Say that a study of a project needs these results, so that no other project's sweep takes them."""
        self._make()
        with self._doing("register what a project needs"):
            roots.register(self._layout, key, project, study, fingerprints)

    def settle(self, key: str, needed: Mapping[str, Collection[str]]) -> None:
        """Have a project's registration say what its studies need (name → fingerprints), and nothing else."""
        with self._doing("register what a project needs"):
            roots.settle(self._layout, key, needed)

    def registrations(self) -> list[Registration]:
        """All projects that use the store, and what they need of it."""
        with self._doing("list the projects that use the store"):
            return roots.registrations(self._layout)

    def forget(self, key: str) -> None:
        """Take a project's registration away."""
        with self._doing("forget a project"):
            roots.forget(self._layout, key)

    def entries(self) -> Iterator[str]:
        """The fingerprints under which something stands, sorted; not looked at any further."""
        with self._doing("list results"):
            yield from gc.entries(self._layout)

    def put_note(self, kind: str, document: Json) -> str:
        """Keep a small JSON document that many results share; its digest, to be named in their headers.

        A note stays as long as a manifest, a failure or another such note names its digest.
        """
        self._make()
        with self._doing(f"write a note ({kind})"):
            return documents.put_note(self._layout, kind, document)

    def note(self, kind: str, digest: str) -> Json | None:
        """A document by its digest; None where there is none, or none that still has this digest."""
        with self._doing(f"read a note ({kind})"):
            return documents.note(self._layout, kind, digest)

    def record_failure(self, fingerprint: str, document: Mapping[str, Json]) -> None:
        """Keep what went wrong last with a node. It is no result: the node stays to be computed."""
        self._make()
        with self._doing(f"record the failure of {fingerprint[:12]}"):
            documents.record_failure(self._layout, fingerprint, document)

    def failure(self, fingerprint: str) -> dict[str, Json] | None:
        """What went wrong last with a node; None where nothing did, or where it has a result since."""
        with self._doing(f"read the failure of {fingerprint[:12]}"):
            return documents.failure(self._layout, fingerprint)

    def lease(self, fingerprint: str) -> Lease | Holder:
        """The right to compute a result, or who has it now. No lease is needed to commit."""
        self._make()
        return self._leases.take(fingerprint)

    def holder(self, fingerprint: str) -> Holder | None:
        """Who computes a result now; None where nobody living does."""
        with self._doing(f"look at the lease of {fingerprint[:12]}"):
            return self._leases.holder(fingerprint)

    def scratch(self, fingerprint: str) -> Path:
        """A folder of a node's own, kept between attempts; made where it is missing."""
        self._make()
        path = self._layout.scratch(fingerprint)
        with self._doing(f"make the scratch folder of {fingerprint[:12]}"):
            disk.make_folders(path)
        return Path(path)

    def drop_scratch(self, fingerprint: str) -> None:
        """Remove a node's own folder, and what its attempts have cost; harmless where there is none."""
        with self._doing(f"remove the scratch folder of {fingerprint[:12]}"):
            for folder in (self._layout.scratch(fingerprint), self._layout.attempts(fingerprint)):
                with suppress(FileNotFoundError):
                    disk.remove(folder, self._layout.tmp)

    def attempts(self, fingerprint: str) -> Path:
        """Where attempts at a node write down what they cost, until one succeeds; it need not be there."""
        return Path(self._layout.attempts(fingerprint))

    def _after(self, manifest: Manifest) -> None:
        """What is said of a result once it stands; a kill before this costs no more than an early cut-off."""
        with self._doing(f"write the trace of {manifest.fingerprint[:12]}"):
            documents.put_trace(self._layout, manifest.trace, manifest.fingerprint)
            documents.forget_failure(self._layout, manifest.fingerprint)

    def _sound(self, fingerprint: str) -> Manifest:
        found = self.inspect(fingerprint)
        if isinstance(found, Damaged):
            raise DamagedArtifact(fingerprint, found.reason)
        if found is None:
            raise StoreError(f"store {self.root}: there is no result {fingerprint[:12]}")
        return found

    def _damage(self, manifest: Manifest) -> str | None:
        content = Content(self._layout.artifact(manifest.fingerprint), manifest, Verified())
        try:
            with self._doing(f"check result {manifest.fingerprint[:12]}"):
                for file in manifest.files:
                    content.path(file.path)
        except DamagedArtifact as error:
            return error.reason
        return None

    def _identity(self, fingerprint: str) -> tuple[int, int] | None:
        """What tells a result from one that replaces it."""
        try:
            found = os.stat(f"{self._layout.artifact(fingerprint)}/{MANIFEST}")
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _make(self) -> None:
        if self._made:
            return
        with self._doing("make the store"):
            _make_root(str(self.root))
            if not _exists(self._layout):
                fresh = f"{self._layout.marker}.{secrets.token_hex(6)}"
                disk.write_new(fresh, orjson.dumps({"schema": SCHEMA}) + b"\n", 0o644)
                os.rename(fresh, self._layout.marker)
        self._made = True

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise store_error(error, str(self.root), what) from error


def _make_root(root: str) -> None:
    """Make the store's folder; in a folder that is shared by setgid with the mode of that, for its group."""
    above = os.path.dirname(root)
    os.makedirs(above, exist_ok=True)
    if os.stat(above).st_mode & stat.S_ISGID:
        disk.make_folders(root)
    else:
        os.makedirs(root, exist_ok=True)


def _exists(layout: Layout) -> bool:
    """Whether a store stands there. StoreError where something else does, or it cannot be used."""
    data = _marker(layout)
    if data is None:
        other = _first_entry(layout)
        if other is None:
            return False
        data = _marker(layout)  # another process may have made the store meanwhile; its marker comes before all else
        if data is None:
            raise StoreError(
                f"{layout.root} is not a store: it holds {other!r} and no store.json.\n"
                "    Mend: name an empty folder, or the folder of a store."
            )
    try:
        schema = orjson.loads(data)["schema"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise StoreError(
            f"{layout.marker} is no marker of a store (it says {data[:60]!r}).\n"
            f'    Mend: write {{"schema": {SCHEMA}}} into it, or name another folder.'
        ) from None
    if schema != SCHEMA:
        raise StoreError(
            f"store {layout.root} was made by a newer étude (schema {schema}, this one knows {SCHEMA}).\n"
            "    Mend: update étude, or name another store (`place.store`)."
        )
    return True


def _marker(layout: Layout) -> bytes | None:
    """What the marker of a store says; None where there is none."""
    try:
        return disk.read(layout.marker)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise store_error(error, layout.root, "open it") from error


def _first_entry(layout: Layout) -> str | None:
    """Something that stands in the folder and can be no store's; None where nothing does."""
    try:
        names = os.listdir(layout.root)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise store_error(error, layout.root, "open it") from error
    return min((name for name in names if not is_own(name)), default=None)
