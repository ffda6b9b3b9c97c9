"""What import statements bind names to, as dotted modules and attribute paths; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

STAR = "*"
_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


class Import(NamedTuple):
    """One name bound by an import: the attributes `path`, taken one after the other from `module`."""

    module: str
    """Dotted and absolute. Begins with dots where a relative import leads out of the top-level package."""
    path: tuple[str, ...]
    loads: str
    """The module that the statement loads: `a.b.c` in `import a.b.c`, though it binds `a`."""
    line: int
    guarded: bool
    """Whether a failure is caught, so that the module need not be there."""


def imports_of(node: ast.Import | ast.ImportFrom, package: str, guarded: bool) -> Iterator[tuple[str, Import]]:
    """The names that an import statement binds; the name `*` for a star import.

    Args:
        node: The statement.
        package: The package that relative imports start from; empty for a top-level module.
        guarded: Whether the statement stands where a failing import is caught.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            bound, module = (alias.asname, alias.name) if alias.asname else (top, top)
            yield bound, Import(module, (), alias.name, node.lineno, guarded)
        return
    module = absolute(node.module or "", node.level, package)
    for alias in node.names:
        path = () if alias.name == STAR else (alias.name,)
        yield alias.asname or alias.name, Import(module, path, module, node.lineno, guarded)


def absolute(name: str, level: int, package: str) -> str:
    """The absolute name of a module that is named relative to a package with `level` leading dots."""
    if level == 0:
        return name
    parts = package.split(".") if package else []
    if level > len(parts):
        return "." * level + name
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, name] if name else base)


def catches_import_error(node: ast.AST) -> bool:
    """Whether a `try` goes on when an import in its body fails, or a `with` suppresses that."""
    if isinstance(node, ast.Try):
        return any(_catches(handler.type) for handler in node.handlers)
    if isinstance(node, ast.With):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        return any(_last_name(call.func) == "suppress" and any(map(_catches, call.args)) for call in calls)
    return False


def _catches(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    if isinstance(caught, ast.Tuple):
        return any(_catches(element) for element in caught.elts)
    return _last_name(caught) in _IMPORT_ERRORS


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
