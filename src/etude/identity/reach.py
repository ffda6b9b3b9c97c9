"""From one symbol to all that its result can depend on: the closure over names, imports and effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etude.errors import IdentityError, nearest
from etude.identity.content import content_digest, named_digest
from etude.identity.effects import Effects
from etude.identity.modules import Module, ModuleFinder, Owner
from etude.identity.pieces import Piece, Pieces
from etude.identity.resolve import Found, Resolver, Symbol, Target
from etude.identity.symbol_map import Opaque, SymbolMap
from etude.identity.symbols import Entry, Table


class Ground:
    """What is known of a project's modules; shared by all walks over it."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.pieces = Pieces(resolver)
        self.effects = Effects(resolver)
        self._loads: dict[str, tuple[str, ...]] = {}
        self._all: dict[str, tuple[tuple[Symbol, ...], tuple[str, ...]]] = {}
        self._imported: dict[str, tuple[str, ...]] = {}

    def module(self, name: str) -> Module:
        return self.resolver.finder.find(name)

    def loads(self, module: Module) -> tuple[str, ...]:
        """The modules that importing this one imports, itself aside."""
        if module.name not in self._loads:
            table = self.resolver.table(module)
            names = (name for source in table.loads for name in self.resolver.loaded(source))
            self._loads[module.name] = tuple(dict.fromkeys(names))
        return self._loads[module.name]

    def all_of(self, module: Module) -> tuple[tuple[Symbol, ...], tuple[str, ...]]:
        """All symbols that a module object gives access to, and the modules, if it is a package, that it holds."""
        if module.name not in self._all:
            table = self.resolver.table(module)
            symbols: dict[Symbol, None] = {}
            modules: dict[str, None] = {}
            for name, entry in table.entries.items():
                if entry.statements:
                    symbols[Symbol(module.name, name)] = None
                for source in entry.imports:
                    for target in self.resolver.reach(source.module, source.path):
                        if target.found is Found.SYMBOL:
                            symbols[target.symbol] = None
                        elif target.found is Found.MODULE and target.module.startswith(f"{module.name}."):
                            modules[target.module] = None
            for star in table.stars:
                if self.module(star.loads).owner is Owner.PROJECT:
                    modules[star.loads] = None
            self._all[module.name] = (tuple(symbols), tuple(modules))
        return self._all[module.name]

    def imported_by(self, module: Module) -> tuple[str, ...]:
        """The first-party modules that a module's names stand for."""
        if module.name not in self._imported:
            entries = self.resolver.table(module).entries.values()
            sources = (source for entry in entries for source in entry.imports)
            targets = (target for source in sources for target in self.resolver.reach(source.module, source.path))
            names = (target.module for target in targets if target.found is Found.MODULE)
            self._imported[module.name] = tuple(dict.fromkeys(names))
        return self._imported[module.name]


