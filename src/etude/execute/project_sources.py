"""A project's sources as they are when a study is submitted: what its workers import, whatever is edited meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MOST_BYTES = 50 * 2**20
_NOT_SOURCES = frozenset({"__pycache__", "node_modules", "site-packages", "results"})


def all_sources(folders: Sequence[str], reached: Mapping[str, bytes]) -> dict[str, bytes]:
    """The Python files of a project, by absolute path.

    Args:
        folders: Where its modules are looked for.
        reached: Those that the fingerprints speak of, as they were read. They win over what stands on disk now.
    """
    found: dict[str, bytes] = {}
    size = 0
    for path in dict.fromkeys(path for folder in folders for path in _python_files(folder)):
        try:
            found[path] = Path(path).read_bytes()
        except OSError:  # it went away, or is not ours to read: then no worker could import it either
            continue
        size += len(found[path])
        if size > MOST_BYTES:  # no project's own code: what is reached is all there is to keep
            return dict(reached)
    return {**found, **reached}


def _python_files(folder: str) -> Iterator[str]:
    for parent, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not _is_foreign(parent, name))
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith(".py"))  # noqa: PTH118


def _is_foreign(parent: str, name: str) -> bool:
    """Whether a folder holds no sources of the project: hidden, generated, or a virtual environment."""
    return name.startswith(".") or name in _NOT_SOURCES or (Path(parent) / name / "pyvenv.cfg").exists()
