"""What a step reads stays what its fingerprint speaks of: input files as planned, stored folders as stored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etude.errors import StepError
from etude.identity.files import FileDigests

Names = Mapping[str, "tuple[int, int] | None"]
"""Path of everything below a folder → size and modification time of a file, None for anything else."""


@contextmanager
def guard_inputs(files: Mapping[str, str], digests: FileDigests, arguments: Iterable[object]) -> Iterator[list[Path]]:
    """Hold a step to its inputs while it runs. Gives the folders of other nodes that are watched.

    Args:
        files: Path of each file or folder that its settings name → digest of its content when the study was planned.
        digests: Tells what is there now; what is known of a file that was left alone is not read again.
        arguments: What the step is given by other nodes. What is added to folders among it is removed again.

    Raises:
        StepError: A file is not as planned, or a folder of another node changed while the step ran.
        IdentityError: A file cannot be read any more.
    """
    _require_as_planned(files, digests)
    folders = {folder: _names_below(folder) for folder in _folders_in(arguments)}
    try:
        yield list(folders)
    finally:
        added, altered = _restored(folders)
    if added or altered:
        what = f"{added[0]} was written into" if added else f"{altered[0]} was changed in"
        raise StepError(
            f"{what} a folder that the step reads, which belongs to another node.\n"
            "    Mend: write into ctx.scratch alone; copy the folder there first where that is needed."
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


def _names_below(root: Path) -> Names:
    found: dict[str, tuple[int, int] | None] = {}
    stack = [str(root)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                    found[entry.path] = None
                else:
                    status = entry.stat(follow_symlinks=False)
                    found[entry.path] = (status.st_size, status.st_mtime_ns)
    return found


def _restored(folders: Mapping[Path, Names]) -> tuple[list[str], list[str]]:
    """Remove what was added below these folders. What that was, and what is changed or gone, by names in the folder."""
    added: list[str] = []
    altered: list[str] = []
    for folder, before in folders.items():
        now = _names_below(folder)
        for name in sorted(now.keys() - before.keys()):
            added.append(os.path.relpath(name, folder))
            if now[name] is None:
                shutil.rmtree(name, ignore_errors=True)
            else:
                Path(name).unlink(missing_ok=True)
        altered += [os.path.relpath(name, folder) for name in sorted(before) if now.get(name, ()) != before[name]]
    return added, altered
