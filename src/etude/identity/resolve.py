"""What a reference leads to: followed through imports, re-exports, star imports and attributes of modules."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from etude.errors import IdentityError
from etude.identity.imports import Import
from etude.identity.modules import BUILTINS, Module, ModuleFinder, Owner
from etude.identity.own_code import only_checks
from etude.identity.references import Ref
from etude.identity.symbols import Table, table_of

_OF_EVERY_MODULE = frozenset(
    {"__annotations__", "__builtins__", "__cached__", "__class__", "__dict__", "__doc__", "__loader__"}
) | {"__module__", "__name__", "__package__", "__path__", "__qualname__", "__spec__"}


class Symbol(NamedTuple):
    """A name that a module binds by something other than an import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


class Found(Enum):
    """What kind of thing a reference leads to."""

    SYMBOL = auto()
    MODULE = auto()
    """A first-party module as an object, which may be asked for any of its names."""
    PACKAGE = auto()
    """Anything third-party."""
    PYTHON = auto()
    """Anything of the standard library."""
    BUILTIN = auto()
    NOTHING = auto()
    """Something without code of its own: a name for type checkers, `__name__`, étude's machinery."""
    COMPILED = auto()
    """Something in a first-party module without source."""
    ABSENT = auto()
    """Something in a top-level module that is not found: a package that is not installed here."""
    MISSING = auto()
    """A name or module that should be in the project and is not."""


class Target(NamedTuple):
    """One thing that a reference may lead to."""

    found: Found
    module: str
    """The module, dotted; for what is outside the project, with all attributes taken of it."""
    name: str = ""
    rest: tuple[str, ...] = ()
    """Attributes taken of the symbol itself."""
    guarded: bool = False
    """Of what is absent or missing: whether the code goes on without it."""

    @property
    def symbol(self) -> Symbol:
        return Symbol(self.module, self.name)

    @property
    def text(self) -> str:
        if self.name == "__getattr__":  # what it gives depends on what it is asked for
            return f"{self.module}:{self.name}.{'.'.join(self.rest)}"
        return f"{self.module}:{self.name}" if self.name else self.module


Targets = tuple[Target, ...]
_Way = tuple[str, str, tuple[str, ...]]
"""A module, a name of it and the attributes taken of that."""

_LOST = frozenset({Found.ABSENT, Found.MISSING})

_UNREAD = {
    Owner.COMPILED: Found.COMPILED,
    Owner.MISSING: Found.ABSENT,
    Owner.PACKAGE: Found.PACKAGE,
    Owner.PYTHON: Found.PYTHON,
}


