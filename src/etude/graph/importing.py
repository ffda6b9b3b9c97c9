"""Imports a project's modules from exactly the bytes that were fingerprinted.

A source file may be edited while a study is planned, waits or runs. What is imported must still be what the
fingerprint speaks of, so the modules of a project are compiled from the bytes that the plan has read, in the driver and
in every worker.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import CodeType, ModuleType

_DIGEST = "__etude_source__"


class ExactLoader(importlib.machinery.SourceFileLoader):
    """Loads one module from given bytes; `__file__` stays the real path."""

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, self.path)

    def exec_module(self, module: ModuleType) -> None:
        sys.audit("etude.loaded", self.path)
        setattr(module, _DIGEST, sha256(self._source).hexdigest())
        super().exec_module(module)


class ExactFinder:
    """Finds the modules whose source bytes are known; leaves all others to the ordinary finders."""

    def __init__(self) -> None:
        self.sources: dict[str, bytes] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not self.sources:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path) or self._deleted(name, path)
        if spec is None or spec.origin not in self.sources:
            return None
        return importlib.util.spec_from_file_location(
            name,
            spec.origin,
            loader=ExactLoader(name, spec.origin, self.sources[spec.origin]),
            submodule_search_locations=spec.submodule_search_locations,
        )

    def _deleted(self, name: str, path: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
        """A module whose file was deleted after its bytes were read."""
        last = name.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            module, package = f"{folder}/{last}.py", f"{folder}/{last}/__init__.py"
            if package in self.sources:
                return importlib.util.spec_from_file_location(
                    name, package, submodule_search_locations=[f"{folder}/{last}"]
                )
            if module in self.sources:
                return importlib.util.spec_from_file_location(name, module)
        return None


_finder = ExactFinder()


def use_sources(sources: Mapping[str, bytes]) -> None:
    """From now on import these files (absolute path → bytes) from the bytes given.

    A module that was loaded from other bytes is dropped, with all modules of the project that may hold on to it, so
    that it is imported anew. Adding what is known already does nothing.
    """
    if all(_finder.sources.get(path) == source for path, source in sources.items()):
        return
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    importlib.invalidate_caches()
    _finder.sources.update(sources)
    loaded = _loaded()
    if any(_is_stale(sys.modules[name], path) for name, path in loaded.items()):
        for name in loaded:
            del sys.modules[name]


def known_sources() -> Mapping[str, bytes]:
    """The files that are imported from given bytes in this process, by absolute path."""
    return _finder.sources


def _loaded() -> dict[str, str]:
    """The modules that are loaded from sources given, each with its path."""
    return {
        name: path
        for name, module in list(sys.modules.items())
        if name != "__main__" and (path := getattr(module, "__file__", None)) in _finder.sources
    }


def _is_stale(module: ModuleType, path: str) -> bool:
    digest = getattr(module, _DIGEST, None)
    if digest is not None:
        return bool(digest != sha256(_finder.sources[path]).hexdigest())
    return Path(path).stat().st_mtime > _process_start()


def _process_start() -> float:
    import psutil

    return float(psutil.Process().create_time())


def import_path(project: Path) -> tuple[str, ...]:
    """The folders whose modules a project's studies may name: its root, and `src` where it has one."""
    root = project.resolve()
    return tuple(str(folder) for folder in (root, root / "src") if folder.is_dir())


def make_importable(project: Path) -> None:
    """Put a project's folders at the head of the import path, and forget the modules of other projects.

    A module of the same name that was imported for another project would be taken for this one's.
    """
    folders = import_path(project)
    sys.path[:] = [*folders, *(entry for entry in sys.path if entry not in folders)]
    for name, path in _loaded().items():
        if not any(Path(path).is_relative_to(folder) for folder in folders):
            del sys.modules[name]


@contextmanager
def importable(project: Path) -> Iterator[None]:
    """The same for the length of a block."""
    before = list(sys.path)
    make_importable(project)
    try:
        yield
    finally:
        sys.path[:] = before
