"""The symbol map of a step: every piece of project code that its result can depend on, each with a digest.

Read from source text alone; no module is imported, so nothing of the user's runs. A *symbol* is a name at the top of a
module with all the statements that make it what it is. From the step's own symbol the map goes on to every symbol that
its code names, however far away; third-party code is told by its import names, the standard library not at all. What
cannot be seen through is listed as `Opaque`, never guessed.

Comments, docstrings, formatting and code that the step does not reach never change a map.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from etude.errors import IdentityError, nearest
from etude.identity.content import content_digest, named_digest
from etude.identity.modules import Module, ModuleFinder, Owner
from etude.identity.pieces import Opaque as Opaque
from etude.identity.pieces import Piece
from etude.identity.reach import Ground, Walk
from etude.identity.resolve import Found, Resolver, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMap:
    """All project code that a step's result can depend on."""

    symbols: Mapping[str, str]
    """`module:Name` → digest of its code, sorted by name."""
    opaque: tuple[Opaque, ...]
    packages: tuple[str, ...]
    """Import names of the third-party packages that are reached."""
    files: Mapping[Path, str]
    """Source files that importing and running the step reads → sha256 of the bytes that were digested."""
    digest: str
    """The step's code in one word: the same wherever functions and constants stand, as long as that cannot matter."""

    def covers(self, reference: str) -> bool:
        """Whether a change of a class, named `module:Name`, changes this map, or is no project's code at all."""
        module, _, name = reference.partition(":")
        package = module.partition(".")[0]
        outside = package in sys.stdlib_module_names or package in self.packages
        return outside or f"{module}:{name.partition('.')[0]}" in self.symbols


@dataclass(frozen=True, slots=True)
class CodeChanges:
    """How two symbol maps differ, by symbol."""

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)


def explain_code(old: Mapping[str, str], new: Mapping[str, str]) -> CodeChanges:
    """Which symbols changed between the `symbols` of two maps."""
    return CodeChanges(
        changed=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


class CodeIndex:
    """The code of a project as it stands when it is first asked for: every file is read once.

    Args:
        search_path: Folders to look for modules in before those of `sys.path`, as `PYTHONPATH` would put them.
        sources: Bytes of files that count in place of those on disk, by absolute path.
    """

    def __init__(
        self, search_path: Sequence[str | Path] | None = None, sources: Mapping[str, bytes] | None = None
    ) -> None:
        self._finder = ModuleFinder(search_path or (), sources)
        self._resolver = Resolver(self._finder)
        self._ground = Ground(self._resolver)
        self._maps: dict[str, SymbolMap] = {}

    def symbols_of(self, function: str) -> SymbolMap:
        """The symbol map of a function, named `package.module:function`.

        A third-party function has no symbols, only its package.

        Raises:
            IdentityError: There is no such module or function, or reached source has a syntax error. Names the place,
                the reason and the mend.
        """
        if function not in self._maps:
            self._maps[function] = self._map(function)
        return self._maps[function]

    def whole(self, module: str) -> SymbolMap:
        """The symbol map of a module of which any name may be meant, as of one that is imported by a computed name.

        Raises:
            IdentityError: There is no such first-party module with source, or reached source has a syntax error.
        """
        if self._finder.find(module).owner is not Owner.PROJECT:
            raise IdentityError(f"{module} is no module of the project whose source is read.")
        key = f"{module}:*"
        if key not in self._maps:
            walk = Walk(self._ground)
            walk.run_whole(module)
            self._maps[key] = self._map_of(walk, set())
        return self._maps[key]

    def source_of(self, path: str | Path) -> bytes:
        """The very bytes of a source file that were digested.

        Raises:
            IdentityError: The file cannot be read.
        """
        return self._finder.source_of(Path(path))

    def _map(self, function: str) -> SymbolMap:
        walk = Walk(self._ground)
        packages: set[str] = set()
        for target in self._start(function):
            if target.found is Found.SYMBOL:
                walk.run(target.symbol)
            else:
                packages.add(target.module.partition(".")[0])
        return self._map_of(walk, packages)

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
            files={path: self._finder.digest_of(path) for path in paths},
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
            near = nearest(attribute, [known for known, entry in entries.items() if entry.bindings])
            raise IdentityError(
                f"{function}: {module.path} has no function {attribute!r}; {near}\n"
                "    Mend: correct the name, or define the function at the top of the module."
            )
        return kept

    def _module(self, function: str, name: str) -> Module:
        """The module of a step: first-party source, or third-party."""
        module = self._finder.find(name)
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
        while parent and self._finder.find(parent).owner is Owner.MISSING:
            parent = parent.rpartition(".")[0]
        wrong = name.removeprefix(f"{parent}." if parent else "").partition(".")[0]
        known = self._finder.names_in(self._finder.find(parent) if parent else None)
        suggestion = nearest(wrong, known)
        if not parent and not suggestion.startswith("did you mean"):
            return f"there is no module {wrong!r}"  # all that is installed would be no help
        return f"there is no module {wrong!r}{f' in {parent}' if parent else ''}; {suggestion}"


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
