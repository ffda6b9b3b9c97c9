"""The symbols of one module: which of its top-level statements make each of its names what it is."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from etude.errors import IdentityError
from etude.identity.imports import STAR, Import
from etude.identity.modules import Module
from etude.identity.normal_form import does_nothing
from etude.identity.own_code import drop_messages
from etude.identity.references import (
    ACTS,
    CALLED,
    CHANGED,
    DECORATES,
    MENTIONED,
    NAMESPACES,
    last_name,
    names_module,
)
from etude.identity.scopes import Facts, facts_of

_ONLY_SHOWN = frozenset({"logging", "warnings"})
"""Statements such as `logging.basicConfig(...)` change what is shown, not what is computed."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """One name of a module."""

    statements: list[int] = field(default_factory=list)
    """Numbers of the statements that bind it or change it, in the order of the source; plain imports do not count."""
    imports: list[Import] = field(default_factory=list)
    """What import statements bind it to."""
    bindings: int = 0
    """How many of the statements bind it."""

    @property
    def is_import(self) -> bool:
        """Whether imports alone bind it, though statements may change it."""
        return not self.bindings and bool(self.imports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The names and statements of one module."""

    module: Module
    statements: tuple[ast.stmt, ...]
    """The top-level statements, without plain imports, those for type checkers, and `if __name__ == "__main__"`."""
    facts: tuple[Facts, ...]
    entries: Mapping[str, Entry]
    types: frozenset[str]
    """Names imported for type checkers alone."""
    stars: tuple[Import, ...]
    loads: tuple[Import, ...]
    """All imports that run when the module is imported."""
    unread: tuple[Import, ...]
    """Imports whose name no statement of the module reads: re-exported, or made for their effect."""
    exports: frozenset[str] | None
    """What `__all__` lists; None where there is no list to be read."""
    open_exports: bool
    """Whether there is an `__all__` that only running would tell."""

    def exported(self, name: str) -> bool:
        """Whether `from module import *` binds this name, if the module has it."""
        if self.exports is not None:
            return name in self.exports
        return self.open_exports or not name.startswith("_")

    def holders(self, number: int) -> list[str]:
        """The names that a statement binds or, where it binds none, belongs to."""
        bound = sorted(self.facts[number].binds)
        return bound or [name for name, entry in self.entries.items() if number in entry.statements]


def table_of(module: Module, source: bytes) -> Table:
    """Read the symbols of a module from its source.

    Raises:
        IdentityError: The source has a syntax error. Names file and line.
    """
    statements: list[ast.stmt] = []
    facts: list[Facts] = []
    imports: list[Facts] = []
    types: set[str] = set()
    tree = _parsed(module, source)
    drop_messages(module.name, tree)
    for statement, for_types in _top_level(tree.body):
        found = facts_of(statement, module.package)
        if for_types:
            types |= found.binds
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports.append(found)
        else:
            statements.append(statement)
            facts.append(found)
    entries = _entries(facts, imports)
    exports, open_exports = _exports(entries, statements)
    return Table(
        module=module,
        statements=tuple(statements),
        facts=tuple(facts),
        entries=entries,
        types=frozenset(types - entries.keys()),
        stars=tuple(star for found in (*imports, *facts) for star in found.imports.get(STAR, ())),
        loads=tuple(load for found in (*imports, *facts) for load in found.loads),
        unread=tuple(_unread(entries, facts, exports or frozenset())),
        exports=exports,
        open_exports=open_exports,
    )


