"""What a step, or a module while it is imported, has touched; and whose code asks for something."""

from __future__ import annotations

import contextlib
import dis
import importlib
import os
import re
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, NamedTuple

NOT_THE_PROJECTS = re.compile(r"/(\.etude|\.git|\.venv|venv|site-packages|dist-packages|node_modules)(/|$)")
_ETUDE = f"{Path(__file__).parents[2]}/"
_STANDARD = (f"{Path(os.__file__).parent}/", "<frozen ")
_FINDS_PACKAGES = re.compile(r"<frozen (importlib|zipimport)|.*/(importlib/metadata|importlib_metadata|pkg_resources)/")
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
_MOST_FRAMES = 24


class Stamp(NamedTuple):
    """What tells that a file is the one that was read."""

    size: int
    mtime_ns: int
    inode: int


def stamp_of(path: str) -> Stamp | None:
    """The stamp of a file as it is now; None where there is none to be seen."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(slots=True, kw_only=True, eq=False)
class Accesses:
    """What was touched, as it was met."""

    files: dict[str, Stamp | None] = field(default_factory=dict)
    """Path → what the file was when it was first read; None where there was none."""
    folders: dict[str, None] = field(default_factory=dict)
    """Folders whose names were listed."""
    sources: dict[str, Stamp | None] = field(default_factory=dict)
    """Files of modules that were imported."""
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variable → digest of its value."""
    commands: dict[str, None] = field(default_factory=dict)
    """Programs that were started."""
    rewritten: dict[str, None] = field(default_factory=dict)
    """Files that were read, and written afterwards."""
    seen: set[str] = field(default_factory=set)
    """Absolute paths that need not be looked at again."""
    written: set[str] = field(default_factory=set)
    """Paths and variables (`$NAME`) that were written, made or removed."""

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.sources or self.variables or self.commands or self.rewritten)

    def read(self, path: str, stamp: Stamp | None = None) -> None:
        """A file is read, unless it is what was written here."""
        if path not in self.files and path not in self.written:
            self.files[path] = stamp or stamp_of(path)

    def write(self, path: str) -> None:
        """A file is written, made or removed."""
        if self.files.pop(path, None) is not None:
            self.rewritten[path] = None
        self.written.add(path)

    def made(self, path: str) -> bool:
        """Whether this path, or a folder around it, was written here."""
        while len(path) > 1:
            if path in self.written:
                return True
            path = os.path.dirname(path)
        return False

    def add(self, other: Accesses) -> None:
        """Take in what was touched elsewhere; what was met here first stays."""
        self.files = {**other.files, **self.files}
        self.sources = {**other.sources, **self.sources}
        self.variables = {**other.variables, **self.variables}
        self.folders.update(other.folders)
        self.commands.update(other.commands)


@dataclass(slots=True, kw_only=True, eq=False)
class ProcessAccesses:
    """What is known in this process of what it touches."""

    roots: tuple[str, ...] = ()
    """The projects' folders, each with `/` at its end."""
    skipped: tuple[str, ...] = (_ETUDE,)
    """Folders that do not count: étude itself, the store."""
    active: tuple[Accesses, ...] = ()
    """Of the nodes that run now: one, but for runs in several threads."""
    importing: dict[str, Accesses] = field(default_factory=dict)
    """File of a module → what was touched while it was imported."""
    loaded: dict[str, Stamp | None] = field(default_factory=dict)
    """File of a module → what it was when it was first loaded."""
    iterated: deque[bytes] = field(default_factory=lambda: deque(maxlen=10_000))
    """Environment variables whose names were listed, and that have not been read since."""
    pid: int = 0
    children: IO[bytes] | None = None
    """Where forked children write down what they touch."""


IMPORTING: Mapping[str, object] = getattr(importlib._bootstrap, "_module_locks", {"unknown": None})  # type: ignore[attr-defined,unused-ignore]
"""Python's own locks of the modules that are being imported: none are when it is empty."""

PROCESS = ProcessAccesses()
"""The one of this process: an audit hook, once added, cannot be taken away."""


def counts(path: str) -> bool:
    """Whether a path is inside a project, and neither étude's nor an installed package's."""
    for root in PROCESS.roots:
        if path.startswith(root):
            return NOT_THE_PROJECTS.search(path, len(root) - 1) is None and not path.startswith(PROCESS.skipped)
    return False


def observers(loading: str = "") -> Iterator[Accesses]:
    """Those for whom something counts that is touched now: nodes that run, and modules that are being imported.

    Args:
        loading: File of the module whose own import this is.
    """
    yield from PROCESS.active
    if not IMPORTING:
        return
    for frame in _frames():
        file = frame.f_code.co_filename
        if frame.f_code.co_name == "<module>" and file != loading and counts(file):
            yield PROCESS.importing.setdefault(file, Accesses())


def asked_by_project() -> bool:
    """Whether the nearest code outside Python's own library is the project's."""
    for frame in _frames():
        file = frame.f_code.co_filename
        if _FINDS_PACKAGES.match(file):
            return False
        if not file.startswith(_STANDARD) and not file.startswith("<"):
            return counts(file)
    return False


def asked_by_import() -> bool:
    """Whether it is Python's import that asks, or the search for installed packages on the same path."""
    frame = next(_frames(), None)
    return frame is not None and _FINDS_PACKAGES.match(frame.f_code.co_filename) is not None


def asked_by_statement() -> bool:
    """Whether an import statement in a project's code asks, which the plan follows, and no computed name."""
    for frame in _frames():
        code = frame.f_code
        if not code.co_filename.startswith(("<frozen ", _ETUDE, contextlib.__file__)):
            at = frame.f_lasti
            return counts(code.co_filename) and code.co_code[at] == _IMPORT_NAME
    return False


def asked_as_text() -> bool:
    """Whether the project reads a source file as text: not what shows lines of it in warnings and tracebacks."""
    shown = inspected = False
    for frame in _frames():
        file = frame.f_code.co_filename
        if not file.startswith("<") and not file.startswith(_STANDARD):
            return counts(file) and (inspected or not shown)
        shown = shown or file.endswith("/linecache.py")
        inspected = inspected or file.endswith("/inspect.py")
    return False


def _frames() -> Iterator[FrameType]:
    """The nearest frames on the stack, without those that see to this."""
    frame: FrameType | None = sys._getframe(1)
    left = _MOST_FRAMES
    while frame is not None and left:
        if not frame.f_code.co_filename.startswith(_WATCHERS):
            yield frame
            left -= 1
        frame = frame.f_back


_WATCHERS = (__file__, f"{Path(__file__).parent}/audit.py")


def module_names() -> dict[str, str]:
    """File → name of each module that is loaded."""
    files = ((name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items()))
    return {file: name for name, file in files if name != "__main__" and isinstance(file, str)}


def module_files(symbols: Mapping[str, str]) -> list[str]:
    """The files of the modules that a symbol map is about."""
    names = {symbol.partition(":")[0] for symbol in symbols}
    files = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return [file for file in files if isinstance(file, str)]
