"""A result while it is written: files in a temporary folder, each hashed on its way to the disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from etude.store.files import disk
from etude.store.files.manifest import StoredFile

_BUFFER = 1 << 18


class _HashingFile(io.RawIOBase):
    """A fresh file that hashes what is written to it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._handle = disk.create_file(path)
        self.digest = hashlib.sha256()
        self.size = 0
        self._abandoned = False

    def abandon(self) -> None:
        """Take what is still buffered without writing it: the file is going to be removed."""
        self._abandoned = True

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        if self._abandoned:
            return len(data)
        written = os.write(self._handle, data)
        self.digest.update(data if written == len(data) else memoryview(data)[:written])
        self.size += written
        return written

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._handle)


class Draft:
    """The data files of a result that is being written. It becomes a result by one rename, or vanishes."""

    def __init__(self, folder: str, owned: str | None) -> None:
        """
        Args:
            folder: Where to write; made by the first file.
            owned: A folder whose files may be moved into the result instead of copied: the step's scratch folder.
        """
        self.folder = folder
        self.files: list[StoredFile] = []
        self._owned = os.path.realpath(owned) if owned is not None else None
        self._moves: list[tuple[str, str]] = []
        self._moved = 0

    def put(self, name: str, data: bytes) -> None:
        """Write one file whose bytes are at hand."""
        path = self._path(name)
        disk.with_folder(lambda: disk.write_new(path, data), os.path.dirname(path))
        self.files.append(StoredFile(name, len(data), hashlib.sha256(data).hexdigest()))

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Write one file piece by piece."""
        path = self._path(name)
        disk.make_folders(os.path.dirname(path))
        raw = _HashingFile(path)
        buffered = io.BufferedWriter(raw, _BUFFER)  # type: ignore[type-var]
        try:
            yield buffered
        except BaseException:
            raw.abandon()
            raise
        finally:
            buffered.close()
        self.files.append(StoredFile(name, raw.size, raw.digest.hexdigest()))

    def make_folder(self, name: str) -> None:
        """A folder without files of its own."""
        disk.make_folders(self._path(name))

    def link(self, name: str, target: str) -> None:
        """A symbolic link; `target` is relative and stays within what is stored."""
        path = self._path(name)
        disk.make_folders(os.path.dirname(path))
        os.symlink(target, path)

    def claims(self, source: str) -> bool:
        """Whether a file or folder may be moved into the result rather than copied; it is then spoken for.

        That is so within the owned folder, on the same file system, and where nothing of it was claimed before.
        """
        if self._owned is None or not (source + "/").startswith(self._owned + "/"):
            return False
        taken = [f"{path}/" for path, _ in self._moves]
        if any(f"{source}/".startswith(path) or path.startswith(f"{source}/") for path in taken):
            return False
        disk.make_folders(os.path.dirname(self.folder))
        return os.stat(source).st_dev == os.stat(os.path.dirname(self.folder)).st_dev

    def move(self, source: str, name: str) -> None:
        """Have a claimed file or folder moved in when the result is put into place; its files are noted apart."""
        self._moves.append((source, self._path(name)))

    def note(self, source: str, name: str) -> None:
        """Hash one file that a move will bring."""
        self.files.append(StoredFile(name, os.stat(source).st_size, disk.sha256_of(source)))

    def copy(self, source: str, name: str) -> None:
        """Copy one file."""
        with open(source, "rb", buffering=0) as file, self.writing(name) as into:
            shutil.copyfileobj(file, into, _BUFFER)
        _harden(self._path(name), os.stat(source).st_mode)

    def take_over(self, folder: str, files: Sequence[StoredFile]) -> None:
        """Give this draft the files of a stored result: by hard link, or by copy where links cannot be.

        Raises:
            FileNotFoundError: One of them is gone.
        """
        for file in files:
            path = self._path(file.path)
            try:
                disk.with_folder(lambda: os.link(f"{folder}/{file.path}", path), os.path.dirname(path))  # noqa: B023
            except FileNotFoundError:
                raise
            except OSError:
                self.copy(f"{folder}/{file.path}", file.path)
            else:
                self.files.append(file)
        for name, target in _bare_entries(folder):
            if target is None:
                self.make_folder(name)
            else:
                self.link(name, target)

    def finish(self, manifest: bytes, *, durable: bool) -> None:
        """Write the manifest, then bring in what is to be moved. After this only a rename is missing."""
        disk.make_folders(self.folder)
        disk.write_new(f"{self.folder}/manifest.json", manifest)
        for source, target in self._moves:
            disk.make_folders(os.path.dirname(target))
            os.rename(source, target)
            self._moved += 1
            _share_folders(target)
            for path in _files_below(target):
                _harden(path, os.stat(path).st_mode)
        if durable:
            self._sync()

    def undo(self) -> None:
        """Bring back what was moved in, and remove the rest."""
        for source, target in reversed(self._moves[: self._moved]):
            with contextlib.suppress(OSError):
                for path in _files_below(target):
                    os.chmod(path, os.stat(path).st_mode | stat.S_IWUSR)
                os.rename(target, source)
        self._moved = 0
        disk.discard(self.folder)

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _sync(self) -> None:
        for path, _, names in os.walk(self.folder):
            for name in names:
                if not os.path.islink(f"{path}/{name}"):
                    disk.sync(f"{path}/{name}")
            disk.sync(path)


def _harden(path: str, mode: int) -> None:
    """Make a file read-only, for those who may read its folder, and keep whether it can be executed."""
    above = os.stat(os.path.dirname(path)).st_mode
    readers = 0o400 | (0o040 if above & 0o010 else 0) | (0o004 if above & 0o001 else 0)
    os.chmod(path, readers | (stat.S_IMODE(mode) & 0o111 & readers >> 2))


def _share_folders(path: str) -> None:
    """Give a folder that was moved in, and those below it, the mode of the folder that now holds it."""
    for folder, _, _ in os.walk(path):
        disk.share(folder, os.stat(os.path.dirname(folder)))


def _files_below(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path):
        yield from (f"{folder}/{name}" for name in names if not os.path.islink(f"{folder}/{name}"))


def _bare_entries(root: str) -> Iterator[tuple[str, str | None]]:
    """What a folder holds beside files: links with their targets, and empty folders."""
    for folder, inner, names in os.walk(root):
        place = "" if folder == root else f"{os.path.relpath(folder, root)}/"
        if place and not inner and not names:
            yield place[:-1], None
        for name in (*inner, *names):
            if os.path.islink(f"{folder}/{name}"):
                yield place + name, os.readlink(f"{folder}/{name}")
