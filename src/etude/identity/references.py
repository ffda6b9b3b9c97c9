"""References: names that source text reads, with the attributes taken of them and what is done with them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import NamedTuple

from etude.identity.imports import Import

# Roles of a reference, joined by |.
NEEDED = 1  # occurs outside annotations, so it must be known when the code runs
OPEN = 2  # occurs where a dynamic look-up could yield anything
UNUSED = 4  # an import inside a function that no code there names
CALLED = 8  # called, or used as a decorator
BASE = 16  # a base class
DECORATES = 32  # its attribute decorates a function or class: `@REGISTRY.add`
CHANGED = 64  # stored into, deleted from, or a mutating method of it is called
MENTIONED = 128  # stands somewhere in an expression statement
ACTS = 256  # what an expression statement calls: `np` in `np.random.seed(0)`
METACLASS = 512  # a metaclass
GIVEN = 1024  # called with a variable as it stands: `register(function)`
PASSED = 2048  # stands in a call as it is: `function` in `register(function)`
RETURNED = 4096  # what a call of it returns is changed: `table` in `table()["a"] = 1`
RENAMED = 8192  # another name comes to stand for it: `a` in `b = a`
RETURNS = 16384  # returned as it is: `a` in `return a`
READS = 32768  # names a file that is read: `path` in `open(path)`
BARE = 65536  # called with nothing

NAMESPACES = frozenset({"globals", "locals", "vars"})
"""Called with nothing, they give all names of the module, which may be set there."""


class Ref(NamedTuple):
    """A name that is read, with the attributes taken of it at once: `np.random.seed` is `np`, `(random, seed)`."""

    root: str
    chain: tuple[str, ...] = ()
    source: Import | None = None
    """What an import inside a function or class binds the root to; None for a name of the module."""


@dataclass(slots=True, kw_only=True)
class Use:
    """How a statement uses a reference."""

    line: int
    """Where it stands first."""
    now: int = 0
    """Its roles in code that runs when the module is imported."""
    later: int = 0
    """Its roles in bodies of functions."""

    @property
    def roles(self) -> int:
        return self.now | self.later


def names_module(source: Import, chain: tuple[str, ...]) -> bool:
    """Whether attributes taken of what an import binds lead to the module that it loads, or stop on the way there."""
    way = source.loads.removeprefix(source.module).strip(".").split(".") if source.loads != source.module else []
    return all(taken == wanted for taken, wanted in zip(chain, way, strict=False))


def chain_of(node: ast.expr) -> tuple[str | None, tuple[str, ...], ast.expr]:
    """The name that attributes are taken of, the attributes, and the expression they are taken of if it is no name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    chain = tuple(reversed(names))
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return node.id, chain, node
    return None, chain, node


def root_of(node: ast.expr, through_calls: bool = False) -> tuple[str | None, tuple[str, ...]]:
    """The name that a chain of attributes and items starts from, and the attributes up to the first item.

    `vars(x)` is `x.__dict__`, and `getattr(x, "name")` is `x.name`; `globals()` starts a chain of its own.
    """
    chain: tuple[str, ...] = ()
    while True:
        if isinstance(node, ast.Attribute):
            chain, node = (node.attr, *chain), node.value
        elif isinstance(node, ast.Subscript):
            chain, node = (), node.value
        elif isinstance(node, ast.NamedExpr):
            node = node.value
        elif isinstance(node, ast.Call) and last_name(node.func) in NAMESPACES and not node.args:
            return last_name(node.func), ()
        elif isinstance(node, ast.Call) and last_name(node.func) in ("vars", "getattr") and node.args:
            taken = "__dict__" if len(node.args) == 1 else text_of(node.args[1])
            chain, node = (taken, *chain) if taken else (), node.args[0]
        elif through_calls and isinstance(node, ast.Call):
            chain, node = (), node.func
        else:
            return (node.id, chain) if isinstance(node, ast.Name) else (None, ())


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def text_of(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