class Walk:
    """One walk from a symbol over everything that it reaches. Needs no recursion, however long the chains of calls.

    After `run`: `symbols` that were reached, with their pieces, and the `modules` that were imported on the way.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.symbols: dict[Symbol, Piece] = {}
        self.modules: dict[str, Module] = {}
        self._entered: set[str] = set()
        self._taken_whole: set[str] = set()
        self._objects: set[str] = set()
        """Modules that code handles as objects: it may go on from them to any module that they give access to."""
        self.starts: list[Symbol] = []
        self.changed: set[Symbol] = set()
        """Symbols that importing a module changes."""
        self.sets_process = False
        """Whether importing a module sets something for the whole process."""
        self._waiting: dict[Symbol, list[Symbol]] = {}
        self._todo: list[Symbol] = []

    def run(self, start: Symbol) -> None:
        """Walk from a symbol."""
        self.starts.append(start)
        self._todo.append(start)
        self._walk()

    def run_whole(self, module: str) -> None:
        """Walk from a module that is handled as an object."""
        self._handle([module])
        self._walk()

    def _walk(self) -> None:
        while self._todo:
            symbol = self._todo.pop()
            if symbol in self.symbols:
                continue
            piece = self.symbols[symbol] = self._ground.pieces.of(symbol)
            self._load([symbol.module, *piece.loads])
            self._enter(symbol.module)
            self._todo.extend(piece.symbols)
            self._todo.extend(self._waiting.pop(symbol, ()))
            self._handle(piece.modules)

    def fixed(self) -> set[Symbol]:
        """The symbols that go by their names: what others may change, and what stands in modules taken whole."""
        changed = {symbol for piece in self.symbols.values() for symbol in piece.changes} | self.changed
        return {symbol for symbol in self.symbols if symbol in changed or symbol.module in self._taken_whole}

    def _handle(self, names: Iterable[str]) -> None:
        """Modules are handled as objects, and with them what they import and the submodules that anyone imports."""
        todo = [*names]
        while todo:
            name = todo.pop()
            if name in self._objects:
                continue
            self._objects.add(name)
            self._take_whole(name)
            module = self._ground.module(name)
            if module.owner is Owner.PROJECT:
                todo.extend(self._ground.imported_by(module))
            todo.extend(other for other in self.modules if other.rpartition(".")[0] == name)

    def _load(self, names: Iterable[str]) -> None:
        """Import modules: with their parent packages, and all that they import in turn."""
        todo, inside = [*names], []
        while todo:
            name = todo.pop()
            if name in self.modules:
                continue
            if name.rpartition(".")[0] in self._objects:
                inside.append(name)
            module = self.modules[name] = self._ground.module(name)
            parent = name.rpartition(".")[0]
            if parent:
                todo.append(parent)
            if module.owner is Owner.PROJECT:
                table = self._ground.resolver.table(module)
                todo.extend(self._ground.loads(module))
                everywhere = self._ground.effects.everywhere(table)
                self._todo.extend(everywhere)
                self.sets_process = self.sets_process or bool(everywhere)
                for change in self._ground.effects.changes(table):
                    self.changed.add(change.changed)
                    if change.changed in self.symbols:
                        self._todo.append(change.by)
                    else:
                        self._waiting.setdefault(change.changed, []).append(change.by)
        if inside:
            self._handle(inside)

    def _enter(self, name: str) -> None:
        """Code of a module is reached: what it, and each package around it, imports for the effect counts whole."""
        while name and name not in self._entered:
            self._entered.add(name)
            module = self._ground.module(name)
            if module.owner is Owner.PROJECT:
                for other in self._ground.effects.for_effect(self._ground.resolver.table(module)):
                    self._take_whole(other)
            name = name.rpartition(".")[0]

    def _take_whole(self, name: str) -> None:
        """A module is handled as an object: any of its names may be meant."""
        todo = [name]
        while todo:
            name = todo.pop()
            if name in self._taken_whole:
                continue
            self._taken_whole.add(name)
            module = self._ground.module(name)
            self._load([name])
            if module.owner is Owner.PROJECT:
                self._enter(name)
                symbols, modules = self._ground.all_of(module)
                self._todo.extend(symbols)
                todo.extend(modules)


class MapReader:
    """Reads the symbol maps of functions and modules from source.

    Args:
        finder: Finds the modules, and tells afterwards what was asked for.
        tables: The symbols of modules, by name: those that were read are put there.
    """

    def __init__(self, finder: ModuleFinder, tables: dict[str, Table]) -> None:
        self.finder = finder
        self._resolver = Resolver(finder, tables)
        self._ground = Ground(self._resolver)

    def symbols_of(self, function: str) -> SymbolMap:
        walk = Walk(self._ground)
        packages: set[str] = set()
        for target in self._start(function):
            if target.found is Found.SYMBOL:
                walk.run(target.symbol)
            else:
                packages.add(target.module.partition(".")[0])
        return self._map_of(walk, packages)

    def whole(self, module: str) -> SymbolMap:
        walk = Walk(self._ground)
        walk.run_whole(module)
        return self._map_of(walk, set())

    def _map_of(self, walk: Walk, packages: set[str]) -> SymbolMap:
        """What a walk has found. `packages` are those that it starts from."""
        pieces = list(walk.symbols.values())
        symbols = {str(symbol): walk.symbols[symbol].digest for symbol in sorted(walk.symbols)}
        opaque = _opaque(pieces)
        by_name = bool(opaque) or walk.sets_process or any(piece.asks_place for piece in pieces)
        digest = named_digest(symbols) if by_name else content_digest(walk.starts, walk.symbols, walk.fixed())
        paths = sorted(module.path for module in walk.modules.values() if module.path is not None)
        return SymbolMap(
            symbols=symbols,
            opaque=opaque,
            packages=tuple(sorted(packages.union(*(piece.packages for piece in pieces)))),
            files={path: self.finder.digest_of(path) for path in paths},
            digest=digest,
        )

    def _start(self, function: str) -> list[Target]:
        """What the name of a step leads to: symbols, or something third-party."""
        name, _, attribute = function.partition(":")
        if not name or not attribute.isidentifier():
            raise IdentityError(f"{function!r} names no function.\n    Mend: write package.module:function.")
        module = self._module(function, name)
        if module.owner is Owner.PACKAGE:
            return [Target(Found.PACKAGE, name)]
        targets = self._resolver.reach(name, (attribute,))
        kept = [target for target in targets if target.found in (Found.SYMBOL, Found.PACKAGE)]
        if not kept:
            entries = self._resolver.table(module).entries
            near = nearest(attribute, [known for known, entry in entries.items() if _is_offered(known, entry, name)])
            raise IdentityError(
                f"{function}: {module.path} has no function {attribute!r}; {near}\n"
                "    Mend: correct the name, or define the function at the top of the module."
            )
        return kept

    def _module(self, function: str, name: str) -> Module:
        """The module of a step: first-party source, or third-party."""
        module = self.finder.find(name)
        reasons = {
            Owner.FOLDER: f"{name} is a folder without code of its own",
            Owner.COMPILED: f"{name} is compiled, so its code cannot be read",
            Owner.PYTHON: f"{name} belongs to Python itself",
            Owner.MACHINERY: f"{name} belongs to étude but holds no steps",
        }
        if module.owner is Owner.MISSING:
            reason, mend = self._why_missing(name), "correct the name, or put the module's folder on the search path"
        elif module.owner in reasons:
            reason, mend = reasons[module.owner], "name the module that holds the step's source"
        else:
            return module
        raise IdentityError(f"{function}: {reason}\n    Mend: {mend}.")

    def _why_missing(self, name: str) -> str:
        parent = name
        while parent and self.finder.find(parent).owner is Owner.MISSING:
            parent = parent.rpartition(".")[0]
        wrong = name.removeprefix(f"{parent}." if parent else "").partition(".")[0]
        known = self.finder.names_in(self.finder.find(parent) if parent else None)
        suggestion = nearest(wrong, known)
        if not parent and not suggestion.startswith("did you mean"):
            return f"there is no module {wrong!r}"  # all that is installed would be no help
        return f"there is no module {wrong!r}{f' in {parent}' if parent else ''}; {suggestion}"


def _is_offered(name: str, entry: Entry, module: str) -> bool:
    """Whether a module defines a name, or takes it from inside itself to hand it on, as a package does."""
    inside = any(one.path and one.module.startswith(f"{module}.") for one in entry.imports)
    return (bool(entry.bindings) or inside) and not name.startswith("__")


def _opaque(pieces: Sequence[Piece]) -> tuple[Opaque, ...]:
    """All places that are not seen through; a package that is not installed, or a generator that
    nothing seeds, is told once."""
    first: dict[str, Opaque] = {}
    seeded = frozenset().union(*(piece.seeds for piece in pieces))
    for piece in pieces:
        for generator, place in piece.draws:
            if generator not in seeded:
                first[generator] = min(place, first.get(generator, place))
        for package, place in piece.absent:
            first[package] = min(place, first.get(package, place))
    return tuple(sorted({*first.values(), *(place for piece in pieces for place in piece.opaque)}))
