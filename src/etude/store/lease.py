"""Leases: who computes a result now, so that another run waits for it instead of computing it too.

A lease is a hard link to the heartbeat file of its holder, so that taking one is a single atomic step, one touch every
few seconds keeps a thousand of them, and each names its holder. Where links are impossible it is a file of its own.

A dead holder's lease is taken over. On one machine the process itself is looked up; from another machine, its heartbeat
is dead after a minute of silence by the file system's own clock, so that clocks of hosts are never compared. Only one
taker may remove a dead lease: the one who holds the claim on it, which is a lease itself.

Correctness never rests on any of this: two holders of one lease do the same work twice, and the first result wins.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

import orjson

from etude.store.files import disk
from etude.store.files.faults import store_error
from etude.store.files.layout import Layout
from etude.store.files.owner import Liveness, Owner, living

BEAT_S = 5.0
"""Seconds between two heartbeats."""
SILENCE_S = 60.0
"""Seconds without a heartbeat after which a holder on another machine counts as dead."""

_ATTEMPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease that one did not get."""

    owner: Owner

    def __str__(self) -> str:
        return f"process {self.owner.pid} on {self.owner.host}"


class Lease:
    """The right to compute one result, for now. A context manager; released at its end."""

    __slots__ = ("_leases", "_path", "fingerprint")

    def __init__(self, leases: Leases, path: str, fingerprint: str) -> None:
        self._leases = leases
        self._path = path
        self.fingerprint = fingerprint

    def release(self) -> None:
        """Give it back. Harmless where it was given back before, or taken over meanwhile."""
        self._leases._release(self._path)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What stands in a lease file."""

    owner: Owner
    touched_s: float


class Leases:
    """The leases of one store, as one process takes them. Safe for threads and across a fork."""

    def __init__(
        self,
        layout: Layout,
        *,
        owner: Owner | None = None,
        is_living: Liveness = living,
        now: Callable[[], float] | None = None,
    ) -> None:
        """
        Args:
            layout: Where the store's things stand.
            owner: Who takes leases; None for this process.
            is_living: Whether an owner's process lives; None where that cannot be known from here.
            now: Seconds by the clock that the store's file system writes modification times by.
        """
        self._layout = layout
        self._given = owner
        self._is_living = is_living
        self._now = now or (lambda: disk.now(layout.tmp))
        self._begin()

    def take(self, fingerprint: str) -> Lease | Holder:
        """The lease of a result, or who has it.

        Raises:
            StoreError: The store cannot be written.
        """
        if os.getpid() != self._pid:
            self._begin()
        path = self._layout.lease(fingerprint)
        with self._lock:
            if path in self._held:
                return Holder(owner=self._owner)
            self._held.add(path)
        try:
            other = self._seize(path)
        except OSError as error:
            self._held.discard(path)
            raise store_error(error, self._layout.root, f"take the lease of {fingerprint[:12]}") from error
        except BaseException:
            self._held.discard(path)
            raise
        if other is None:
            return Lease(self, path, fingerprint)
        self._held.discard(path)
        return other

    def holder(self, fingerprint: str) -> Holder | None:
        """Who holds a lease, unless it is free or its holder is dead."""
        standing = self._read(self._layout.lease(fingerprint))
        return None if standing is None or self._is_dead(standing) else Holder(owner=standing.owner)

    def beat(self) -> None:
        """Show that this process lives. A thread does so every few seconds from the first lease on."""
        disk.with_folder(lambda: _beat(self._heart, self._card), self._layout.holders)

    def _begin(self) -> None:
        """Start as an owner of one's own: each store of a process, and each process forked from it, is another."""
        owner = self._given or replace(Owner.current(), token=secrets.token_hex(6))
        self._owner = owner
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._heart = f"{self._layout.holders}/{owner.name}.json"
        self._card = orjson.dumps({"host": owner.host, "pid": owner.pid, "owner": owner.name}) + b"\n"
        self._beating = False

    def _release(self, path: str) -> None:
        if path not in self._held:
            return
        with contextlib.suppress(OSError):
            standing = self._read(path)
            if standing is not None and standing.owner == self._owner:
                os.unlink(path)
        self._held.discard(path)

    def _seize(self, path: str) -> Holder | None:
        """Make a lease file one's own; who has it, where that fails."""
        standing = None
        for _ in range(_ATTEMPTS):
            if self._create(path):
                return None
            standing = self._read(path)
            if standing is None:
                continue
            if standing.owner == self._owner:
                return None
            if not self._is_dead(standing):
                return Holder(owner=standing.owner)
            other = self._evict(path, standing.owner)
            if other is not None:
                return other
        return Holder(owner=standing.owner if standing else self._owner)

    def _evict(self, path: str, dead: Owner) -> Holder | None:
        """Remove a dead holder's lease, or say who is about to."""
        claim = f"{path}~{dead.token}"
        other = self._seize(claim)
        if other is not None:
            return other
        try:
            standing = self._read(path)
            if standing is not None and standing.owner == dead:
                os.unlink(path)
        finally:
            os.unlink(claim)
        return None

    def _create(self, path: str) -> bool:
        """Whether the file was made, and so is ours."""
        if not self._beating:
            self._start()
        try:
            os.link(self._heart, path)
        except FileExistsError:
            return False
        except FileNotFoundError:
            disk.make_folders(os.path.dirname(path))
            self.beat()
            return self._create_by(os.link, path)
        except OSError as error:
            if error.errno not in disk.NO_LINKS:
                raise
            return self._create_by(lambda _, target: disk.write_new(target, self._card), path)
        return True

    def _create_by(self, make: Callable[[str, str], None], path: str) -> bool:
        try:
            disk.with_folder(lambda: make(self._heart, path), os.path.dirname(path))
        except FileExistsError:
            return False
        return True

    def _read(self, path: str) -> _Standing | None:
        """What a lease says; opened, for a shared file system shows the latest state only to those who open."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(handle)
            data = os.read(handle, 4096)
        finally:
            os.close(handle)
        try:
            owner = Owner.parse(orjson.loads(data)["owner"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            owner = None
        return _Standing(
            owner=owner or Owner(host="unknown", machine="", pid=0, started="", token=f"torn{found.st_ino}"),
            touched_s=found.st_mtime,
        )

    def _is_dead(self, standing: _Standing) -> bool:
        alive = self._is_living(standing.owner)
        if alive is not None:
            return not alive
        heart = self._read(f"{self._layout.holders}/{standing.owner.name}.json")
        touched = max(standing.touched_s, heart.touched_s if heart else 0.0)
        return self._now() - touched > SILENCE_S

    def _start(self) -> None:
        self.beat()
        stop = threading.Event()
        arguments = (stop, self._heart, self._card)
        threading.Thread(target=_keep_beating, args=arguments, name="etude-heartbeat", daemon=True).start()
        weakref.finalize(self, _end, stop, self._heart, os.getpid())
        self._beating = True


def _beat(heart: str, card: bytes) -> None:
    """Touch the heartbeat file, or write it. Makes no folder: a store that was deleted must not come back."""
    try:
        os.utime(heart)
    except FileNotFoundError:
        fresh = f"{heart}.{secrets.token_hex(4)}"
        disk.write_new(fresh, card)
        os.rename(fresh, heart)


def _keep_beating(stop: threading.Event, heart: str, card: bytes) -> None:
    while not stop.wait(BEAT_S):
        # A beat that fails may cost the leases, which costs work done twice, never a result.
        with contextlib.suppress(OSError):
            _beat(heart, card)


def _end(stop: threading.Event, heart: str, pid: int) -> None:
    """Stop beating; in the process that began it, not in one forked from it."""
    if os.getpid() == pid:
        stop.set()
        with contextlib.suppress(OSError):
            os.unlink(heart)