class Resolver:
    """Follows references between modules. Remembers each table and each way it went.

    Args:
        finder: Finds the modules.
        tables: Tables that others of the same picture have read, by module; what is read here is put there.
    """

    def __init__(self, finder: ModuleFinder, tables: dict[str, Table] | None = None) -> None:
        self.finder = finder
        self._tables: dict[str, Table] = {} if tables is None else tables
        self._reached: dict[tuple[str, tuple[str, ...]], Targets] = {}
        self._global: dict[tuple[str, str, tuple[str, ...]], Targets] = {}

    def table(self, module: Module) -> Table:
        """The symbols of a first-party module. IdentityError where its source cannot be read."""
        table = self._tables.get(module.name)
        if table is None:
            if module.owner is not Owner.PROJECT or module.path is None:
                raise IdentityError(f"{module.name} has no source that is read ({module.owner.value}).")
            table = self._tables[module.name] = table_of(module, self.finder.source_of(module.path))
        return table

    def targets(self, table: Table, ref: Ref) -> Targets:
        """All that a reference in a module may lead to: several where alternatives bind the name."""
        if ref.source is None:
            key = (table.module.name, ref.root, ref.chain)
            if key not in self._global:
                self._global[key] = self._global_name(table, ref.root, ref.chain, set())
            return self._global[key]
        source = ref.source
        found = self._guarded(self.reach(source.module, source.path + ref.chain), source.guarded)
        if not source.path and not ref.chain and source.loads != source.module:
            found += self.reach(source.loads)
        return found

    def reach(self, module: str, chain: tuple[str, ...] = ()) -> Targets:
        """What attributes taken of a module lead to; the module itself where there are none."""
        key = (module, chain)
        if key not in self._reached:
            self._reached[key] = self._reach(module, chain, set())
        return self._reached[key]

    def loaded(self, source: Import) -> tuple[str, ...]:
        """The modules that an import statement loads, their parent packages aside."""
        if not source.path or not self.finder.find(source.module).locations:
            return (source.loads,)
        child = f"{source.module}.{source.path[0]}"
        is_module = self.finder.find(child).owner in (Owner.PROJECT, Owner.FOLDER, Owner.COMPILED)
        return (source.loads, child) if is_module else (source.loads,)

    def _reach(self, name: str, chain: tuple[str, ...], seen: set[_Way]) -> Targets:
        while True:
            module = self.finder.find(name)
            dotted = ".".join((name, *chain))
            match module.owner:
                case Owner.PACKAGE:
                    return (Target(Found.PACKAGE, dotted),)
                case Owner.PYTHON:
                    return (Target(Found.PYTHON, dotted),)
                case Owner.MISSING:
                    absent = self.finder.find(dotted.partition(".")[0]).owner is Owner.MISSING
                    return (Target(Found.ABSENT if absent and not dotted.startswith(".") else Found.MISSING, dotted),)
                case Owner.PROJECT if chain:
                    return self._attribute(self.table(module), chain[0], chain[1:], seen)
                case Owner.PROJECT:
                    return (Target(Found.MODULE, name),)
            child = self.finder.find(f"{name}.{chain[0]}") if chain else None
            if module.owner is Owner.MACHINERY and (child is None or child.owner is not Owner.PROJECT):
                return (Target(Found.NOTHING, ".".join(("etude", *chain[-1:]))),)
            if module.owner is Owner.COMPILED and (child is None or child.owner is Owner.MISSING):
                return (Target(Found.COMPILED, dotted),)
            if child is None:
                return (Target(Found.NOTHING, dotted),)  # a folder without code of its own
            name, chain = child.name, chain[1:]

    def _attribute(self, table: Table, name: str, rest: tuple[str, ...], seen: set[_Way]) -> Targets:
        """What an attribute of a module leads to."""
        found = self._bindings(table, name, rest, seen)
        if found:
            return found
        if name in ("__doc__", "__file__", "__spec__"):
            return (Target(Found.BUILTIN, name),)
        if name in _OF_EVERY_MODULE:
            return (Target(Found.MODULE if name == "__dict__" else Found.NOTHING, table.module.name),)
        if "__getattr__" in table.entries:
            return (Target(Found.SYMBOL, table.module.name, "__getattr__", (name, *rest)),)
        return (Target(Found.MISSING, ".".join((table.module.name, name, *rest))),)

    def _global_name(self, table: Table, name: str, rest: tuple[str, ...], seen: set[_Way]) -> Targets:
        """What a name read inside a module leads to."""
        found = self._bindings(table, name, rest, seen)
        if name in BUILTINS and all(target.module.endswith(".*") for target in found):
            return (Target(Found.BUILTIN, name), *found)
        if found:
            return found
        return (Target(Found.NOTHING, name) if name in _OF_EVERY_MODULE else Target(Found.MISSING, "", name),)

    def _bindings(self, table: Table, name: str, rest: tuple[str, ...], seen: set[_Way]) -> Targets:
        """All that may bind a name of a module: its statements and imports, a submodule, and every star import.

        Which of them Python takes last depends on what runs when, so each counts. One that leads to nothing is told
        only where all do.
        """
        way = (table.module.name, name, rest)
        if way in seen:
            return self._submodule(table, name, rest, seen)
        seen.add(way)
        found = self._own(table, name, rest, seen)
        others = [*self._submodule(table, name, rest, seen), *self._starred(table, name, rest, seen)]
        found += [target for target in others if target.found not in _LOST] or ([] if found else others)
        if not found and name in table.types:
            return (Target(Found.NOTHING, name),)
        return tuple(dict.fromkeys(found))

    def _own(self, table: Table, name: str, rest: tuple[str, ...], seen: set[_Way]) -> list[Target]:
        """What statements and imports of the module bind a name to."""
        entry = table.entries.get(name)
        if entry is None:
            return []
        numbers = entry.statements
        if numbers and all(only_checks(table.module.name, table.statements[number]) for number in numbers):
            return [Target(Found.NOTHING, name)]
        found = [Target(Found.SYMBOL, table.module.name, name, rest)] if entry.statements else []
        for source in entry.imports:
            found += self._guarded(self._reach(source.module, source.path + rest, seen), source.guarded)
            if not source.path and not rest and source.loads != source.module:
                found += self._reach(source.loads, (), seen)
        return found

    def _submodule(self, table: Table, name: str, rest: tuple[str, ...], seen: set[_Way]) -> Targets:
        """The submodule that Python binds in a package when it is imported first.

        `from .train import train` imports it before it binds the name to something else.
        """
        child = f"{table.module.name}.{name}"
        entry = table.entries.get(name)
        before = entry is not None and any(source.loads == child for source in entry.imports)
        if before or not table.module.locations or self.finder.find(child).owner is Owner.MISSING:
            return ()
        return self._reach(child, rest, seen)

    def _starred(self, table: Table, name: str, rest: tuple[str, ...], seen: set[_Way]) -> list[Target]:
        """What star imports may bind a name to; `module.*` where the names of the module are not read."""
        found: list[Target] = []
        for star in table.stars:
            module = self.finder.find(star.loads)
            if module.owner is not Owner.PROJECT:
                found.append(Target(_UNREAD.get(module.owner, Found.NOTHING), f"{star.loads}.*"))
            elif (exporter := self.table(module)).exported(name):
                listed = name in (exporter.exports or ())
                found += (self._attribute if listed else self._bindings)(exporter, name, rest, seen)
        return found

    @staticmethod
    def _guarded(targets: Targets, guarded: bool) -> Targets:
        if not guarded:
            return targets
        return tuple(target._replace(guarded=True) if target.found in _LOST else target for target in targets)
