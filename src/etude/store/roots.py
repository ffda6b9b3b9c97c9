"""What each project needs of a store that several may share, registered in the store itself.

<root>/roots/<project>/project.json    where the project is
<root>/roots/<project>/<study>.roots   the fingerprints that one study of it needs
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from etude.store.files import disk
from etude.store.files.layout import Layout

_PROJECT = "project.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One project that uses a store."""

    key: str
    """Tells projects apart, whatever they are called and wherever they are."""
    project: str
    """The project's folder, as it was when it was last seen."""
    roots: frozenset[str]
    """Fingerprints that it needs."""


def register(layout: Layout, key: str, project: str, study: str, fingerprints: Collection[str]) -> None:
    """Add to what one study of a project needs."""
    folder = f"{layout.roots}/{key}"
    place, path = f"{folder}/{_PROJECT}", _study_file(folder, study)
    told = orjson.dumps({"project": project})
    if _bytes(place) != told:
        disk.replace(place, told, layout.tmp)
    known = _fingerprints(path)
    if not known >= {*fingerprints}:
        _write(layout, path, known | {*fingerprints})


def settle(layout: Layout, key: str, needed: Mapping[str, Collection[str]]) -> None:
    """Have a project's registration say what its studies need, and nothing else."""
    folder = f"{layout.roots}/{key}"
    kept = {_study_file(folder, study): frozenset(fingerprints) for study, fingerprints in needed.items()}
    for entry in disk.entries_of(folder):
        if entry.name != _PROJECT and entry.path not in kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.path)
    for path, fingerprints in kept.items():
        if os.path.exists(f"{folder}/{_PROJECT}") and _fingerprints(path) != fingerprints:
            _write(layout, path, fingerprints)


def registrations(layout: Layout) -> list[Registration]:
    """All projects that use the store."""
    return [_registration(entry.path, entry.name) for entry in disk.entries_of(layout.roots)]


def forget(layout: Layout, key: str) -> None:
    """Take a project's registration away; harmless where there is none."""
    with contextlib.suppress(FileNotFoundError):
        disk.remove(f"{layout.roots}/{key}", layout.tmp)


def _registration(folder: str, key: str) -> Registration:
    try:
        project = str(orjson.loads(disk.read(f"{folder}/{_PROJECT}"))["project"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        project = ""
    roots = (_fingerprints(entry.path) for entry in disk.entries_of(folder) if entry.name != _PROJECT)
    return Registration(key=key, project=project, roots=frozenset().union(*roots))


def _study_file(folder: str, study: str) -> str:
    return f"{folder}/{quote(study, safe='@=,+')}.roots"


def _write(layout: Layout, path: str, fingerprints: Iterable[str]) -> None:
    disk.replace(path, "".join(f"{name}\n" for name in sorted(fingerprints)).encode(), layout.tmp)


def _fingerprints(path: str) -> frozenset[str]:
    return frozenset(_bytes(path).decode("ascii", "replace").split())


def _bytes(path: str) -> bytes:
    try:
        return disk.read(path)
    except FileNotFoundError:
        return b""
