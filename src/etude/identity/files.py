"""What a file or folder holds, as a digest: the identity of an input that is named by its path.

The path itself never counts: a file that is moved or renamed keeps its digest, as long as its suffix stays, by which a
reader may go. Digests are remembered by size, times and inode, so that large data are read once and not at every plan.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from etude.errors import IdentityError

_VERSION = 1
_CHUNK_BYTES = 1 << 20
_SETTLED_NS = 2_000_000_000
"""Two seconds, the coarsest tick of a file system in use: a file changed again within one tick shows the same times."""
_COMPRESSIONS = frozenset({".br", ".bz2", ".gz", ".lz4", ".lzma", ".xz", ".zip", ".zst"})

_log = logging.getLogger(__name__)


class _Stamp(NamedTuple):
    """What tells that a file is the one that was read."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Stamp:
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class FileDigests:
    """Digests of files and folders, each content read once as long as the file stays as it is.

    A remembered digest is trusted only if the file had been left alone for two seconds when it was read: otherwise it
    could have been changed once more without its times showing it. Such young files are read again each time.

    Args:
        cache_file: Where digests are kept between runs; None to remember them for this object's life only. A file that
            cannot be read as a cache is as good as none.
        clock_ns: The time in nanoseconds since 1970, by the clock that stamps the files.
    """

    def __init__(self, cache_file: Path | None = None, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._file = cache_file
        self._clock_ns = clock_ns
        self._known = {} if cache_file is None else _read(cache_file)
        self._fresh: dict[str, tuple[_Stamp, str]] = {}

    def digest(self, path: str | Path) -> str:
        """The digest of a file's content and suffix, or of all that a folder holds.

        Of a file, the sha256 of its content followed by its lower-case suffix, with the one before a compression:
        `….csv.gz`. Of a folder, the sha256 over the names and contents of what is in it at any depth, followed by `/`.
        Links are followed.

        Raises:
            IdentityError: There is no such file, it cannot be read, is no plain file or folder, changes while it is
                read, or holds a link to a folder around it. Names the path, the reason and the mend.
        """
        place, real = Path(path), os.path.realpath(path)
        status = _status(place)
        if stat.S_ISDIR(status.st_mode):
            return self._folder(place, real) + "/"
        return self._content(place, real, status) + _suffix(place.name)

    def save(self) -> None:
        """Keep the digests for later runs, together with what others have saved meanwhile.

        Written beside and renamed, so a reader never sees half a file. A cache that cannot be written is told in the
        log and nothing is lost: the files are read again next time.
        """
        if self._file is None or not self._fresh:
            return
        merged = {**_read(self._file), **self._fresh}
        entries = {path: [*stamp, digest] for path, (stamp, digest) in merged.items()}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps({"version": _VERSION, "files": entries}).encode())
        except OSError as error:
            _log.warning("the cache of file digests %s cannot be written (%s)", self._file, error.strerror)
            return
        self._known.update(self._fresh)
        self._fresh.clear()

    def _content(self, path: Path, real: str, status: os.stat_result) -> str:
        """The sha256 of a file's content."""
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "is neither a file nor a folder", "name a file that holds the data")
        stamp = _Stamp.of(status)
        for known in (self._fresh, self._known):
            entry = known.get(real)
            if entry is not None and entry[0] == stamp:
                return entry[1]
        moment = self._clock_ns()
        digest = _hashed(path, stamp)
        if max(stamp.mtime_ns, stamp.ctime_ns) < moment - _SETTLED_NS:
            self._fresh[real] = (stamp, digest)
        return digest

    def _folder(self, folder: Path, real: str) -> str:
        whole = hashlib.sha256()
        for entry in sorted(_entries(folder, real, b"", (real,)), key=lambda entry: entry.name):
            is_folder = stat.S_ISDIR(entry.status.st_mode)
            content = "" if is_folder else self._content(entry.path, entry.real, entry.status)
            whole.update(b"%d:%s%s;" % (len(entry.name), entry.name, content.encode("ascii")))
        return whole.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that a reader never sees half of it.

    Raises:
        OSError: It cannot be written; then nothing is left.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


class _Entry(NamedTuple):
    """Something that a folder holds at some depth."""

    name: bytes
    """Relative to the folder; of a folder, with `/` at its end."""
    path: Path
    real: str
    status: os.stat_result


def _entries(folder: Path, real_folder: str, prefix: bytes, around: tuple[str, ...]) -> Iterator[_Entry]:
    """All that a folder holds at any depth, in no order."""
    try:
        with os.scandir(folder) as listing:
            found = [*listing]
    except OSError as error:
        raise _refused(folder, f"cannot be listed ({error.strerror})", "make the folder readable") from error
    for entry in found:
        path = Path(entry.path)
        name, status = prefix + os.fsencode(entry.name), _status(path)
        real = os.path.realpath(path) if entry.is_symlink() else os.path.join(real_folder, entry.name)  # noqa: PTH118
        if not stat.S_ISDIR(status.st_mode):
            yield _Entry(name, path, real, status)
            continue
        if real in around:
            raise _refused(path, "is a link to a folder that it stands in, so it has no end", "remove the link")
        yield _Entry(name + b"/", path, real, status)
        yield from _entries(path, real, name + b"/", (*around, real))


def _hashed(path: Path, stamp: _Stamp) -> str:
    """The sha256 of a file whose stamp is known, if it stays the same while it is read."""
    hashed = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                hashed.update(chunk)
            after = _Stamp.of(os.fstat(stream.fileno()))
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})", "make the file readable") from error
    if after != stamp:
        raise _refused(path, "was changed while it was read", "let whatever writes it finish first")
    return hashed.hexdigest()


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as error:
        what = "is a link to nothing" if path.is_symlink() else "does not exist"
        raise _refused(path, what, "correct the path, or make the file first") from error
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})", "correct the path or its permissions") from error


def _refused(path: Path, reason: str, mend: str) -> IdentityError:
    return IdentityError(f"{path}: {reason}.\n    Mend: {mend}.")


def _suffix(name: str) -> str:
    """The suffix that tells a file's format, lower-case, with the one before a compression: `.csv.gz`."""
    stem, dot, last = name.lower().rpartition(".")
    if not stem or not dot:
        return ""
    before = _suffix(stem) if f".{last}" in _COMPRESSIONS else ""
    return f"{before}.{last}"


def _read(cache_file: Path) -> dict[str, tuple[_Stamp, str]]:
    """What a cache file holds; nothing where it is missing, damaged or of another version."""
    try:
        content = json.loads(cache_file.read_bytes())
        if content["version"] != _VERSION:
            return {}
        entries: dict[str, tuple[_Stamp, str]] = {}
        for path, (size, mtime_ns, ctime_ns, inode, digest) in content["files"].items():
            if not (isinstance(digest, str) and len(digest) == 64):
                return {}
            entries[path] = (_Stamp(size, mtime_ns, ctime_ns, inode), digest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return entries
