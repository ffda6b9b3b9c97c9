"""What a step reads stays what its fingerprint speaks of: input files as planned, stored folders as stored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etude.errors import StepError
from etude.identity.files import FileDigests


@contextmanager
def inputs_kept(files: Mapping[str, str], digests: FileDigests, arguments: Iterable[object]) -> Iterator[None]:
    """Hold a step to its inputs while it runs.

    Args:
        files: Path of each file or folder that its settings name → digest of its content when the study was planned.
        digests: Tells what is there now; what is known of a file that was left alone is not read again.
        arguments: What the step is given by other nodes. Of folders among it, whatever the step adds is removed.

    Raises:
        StepError: A file is not as planned, or the step has written into a folder of another node.
        IdentityError: A file cannot be read any more.
    """
    _require_as_planned(files, digests)
    folders = {folder: _names_below(folder) for folder in _folders_in(arguments)}
    try:
        yield
    except BaseException:
        _restored(folders)
        raise
    added = _restored(folders)
    if added:
        raise StepError(
            f"the step wrote {added[0]} into a folder that it reads; that belongs to another node, so it was removed.\n"
            "    Mend: copy the folder to ctx.scratch first, or write elsewhere."
        )
    _require_as_planned(files, digests)


def _require_as_planned(files: Mapping[str, str], digests: FileDigests) -> None:
    for path, digest in files.items():
        if digests.digest(path) != digest:
            raise StepError(
                f"{path} has changed since the study was planned, and the result would be that of another file.\n"
                "    Mend: run again, with the file left alone until the step has read it."
            )


def _folders_in(arguments: Iterable[object]) -> Iterator[Path]:
    for value in arguments:
        if isinstance(value, (list, tuple)):
            yield from _folders_in(value)
        elif isinstance(value, Path) and value.is_dir():
            yield value


def _names_below(root: Path) -> frozenset[str]:
    return frozenset(
        os.path.join(path, name)  # noqa: PTH118
        for path, folders, files in os.walk(root)
        for name in (*folders, *files)
    )


def _restored(folders: Mapping[Path, frozenset[str]]) -> list[str]:
    """Remove what was added below these folders; what that was, by its name in the folder."""
    added = []
    for folder, names in folders.items():
        for name in sorted(_names_below(folder) - names):
            added.append(os.path.relpath(name, folder))
            if os.path.isdir(name) and not os.path.islink(name):  # noqa: PTH112, PTH114
                shutil.rmtree(name, ignore_errors=True)
            else:
                Path(name).unlink(missing_ok=True)
    return added
