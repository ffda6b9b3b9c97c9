"""Sweeping a store: what nothing needs goes, what anyone works on stays."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from etude.store.documents import fingerprint_of_trace
from etude.store.files import disk
from etude.store.files.layout import ATTEMPTS, MANIFEST, Layout, is_digest
from etude.store.files.owner import Liveness, Owner
from etude.store.lease import Lease, Leases

_FORGOTTEN_S = 3600.0
"""Age from which a trace of a process on another machine is that of a dead one, seconds."""
_DIGESTS = re.compile(rb"[0-9a-f]{64}")


@dataclass(slots=True, kw_only=True)
class Removed:
    """What a sweep removed, or would remove."""

    artifacts: list[str] = field(default_factory=list)
    """Fingerprints of results."""
    bytes: int = 0
    """Bytes freed, of everything; a file that other results share counts when its last link goes."""
    traces: int = 0
    notes: int = 0
    failures: int = 0
    scratch: int = 0
    quarantined: int = 0
    temporary: int = 0
    leases: int = 0

    def __bool__(self) -> bool:
        return bool(self.artifacts) or self.things > 0

    @property
    def things(self) -> int:
        """How many things beside results."""
        return sum(
            (self.traces, self.notes, self.failures, self.scratch, self.quarantined, self.temporary, self.leases)
        )


def entries(layout: Layout, *, linked: bool = True) -> Iterator[str]:
    """The fingerprints under which something stands, sorted; of shards that are links to folders only where asked."""
    for shard in disk.entries_of(layout.root):
        if len(shard.name) == 2 and shard.is_dir(follow_symlinks=linked):
            yield from (entry.name for entry in disk.entries_of(shard.path) if is_digest(entry.name))


class Sweep:
    """One sweep of a store."""

    def __init__(
        self,
        layout: Layout,
        leases: Leases,
        is_living: Liveness,
        *,
        keep: Collection[str],
        older_than_s: float,
        dry_run: bool,
    ) -> None:
        self._layout = layout
        self._leases = leases
        self._is_living = is_living
        self._keep = frozenset(keep)
        self._dry_run = dry_run
        now_s = time.time() if dry_run else disk.now(layout.tmp)
        self._before_s = now_s - older_than_s
        self._forgotten_s = now_s - max(older_than_s, _FORGOTTEN_S)
        self._links: dict[tuple[int, int], int] = {}
        self._gone: set[str] = set()
        self.removed = Removed()

    def run(self) -> Removed:
        """Sweep results first, then what only they needed.

        What stands behind a link that the user put in the place of a shard is left alone: it may be on another disk,
        or belong to others.
        """
        for fingerprint in entries(self._layout, linked=False):
            if fingerprint not in self._keep:
                self._sweep_artifact(fingerprint)
        self.removed.traces = self._sweep_files(self._layout.traces, self._is_dangling_trace)
        self.removed.failures = self._sweep_files(self._layout.failures, lambda path: _named_in(path, self._keep))
        self.removed.notes = self._sweep_notes()
        self._sweep_scratch()
        self._sweep_quarantine()
        self._sweep_temporary()
        self._sweep_leases()
        return self.removed

    def _sweep_artifact(self, fingerprint: str) -> None:
        folder = self._layout.artifact(fingerprint)
        if not self._is_old(folder):
            return
        with self._leased(fingerprint) as ours:
            # Looked at again: it may have been replaced between the first look and the lease.
            if ours and self._is_old(folder):
                self._count(folder)
                self.removed.artifacts.append(fingerprint)
                self._gone.add(fingerprint)
                if not self._dry_run:
                    with contextlib.suppress(FileNotFoundError):
                        disk.remove(folder, self._layout.tmp)

    def _sweep_files(self, root: str, is_needless: Callable[[str], bool]) -> int:
        """Remove the old small files below a folder that nothing needs; how many."""
        count = 0
        for entry in disk.shard_entries(root):
            if self._is_old(entry.path) and is_needless(entry.path):
                count += 1
                self._drop_file(entry.path)
        return count

    def _is_dangling_trace(self, path: str) -> bool:
        try:
            fingerprint = fingerprint_of_trace(disk.read(path))
        except FileNotFoundError:
            return False
        if fingerprint is None or fingerprint in self._gone:
            return True
        return not os.path.exists(f"{self._layout.artifact(fingerprint)}/{MANIFEST}")

    def _sweep_notes(self) -> int:
        """Remove notes whose digest no remaining manifest, failure or note names."""
        named: set[str] | None = None
        count = 0
        for kind in disk.entries_of(self._layout.notes):
            for entry in disk.shard_entries(kind.path):
                if self._is_old(entry.path):
                    named = self._named_digests() if named is None else named
                    if entry.name.removesuffix(".json") not in named:
                        count += 1
                        self._drop_file(entry.path)
        return count

    def _named_digests(self) -> set[str]:
        layout = self._layout
        paths = [f"{layout.artifact(name)}/{MANIFEST}" for name in entries(layout) if name not in self._gone]
        paths += [entry.path for entry in disk.shard_entries(layout.failures)]
        named = {digest for path in paths for digest in _digests_in(path)}
        notes = {
            entry.name.removesuffix(".json"): entry.path
            for kind in disk.entries_of(layout.notes)
            for entry in disk.shard_entries(kind.path)
        }
        fresh = named & notes.keys()
        while fresh:
            found = {digest for name in fresh for digest in _digests_in(notes[name])} - {*fresh}
            fresh = (found & notes.keys()) - named
            named |= found
        return named

    def _sweep_scratch(self) -> None:
        for entry in disk.shard_entries(self._layout.scratches):
            name = entry.name.removesuffix(ATTEMPTS)
            if is_digest(name) and name not in self._keep and _newest(entry.path) < self._before_s:
                with self._leased(name) as ours:
                    if ours:
                        self.removed.scratch += 1
                        self._drop_folder(entry.path)

    def _sweep_quarantine(self) -> None:
        for entry in disk.entries_of(self._layout.quarantine):
            if entry.name.endswith(".json") and self._is_old(entry.path):
                self.removed.quarantined += 1
                self._drop_folder(entry.path.removesuffix(".json"))
                self._drop_file(entry.path)

    def _sweep_temporary(self) -> None:
        for entry in disk.entries_of(self._layout.tmp):
            owner = Owner.parse(entry.name.rpartition(".")[0])
            alive = self._is_living(owner) if owner else None
            if alive is False or (alive is None and _newest(entry.path) < self._forgotten_s):
                self.removed.temporary += 1
                self._count(entry.path)
                if not self._dry_run:
                    disk.discard(entry.path)

    def _sweep_leases(self) -> None:
        """Remove what dead holders left. Leases of the living are never touched."""
        for entry in disk.shard_entries(self._layout.leases):
            fingerprint = entry.name.partition("~")[0]
            if is_digest(fingerprint) and self._is_old(entry.path) and self._leases.holder(fingerprint) is None:
                self.removed.leases += 1
                if not self._dry_run:
                    self._drop_lease(entry.path, fingerprint)
        for entry in disk.entries_of(self._layout.holders):
            owner = Owner.parse(entry.name.removesuffix(".json"))
            alive = self._is_living(owner) if owner else None
            if alive is False or (alive is None and _newest(entry.path) < self._forgotten_s):
                self._drop_file(entry.path)

    def _drop_lease(self, path: str, fingerprint: str) -> None:
        lease = self._leases.take(fingerprint)
        if isinstance(lease, Lease):
            lease.release()
            if path != self._layout.lease(fingerprint):
                self._drop_file(path)

    @contextlib.contextmanager
    def _leased(self, fingerprint: str) -> Iterator[bool]:
        """Hold the lease of what is removed, so that nobody works on it; whether that could be had."""
        if self._dry_run:
            yield self._leases.holder(fingerprint) is None
            return
        lease = self._leases.take(fingerprint)
        if not isinstance(lease, Lease):
            yield False
            return
        with lease:
            yield True

    def _drop_file(self, path: str) -> None:
        self._count(path)
        if not self._dry_run:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _drop_folder(self, path: str) -> None:
        self._count(path)
        if not self._dry_run:
            with contextlib.suppress(FileNotFoundError):
                disk.remove(path, self._layout.tmp)

    def _is_old(self, path: str) -> bool:
        try:
            return os.lstat(path).st_mtime < self._before_s
        except FileNotFoundError:
            return False

    def _count(self, path: str) -> None:
        """Add the bytes that go with a file or folder; of a file with other links only when they go too."""
        for found in _stats_below(path):
            key = (found.st_dev, found.st_ino)
            left = self._links.get(key, found.st_nlink) - 1
            self._links[key] = left
            if left <= 0:
                self.removed.bytes += found.st_size


def _named_in(path: str, keep: frozenset[str]) -> bool:
    return os.path.basename(path).removesuffix(".json") not in keep


def _digests_in(path: str) -> set[str]:
    try:
        return {found.decode() for found in _DIGESTS.findall(disk.read(path))}
    except OSError:
        return set()


def _newest(path: str) -> float:
    """The latest modification of anything below a path, seconds; the distant past where it is gone."""
    return max((found.st_mtime for found in _stats_below(path, folders=True)), default=float("-inf"))


def _stats_below(path: str, *, folders: bool = False) -> Iterator[os.stat_result]:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    is_folder = os.path.isdir(path) and not os.path.islink(path)
    if folders or not is_folder:
        yield found
    if is_folder:
        for entry in disk.entries_of(path):
            yield from _stats_below(entry.path, folders=folders)
