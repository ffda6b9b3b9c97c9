"""What one top-level statement of a module binds, reads, calls and changes, found in its syntax alone.

Names are looked up as Python does: parameters, local variables, comprehension variables and names of enclosing
functions and class bodies hide the module's; `global` and `nonlocal` point past them. What is left are references to
the module's own names, each with the attributes taken of it at once, and to what an import inside a function binds.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, NamedTuple

from etude.identity import reading
from etude.identity.hooks import MUTATING, hooks_of, records_class
from etude.identity.imports import STAR, Import, absolute, catches_import_error, imports_of
from etude.identity.opaque import OPEN_ATTRIBUTES
from etude.identity.references import (
    ACTS,
    BARE,
    BASE,
    CALLED,
    CHANGED,
    DECORATES,
    GIVEN,
    MENTIONED,
    METACLASS,
    NEEDED,
    OPEN,
    PASSED,
    READS,
    RENAMED,
    RETURNED,
    RETURNS,
    UNUSED,
    Ref,
    Use,
    chain_of,
    last_name,
    names_module,
    root_of,
    text_of,
)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPEN_NAMES = frozenset(name for name in OPEN_ATTRIBUTES if name.startswith("__"))
_WRITTEN = (ast.Store, ast.Del)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one top-level statement binds, reads, calls and changes."""

    binds: frozenset[str]
    """The module's names that the statement binds or deletes when it runs."""
    binds_later: frozenset[str]
    """The module's names that its functions bind, declared `global`."""
    imports: Mapping[str, tuple[Import, ...]]
    """The module's names that are bound by an import of the statement; `*` for star imports."""
    loads: tuple[Import, ...]
    """All imports that run when the module is imported."""
    loads_later: tuple[Import, ...]
    """All imports in bodies of functions."""
    refs: Mapping[Ref, Use]
    places: tuple[tuple[ast.expr, Ref], ...] = ()
    """The expressions that stand for one reference alone, in the order of the source."""
    hook: Facts | None = None
    """Of a class: the facts of the methods that run when a class is derived from it or made by it."""
    records: bool = False
    """Whether these methods put the new class into something."""
    hidden: tuple[tuple[int, str], ...] = ()
    """What no name tells and no code shows, each with its line: files that are read, docstrings, places of files."""
    changes_given: bool = False
    """Whether its functions change something that they are given or that a local name of theirs stands for."""


def facts_of(statement: ast.stmt, package: str = "") -> Facts:
    """The facts of a top-level statement. Needs no recursion, however deep the source nests.

    Args:
        statement: Any statement at the top of a module.
        package: The package that the module's relative imports start from.
    """
    walk = _Walk(package)
    walk.run([statement])
    hooks = hooks_of(statement)
    if not hooks:
        return walk.facts()
    # A method sees none of the names of its class, so it can be read as if it stood at the top of the module.
    apart = _Walk(package)
    apart.run(hooks)
    return replace(walk.facts(), hook=apart.facts(), records=any(map(records_class, hooks)))


class _Kind(Enum):
    MODULE = auto()
    FUNCTION = auto()
    CLASS = auto()
    COMPREHENSION = auto()


@dataclass(eq=False, slots=True, kw_only=True)
class _Scope:
    kind: _Kind
    parent: _Scope | None
    later: bool
    """Whether its code runs only when a function is called."""
    bound: dict[str, int] = field(default_factory=dict)
    """Name → in a class body, the number of the first statement that binds it."""
    imports: dict[str, list[Import]] = field(default_factory=dict)
    of_module: set[str] = field(default_factory=set)
    """Names declared `global`."""
    of_outer: set[str] = field(default_factory=set)
    """Names declared `nonlocal`."""


class _At(NamedTuple):
    """Where the walk stands."""

    scope: _Scope
    order: int = 0
    """The number of the statement in the class body."""
    roles: int = NEEDED | OPEN
    """The roles that everything below takes on."""
    guarded: bool = False
    annotation: bool = False
    taken: tuple[str, ...] = ()
    """Attributes taken of what the call at hand returns."""


