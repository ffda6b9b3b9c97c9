"""Python source as a text that tells apart what can behave apart, and nothing else.

Positions, comments, formatting, quote styles, docstrings and other statements that do nothing are left out, and so are
annotations of variables inside functions, which never run. Names, constants, decorators, defaults and other annotations
stay. The text is the same under every Python from 3.11 on: fields are written by name in alphabetical order, absent
ones not at all, and constants in the form of `canonical`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from etude.identity.canonical import canonical

NO_NAMES: Mapping[ast.AST, str] = MappingProxyType({})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LEFT_OUT = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_ABSENT = {"conversion": -1}  # elsewhere 0


def normal_form(*nodes: ast.AST, names: Mapping[ast.AST, str] = NO_NAMES, met: list[ast.AST] | None = None) -> str:
    """The normal form of statements or expressions, one after the other. Needs no recursion, however deep they nest.

    Args:
        nodes: The statements or expressions.
        names: What is written in place of some of the expressions in them.
        met: Is given these expressions in the order in which they are written.
    """
    written: list[str] = []
    todo: list[tuple[ast.AST | str, bool]] = [(node, False) for node in reversed(nodes)]
    while todo:
        item, local = todo.pop()
        if isinstance(item, str):
            written.append(item)
            continue
        if item in names:
            written.append(names[item])
            if met is not None:
                met.append(item)
            continue
        if local and isinstance(item, ast.AnnAssign):
            item = _without_annotation(item)
        local = isinstance(item, _FUNCTIONS) or (local and not isinstance(item, ast.ClassDef))
        todo.extend([(part, local) for part in reversed(list(_parts(item)))])
    return "".join(written)


def _without_annotation(node: ast.AnnAssign) -> ast.AST:
    """The assignment as it runs: inside a function, annotations of variables are neither evaluated nor kept."""
    if node.value is None:
        return ast.AnnAssign(target=node.target, annotation=ast.Constant(None), simple=node.simple)
    return ast.Assign(targets=[node.target], value=node.value)


def does_nothing(statement: ast.AST) -> bool:
    """Whether a statement is a docstring, another bare constant, or `pass`."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


@lru_cache(maxsize=256)
def _fields(kind: str) -> tuple[str, ...]:
    return tuple(sorted(set(getattr(ast, kind)._fields) - _LEFT_OUT))


def _parts(node: ast.AST) -> Iterator[ast.AST | str]:
    """A node one level down: its text, with its children still to be written."""
    if isinstance(node, ast.Name):
        yield f"${node.id}"
        return
    if isinstance(node, ast.Constant):
        yield "..." if node.value is Ellipsis else canonical(node.value)
        return
    yield f"{type(node).__name__}("
    if isinstance(node, ast.MatchSingleton):
        yield canonical(node.value)
    else:
        for field in _fields(type(node).__name__):
            yield from _field(node, field)
    yield ")"


def _field(node: ast.AST, field: str) -> Iterator[ast.AST | str]:
    value = getattr(node, field, None)
    if field == "values" and isinstance(node, ast.JoinedStr):
        value = _joined(value or [])
    if isinstance(value, list):
        entries = [entry for entry in value if not does_nothing(entry)]
        if entries:
            yield f"{field}=["
            for entry in entries:
                yield entry if isinstance(entry, ast.AST) else _plain(entry)
                yield ","
            yield "]"
    elif isinstance(value, ast.AST):
        if field != "format_spec" or not isinstance(value, ast.JoinedStr) or _joined(value.values):  # f"{x:}" is f"{x}"
            yield f"{field}="
            yield value
            yield " "
    elif value is not None and value != _ABSENT.get(field, 0):
        yield f"{field}={_plain(value)} "


def _plain(value: object) -> str:
    return "~" if value is None else canonical(value)  # a missing key or default, which is not the constant None


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts merged: where they are split depends on the Python version."""
    merged: list[ast.expr] = []
    for value in values:
        if not isinstance(value, ast.Constant):
            merged.append(value)
        elif merged and isinstance(merged[-1], ast.Constant):
            merged[-1] = ast.Constant(str(merged[-1].value) + str(value.value))
        elif value.value != "":
            merged.append(value)
    return merged
