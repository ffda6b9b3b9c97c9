"""One symbol's piece of a symbol map: the digest of its code, and what the code names."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass

from etude.identity import chance, reading
from etude.identity.normal_form import normal_form
from etude.identity.opaque import open_builtin, open_lookup, open_package
from etude.identity.references import BARE, CALLED, NEEDED, OPEN, READS, UNUSED, Ref, Use
from etude.identity.resolve import Found, Resolver, Symbol, Target, Targets
from etude.identity.symbols import Table

_DIGITS = 32


@dataclass(frozen=True, slots=True, order=True)
class Opaque:
    """A place in reached code that the syntax does not see through."""

    symbol: str
    """`module:Name`."""
    line: int
    reason: str
    """What cannot be seen, in words."""

    def __str__(self) -> str:
        module, _, name = self.symbol.partition(":")
        return f"{module}, line {self.line}, in {name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One symbol: what its code is, and what it names."""

    digest: str
    symbols: tuple[Symbol, ...]
    modules: tuple[str, ...]
    """First-party modules that it handles as objects, so that any of their names may be meant."""
    packages: tuple[str, ...]
    """Top-level import names of third-party packages."""
    loads: tuple[str, ...]
    """Modules that its functions import when they run."""
    absent: tuple[tuple[str, Opaque], ...]
    """Packages that are not installed here, each with the place that needs it."""
    opaque: tuple[Opaque, ...]
    draws: tuple[tuple[str, Opaque], ...]
    """Shared generators of random numbers that it draws from, each with the first place."""
    seeds: frozenset[str]
    """Shared generators that it seeds."""


class Pieces:
    """Makes the pieces of symbols, each once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._pieces: dict[Symbol, Piece] = {}
        self._statements: dict[tuple[str, int], str] = {}

    def of(self, symbol: Symbol) -> Piece:
        """The piece of a symbol that its module has."""
        if symbol not in self._pieces:
            self._pieces[symbol] = self._made(symbol)
        return self._pieces[symbol]

    def _made(self, symbol: Symbol) -> Piece:
        table = self._resolver.table(self._resolver.finder.find(symbol.module))
        numbers = table.entries[symbol.name].statements
        gathered = _Gathered(symbol)
        for number in numbers:
            facts = table.facts[number]
            gathered.opaque.update(Opaque(str(symbol), line, reason) for line, reason in facts.hidden)
            for source in facts.loads_later:
                gathered.loads.update(dict.fromkeys(self._resolver.loaded(source)))
            for ref, use in facts.refs.items():
                targets = self._resolver.targets(table, ref)
                gathered.add(table, ref, use, targets)
                for path in self._paths(targets) if use.roles & READS else ():
                    gathered.hidden(use, reading.reason(path))
        lines = [*(self._digest(table, number) for number in numbers), *sorted(gathered.bindings)]
        return Piece(
            digest=_sha("\n".join(lines)),
            symbols=tuple(gathered.symbols),
            modules=tuple(gathered.modules),
            packages=tuple(sorted(gathered.packages)),
            loads=tuple(gathered.loads),
            absent=tuple(gathered.absent.items()),
            opaque=tuple(sorted(gathered.opaque)),
            draws=tuple(gathered.draws.items()),
            seeds=frozenset(gathered.seeds),
        )

    def _paths(self, targets: Targets) -> list[str]:
        """The texts that names of files begin with, where they stand in constants of the project."""
        found: list[str] = []
        todo = [target for target in targets if target.found is Found.SYMBOL and not target.rest]
        seen = {*todo}
        for target in todo:
            table = self._resolver.table(self._resolver.finder.find(target.module))
            for number in table.entries[target.name].statements:
                statement = table.statements[number]
                value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
                text, start = reading.text_at(value), reading.start_of(value)
                if text is not None:
                    found.append(text)
                elif isinstance(start, ast.Name):
                    further = {*self._resolver.targets(table, Ref(start.id))} - seen
                    todo += sorted((one for one in further if one.found is Found.SYMBOL), key=str)
                    seen |= further
        return found

    def _digest(self, table: Table, number: int) -> str:
        key = (table.module.name, number)
        if key not in self._statements:
            self._statements[key] = _sha(normal_form(table.statements[number]))
        return self._statements[key]


class _Gathered:
    """What the statements of one symbol name, gathered from one reference after the other."""

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        # Dictionaries for sets that keep their order.
        self.symbols: dict[Symbol, None] = {}
        self.modules: dict[str, None] = {}
        self.loads: dict[str, None] = {}
        self.packages: set[str] = set()
        self.absent: dict[str, Opaque] = {}
        self.opaque: set[Opaque] = set()
        self.draws: dict[str, Opaque] = {}
        self.seeds: set[str] = set()
        self.bindings: set[str] = set()
        """What imports make of the names in the code: the code stays the same when an import gives it another."""

    def add(self, table: Table, ref: Ref, use: Use, targets: Targets) -> None:
        if use.roles & UNUSED:
            targets = tuple(target for target in targets if target.found is Found.MODULE)
        for target in targets:
            self.add_target(target, ref, use, alone=len(targets) == 1)
        if ref.source is not None or _from_elsewhere(table, ref.root):
            told = sorted(target.text for target in targets if target.found not in (Found.BUILTIN, Found.NOTHING))
            if told:
                self.bindings.add(f"{'.'.join((ref.root, *ref.chain))}={'|'.join(told)}")

    def add_target(self, target: Target, ref: Ref, use: Use, alone: bool) -> None:
        match target.found:
            case Found.SYMBOL:
                if target.symbol != self.symbol:
                    self.symbols[target.symbol] = None
            case Found.MODULE:
                self.modules[target.module] = None
            case Found.PACKAGE:
                self.packages.add(target.module.partition(".")[0])
                self.by_chance(target.module, use)
                if use.roles & OPEN:
                    self.hidden(use, open_package(target.module))
            case Found.PYTHON:
                self.by_chance(target.module, use)
                if use.roles & OPEN:
                    self.hidden(use, open_lookup(target.module))
            case Found.BUILTIN if use.roles & OPEN and target.module not in ref.chain:
                self.hidden(use, open_builtin(target.module))
            case Found.COMPILED:
                self.hidden(use, f"{target.module} is compiled, its source is not at hand")
            case Found.ABSENT:
                package = target.module.partition(".")[0]
                self.packages.add(package)
                if use.roles & NEEDED and alone and not target.guarded:
                    reason = f"{package} is not installed here; it is taken to be third-party"
                    self.absent.setdefault(package, Opaque(str(self.symbol), use.line, reason))
            case Found.MISSING if use.roles & NEEDED and alone and not target.guarded:
                self.hidden(use, f"{target.text.removeprefix(':')} is not found")

    def by_chance(self, dotted: str, use: Use) -> None:
        """Note what seeds a shared generator, and what draws from one or makes one without a seed."""
        self.seeds.update(chance.seeded_by(dotted))
        generator = chance.drawn_from(dotted)
        if generator is not None and use.roles & CALLED:
            self.draws.setdefault(generator, Opaque(str(self.symbol), use.line, chance.reason(generator)))
        elif use.roles & BARE and chance.unseeded(dotted):
            self.hidden(use, f"makes a {dotted} without a seed: equal runs may differ")

    def hidden(self, use: Use, reason: str | None) -> None:
        if reason is not None:
            self.opaque.add(Opaque(str(self.symbol), use.line, reason))


def _from_elsewhere(table: Table, name: str) -> bool:
    """Whether what a name stands for is decided outside the statements of the module that bind it."""
    entry = table.entries.get(name)
    return entry is None or bool(entry.imports)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]
