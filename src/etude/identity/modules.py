"""Where modules are and whose they are, found as Python would find them but without importing any."""

from __future__ import annotations

import builtins
import hashlib
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from enum import Enum
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FileFinder,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path

from etude.errors import IdentityError
from etude.identity.own_code import counts, holds_code_that_counts

BUILTINS = frozenset(dir(builtins)) | {"WindowsError", "__file__"}
"""Names that every module has without binding them."""

_LOADERS = (
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)
_INSTALLED = frozenset({"site-packages", "dist-packages"})


class Owner(Enum):
    """Whose a module is, and so how its code enters identity."""

    PROJECT = "project"
    """First-party source, or code of étude that counts: by its symbols."""
    FOLDER = "folder"
    """A first-party folder without `__init__.py`: through its modules."""
    COMPILED = "compiled"
    """First-party, but there is no source to read."""
    PACKAGE = "package"
    """Third-party: by its import name."""
    PYTHON = "python"
    """The standard library: not at all, the Python version is recorded elsewhere."""
    MACHINERY = "machinery"
    """All other code of étude: not at all."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module that was looked for."""

    name: str
    owner: Owner
    path: Path | None = None
    """Its file; None for folders and for what is not read."""
    locations: tuple[str, ...] = ()
    """Where its submodules are; empty for what is no package."""

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.name if self.locations else self.name.rpartition(".")[0]