class _Read(NamedTuple):
    name: str
    chain: tuple[str, ...]
    line: int
    roles: int
    scope: _Scope
    order: int
    node: ast.expr | None = None
    """The expression, where it is the name with its attributes and no more."""


class _Walk:
    """One pass over a statement with a list of things to do in place of recursion; names are looked up afterwards."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.module = _Scope(kind=_Kind.MODULE, parent=None, later=False)
        self.scopes = [self.module]
        self.reads: list[_Read] = []
        self.binds: list[tuple[_Scope, str, int, Import | None]] = []
        self.loads: tuple[list[Import], list[Import]] = ([], [])
        self.found = _Found()
        self.aliases: dict[tuple[_Scope, str], list[_Read]] = {}
        self.hidden: list[tuple[int, str]] = []
        self.texts: dict[tuple[_Scope, str], list[str]] = {}
        """Texts that local names stand for."""
        self.files: list[_Read] = []
        """Names of files that are read."""
        self.todo: list[tuple[ast.AST, _At]] = []

    def run(self, statements: Sequence[ast.stmt]) -> None:
        self.push(_At(self.module), statements)
        while self.todo:
            node, at = self.todo.pop()
            visit = _VISITS.get(type(node))
            if visit is None:
                self.push(at, ast.iter_child_nodes(node))
            else:
                visit(self, node, at)

    def push(self, at: _At, nodes: Iterable[ast.AST | None]) -> None:
        self.todo.extend([(node, at) for node in nodes if node is not None])

    def inner(self, kind: _Kind, at: _At) -> _At:
        scope = _Scope(kind=kind, parent=at.scope, later=at.scope.later or kind is _Kind.FUNCTION)
        self.scopes.append(scope)
        return at._replace(scope=scope, order=0, annotation=False)

    def read(self, name: str, chain: tuple[str, ...], node: ast.expr, at: _At, roles: int = 0) -> None:
        self.reads.append(_Read(name, chain, node.lineno, at.roles | roles, at.scope, at.order))

    def stands(self, name: str, chain: tuple[str, ...], node: ast.expr, at: _At, roles: int = 0) -> None:
        """Read a name where it stands, with the attributes taken of it."""
        self.reads.append(_Read(name, chain, node.lineno, at.roles | roles, at.scope, at.order, node))

    def bind(self, name: str | None, at: _At, source: Import | None = None) -> None:
        if name is not None:
            self.binds.append((at.scope, name, at.order, source))

    # Expressions

    def name(self, node: ast.Name, at: _At) -> None:
        if isinstance(node.ctx, ast.Load):
            self.stands(node.id, (), node, at)
        else:
            self.bind(node.id, at)

    def attribute(self, node: ast.Attribute, at: _At) -> None:
        if isinstance(node.ctx, _WRITTEN):
            self.changed(node, at)
        self.chained(node, at)

    def chained(self, node: ast.expr, at: _At, roles: int = 0) -> None:
        """Read a name with its attributes; where the chain starts otherwise, go on there."""
        part = node
        while isinstance(part, ast.Attribute):
            hides = OPEN_ATTRIBUTES.get(part.attr)
            if part.attr == "origin" and "spec" in ast.unparse(part.value):  # of a module, as in find_spec("m").origin
                hides = OPEN_ATTRIBUTES["__file__"]
            if hides and isinstance(part.ctx, ast.Load):
                self.hidden.append((part.lineno, hides.format(ast.unparse(part.value))))
            part = part.value
        name, chain, start = chain_of(node)
        if name is not None:
            self.stands(name, chain, node, at, roles)
        else:
            self.push(at._replace(taken=chain) if isinstance(start, ast.Call) else at, [start])

    def changed(self, node: ast.expr, at: _At) -> None:
        """Note that what a chain of attributes and items starts from is changed, or what a call of that returns."""
        name, chain = root_of(node)
        roles = CHANGED
        if name is None:
            name, chain = root_of(node, through_calls=True)
            roles = CHANGED | RETURNED
        if name is not None:
            self.read(name, chain, node, at._replace(roles=at.roles & ~OPEN), roles)

    def subscript(self, node: ast.Subscript, at: _At) -> None:
        if isinstance(node.ctx, _WRITTEN):
            self.changed(node, at)
            self.chained(node.value, at._replace(roles=at.roles & ~OPEN))
            self.push(at, [node.slice])
        elif at.annotation and last_name(node.value) == "Literal":
            self.push(at, [node.value])
        elif at.annotation and last_name(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
            self.push(at, [node.value, node.slice.elts[0]])
            self.push(at._replace(annotation=False), node.slice.elts[1:])
        else:
            self.push(at, [node.value, node.slice])

    def constant(self, node: ast.Constant, at: _At) -> None:
        if node.value in _OPEN_NAMES:  # `vars(module)["__doc__"]`, `getattr(module, "__doc__")`
            self.hidden.append((node.lineno, OPEN_ATTRIBUTES[str(node.value)].format("something")))
        if at.annotation and isinstance(node.value, str):
            try:
                parsed = ast.parse(node.value.strip(), mode="eval").body
                self.push(at, [ast.increment_lineno(parsed, node.lineno - 1)])
            except (SyntaxError, ValueError):
                return  # a text that is no annotation; its change still changes the digest

    def call(self, node: ast.Call, at: _At) -> None:
        taken, at = at.taken, at._replace(taken=())
        called, first = last_name(node.func), node.args[0] if node.args else None
        seen_through = called == "vars" and first is not None
        arguments: list[ast.AST | None] = [*node.args, *node.keywords]
        if isinstance(node.func, ast.Attribute) and called in MUTATING:
            self.changed(node.func.value, at)
        elif called in ("setattr", "delattr") and first is not None:
            self.changed(first, at)
        elif called in ("getattr", "hasattr") and len(node.args) > 1 and first is not None:
            name, chain, _ = chain_of(first)
            literal = text_of(node.args[1])
            if name is not None and literal is not None:
                self.read(name, (*chain, literal), node, at)
                arguments.remove(first)
        elif called == "exec" and len(node.args) == 1:
            self.changed(node.func, at)
        elif called in ("import_module", "__import__") and (module := self.literal_module(node)):
            seen_through = True
            whole = called == "import_module" or len(node.args) > 3 or any(k.arg == "fromlist" for k in node.keywords)
            bound = module if whole else module.partition(".")[0]
            loaded = Import(bound, (), module, node.lineno, at.guarded)
            self.loads[at.scope.later].append(loaded)
            self.found.add(Ref(bound, taken, loaded), node.lineno, at.roles | RENAMED, at.scope.later)
        for argument in (*arguments, *(keyword.value for keyword in node.keywords)):
            self.as_it_is(argument, at, PASSED)
        for path in reading.paths_read(node):
            self.file_read(path, at)
        given = GIVEN if any(isinstance(argument, ast.Name) for argument in node.args) else 0
        given |= BARE if not node.args and not node.keywords else 0
        self.chained(node.func, at._replace(roles=at.roles & ~OPEN) if seen_through else at, CALLED | given)
        self.push(at, arguments)

    def file_read(self, path: ast.expr, at: _At) -> None:
        """Note that a file is read whose name begins with a text, or with a name that may stand for one."""
        text, start = reading.text_at(path), reading.start_of(path)
        if text is not None:
            self.hidden.append((path.lineno, reading.reason(text)))
        elif isinstance(start, (ast.Name, ast.Attribute)):
            name, chain, _ = chain_of(start)
            if name is not None:
                self.files.append(_Read(name, chain, path.lineno, at.roles & ~OPEN | READS, at.scope, at.order))

    def literal_module(self, node: ast.Call) -> str | None:
        """The module that a dynamic import with literal arguments names."""
        name = text_of(node.args[0]) if node.args else None
        if not name or not name.startswith("."):
            return name
        given = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "package")]
        if len(given) != 1:
            return None
        package = text_of(given[0]) or (self.package if last_name(given[0]) == "__package__" else None)
        return package and absolute(name.lstrip("."), len(name) - len(name.lstrip(".")), package)

    def as_it_is(self, node: ast.AST | None, at: _At, role: int) -> None:
        """Note that what a name stands for is handed on, where an expression is a name with attributes and items."""
        start = node
        while isinstance(start, (ast.Attribute, ast.Subscript)):
            start = start.value
        if isinstance(start, ast.Name) and isinstance(node, ast.expr):
            name, chain = root_of(node)
            self.read(start.id if name is None else name, chain, node, at._replace(roles=at.roles & ~OPEN), role)

    def renamed(self, targets: Iterable[ast.expr | None], value: ast.expr, at: _At) -> None:
        """Note that other names come to stand for what has a name already."""
        for part in _alternatives(value):
            self.as_it_is(part, at, RENAMED)
            self.stands_for(targets, part, at)
            name, chain = root_of(part, through_calls=True)
            if name is None or not at.scope.later:
                continue
            role = RETURNED if root_of(part)[0] is None else 0
            read = _Read(name, chain, value.lineno, role, at.scope, at.order)
            for target in targets:
                for bound in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                    if isinstance(bound, ast.Name):
                        self.aliases.setdefault((at.scope, bound.id), []).append(read)

    def stands_for(self, targets: Iterable[ast.expr | None], value: ast.expr | None, at: _At) -> None:
        """Note that local names stand for a path that begins with a text."""
        text = reading.text_at(value)
        if text is not None and at.scope.kind is not _Kind.MODULE:
            for target in targets:
                for bound in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                    if isinstance(bound, ast.Name):
                        self.texts.setdefault((at.scope, bound.id), []).append(text)
                    elif isinstance(bound, ast.Attribute):
                        self.texts.setdefault((self.module, bound.attr), []).append(text)

    def texts_of(self, read: _Read) -> list[str]:
        """The texts that a local name may stand for, or an attribute that a class or a method binds."""
        if not read.chain:
            return self.texts.get((_home(read), read.name), [])
        places = [scope for scope in self.scopes if scope.kind in (_Kind.CLASS, _Kind.MODULE)]
        return [text for scope in places for text in self.texts.get((scope, read.chain[-1]), ())]

    def returned(self, node: ast.Return, at: _At) -> None:
        for part in _alternatives(node.value):
            self.as_it_is(part, at, RETURNS)
        self.push(at, [node.value])

    def named(self, node: ast.NamedExpr, at: _At) -> None:
        self.renamed([node.target], node.value, at)
        scope = at.scope
        while scope.kind is _Kind.COMPREHENSION and scope.parent is not None:
            scope = scope.parent
        self.bind(node.target.id, at._replace(scope=scope))
        self.push(at, [node.value])

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, at: _At) -> None:
        inner = self.inner(_Kind.COMPREHENSION, at)
        self.push(at, [node.generators[0].iter])
        self.push(inner, [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        for index, generator in enumerate(node.generators):
            self.push(inner, [generator.target, *generator.ifs, *([generator.iter] if index else [])])

    def function_expression(self, node: ast.Lambda, at: _At) -> None:
        self.push(self.parameters(node.args, at, at), [node.body])

    # Definitions

    def parameters(self, arguments: ast.arguments, at: _At, annotated_at: _At) -> _At:
        """Read defaults and annotations outside, bind parameters inside. Where the body stands."""
        self.push(at, [*arguments.defaults, *arguments.kw_defaults])
        inner = self.inner(_Kind.FUNCTION, annotated_at)
        starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred):
            self.bind(argument.arg, inner)
            self.annotation(argument.annotation, annotated_at)
        usual = [*arguments.posonlyargs, *arguments.args]
        given = [*zip(usual[len(usual) - len(arguments.defaults) :], arguments.defaults, strict=True)]
        for argument, default in [*given, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
            self.stands_for([ast.Name(argument.arg)], default, inner)
        return inner

    def annotation(self, node: ast.expr | None, at: _At) -> None:
        self.push(at._replace(annotation=True, roles=at.roles & ~NEEDED), [node])

    def type_parameters(self, node: ast.AST, at: _At) -> _At:
        """Where the names of `def f[T]`, `class C[T]` and `type A[T]` are known (Python 3.12)."""
        parameters: list[ast.AST] = getattr(node, "type_params", [])
        if not parameters:
            return at
        inner = self.inner(_Kind.COMPREHENSION, at)
        for parameter in parameters:
            self.bind(getattr(parameter, "name", None), inner)
            self.push(inner, ast.iter_child_nodes(parameter))
        return inner

    def type_alias(self, node: Any, at: _At) -> None:
        self.bind(node.name.id, at)
        self.annotation(node.value, self.type_parameters(node, at))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, at: _At) -> None:
        self.bind(node.name, at)
        self.decorators(node.decorator_list, at)
        outer = self.type_parameters(node, at)
        self.annotation(node.returns, outer)
        self.push(self.parameters(node.args, at, outer)._replace(guarded=False), node.body)

    def class_(self, node: ast.ClassDef, at: _At) -> None:
        self.bind(node.name, at)
        self.decorators(node.decorator_list, at)
        outer = self.type_parameters(node, at)
        for base in node.bases:
            self.chained(base.value if isinstance(base, ast.Subscript) else base, outer, BASE)
            self.push(outer, [base.slice] if isinstance(base, ast.Subscript) else [])
        for keyword in node.keywords:
            self.chained(keyword.value, outer, METACLASS if keyword.arg == "metaclass" else CALLED)
        inner = self.inner(_Kind.CLASS, outer)
        for order, statement in enumerate(node.body):
            self.push(inner._replace(order=order), [statement])

    def decorators(self, nodes: list[ast.expr], at: _At) -> None:
        for node in nodes:
            self.chained(node, at, CALLED)
            by = node.func if isinstance(node, ast.Call) else node
            name, chain = root_of(by, through_calls=True)
            if isinstance(by, ast.Attribute) and name is not None:
                self.read(name, chain or (by.attr,), node, at, DECORATES)

    # Statements

    def expression(self, node: ast.Expr, at: _At) -> None:
        if at.scope.later:
            self.push(at, [node.value])
            return
        inside = at._replace(roles=at.roles | MENTIONED)
        name, chain = root_of(node.value, through_calls=True)
        if isinstance(node.value, ast.Call) and name is not None:
            self.read(name, chain, node.value, inside, ACTS)
        self.push(inside, [node.value])

    def assigned(self, node: ast.Assign, at: _At) -> None:
        self.renamed(node.targets, node.value, at)
        self.push(at, [*node.targets, node.value])

    def loop(self, node: ast.For | ast.AsyncFor, at: _At) -> None:
        self.renamed([node.target], node.iter, at)
        self.push(at, ast.iter_child_nodes(node))

    def managed(self, node: ast.withitem, at: _At) -> None:
        called = node.context_expr
        for value in [called, *(called.args if isinstance(called, ast.Call) else ())]:
            self.renamed([node.optional_vars], value, at)
        self.push(at, ast.iter_child_nodes(node))

    def annotated(self, node: ast.AnnAssign, at: _At) -> None:
        if node.value is not None:
            self.renamed([node.target], node.value, at)
        if at.scope.kind is not _Kind.FUNCTION:  # inside a function it is never evaluated
            self.annotation(node.annotation, at)
        self.push(at, [node.target, node.value])

    def augmented(self, node: ast.AugAssign, at: _At) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id, (), node.target, at, CHANGED)
        self.push(at, [node.target, node.value])

    def import_(self, node: ast.Import | ast.ImportFrom, at: _At) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return
        for name, source in imports_of(node, self.package, at.guarded):
            self.loads[at.scope.later].append(source)
            self.bind(name, at, source)

    def guarding(self, node: ast.Try | ast.With, at: _At) -> None:
        inside = at._replace(guarded=at.guarded or catches_import_error(node))
        self.push(inside, node.body)
        if isinstance(node, ast.Try):
            self.push(at, [*node.handlers, *node.orelse, *node.finalbody])
        else:
            self.push(at, node.items)

    def handler(self, node: ast.ExceptHandler, at: _At) -> None:
        self.bind(node.name, at)
        self.push(at, [node.type, *node.body])

    def captured(self, node: ast.MatchAs | ast.MatchStar, at: _At) -> None:
        self.bind(node.name, at)
        self.push(at, ast.iter_child_nodes(node))

    def captured_rest(self, node: ast.MatchMapping, at: _At) -> None:
        self.bind(node.rest, at)
        self.push(at, ast.iter_child_nodes(node))

    def global_(self, node: ast.Global, at: _At) -> None:
        at.scope.of_module.update(node.names)

    def nonlocal_(self, node: ast.Nonlocal, at: _At) -> None:
        at.scope.of_outer.update(node.names)

    # Looking names up

    def facts(self) -> Facts:
        binds: tuple[set[str], set[str]] = (set(), set())
        imports: dict[str, list[Import]] = {}
        places: list[tuple[ast.expr, Ref]] = []
        for scope, name, order, source in self.binds:
            if scope is self.module or name in scope.of_module:
                binds[scope.later].add(name)
                if source is not None:
                    imports.setdefault(name, []).append(source)
                elif scope.later:
                    self.found.add(Ref(name), 0, CHANGED, later=True)
            elif name not in scope.of_outer:
                scope.bound[name] = min(order, scope.bound.get(name, order))
                if source is not None:
                    scope.imports.setdefault(name, []).append(source)
        for read in self.reads:
            # A class body may bind a name that it reads before from the module, which then need not have it.
            perhaps = read.scope.kind is _Kind.CLASS and read.name in read.scope.bound
            roles = read.roles & ~NEEDED if perhaps else read.roles
            sources = _sources(read)
            for source in sources:
                self.found.add(Ref(read.name, read.chain, source), read.line, roles, read.scope.later)
            if read.node is not None and len(sources) == 1 and isinstance(getattr(read.node, "ctx", None), ast.Load):
                places.append((read.node, Ref(read.name, read.chain, sources[0])))
        for file in self.files:
            for source in _sources(file):
                self.found.add(Ref(file.name, file.chain, source), file.line, file.roles, file.scope.later)
            for text in self.texts_of(file):
                self.hidden.append((file.line, reading.reason(text)))
        changes_given = self.changes_of_locals()
        self.imports_without_reader()
        return Facts(
            binds=frozenset(binds[0] - {STAR}),
            binds_later=frozenset(binds[1]),
            imports={name: tuple(sources) for name, sources in imports.items()},
            loads=tuple(self.loads[0]),
            loads_later=tuple(self.loads[1]),
            refs=self.found.refs,
            places=tuple(places),
            changes_given=changes_given,
            hidden=tuple(dict.fromkeys(self.hidden)),
        )

    def changes_of_locals(self) -> bool:
        """References to what local names stand for that functions change. Whether some stand for what was given."""
        given = False
        todo = [read for read in self.reads if read.roles & CHANGED and read.scope.later and not _sources(read)]
        seen: set[tuple[_Scope, str]] = set()
        for read in todo:
            scope = _home(read)
            if (scope, read.name) in seen:
                continue
            seen.add((scope, read.name))
            known = self.aliases.get((scope, read.name), [])
            given = given or not known
            for other in known:
                sources = _sources(other)
                for source in sources:
                    self.found.add(Ref(other.name, other.chain, source), other.line, CHANGED | other.roles, later=True)
                if not sources:
                    todo.append(other)
        return given

    def imports_without_reader(self) -> None:
        """References to what is imported inside functions for its effect alone, and in class bodies for any reader."""
        read = {(ref.source, ref.chain) for ref in self.found.refs if ref.source is not None}
        for scope in self.scopes:
            for name, sources in scope.imports.items():
                for source in sources:
                    if scope.kind is _Kind.CLASS:
                        self.found.add(Ref(name, (), source), source.line, NEEDED, scope.later)
                    elif not any(other == source and names_module(source, chain) for other, chain in read):
                        self.found.add(Ref(name, (), source), source.line, UNUSED, scope.later)


def _alternatives(value: ast.expr | None) -> Iterator[ast.expr]:
    """The expressions whose value another may be, or may hold: both sides of `a if x else b`, the parts of `(a, b)`."""
    todo = [value]
    for node in todo:
        match node:
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.BoolOp(values=parts):
                todo += parts
            case ast.IfExp(body=body, orelse=orelse):
                todo += [body, orelse]
            case ast.NamedExpr(value=inner) | ast.Starred(value=inner) | ast.Await(value=inner):
                todo.append(inner)
            case None:
                pass
            case _:
                yield node


class _Found:
    """References, each once, with their roles joined."""

    def __init__(self) -> None:
        self.refs: dict[Ref, Use] = {}

    def add(self, ref: Ref, line: int, roles: int, later: bool) -> None:
        use = self.refs.get(ref)
        if use is None:
            use = self.refs[ref] = Use(line=line)
        use.line = min(use.line or line, line or use.line)
        if later:
            use.later |= roles
        else:
            use.now |= roles


def _home(read: _Read) -> _Scope:
    """The scope that binds a name; the module's if none around it does."""
    scope = read.scope
    while scope.parent is not None and read.name not in scope.bound:
        scope = scope.parent
    return scope


