"""One symbol's piece of a symbol map: the digest of its code, and what the code names."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from etude.identity import chance, reading
from etude.identity.normal_form import normal_form
from etude.identity.opaque import open_builtin, open_lookup, open_package
from etude.identity.references import BARE, CALLED, CHANGED, NEEDED, OPEN, READS, UNUSED, Ref, Use
from etude.identity.resolve import Found, Resolver, Symbol, Target, Targets
from etude.identity.scopes import Facts
from etude.identity.symbol_map import Opaque
from etude.identity.symbols import Table

_DIGITS = 32
_PLACE: tuple[str, ...] = (
    "__module__",
    "__annotations__",
    "get_annotations",
    "type_hints",
    "_getframe",
    "currentframe",
)
_PLACE += ("extract_stack", "inspect.stack")
"""Words of code that may ask for the module that other code stands in, or for what is written around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One symbol: what its code is, and what it names."""

    digest: str
    form: str
    """Digest of its code with the names of other symbols left out."""
    names: tuple[tuple[str, Symbol], ...]
    """What was left out, in the order of the source: how it is written, and what it leads to."""
    movable: bool
    """Whether it is the same in another module."""
    asks_place: bool
    """Whether it may ask for the module that other code stands in, or for what is written around it there."""
    changes: tuple[Symbol, ...]
    """What it sets anew or changes, now or when it is called."""
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


class _Form(NamedTuple):
    """One statement with the names of other symbols left out."""

    digest: str
    names: tuple[tuple[str, Symbol], ...]
    left_out: frozenset[Ref]
    movable: bool
    asks_place: bool


class Pieces:
    """Makes the pieces of symbols, each once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._pieces: dict[Symbol, Piece] = {}
        self._forms: dict[tuple[str, int], _Form] = {}

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
            gathered.opaque.update(
                Opaque(symbol=str(symbol), line=line, reason=reason) for line, reason in facts.hidden
            )
            for source in facts.loads_later:
                gathered.loads.update(dict.fromkeys(self._resolver.loaded(source)))
            for ref, use in facts.refs.items():
                targets = self._resolver.targets(table, ref)
                gathered.add(table, ref, use, targets)
                for path in self._paths(targets) if use.roles & READS else ():
                    gathered.hidden(use, reading.reason(path))
        forms = [self._form(table, number) for number in numbers]
        names = tuple(name for form in forms for name in form.names)
        left_out = {ref for form in forms for ref in form.left_out}
        apart = sorted(line for line, ref in gathered.bindings.items() if ref not in left_out)
        code = [*(form.digest for form in forms), *apart]
        return Piece(
            digest=_sha("\n".join([*code, *(f"{written}={target}" for written, target in names)])),
            form=_sha("\n".join(code)),
            names=names,
            movable=len(numbers) == 1 and not apart and forms[0].movable,
            asks_place=any(form.asks_place for form in forms),
            changes=tuple(gathered.changes),
            symbols=tuple(gathered.symbols),
            modules=tuple(gathered.modules),
            packages=tuple(sorted(gathered.packages)),
            loads=tuple(gathered.loads),
            absent=tuple(gathered.absent.items()),
            opaque=tuple(sorted(gathered.opaque)),
            draws=tuple(gathered.draws.items()),
            seeds=frozenset(gathered.seeds),
        )

    def _form(self, table: Table, number: int) -> _Form:
        key = (table.module.name, number)
        if key not in self._forms:
            self._forms[key] = self._made_form(table, number)
        return self._forms[key]

    def _made_form(self, table: Table, number: int) -> _Form:
        statement, facts = table.statements[number], table.facts[number]
        written: dict[ast.AST, str] = {}
        leading: dict[ast.AST, tuple[str, Symbol]] = {}
        left_out: set[Ref] = set()
        for node, ref in facts.places:
            targets = self._resolver.targets(table, ref)
            if len(targets) != 1:
                continue
            target = targets[0]
            if target.found is Found.SYMBOL and target.name != "__getattr__":
                written[node] = ".".join(("@", *target.rest))
                leading[node] = (".".join((ref.root, *ref.chain)), target.symbol)
                left_out.add(ref)
            elif target.found in (Found.PACKAGE, Found.PYTHON):
                written[node] = f"@@{target.module}"
                left_out.add(ref)
        met: list[ast.AST] = []
        text = normal_form(statement, names=written, met=met)
        names = [leading[node] for node in met if node in leading]
        apart: list[tuple[str, Symbol]] = []
        movable = _is_movable(statement, facts)
        for ref in facts.refs.keys() - left_out:
            targets = self._resolver.targets(table, ref)
            reached = [target.symbol for target in targets if target.found is Found.SYMBOL]
            apart += [(".".join((ref.root, *ref.chain)), symbol) for symbol in reached]
            movable = movable and not reached and all(map(_is_everywhere, targets))
        asks_place = any(word in text for word in _PLACE)
        return _Form(_sha(text), (*names, *sorted(apart)), frozenset(left_out), movable, asks_place)

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
        self.changes: dict[Symbol, None] = {}
        self.bindings: dict[str, Ref] = {}
        """What imports make of the names in the code: the code stays the same when an import gives it another."""

    def add(self, table: Table, ref: Ref, use: Use, targets: Targets) -> None:
        if use.roles & UNUSED:
            targets = tuple(target for target in targets if target.found is Found.MODULE)
        for target in targets:
            self.add_target(target, ref, use, alone=len(targets) == 1)
        if ref.source is not None or _from_elsewhere(table, ref.root):
            told = sorted(target.text for target in targets if target.found not in (Found.BUILTIN, Found.NOTHING))
            if told:
                self.bindings[f"{'.'.join((ref.root, *ref.chain))}={'|'.join(told)}"] = ref

    def add_target(self, target: Target, ref: Ref, use: Use, alone: bool) -> None:
        match target.found:
            case Found.SYMBOL:
                if target.symbol != self.symbol:
                    self.symbols[target.symbol] = None
                if use.roles & CHANGED:
                    self.changes[target.symbol] = None
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
                    self.absent.setdefault(package, Opaque(symbol=str(self.symbol), line=use.line, reason=reason))
            case Found.MISSING if use.roles & NEEDED and alone and not target.guarded:
                self.hidden(use, f"{target.text.removeprefix(':')} is not found")

    def by_chance(self, dotted: str, use: Use) -> None:
        """Note what seeds a shared generator, and what draws from one or makes one without a seed."""
        self.seeds.update(chance.seeded_by(dotted))
        generator = chance.drawn_from(dotted)
        if generator is not None and use.roles & CALLED:
            self.draws.setdefault(
                generator, Opaque(symbol=str(self.symbol), line=use.line, reason=chance.reason(generator))
            )
        elif use.roles & BARE and chance.lacks_seed(dotted):
            self.hidden(use, f"makes a {dotted} without a seed: equal runs may differ")

    def hidden(self, use: Use, reason: str | None) -> None:
        if reason is not None:
            self.opaque.add(Opaque(symbol=str(self.symbol), line=use.line, reason=reason))


def _is_everywhere(target: Target) -> bool:
    """Whether this is the same in every module: `len`, but not `__name__`."""
    return target.found is Found.BUILTIN and not target.module.startswith("__")


def _is_movable(statement: ast.stmt, facts: Facts) -> bool:
    """Whether a statement does the same in another module: a function, or a constant of plain values.

    What a call makes may be a class, which goes by its module wherever results of it are stored.
    """
    if facts.loads or facts.loads_later or facts.binds_later or facts.imports:
        return False
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return not any(isinstance(node, (ast.Call, ast.Lambda)) for node in ast.walk(statement))
    return isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))


def _from_elsewhere(table: Table, name: str) -> bool:
    """Whether what a name stands for is decided outside the statements of the module that bind it."""
    entry = table.entries.get(name)
    return entry is None or bool(entry.imports)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]
