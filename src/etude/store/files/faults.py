"""What the operating system's refusals mean for a store, and what to do about them."""

from __future__ import annotations

import errno
import os

from etude.errors import StoreError
from etude.units import readable_bytes

_ACCESS = "give yourself the right to read and write there, or name another store (`place.store`)"

_TOLD = {
    errno.EROFS: ("the file system is read-only", "name a store on a disk that can be written (`place.store`)"),
    errno.EACCES: ("no permission", _ACCESS),
    errno.EPERM: ("the operation is not permitted", _ACCESS),
    errno.ENOTDIR: ("a file stands where the store needs a folder", "remove that file, or name another store"),
    errno.ENOENT: ("a folder is missing", "make it, or name another store (`place.store`)"),
    errno.EIO: ("the disk failed (input/output error)", "see the system log; check the disk before going on"),
    errno.ESTALE: ("the shared file system lost the folder (stale handle)", "mount it again, then run once more"),
    errno.EDQUOT: ("the disk quota is used up", "free space in your quota, or run `etude gc`"),
    errno.EMFILE: ("too many files are open", "raise the limit (`ulimit -n`), or use fewer workers"),
    errno.ENAMETOOLONG: ("the path is too long", "place the store nearer to the root of its disk"),
}


def store_error(error: OSError, root: str, doing: str) -> StoreError:
    """The refusal as an error that names the store, what was being done, the cause and the mend."""
    cause, mend = _TOLD.get(error.errno or 0, (error.strerror or str(error), "mend the cause, then run once more"))
    if error.errno == errno.ENOSPC:
        cause = f"the disk is full ({_free(root)} free)"
        mend = "free some space, run `etude gc`, or name a store on another disk (`place.store`)"
    where = f" at {error.filename}" if error.filename else ""
    return StoreError(f"store {root}: cannot {doing}: {cause}{where}.\n    Mend: {mend}.")


def _free(root: str) -> str:
    try:
        found = os.statvfs(root)
    except OSError:
        return "an unknown number of bytes"
    return readable_bytes(found.f_bavail * found.f_frsize)