def _sources(read: _Read) -> Sequence[Import | None]:
    """What a name stands for where it is read: the module's name (None), imports, or a local variable (nothing)."""
    scope: _Scope | None = read.scope
    while scope is not None and scope.kind is not _Kind.MODULE:
        if read.name in scope.of_module:
            return (None,)
        if read.name in scope.bound and (scope.kind is not _Kind.CLASS or scope is read.scope):
            if read.name in scope.imports:
                return scope.imports[read.name]
            # In a class body, a name that an earlier statement did not bind yet is the module's.
            if scope.kind is not _Kind.CLASS or read.order > scope.bound[read.name]:
                return ()
        scope = scope.parent
    return (None,)


_VISITS: dict[type[ast.AST], Callable[[_Walk, Any, _At], None]] = {
    ast.Name: _Walk.name,
    ast.Attribute: _Walk.attribute,
    ast.Subscript: _Walk.subscript,
    ast.Constant: _Walk.constant,
    ast.Call: _Walk.call,
    ast.NamedExpr: _Walk.named,
    ast.Lambda: _Walk.function_expression,
    ast.ClassDef: _Walk.class_,
    ast.Expr: _Walk.expression,
    ast.Assign: _Walk.assigned,
    ast.Return: _Walk.returned,
    ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop,
    ast.withitem: _Walk.managed,
    ast.AnnAssign: _Walk.annotated,
    ast.AugAssign: _Walk.augmented,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_,
    ast.Try: _Walk.guarding,
    ast.With: _Walk.guarding,
    ast.ExceptHandler: _Walk.handler,
    ast.MatchAs: _Walk.captured,
    ast.MatchStar: _Walk.captured,
    ast.MatchMapping: _Walk.captured_rest,
    ast.Global: _Walk.global_,
    ast.Nonlocal: _Walk.nonlocal_,
    **dict.fromkeys(_FUNCTIONS, _Walk.function),
    **dict.fromkeys(_COMPREHENSIONS, _Walk.comprehension),
}
if hasattr(ast, "TypeAlias"):
    _VISITS[ast.TypeAlias] = _Walk.type_alias
