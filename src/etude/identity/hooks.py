"""Methods that run when a class is made, and calls that put something into a collection."""

from __future__ import annotations

import ast

from etude.identity.references import last_name

_GROWING = {"add", "append", "appendleft", "extend", "extendleft", "insert", "push", "put", "register", "setdefault"}
_SHRINKING = {"clear", "discard", "pop", "popitem", "popleft", "remove", "__delitem__"}
_ALTERING = {"difference_update", "intersection_update", "reverse", "sort", "symmetric_difference_update", "update"}
MUTATING = frozenset(_GROWING | _SHRINKING | _ALTERING | {"__setitem__"})
"""Names of methods that change the object they are called on."""

_METACLASSES = frozenset({"type", "ABCMeta", "EnumMeta", "EnumType"})


def hooks_of(statement: ast.stmt) -> list[ast.stmt]:
    """The methods of a class that run when another class derives from it or, for a metaclass, is made by it."""
    if not isinstance(statement, ast.ClassDef):
        return []
    names = {"__init_subclass__"}
    if any(last_name(base) in _METACLASSES for base in statement.bases):
        names |= {"__new__", "__init__"}
    methods = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in statement.body if isinstance(node, methods) and node.name in names]


def records_class(hook: ast.stmt) -> bool:
    """Whether such a method stores the new class in an item, or passes it to a mutating method.

    `cls.registry[name] = cls` and `items.append((name, cls))` do, `cls.size = 3` and `cls.names.add("a")` do not.
    """
    names = _names_of_class(hook)
    for node in ast.walk(hook):
        stored: list[ast.expr] = []
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Subscript) for target in node.targets):
            stored = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING:
            stored = node.args
        for value in stored:
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]
            if any(isinstance(part, ast.Name) and part.id in names for part in parts):
                return True
    return False


def _names_of_class(hook: ast.stmt) -> set[str]:
    """What the new class is called in the method: its first parameter or, in `__new__`, what is made by a call."""
    if not isinstance(hook, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return set()
    if hook.name != "__new__":
        return {argument.arg for argument in (*hook.args.posonlyargs, *hook.args.args)[:1]}
    made = [node for node in ast.walk(hook) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    return {target.id for node in made for target in node.targets if isinstance(target, ast.Name)}
