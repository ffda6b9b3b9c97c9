"""The project that a study file belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MARKS: Final = (".etude", "pyproject.toml", "etude.toml", ".git")
"""What makes a folder the root of a project."""


def project_of(file: Path) -> Path:
    """The nearest folder above the file that holds one of the `MARKS`; the file's own folder where none does."""
    return project_around(file.absolute().parent)


def project_around(folder: Path) -> Path:
    """The nearest folder from this one upwards that holds one of the `MARKS`; the folder itself where none does."""
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in MARKS):
            return candidate
    return folder
