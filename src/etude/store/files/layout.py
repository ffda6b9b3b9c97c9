"""Where things stand in a store. The only file that knows; nothing here touches the disk.

<root>/store.json                          schema of the store
<root>/<ab>/<fingerprint>/manifest.json    one result, its data files beside it
<root>/traces/<ab>/<trace key>             the fingerprint of a result with that trace key
<root>/notes/<kind>/<ab>/<digest>.json     small documents that many results share
<root>/failures/<ab>/<fingerprint>.json    what went wrong last
<root>/leases/<ab>/<fingerprint>           who computes it now
<root>/leases/holders/<owner>              one heartbeat per process
<root>/scratch/<ab>/<fingerprint>/         a node's own folder, kept between attempts
<root>/scratch/<ab>/<fingerprint>.attempts/  what each attempt that gave no result has cost
<root>/roots/<project>/                    what each project that uses the store needs of it
<root>/quarantine/                         damaged results, out of the way
<root>/tmp/<owner>.<n>                     being written, or being deleted
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from etude.errors import StoreError

SCHEMA = 1
MANIFEST = "manifest.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")
ATTEMPTS = ".attempts"
"""Ends the name of the folder, beside a scratch folder, in which attempts write down what they cost."""

_FOLDERS = frozenset({"traces", "notes", "failures", "leases", "scratch", "roots", "quarantine", "tmp"})


def is_own(name: str) -> bool:
    """Whether something of this name at the top of a folder may be a store's: one whose marker was deleted is one."""
    return name.startswith(("store.json", ".")) or name in _FOLDERS or _SHARD.fullmatch(name) is not None


def is_digest(text: str) -> bool:
    """Whether a text is a SHA-256 in lower-case hexadecimal, as fingerprints, trace keys and digests are."""
    return _DIGEST.fullmatch(text) is not None


def sound_digest(digest: str) -> str:
    """The same digest. StoreError for anything else: it would become a path."""
    if _DIGEST.fullmatch(digest) is None:
        raise StoreError(f"{digest!r} is no fingerprint: expected 64 hexadecimal digits")
    return digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The paths of one store, as plain text: they are built some thousand times in a plan."""

    root: str

    @property
    def marker(self) -> str:
        return f"{self.root}/store.json"

    @property
    def tmp(self) -> str:
        return f"{self.root}/tmp"

    @property
    def traces(self) -> str:
        return f"{self.root}/traces"

    @property
    def notes(self) -> str:
        return f"{self.root}/notes"

    @property
    def failures(self) -> str:
        return f"{self.root}/failures"

    @property
    def leases(self) -> str:
        return f"{self.root}/leases"

    @property
    def holders(self) -> str:
        return f"{self.root}/leases/holders"

    @property
    def scratches(self) -> str:
        return f"{self.root}/scratch"

    @property
    def roots(self) -> str:
        return f"{self.root}/roots"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/quarantine"

    def artifact(self, fingerprint: str) -> str:
        return f"{self.root}/{sound_digest(fingerprint)[:2]}/{fingerprint}"

    def trace(self, key: str) -> str:
        return f"{self.root}/traces/{sound_digest(key)[:2]}/{key}"

    def note(self, kind: str, digest: str) -> str:
        return f"{self.root}/notes/{kind}/{sound_digest(digest)[:2]}/{digest}.json"

    def failure(self, fingerprint: str) -> str:
        return f"{self.root}/failures/{sound_digest(fingerprint)[:2]}/{fingerprint}.json"

    def lease(self, fingerprint: str) -> str:
        return f"{self.root}/leases/{sound_digest(fingerprint)[:2]}/{fingerprint}"

    def scratch(self, fingerprint: str) -> str:
        return f"{self.root}/scratch/{sound_digest(fingerprint)[:2]}/{fingerprint}"

    def attempts(self, fingerprint: str) -> str:
        return f"{self.scratch(fingerprint)}{ATTEMPTS}"
