"""The source of functions that no file can be imported for: those of a running script and of a notebook's cells.

Workers import a step by its module. A script that is running has a module of its file's name, but importing that would
run the script again; a notebook has none. What stands for either is a module that holds the statements which its steps
need, and no others: definitions, imports, values, and what changes those.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from etude.errors import ConfigError, Fault
from etude.identity.references import ACTS, BASE, CALLED, CHANGED, DECORATES, METACLASS, PASSED, RENAMED
from etude.identity.scopes import facts_of

NOTEBOOK = "notebook_cells"
"""The module that a notebook's cells make."""


def reference_to(step: str | Callable[..., Any], project: Path) -> str:
    """A step's name in study files of a project.

    Raises:
        ConfigError: The function has no name by which a worker could find it.
    """
    if isinstance(step, str):
        return step
    name, module = getattr(step, "__qualname__", ""), getattr(step, "__module__", None)
    if isinstance(step, partial) or not name.isidentifier() or not module:
        reason = "a step is a function with a name at the top of a module, a script or a cell"
        raise ConfigError([Fault("", reason, step, "write `def name(…):` there; a constant argument is a setting")])
    if module.startswith("etude.") and ".steps" in module:
        return f"{module.split('.')[1]}.{name}"
    return f"{_main_module(project)[0] if module == '__main__' else module}:{name}"


def live_sources(steps: Iterable[str | Callable[..., Any]], project: Path) -> dict[str, bytes]:
    """The module that stands for the running script or notebook: absolute path → source; empty where none is needed.

    Raises:
        ConfigError: The source of a step is nowhere to be read, as of one typed into a plain shell.
    """
    names = [step.__name__ for step in steps if callable(step) and step.__module__ == "__main__"]
    if not names:
        return {}
    script = _script()
    text = script.read_text(encoding="utf-8") if script is not None else _cells()
    source = needed_source(text, names)
    if script is not None:
        _refuse_siblings(source, script.resolve().parent, project.resolve())
    return {str(_main_module(project)[1]): source.encode()}


def _refuse_siblings(source: str, folder: Path, project: Path) -> None:
    """ConfigError where a script imports a module from beside it that the project's workers would not find."""
    if folder in (project, project / "src"):
        return
    for node in ast.walk(ast.parse(source)):
        found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in (each.partition(".")[0] for each in found):
            there = [base / name for base in (folder, project, project / "src")]
            beside = [path for path in there if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()]
            if beside == [folder / name]:
                reason = f"a step's script imports {name} from beside it, and the project's folder is {project}"
                raise ConfigError([Fault("", reason, mend=f"say .place(project={str(folder)!r})")])


def folder_of(steps: Iterable[str | Callable[..., Any]]) -> Path:
    """The folder from which the first function of a user's own is imported; the current one where none has a file."""
    for step in steps:
        if not callable(step) or step.__module__.startswith("etude."):
            continue
        if step.__module__ == "__main__":
            script = _script()
            return script.resolve().parent if script is not None else Path.cwd()
        file = getattr(sys.modules.get(step.__module__), "__file__", None)
        if file is not None:
            return Path(file).resolve().parents[step.__module__.count(".")]
    return Path.cwd()


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BUILDS = frozenset({"Study", "aggregate", "load", "node", "param", "records"})
"""What of `etude` builds and runs studies, and so is no part of a step."""
_READERS = frozenset({"all", "any", "dict", "enumerate", "isinstance", "len", "list", "max", "min", "print", "repr"})
"""Builtins that change nothing that they are given."""


def needed_source(text: str, names: Sequence[str]) -> str:
    """A module's text with only the statements that these names need; others are blank, so that lines stay.

    A name needs every statement that binds it, of several definitions the last, and every statement that may change
    what is bound to it: by an item or attribute, under another name, by a function or class of the module that it
    calls, by a decorator that registers. A star import may bind any name.
    """
    body = [statement for statement in ast.parse(text).body if not _is_main_guard(statement)]
    kept = _Needs(body).of(names)
    lines = text.splitlines(keepends=True)
    blank = ["\n"] * len(lines)
    for at in kept:
        first = min([body[at].lineno, *(each.lineno for each in getattr(body[at], "decorator_list", []))])
        blank[first - 1 : body[at].end_lineno] = lines[first - 1 : body[at].end_lineno]
    return "".join(blank)