def _parsed(module: Module, source: bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in texts, which Python tells whoever imports the module
            return ast.parse(source)
    except SyntaxError as error:
        raise IdentityError(
            f"{module.path}:{error.lineno}: {error.msg}, so the code of {module.name} cannot be read.\n"
            "    Mend: correct the syntax there."
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise IdentityError(
            f"{module.path}: Python cannot parse {module.name} ({error or type(error).__name__}).\n"
            "    Mend: the file must be text in the encoding it declares, with expressions of sensible depth."
        ) from error


def _top_level(body: Sequence[ast.stmt], for_types: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """The statements that run when the module is imported, and with True those for type checkers alone."""
    for statement in body:
        guard = _guard(statement.test) if isinstance(statement, ast.If) else None
        if isinstance(statement, ast.If) and guard is not None:
            kept, other = statement.body, statement.orelse
            if guard == "not TYPE_CHECKING":
                kept, other = other, kept
            if guard != "main":
                yield from _top_level(kept, True)
            yield from _top_level(other, for_types)
        elif not does_nothing(statement):
            yield statement, for_types


def _guard(test: ast.expr) -> str | None:
    """Whether a condition is known before running: TYPE_CHECKING, its negation, or `__name__ == "__main__"`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return "not TYPE_CHECKING" if last_name(test.operand) == "TYPE_CHECKING" else None
    if last_name(test) == "TYPE_CHECKING":
        return "TYPE_CHECKING"
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        sides = (test.left, test.comparators[0])
        named = any(last_name(side) == "__name__" for side in sides)
        if named and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides):
            return "main"
    return None


def _entries(facts: Sequence[Facts], imports: Sequence[Facts]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for found in imports:
        for name in found.binds:
            entries.setdefault(name, Entry()).imports.extend(found.imports[name])
    for number, found in enumerate(facts):
        for name in found.binds | found.binds_later:
            entry = entries.setdefault(name, Entry())
            entry.imports.extend(found.imports.get(name, ()))
            entry.statements.append(number)
            entry.bindings += 1
    for number, found in enumerate(facts):
        changed = [*_changed(found, entries)]
        if not found.binds and not changed:
            # `[register(name) for name in "ab"]` belongs, for want of another, to what it calls.
            roots = (ref.root for ref, use in found.refs.items() if use.now & CALLED and ref.source is None)
            changed = [root for root in roots if root in entries and not _is_only_shown(entries[root])]
        if _changes_any(found, entries):
            changed = [*entries]
        for name in changed:
            if number not in entries[name].statements:
                entries[name].statements.append(number)
    for entry in entries.values():
        entry.statements.sort()
    return entries


def _changed(found: Facts, entries: Mapping[str, Entry]) -> Iterator[str]:
    """The names that a statement changes when the module is imported."""
    shared = any(entries[name].bindings > 1 for name in found.binds)
    for ref, use in found.refs.items():
        entry = entries.get(ref.root)
        if entry is None or ref.source is not None:
            continue
        if entry.is_import:
            changes = bool(use.now & (CHANGED | ACTS)) and not _is_only_shown(entry)
        else:
            # What decorates `def _` changes through this definition, not through all that are named `_`.
            changes = bool(use.now & (CHANGED | DECORATES if shared else CHANGED) or use.roles & MENTIONED)
        if changes:
            yield ref.root


def _changes_any(found: Facts, entries: Mapping[str, Entry]) -> bool:
    """Whether a statement may set any name of the module: `globals()[name] = 1`, `exec(text)`."""
    named = ((ref, use) for ref, use in found.refs.items() if ref.source is None and ref.root not in entries)
    return any(
        use.now & CHANGED if ref.root == "exec" else ref.root in NAMESPACES and use.roles & CHANGED
        for ref, use in named
    )


def _is_only_shown(entry: Entry) -> bool:
    return entry.is_import and all(source.module in _ONLY_SHOWN for source in entry.imports)


def _unread(entries: Mapping[str, Entry], facts: Sequence[Facts], exports: frozenset[str]) -> Iterator[Import]:
    read: dict[str, list[tuple[str, ...]]] = {}
    for found in facts:
        for ref in found.refs:
            if ref.source is None:
                read.setdefault(ref.root, []).append(ref.chain)
    for name, entry in entries.items():
        for source in entry.imports:
            if name not in exports and not any(names_module(source, chain) for chain in read.get(name, ())):
                yield source


def _exports(entries: Mapping[str, Entry], statements: Sequence[ast.stmt]) -> tuple[frozenset[str] | None, bool]:
    """The names in `__all__`, or None and whether it is there at all."""
    if "__all__" not in entries:
        return None, False
    names: set[str] = set()
    for number in entries["__all__"].statements:
        statement = statements[number]
        value: ast.expr | None = None
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            value = statement.value
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and statement.value.args:
            value = statement.value.args[0]
        listed = _listed(value)
        if listed is None:
            return None, True
        names |= listed
    return frozenset(names), False


def _listed(value: ast.expr | None) -> set[str] | None:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left, right = _listed(value.left), _listed(value.right)
        return None if left is None or right is None else left | right
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return {value.value}  # `__all__.append("name")`
    if isinstance(value, (ast.List, ast.Tuple)):
        texts = [element.value for element in value.elts if isinstance(element, ast.Constant)]
        return {str(text) for text in texts} if len(texts) == len(value.elts) else None
    return None