class ModuleFinder:
    """Finds modules on a search path and reads their files, each once: a picture of the sources at one time.

    Args:
        search_path: Folders to look in before those of `sys.path`, as `PYTHONPATH` would put them.
        sources: Bytes that count in place of those on disk, by absolute path.
    """

    def __init__(self, search_path: Sequence[str | Path] = (), sources: Mapping[str, bytes] | None = None) -> None:
        given = [str(Path(entry).absolute()) for entry in search_path]
        self._path = list(dict.fromkeys([*given, *(str(Path(entry).absolute()) for entry in sys.path)]))
        self._finders: dict[str, FileFinder] = {}
        self._modules: dict[str, Module] = {}
        self.asked: dict[str, Module] = {}
        """What this finder was asked for, with its answers."""
        self._sources = {Path(path): source for path, source in (sources or {}).items()}
        self._given = frozenset(self._sources)
        self._digests: dict[Path, str] = {}
        paths = sysconfig.get_paths()
        standard = {Path(paths[name]) for name in ("stdlib", "platstdlib")}
        self._standard = tuple(standard | {path.resolve() for path in standard})

    def find(self, name: str) -> Module:
        """The module of this dotted name; its owner is MISSING where there is none."""
        module = self.asked.get(name)
        if module is None:
            module = self._modules.get(name)
            if module is None:
                module = self._modules[name] = self._find(name)
            self.asked[name] = module
        return module

    def apart(self) -> ModuleFinder:
        """A finder of the same picture that was asked for nothing yet."""
        other = copy(self)
        other.asked = {}
        return other

    def names_in(self, package: Module | None) -> set[str]:
        """The modules that a package holds, or that stand on the search path: to suggest a name for a wrong one."""
        folders = self._path if package is None else package.locations
        entries = (entry for folder in folders if Path(folder).is_dir() for entry in Path(folder).iterdir())
        return {
            entry.stem
            for entry in entries
            if entry.stem.isidentifier() and (entry.suffix in SOURCE_SUFFIXES or entry.is_dir())
        }

    def source_of(self, path: Path) -> bytes:
        """The content of a file as it was when this finder first read it.

        Raises:
            IdentityError: It cannot be read.
        """
        if path not in self._sources:
            try:
                self._sources[path] = path.read_bytes()
            except OSError as error:
                raise IdentityError(
                    f"{path}: cannot be read ({error.strerror}).\n"
                    "    Mend: make the file readable, or take its folder off the search path."
                ) from error
        return self._sources[path]

    def was_read(self, path: Path) -> bool:
        """Whether the content of a file was asked for."""
        return path in self._sources

    def digest_of(self, path: Path) -> str:
        """The sha256 of a file, as hexadecimal digits, as it was when this finder first read it."""
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(self.source_of(path)).hexdigest()
        return self._digests[path]

    def _find(self, name: str) -> Module:
        parent_name, _, last = name.rpartition(".")
        if not last or name.startswith("."):
            return Module(name=name, owner=Owner.MISSING)
        if not parent_name:
            return self._find_top(name)
        parent = self.find(parent_name)
        if parent.owner in (Owner.PACKAGE, Owner.PYTHON):
            return Module(name=name, owner=parent.owner)
        own = name.removeprefix("etude.")
        if parent.owner is Owner.MACHINERY and not counts(own):
            locations = [f"{folder}/{last}" for folder in parent.locations] if holds_code_that_counts(own) else []
            return Module(name=name, owner=Owner.MACHINERY, locations=tuple(locations))
        spec = self._spec(name, parent.locations)
        return Module(name=name, owner=Owner.MISSING) if spec is None else self._module(spec, within=parent)

    def _find_top(self, name: str) -> Module:
        if name in sys.builtin_module_names:
            return Module(name=name, owner=Owner.PYTHON)
        spec = self._spec(name, self._path) or _from_other_finders(name)
        if spec is None:
            return Module(name=name, owner=Owner.PYTHON if name in sys.stdlib_module_names else Owner.MISSING)
        return self._module(spec)

    def _spec(self, name: str, locations: Sequence[str]) -> ModuleSpec | None:
        portions: list[str] = []
        for location in locations:
            spec = self._spec_in(name, location)
            if spec is not None and spec.loader is not None:
                return spec
            if spec is not None:
                portions.extend(spec.submodule_search_locations or ())
        if not portions:
            return None
        namespace = ModuleSpec(name, None)
        namespace.submodule_search_locations = portions
        return namespace

    def _spec_in(self, name: str, location: str) -> ModuleSpec | None:
        if not Path(location).is_dir():
            return PathFinder.find_spec(name, [location]) if Path(location).exists() else None
        given = Path(location, f"{name.rpartition('.')[2]}.py")
        if given in self._given:  # it counts even where no such file exists
            return spec_from_file_location(name, given)
        # A finder of our own: those that Python keeps may not have noticed a file that was written a moment ago.
        finder = self._finders.get(location)
        if finder is None:
            finder = self._finders[location] = FileFinder(location, *_LOADERS)
        return finder.find_spec(name)

    def _module(self, spec: ModuleSpec, within: Module | None = None) -> Module:
        name, locations = spec.name, tuple(spec.submodule_search_locations or ())
        tracked = within is not None and within.owner in (Owner.PROJECT, Owner.COMPILED, Owner.MACHINERY)
        if name == "etude":
            return Module(name=name, owner=Owner.MACHINERY, locations=locations)
        if spec.loader is None:
            owners = {self._owner(Path(location)) for location in locations}
            if tracked or Owner.PROJECT in owners:
                return Module(name=name, owner=Owner.FOLDER, path=None, locations=locations)
            return Module(name=name, owner=Owner.PACKAGE if Owner.PACKAGE in owners else Owner.PYTHON)
        path = Path(spec.origin or "")
        if not path.is_file() and path not in self._given:  # frozen, in an archive, or made by a loader of its own
            return Module(
                name=name,
                owner=Owner.PYTHON if name in sys.stdlib_module_names else Owner.COMPILED,
                path=None,
                locations=locations,
            )
        owner = Owner.PROJECT if tracked else self._owner(path)
        if owner is Owner.PROJECT and path.suffix not in SOURCE_SUFFIXES:
            owner = Owner.COMPILED
        return (
            Module(name=name, owner=owner, path=path, locations=locations)
            if owner in (Owner.PROJECT, Owner.COMPILED)
            else Module(name=name, owner=owner)
        )

    def _owner(self, path: Path) -> Owner:
        if not _INSTALLED.isdisjoint(path.parts):
            return Owner.PACKAGE
        return Owner.PYTHON if any(path.is_relative_to(folder) for folder in self._standard) else Owner.PROJECT


def _from_other_finders(name: str) -> ModuleSpec | None:
    """What finders beyond the search path know, such as those of editable installs."""
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder) or not hasattr(finder, "find_spec"):
            continue
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None