class _Needs:
    """Which statements at the top of a module need which others."""

    def __init__(self, body: Sequence[ast.stmt]) -> None:
        self._body = body
        self._facts = [facts_of(statement) for statement in body]
        self._definitions: dict[str, list[int]] = {}
        for at, statement in enumerate(body):
            if isinstance(statement, _DEFINITIONS):
                self._definitions.setdefault(statement.name, []).append(at)
        self._packages = {
            name: source.module.partition(".")[0]
            for facts in self._facts
            for name, sources in facts.imports.items()
            for source in sources
        }
        self._building = self._building_names()

    def of(self, names: Iterable[str]) -> set[int]:
        """The statements that these names need."""
        needed, kept = set(names), {at for at in range(len(self._body)) if self._always(at)}
        changes = [self._changes(at) for at in range(len(self._body))]
        while True:
            needed |= {ref.root for at in kept for ref in self._facts[at].refs if ref.source is None}
            packages = {f"{self._packages[name]}.*" for name in needed & self._packages.keys()}
            more = {at for at in range(len(self._body)) if changes[at] & (needed | packages)}
            more |= {at for at in range(len(self._body)) if self._binds(at, needed, kept)}
            if more <= kept:
                return kept
            kept |= more

    def _always(self, at: int) -> bool:
        statement = self._body[at]
        if isinstance(statement, ast.ImportFrom):
            return statement.module == "__future__" or any(alias.name == "*" for alias in statement.names)
        acts = {(ref.root, *ref.chain[:1]) for ref, use in self._facts[at].refs.items() if use.now & (ACTS | CHANGED)}
        return bool(acts & {("sys", "path"), ("os", "environ")}) and not self._builds(at)

    def _binds(self, at: int, needed: set[str], kept: set[int]) -> bool:
        """Whether a statement binds a needed name for whoever reads it: of several definitions the last, and one that
        is used before the next."""
        found = self._facts[at].binds & needed
        if not found or not isinstance(self._body[at], _DEFINITIONS):
            return bool(found)
        (name,) = found
        after = [later for later in self._definitions[name] if later > at]
        if not after or getattr(self._body[at], "decorator_list", []):
            return True
        return any(at < other < after[0] and name in self._roots(other, "now") for other in kept)

    def _building_names(self) -> set[str]:
        """The names by which studies are built and run, from those of `etude` on."""
        building = {
            name
            for facts in self._facts
            for name, sources in facts.imports.items()
            if any(source.module == "etude" and {*source.path} & _BUILDS for source in sources)
        }
        while True:
            more = {
                name
                for at, facts in enumerate(self._facts)
                if not facts.imports and self._builds(at, building)
                for name in facts.binds
            }
            if more <= building:
                return building
            building |= more

    def _builds(self, at: int, building: set[str] | None = None) -> bool:
        known = self._building if building is None else building
        module = {name for name, package in self._packages.items() if package == "etude"}
        return any(
            ref.source is None and (ref.root in known or (ref.root in module and bool({*ref.chain[:1]} & _BUILDS)))
            for ref in self._facts[at].refs
        )

    def _changes(self, at: int) -> set[str]:
        """The names whose values a statement may change in place; `package.*` for all that comes from a package."""
        if self._builds(at) or isinstance(self._body[at], (ast.Import, ast.ImportFrom)):
            return set()
        facts, changed = self._facts[at], set[str]()
        called = {ref.root for ref, use in facts.refs.items() if use.now & CALLED}
        hands = isinstance(self._body[at], ast.Expr) and bool(called - _READERS)
        hands = hands or any(
            self._facts[one].changes_given for name in called for one in self._definitions.get(name, ())
        )
        own = getattr(self._body[at], "name", None)
        for ref, use in facts.refs.items():
            if ref.source is not None:
                continue
            if use.now & CHANGED or (use.now & DECORATES and ref.chain) or (use.now & PASSED and hands):
                changed |= self._also(ref.root)
            if use.now & (ACTS | DECORATES) and ref.root in self._packages:
                changed |= {ref.root, f"{self._packages[ref.root]}.*"}
            if use.now & (CALLED | BASE | DECORATES | METACLASS | PASSED):
                changed |= self._effects(ref.root)
            if use.now & BASE and ref.root in self._definitions:
                changed.add(ref.root)  # which may ask for its subclasses
        return changed - {own}

    def _also(self, name: str) -> set[str]:
        """A name with those under which the same value goes."""
        found, todo = {name}, [name]
        for one in todo:
            for facts in self._facts:
                if one in facts.binds:
                    others = {ref.root for ref, use in facts.refs.items() if use.now & RENAMED and ref.source is None}
                    todo += sorted(others - found)
                    found |= others
        return found

    def _effects(self, name: str) -> set[str]:
        """The names that calling a function or class of the module may change."""
        seen, todo, changed = {name}, [name], set[str]()
        for one in todo:
            for at in self._definitions.get(one, ()):
                facts = self._facts[at]
                changed |= facts.binds_later
                for ref, use in facts.refs.items():
                    if ref.source is None and use.later & CHANGED:
                        changed |= self._also(ref.root)
                inner = self._roots(at, "later") - seen
                todo += sorted(inner)
                seen |= inner
        return changed

    def _roots(self, at: int, when: str) -> set[str]:
        return {ref.root for ref, use in self._facts[at].refs.items() if ref.source is None and getattr(use, when)}


def _is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def _main_module(project: Path) -> tuple[str, Path]:
    """The module that stands for what is running, and its file, which need not exist."""
    root, script = project.resolve(), _script()
    if script is None:
        return NOTEBOOK, root / f"{NOTEBOOK}.py"
    for folder in (root / "src", root):
        if script.resolve().is_relative_to(folder):
            parts = script.resolve().relative_to(folder).with_suffix("").parts
            if all(part.isidentifier() for part in parts):
                return ".".join(parts), script.resolve()
    name = "_".join(["script", *re.findall(r"\w+", script.stem)])
    return name, root / f"{name}.py"


def _script() -> Path | None:
    """The file of the running script; None in a notebook or a shell."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file) if file is not None and _shell() is None else None


def _shell() -> Any:
    """The IPython shell that runs; None where none does."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return ask() if ask is not None else None


def _cells() -> str:
    """The cells run so far, in the order in which they ran, as plain Python.

    Raises:
        ConfigError: No cells are remembered.
    """
    shell = _shell()
    cells: Mapping[str, Any] = getattr(shell, "user_ns", {})
    if "In" not in cells:
        reason = "steps that are typed into a shell have no source that workers could read"
        raise ConfigError([Fault("", reason, mend="write them in a file, a notebook, or IPython")])
    texts = []
    for cell in cells["In"]:
        text = shell.transform_cell(cell)
        try:
            ast.parse(text)
        except SyntaxError:
            continue
        texts.append(text if text.endswith("\n") else f"{text}\n")
    return "".join(texts)
