"""The few file operations that a store is made of: exclusive creation, atomic replacement, removal out of the way.

They hold on NFS-like file systems: nothing needs locks, and nothing is ever half-written under a final name. Paths are
plain text and calls go straight to `os`, here as in the whole room: `pathlib` would cost more than the work itself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator

from etude.store.files.owner import Owner

READ_ONLY = 0o444
NO_LINKS = {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EACCES}
"""What a file system answers that cannot make hard links."""
_CHUNK = 1 << 16
_counter = itertools.count()


def temporary(tmp: str) -> str:
    """A path in the folder for temporary things that is nobody else's, named for its owner."""
    return f"{tmp}/{Owner.current().name}.{next(_counter)}"


def write_new(path: str, data: bytes | memoryview, mode: int = READ_ONLY) -> None:
    """Write a file that must not exist yet, and does not exist after a failure."""
    handle = create_file(path, mode)
    try:
        try:
            write_all(handle, data)
        finally:
            os.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def create_file(path: str, mode: int = READ_ONLY) -> int:
    """A handle on a file that must not exist yet, to be read by those who may read its folder."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        above, own = os.stat(os.path.dirname(path)), os.fstat(handle)
        readers = (0o040 if above.st_mode & 0o010 else 0) | (0o004 if above.st_mode & 0o001 else 0)
        if mode & readers & ~own.st_mode:
            os.fchmod(handle, own.st_mode & 0o777 | mode & readers)
        if own.st_gid != above.st_gid:
            with contextlib.suppress(OSError):
                os.fchown(handle, -1, above.st_gid)
    except BaseException:
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return handle


def make_folders(path: str) -> None:
    """Make a folder and those above it that are missing, each with the mode and the group of the one that holds it.

    So a store's folders are what its own folder is, whatever the umask of who writes: a group can share it.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    make_folders(above)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    share(path, os.stat(above))


def share(path: str, above: os.stat_result) -> None:
    """Give a folder the mode and the group of the one that holds it, as far as the system lets us."""
    own, mode = os.stat(path), above.st_mode & 0o2777
    with contextlib.suppress(OSError):
        if own.st_gid != above.st_gid:
            os.chown(path, -1, above.st_gid)
        if own.st_mode & 0o2777 != mode:
            os.chmod(path, mode)


def write_all(handle: int, data: bytes | memoryview) -> None:
    """Write all of it, however little the system takes at a time."""
    written = os.write(handle, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(handle, rest) :]


def read(path: str) -> bytes:
    """A small file's bytes."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(handle, _CHUNK)
        parts = [data]
        while data:
            data = os.read(handle, _CHUNK)
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(handle)


def with_folder(act: Callable[[], None], folder: str) -> None:
    """Do something that needs a folder; make the folder first where it is missing."""
    try:
        act()
    except FileNotFoundError:
        make_folders(folder)
        act()


def replace(path: str, data: bytes, tmp: str) -> None:
    """Put a small file into place: readers see the old one or the new one, never part of one."""
    fresh = temporary(tmp)
    with_folder(lambda: write_new(fresh, data), tmp)
    try:
        with_folder(lambda: os.rename(fresh, path), os.path.dirname(path))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def sync(path: str) -> None:
    """Have a file or folder reach the disk itself."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: str) -> str:
    """Checksum of a file's content."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now(folder: str) -> float:
    """The time by the clock of the file system itself, in seconds: what its modification times are measured by."""
    probe = temporary(folder)
    with_folder(lambda: write_new(probe, b"", 0o600), folder)
    try:
        return os.stat(probe).st_mtime
    finally:
        os.unlink(probe)


def remove(path: str, tmp: str) -> None:
    """Remove a folder: first out of its place in one step, then bit by bit."""
    away = temporary(tmp)
    with_folder(lambda: os.rename(path, away), tmp)
    discard(away)


def discard(path: str) -> None:
    """Remove a temporary file or folder as far as it can be; what stays is swept later."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """A folder's entries by name; none where there is no such folder."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def shard_entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """The entries of all two-digit folders below one."""
    for shard in entries_of(folder):
        if len(shard.name) == 2 and shard.is_dir(follow_symlinks=False):
            yield from entries_of(shard.path)


def size_of(path: str) -> int:
    """Bytes below a path, whatever it is; what vanishes meanwhile counts nothing."""
    try:
        if not os.path.isdir(path) or os.path.islink(path):
            return os.lstat(path).st_size
    except OSError:
        return 0
    return sum(size_of(entry.path) for entry in entries_of(path))
