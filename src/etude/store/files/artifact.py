"""Reading what is stored: a glance that trusts nothing but sizes, and files that are checked before they are used."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from etude.errors import DamagedArtifact
from etude.store.files import disk
from etude.store.files.faults import store_error
from etude.store.files.layout import MANIFEST, Layout
from etude.store.files.manifest import Damaged, Manifest, StoredFile, Unreadable, manifest_from_bytes, require_inside

_LARGE = 1_000_000
_REMEMBERED = 4096
_SWAPS = 8


def inspect(layout: Layout, fingerprint: str) -> Manifest | Damaged | None:
    """What stands under a fingerprint: its manifest if that is sound and all files have their sizes.

    Touches nothing. Checksums of data files are not computed: `Content` does that when they are read.

    Raises:
        StoreError: The manifest cannot be read for a reason other than its absence, or is of a newer étude.
    """
    folder = layout.artifact(fingerprint)
    for _ in range(_SWAPS):
        try:
            os.stat(f"{folder}/{MANIFEST}")  # a third of what it takes to fail to open it, where files opened are seen
            data = disk.read(f"{folder}/{MANIFEST}")
        except FileNotFoundError:
            return None
        except (NotADirectoryError, IsADirectoryError):
            return Damaged(
                fingerprint=fingerprint, reason="something else stands in the place of its folder or manifest"
            )
        except OSError as error:
            raise store_error(error, layout.root, f"read result {fingerprint[:12]}") from error
        try:
            found = manifest_from_bytes(data, fingerprint)
        except Unreadable as error:
            reason: str | None = str(error)
        else:
            reason = _missized(folder, found.files)
            if reason is None:
                return found
        if _unchanged(folder, data):
            return Damaged(fingerprint=fingerprint, reason=reason or "")
    return Damaged(fingerprint=fingerprint, reason="it is replaced again and again")


def _missized(folder: str, files: tuple[StoredFile, ...]) -> str | None:
    for path, size, _ in files:
        try:
            actual = os.stat(f"{folder}/{path}").st_size
        except (FileNotFoundError, NotADirectoryError):
            return f"data file {path} is missing"
        if actual != size:
            return f"data file {path} has {actual} bytes instead of {size}"
    return None


def _unchanged(folder: str, data: bytes) -> bool:
    """Whether the manifest is still this one: a result that was replaced while we looked is not damaged."""
    try:
        return disk.read(f"{folder}/{MANIFEST}") == data
    except OSError:
        return False


class Verified:
    """Large files that this process has checked and that have not been touched since, so that one is enough."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, ...], str] = {}

    def holds(self, path: str, file: StoredFile) -> bool:
        """Whether a file has the checksum that its manifest says. FileNotFoundError where it is gone."""
        found = os.stat(path)
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if self._seen.get(key) == file.sha256:
            return True
        if found.st_size != file.size or disk.sha256_of(path) != file.sha256:
            return False
        if found.st_size >= _LARGE:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[key] = file.sha256
        return True


class Content:
    """The data files of one result, each checked against its checksum before it is handed out."""

    def __init__(self, folder: str, manifest: Manifest, verified: Verified) -> None:
        self.fingerprint = manifest.fingerprint
        self.folder = folder
        self._files = {file.path: file for file in manifest.files}
        self._verified = verified

    def read(self, name: str) -> bytes:
        """The bytes of one file. DamagedArtifact where they are not those that were stored."""
        file = self._entry(name)
        try:
            data = disk.read(f"{self.folder}/{name}")
        except FileNotFoundError:
            raise self._damaged(f"data file {name} is missing") from None
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise self._damaged(f"data file {name} does not match its checksum")
        return data

    def path(self, name: str) -> Path:
        """Where one file is, once its bytes are found right. DamagedArtifact where they are not."""
        path = f"{self.folder}/{name}"
        try:
            sound = self._verified.holds(path, self._entry(name))
        except FileNotFoundError:
            raise self._damaged(f"data file {name} is missing") from None
        if not sound:
            raise self._damaged(f"data file {name} does not match its checksum")
        return Path(path)

    def size(self, name: str) -> int:
        """Bytes of one file, by its manifest."""
        return self._entry(name).size

    def below(self, name: str) -> list[str]:
        """The names of all files below a folder."""
        return [path for path in self._files if path.startswith(f"{name}/")]

    def folder_at(self, name: str, *, folders: list[str], links: list[list[str]]) -> Path:
        """Where a stored folder is, once all its files, empty folders and links are found right."""
        for file in self.below(name):
            self.path(file)
        self._require_inside(name, *folders, *(inner for inner, _ in links))
        root = f"{self.folder}/{name}"
        for inner in ["", *folders]:
            if not os.path.isdir(f"{root}/{inner}"):
                raise self._damaged(f"folder {name}/{inner} is missing")
        for inner, target in links:
            try:
                kept = os.readlink(f"{root}/{inner}") == target
            except OSError:
                kept = False
            if not kept:
                raise self._damaged(f"link {name}/{inner} is missing or points elsewhere")
            if not _is_within(f"{root}/{inner}", root):
                raise self._damaged(f"link {name}/{inner} leads out of the folder")
        return Path(root)

    def _entry(self, name: str) -> StoredFile:
        try:
            file = self._files[name]
        except KeyError:
            raise self._damaged(f"its manifest names no data file {name}") from None
        if not _is_within(f"{self.folder}/{name}", self.folder):
            raise self._damaged(f"data file {name} is a link that leads out of its folder")
        return file

    def _require_inside(self, *names: str) -> None:
        try:
            for name in names:
                require_inside(name)
        except Unreadable as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, reason: str) -> DamagedArtifact:
        return DamagedArtifact(self.fingerprint, reason)


def _is_within(path: str, folder: str) -> bool:
    """Whether a path, followed through all links, stays in a folder."""
    return f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(folder)}/")
