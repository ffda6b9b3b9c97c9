"""A study file as text and as a plain tree: reading it, its limits, its project, and where each value stands."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from etude.errors import ConfigError, Fault, nearest
from etude.study.study import SourceLine

MAX_BYTES: Final = 16 * 2**20
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000

YAML_SUFFIXES: Final = (".yaml", ".yml")
SUFFIXES: Final = (*YAML_SUFFIXES, ".json", ".jsonnet")

_MARKS: Final = {
    codecs.BOM_UTF8: "starts with a byte order mark",
    codecs.BOM_UTF16_LE: "is UTF-16",
    codecs.BOM_UTF16_BE: "is UTF-16",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file once parsed."""

    tree: object
    """Nested dicts, lists and scalars; nothing is shared between two places."""
    lines: Mapping[str, SourceLine] = field(default_factory=dict)
    """Dotted path → line, for every value."""
    faults: tuple[Fault, ...] = ()
    """What is wrong although the rest can be read, such as a key given twice."""
    files: tuple[Path, ...] = ()
    """Every file that was read for it, its own first."""


def failure(reason: str, *, file: str, line: int | None = None, path: str = "", mend: str = "") -> ConfigError:
    """The error of a file that cannot be read at all."""
    return ConfigError([Fault(path=path, reason=reason, mend=mend, file=file, line=line)])


def file_text(path: Path) -> str:
    """The text of a study file.

    Raises:
        ConfigError: No such file, a folder, unreadable, too large, or no UTF-8 text; with the line where there is one.
    """
    shown = str(path)
    if path.is_dir():
        raise failure("is a folder, not a study file", file=shown, mend=_names_in(path, ""))
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise failure("no such file", file=shown, mend=_names_in(path.parent, path.name)) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise failure(reason, file=shown, mend="check the name and your rights to it") from error
    if len(data) > MAX_BYTES:
        raise failure(
            f"is larger than {MAX_BYTES // 2**20} MB", file=shown, mend="a study names its data, it holds none"
        )
    return _decoded(data, shown)


def _names_in(folder: Path, wrong: str) -> str:
    if not folder.is_dir():
        return f"there is no folder {str(folder)!r}"
    names = [entry.name for entry in folder.iterdir() if entry.suffix in SUFFIXES]
    return nearest(wrong, names) if names else f"no study files in {str(folder)!r}"


def _decoded(data: bytes, shown: str) -> str:
    for mark, what in _MARKS.items():
        if data.startswith(mark):
            raise failure(what, file=shown, line=1, mend="save it as UTF-8 without a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"is not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start}"
        raise failure(reason, file=shown, line=line, mend="save it as UTF-8") from None
    if not text.strip():
        raise failure("is empty", file=shown, mend="a study needs at least `pipeline:` with one node")
    return text


def check_limits(tree: object, file: str) -> None:
    """Refuse a tree that nests too deeply or holds too many values. Never recurses itself."""
    level, depth, count = [tree], 0, 0
    while level:
        count += len(level)
        if depth > MAX_DEPTH:
            raise too_deep(file)
        if count > MAX_VALUES:
            raise too_many(file)
        level = [inner for outer in level for inner in _inside(outer)]
        depth += 1


def too_deep(file: str, line: int | None = None) -> ConfigError:
    """The error of a tree that nests too deeply."""
    return failure(f"nests deeper than {MAX_DEPTH} levels", file=file, line=line, mend="flatten it")


def too_many(file: str, line: int | None = None) -> ConfigError:
    """The error of a tree that holds too many values."""
    mend = "keep data in files of their own; an alias of an alias of an alias multiplies"
    return failure(f"holds more than {MAX_VALUES:,} values", file=file, line=line, mend=mend)


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


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
