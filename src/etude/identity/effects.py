"""What happens when a module is imported, beyond binding its names: what it changes, registers and sets.

A handler that is registered in a table belongs to the table: who reads the table depends on the handler. This holds
across modules, for whatever modules a step's code imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from etude.identity.references import (
    ACTS,
    BASE,
    CALLED,
    CHANGED,
    DECORATES,
    GIVEN,
    MENTIONED,
    METACLASS,
    PASSED,
    RENAMED,
    RETURNED,
    RETURNS,
    Ref,
    Use,
)
from etude.identity.resolve import Found, Resolver, Symbol, Target
from etude.identity.scopes import Facts
from etude.identity.symbols import Table

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Change(NamedTuple):
    """Importing a module makes one symbol depend on another."""

    changed: Symbol
    by: Symbol


class Effects:
    """The effects of importing modules. Remembers what it found for each."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._changes: dict[str, tuple[Change, ...]] = {}
        self._everywhere: dict[str, tuple[Symbol, ...]] = {}
        self._for_effect: dict[str, tuple[str, ...]] = {}
        self._changed_by: dict[Symbol, frozenset[Symbol]] = {}
        self._definitions: dict[Symbol, bool] = {}
        self._watching: dict[Symbol, frozenset[Symbol]] = {}
        self._changing: dict[Symbol, bool] = {}

    def changes(self, table: Table) -> tuple[Change, ...]:
        """The symbols, of this module or others, that importing this module changes, each with what changes it."""
        name = table.module.name
        if name not in self._changes:
            found = (Change(*pair) for pair in self._pairs(table) if pair[0] != pair[1])
            self._changes[name] = tuple(dict.fromkeys(found))
        return self._changes[name]

    def everywhere(self, table: Table) -> tuple[Symbol, ...]:
        """Symbols whose statements act on something outside the project, and so on all code of the process.

        Such as `torch.set_default_dtype(torch.float64)` at the top of a module, or `configure()` that does it.
        """
        name = table.module.name
        if name not in self._everywhere:
            self._everywhere[name] = tuple(dict.fromkeys(self._acting(table)))
        return self._everywhere[name]

    def for_effect(self, table: Table) -> tuple[str, ...]:
        """First-party modules that this one imports as modules and never names."""
        name = table.module.name
        if name not in self._for_effect:
            modules: list[str] = []
            for source in table.unread:
                reexported = source.path and table.module.locations
                if not reexported:
                    targets = self._resolver.reach(source.module, source.path)
                    if source.loads != source.module:
                        targets = self._resolver.reach(source.loads)
                    modules += [target.module for target in targets if target.found is Found.MODULE]
            self._for_effect[name] = tuple(dict.fromkeys(modules))
        return self._for_effect[name]

    def _pairs(self, table: Table) -> Iterator[tuple[Symbol, Symbol]]:
        here = table.module.name
        for number, facts in enumerate(table.facts):
            holders = [Symbol(here, name) for name in table.holders(number)]
            for ref, use in facts.refs.items():
                changed: set[Symbol] = set()
                if use.later & CHANGED:
                    # A function that may change a name of its own module belongs to it, whoever calls the function.
                    changed |= {symbol for symbol in self._stored(table, ref, use.later) if symbol.module == here}
                if use.now & (CALLED | BASE | METACLASS | DECORATES | CHANGED) or use.roles & MENTIONED:
                    changed |= {*self._changed_now(table, ref, use)}
                if use.now & PASSED and self._changes_given(table, facts):
                    changed |= self._stored(table, ref, 0)
                for symbol in sorted(changed):
                    # A statement that belongs to the symbol anyway brings what it names by itself.
                    if symbol.module != here or number not in table.entries[symbol.name].statements:
                        yield from ((symbol, holder) for holder in holders)

    def _changed_now(self, table: Table, ref: Ref, use: Use) -> Iterator[Symbol]:
        if use.now & CHANGED:
            yield from self._stored(table, ref, use.now)
        for target in self._symbols(table, ref):
            if use.now & DECORATES and target.rest:
                yield target.symbol
            if use.roles & MENTIONED and not self._is_definition(target.symbol):
                yield from self._with_aliased(target.symbol)
            if use.now & CALLED:
                yield from self.changed_by(target.symbol)
            if use.now & BASE:
                yield from self._watchers(target.symbol)
            if use.now & METACLASS:
                yield from self._hooked(target.symbol)

    def _stored(self, table: Table, ref: Ref, roles: int) -> set[Symbol]:
        """The symbols that storing something into what a reference leads to changes."""
        found: set[Symbol] = set()
        for target in self._resolver.targets(table, ref):
            if target.found is Found.MODULE:
                found |= self._all_of(target.module)
            elif target.found is Found.SYMBOL and roles & RETURNED and self._is_definition(target.symbol):
                found |= self._returned(target.symbol)
            elif target.found is Found.SYMBOL:
                found |= self._with_aliased(target.symbol)
        return found

    def _with_aliased(self, symbol: Symbol) -> set[Symbol]:
        """A symbol that is changed, and all that is changed with it, for it is another name of the same."""
        found = {symbol}
        todo = [symbol]
        for at in todo:
            table, variable = self._table(at), not self._is_definition(at)
            for number in self._numbers(at):
                facts = table.facts[number]
                roles = RENAMED | (PASSED if variable and self._calls_own(table, facts) else 0)
                for ref, use in facts.refs.items():
                    others: set[Symbol] = set()
                    for target in self._resolver.targets(table, ref) if use.now & (roles | CALLED) else ():
                        if target.found is Found.MODULE and use.now & roles:
                            others |= self._all_of(target.module)
                        elif target.found is Found.SYMBOL and not self._is_definition(target.symbol):
                            others |= {target.symbol} if use.now & roles else set()
                        elif target.found is Found.SYMBOL and variable and use.now & CALLED:
                            others |= self._returned(target.symbol)
                    todo += sorted(others - found)
                    found |= others
        return found

    def _returned(self, symbol: Symbol) -> set[Symbol]:
        """What a function returns as it is."""
        table, refs = self._refs(symbol)
        given = (ref for ref, use in refs if use.later & RETURNS)
        targets = (target for ref in given for target in self._symbols(table, ref))
        return {target.symbol for target in targets if not self._is_definition(target.symbol)}

    def _calls_own(self, table: Table, facts: Facts) -> bool:
        called = (ref for ref, use in facts.refs.items() if use.now & CALLED)
        return any(self._is_definition(target.symbol) for ref in called for target in self._symbols(table, ref))

    def _changes_given(self, table: Table, facts: Facts) -> bool:
        """Whether a statement calls a function that changes what it is given, itself or by handing it on."""
        called = [ref for ref, use in facts.refs.items() if use.now & CALLED]
        todo = [target.symbol for ref in called for target in self._symbols(table, ref)]
        seen = {*todo}
        for at in todo:
            if at not in self._changing:
                numbers = self._numbers(at)
                self._changing[at] = any(self._table(at).facts[number].changes_given for number in numbers)
            if self._changing[at]:
                return True
            home, refs = self._refs(at)
            for ref, use in refs:
                if use.later & GIVEN:
                    further = {target.symbol for target in self._symbols(home, ref)} - seen
                    todo += sorted(further)
                    seen |= further
        return False

    def _all_of(self, module: str) -> set[Symbol]:
        """All symbols of a module."""
        entries = self._resolver.table(self._resolver.finder.find(module)).entries
        return {Symbol(module, name) for name, entry in entries.items() if entry.statements}

    def changed_by(self, symbol: Symbol) -> frozenset[Symbol]:
        """The symbols that calling this one may change: itself, or by functions that it calls.

        Functions of other modules are followed only if they are handed a variable, as in `register(function)`: what a
        decorator's wrapper calls later, far away, registers nothing now.
        """
        found = self._changed_by.get(symbol)
        if found is not None:
            return found
        changed: set[Symbol] = set()
        seen, todo = {symbol}, [symbol]
        while todo:
            at = todo.pop()
            if at in self._changed_by:
                changed |= self._changed_by[at]
                continue
            table, refs = self._refs(at)
            for ref, use in refs:
                for target in self._symbols(table, ref):
                    if not self._is_definition(at):  # `register = SHOP.add`, `register = partial(add, SHOP)`
                        followed = True
                        hit = bool(target.rest) and not self._is_definition(target.symbol)
                    else:
                        followed = bool(use.roles & (CALLED if target.module == at.module else GIVEN))
                        hit = bool(use.later & CHANGED and not use.later & RETURNED)
                    if hit:
                        changed |= self._with_aliased(target.symbol)
                    elif use.later & RETURNED:
                        changed |= self._returned(target.symbol)
                    if followed and target.symbol not in seen:
                        seen.add(target.symbol)
                        todo.append(target.symbol)
        result = self._changed_by[symbol] = frozenset(changed)
        if not changed:
            self._changed_by.update(dict.fromkeys(seen, result))
        return result

    def _watchers(self, symbol: Symbol) -> frozenset[Symbol]:
        """What deriving from this class changes, by its own hooks and those of the classes above it."""
        if symbol not in self._watching:
            self._watching[symbol] = frozenset()  # for a cycle of bases, which is an error that Python tells
            found = {*self._hooked(symbol)}
            table, refs = self._refs(symbol)
            for ref, use in refs:
                for target in self._symbols(table, ref) if use.now & (BASE | METACLASS) else ():
                    found |= self._watchers(target.symbol) if use.now & BASE else self._hooked(target.symbol)
            self._watching[symbol] = frozenset(found)
        return self._watching[symbol]

    def _hooked(self, symbol: Symbol) -> set[Symbol]:
        """What a class itself changes whenever a class derives from it or is made by it."""
        table = self._table(symbol)
        found: set[Symbol] = set()
        for number in self._numbers(symbol):
            facts = table.facts[number]
            found |= {symbol} if facts.records else set()
            for ref, use in facts.hook.refs.items() if facts.hook else ():
                for target in self._symbols(table, ref):
                    found |= {target.symbol} if use.later & CHANGED else set()
                    found |= self.changed_by(target.symbol) if use.later & CALLED else set()
        return found

    def _acting(self, table: Table) -> Iterator[Symbol]:
        for number, facts in enumerate(table.facts):
            for ref, use in facts.refs.items():
                entry = table.entries.get(ref.root)
                if ref.source is not None or entry is None or number not in entry.statements:
                    continue
                targets = self._resolver.targets(table, ref)
                called = use.now & ACTS and any(map(self._acts_elsewhere, targets))
                stored = use.now & CHANGED and entry.is_import and any(map(_is_outside, targets))
                if called or stored:
                    yield Symbol(table.module.name, ref.root)

    def _acts_elsewhere(self, target: Target) -> bool:
        """Whether calling this may set something that no symbol stands for."""
        if target.found is Found.SYMBOL:
            return not target.rest and self._is_definition(target.symbol) and not self.changed_by(target.symbol)
        return _is_outside(target)

    def _symbols(self, table: Table, ref: Ref) -> list[Target]:
        return [target for target in self._resolver.targets(table, ref) if target.found is Found.SYMBOL]

    def _numbers(self, symbol: Symbol) -> list[int]:
        """The statements that bind a symbol; not those that change it afterwards."""
        table = self._table(symbol)
        facts = ((number, table.facts[number]) for number in table.entries[symbol.name].statements)
        return [number for number, found in facts if symbol.name in found.binds | found.binds_later]

    def _refs(self, symbol: Symbol) -> tuple[Table, list[tuple[Ref, Use]]]:
        table = self._table(symbol)
        return table, [pair for number in self._numbers(symbol) for pair in table.facts[number].refs.items()]

    def _table(self, symbol: Symbol) -> Table:
        return self._resolver.table(self._resolver.finder.find(symbol.module))

    def _is_definition(self, symbol: Symbol) -> bool:
        """Whether a `def` or `class` binds the name."""
        if symbol not in self._definitions:
            statements = (self._table(symbol).statements[number] for number in self._numbers(symbol))
            self._definitions[symbol] = any(
                isinstance(statement, _DEFINITIONS) and statement.name == symbol.name for statement in statements
            )
        return self._definitions[symbol]


def _is_outside(target: Target) -> bool:
    return target.found in (Found.PACKAGE, Found.PYTHON)
