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
    return {str(_main_module(project)[1]): needed_source(text, names).encode()}


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


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def needed_source(text: str, names: Sequence[str]) -> str:
    """A module's text with only the statements that these names need; others are blank, so that lines stay.

    A name needs every statement that binds it, of several definitions the last, and every statement that may change
    what is bound to it.
    """
    body = [statement for statement in ast.parse(text).body if not _is_main_guard(statement)]
    last = {
        statement.name: at
        for at, statement in enumerate(body)
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    live = [at for at, statement in enumerate(body) if last.get(getattr(statement, "name", ""), at) == at]
    values = {name for at in live if not isinstance(body[at], _DEFINITIONS) for name in _bound(body[at])}
    needed, kept = set(names), set[int]()
    while True:
        more = {at for at in live if at not in kept and _serves(body[at], needed, values)}
        if not more:
            break
        kept |= more
        needed |= {name for at in more for name in _loaded(body[at])}
    lines = text.splitlines(keepends=True)
    blank = ["\n"] * len(lines)
    for at in kept:
        first = min([body[at].lineno, *(each.lineno for each in getattr(body[at], "decorator_list", []))])
        blank[first - 1 : body[at].end_lineno] = lines[first - 1 : body[at].end_lineno]
    return "".join(blank)


def _serves(statement: ast.stmt, needed: set[str], values: set[str]) -> bool:
    """Whether a statement binds a needed name, or may change what one is bound to."""
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return True
    if _bound(statement) & needed:
        return True
    if isinstance(statement, _DEFINITIONS):
        return False
    return bool(_changed(statement, values) & needed)


def _changed(statement: ast.stmt, values: set[str]) -> set[str]:
    """The names whose values a statement may change in place: `x[0] = 1`, `x.sort()`, `shuffle(x)`, `np.seterr()`."""
    names = {_root(target) for target in _targets(statement)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names |= {_root(node.func)} & values
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            names |= {_root(call.func)} if isinstance(call.func, ast.Attribute) else set()
            names |= {_root(argument) for argument in call.args} & values
    return names


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a module binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names


def _loaded(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} | {
        name for node in ast.walk(statement) if isinstance(node, ast.Constant) for name in _in_annotation(node.value)
    }


def _in_annotation(value: object) -> set[str]:
    """The names in a text that may be an annotation: `"list[Point]"`."""
    if not isinstance(value, str) or len(value) > 200:
        return set()
    try:
        tree = ast.parse(value.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _targets(statement: ast.stmt) -> list[ast.expr]:
    """What a statement assigns to in place: attributes and items."""
    return [
        node
        for node in ast.walk(statement)
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del))
    ]


def _root(node: ast.expr) -> str:
    """The name that an expression begins with: `config` of `config.path["x"]`."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


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
