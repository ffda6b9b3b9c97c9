from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import json.decoder
import symtable
import sys
import textwrap
import typing
from pathlib import Path

import pytest

from etude.identity.references import CHANGED, NEEDED, Ref
from etude.identity.scopes import Facts, facts_of


def facts(source: str, package: str = "pkg") -> Facts:
    """The facts of the last statement of a source."""
    return facts_of(ast.parse(textwrap.dedent(source)).body[-1], package)


def read(source: str) -> set[str]:
    return {".".join((ref.root, *ref.chain)) for ref in facts(source).refs if ref.source is None}


def imported(source: str, package: str = "pkg") -> set[str]:
    """What is read of imports inside functions and classes."""
    refs = [ref for ref in facts(source, package).refs if ref.source is not None]
    return {".".join((ref.source.module, *ref.source.path, *ref.chain)) for ref in refs if ref.source is not None}


READS = {
    "a call": ("def f(): return g()", {"g"}),
    "an attribute chain": ("def f(): return a.b.c.d(1)", {"a.b.c.d"}),
    "a chain goes no further than a call": ("def f(): return a.b().c", {"a.b"}),
    "a default argument": ("def f(x=A): return x", {"A"}),
    "a keyword-only default": ("def f(*, x=A): return x", {"A"}),
    "annotations": ("def f(x: A, *y: B, **z: C) -> D: ...", {"A", "B", "C", "D"}),
    "an annotation in quotes": ("def f(x: 'A[B]') -> 'C.d': ...", {"A", "B", "C.d"}),
    "a text in Literal is no annotation": ("def f(x: Literal['mean', 'max']): ...", {"Literal"}),
    "the notes of Annotated are no annotations": ("def f(x: Annotated['A', 'B', C]): ...", {"Annotated", "A", "C"}),
    "a decorator with arguments": ("@a.b(C)\ndef f(): ...", {"a.b", "C"}),
    "a parameter hides": ("def f(g, /, h, *i, j, **k): return g, h, i, j, k", set()),
    "a local variable hides, also before it is bound": ("def f():\n print(x)\n x = 1", {"print"}),
    "a for variable hides": ("def f():\n for x in A: x", {"A"}),
    "a with variable hides": ("def f():\n with A as x: x", {"A"}),
    "an except variable hides": ("def f():\n try: pass\n except A as x: x", {"A"}),
    "a deleted name is local": ("def f():\n del x", set()),
    "an annotated local is local": ("def f():\n x: A\n return x", set()),
    "an augmented local is local": ("def f():\n x += A", {"A"}),
    "an unpacked local is local": ("def f():\n (x, [y, *z]) = A\n x, y, z", {"A"}),
    "a nested function hides its name": ("def f():\n def g(): return h\n return g", {"h"}),
    "a nested class hides its name": ("def f():\n class G(B): x = A\n return G", {"A", "B"}),
    "a local import hides": ("def f():\n import x\n return x.y", set()),
    "a walrus hides": ("def f():\n if (x := A): return x", {"A"}),
    "a walrus in a comprehension binds around it": ("def f():\n [x := A for _ in B]\n return x", {"A", "B"}),
    "a comprehension variable hides inside it": ("def f(): return [x for x in A if x]", {"A"}),
    "a comprehension variable does not hide outside": ("def f(): return [x for x in A], x", {"A", "x"}),
    "the first iterable stands outside": ("def f(): return [x for x in x]", {"x"}),
    "the second iterable stands inside": ("def f(): return [y for x in A for y in x]", {"A"}),
    "dictionary and set comprehensions": ("def f(): return {k: A for k in B}, {k for k in C}", {"A", "B", "C"}),
    "a generator": ("def f(): return sum(x * A for x in B)", {"sum", "A", "B"}),
    "a lambda": ("def f(): return lambda x, y=A: x + y + B", {"A", "B"}),
    "match captures hide": (
        "def f(v):\n match v:\n  case A.b | [x, *y] if x: return y\n  case {'k': z, **rest}: return z, rest\n"
        "  case C(w) as whole: return w, whole\n  case _: ...",
        {"A.b", "C"},
    ),
    "an enclosing function's name hides": ("def f(x):\n def g(): return x + A\n return g", {"A"}),
    "nonlocal points to the enclosing function": ("def f():\n x = 1\n def g():\n  nonlocal x\n  x = A", {"A"}),
    "global points past the enclosing function": ("def f():\n x = 1\n def g():\n  global x\n  return x", {"x"}),
    "a class body's names are not seen by its methods": ("class C:\n x = 1\n def m(self): return x", {"x"}),
    "a class body's names hide in the body": ("class C:\n x = 1\n y = x", set()),
    "a class body may read the module's name before it binds its own": ("class C:\n x = x", {"x"}),
    "a comprehension in a class body does not see its names": ("class C:\n x = 1\n y = [x for _ in A]", {"x", "A"}),
    "bases, metaclass and keywords": ("class C(A.b, metaclass=M, k=K): ...", {"A.b", "M", "K"}),
    "the parameter of a generic base": ("class C(A[B]): ...", {"A", "B"}),
    "an f-string": ("def f(): return f'{a.b!r:>{c}}'", {"a.b", "c"}),
    "a store into an attribute": ("def f(): a.b = c", {"a.b", "c"}),
    "a store into an item": ("def f(): a.b[c] = d", {"a.b", "c", "d"}),
    "a literal getattr is an attribute": ("def f(): return getattr(a, 'b')", {"getattr", "a.b"}),
    "async": ("async def f():\n async with A as x:\n  async for y in B: await C(x, y)", {"A", "B", "C"}),
    "yield, star and subscript": ("def f():\n yield from A\n yield [*B, C[D:E]]", {"A", "B", "C", "D", "E"}),
    "a decorated class": ("@A\nclass C: ...", {"A"}),
    "try-star": ("try: A()\nexcept* B as e: e", {"A", "B", "e"}),
}


@pytest.mark.parametrize(("source", "names"), READS.values(), ids=READS.keys())
def test_exactly_the_names_of_the_module_are_read(source: str, names: set[str]) -> None:
    assert read(source) == names


BINDS = {
    "def f(): ...": {"f"},
    "async def f(): ...": {"f"},
    "class C: x = 1": {"C"},
    "x = y = 1": {"x", "y"},
    "(a, [b, *c]), d.e, f[0] = g": {"a", "b", "c"},
    "x: int = 1": {"x"},
    "x += 1": {"x"},
    "for i, j in z: k = i": {"i", "j", "k"},
    "while (n := f()): m = n": {"n", "m"},
    "if c:\n a = 1\nelif d:\n b = 2\nelse:\n def e(): local = 1": {"a", "b", "e"},
    "try: a = 1\nexcept E as e: b = 2\nelse: c = 3\nfinally: d = 4": {"a", "e", "b", "c", "d"},
    "with f() as (a, b): c = a": {"a", "b", "c"},
    "match v:\n case [a, *b]: c = 1\n case {'k': d, **e}: pass\n case F() as g: pass": {"a", "b", "c", "d", "e", "g"},
    "import a.b, c as d": {"a", "d"},
    "from a import b, c as d": {"b", "d"},
    "[x := i for i in y]": {"x"},
    "del x": {"x"},
    "print(1)": set(),
}


@pytest.mark.parametrize(("source", "names"), BINDS.items(), ids=BINDS.keys())
def test_exactly_the_names_a_statement_binds_are_told(source: str, names: set[str]) -> None:
    assert facts(source).binds == names


def test_a_function_binds_what_it_declares_global() -> None:
    found = facts("def f():\n global A, B\n A = 1\n import x as B")
    assert found.binds == {"f"}
    assert found.binds_later == {"A", "B"}
    assert found.refs[Ref("A")].later & CHANGED


def test_imports_inside_functions_lead_to_what_they_bind() -> None:
    source = """
        def f():
            import a.b.c
            import d.e as g
            from h import i as j
            from . import k
            from ..l.m import n
            return a.b.c.o, g.p, j.q, k.r, n
    """
    assert imported(source, "x.y") == {"a.b.c.o", "d.e.p", "h.i.q", "x.y.k.r", "x.l.m.n"}


def test_an_import_in_one_branch_and_a_value_in_the_other_is_still_an_import() -> None:
    assert imported("def f():\n try: from a import b\n except ImportError: b = None\n return b") == {"a.b"}


def test_an_import_in_a_nested_function_is_not_seen_outside_it() -> None:
    source = "def f():\n def g():\n  import a\n  return a.x\n return a.y"
    assert imported(source) == {"a.x"}
    assert read(source) == {"a.y"}


def test_an_import_in_a_class_body_may_be_read_by_anyone() -> None:
    assert imported("class C:\n from a import b") == {"a.b"}


def test_annotations_need_not_be_known_when_the_code_runs() -> None:
    found = facts("def f(x: A = B) -> C: y: D = E").refs
    assert {ref.root for ref, use in found.items() if not use.roles & NEEDED} == {"A", "C"}
    assert {ref.root for ref, use in found.items() if use.roles & NEEDED} == {"B", "E"}


CHANGES = {
    "T[1] = 2": {"T"},
    "T.a.b[1].c = 2": {"T.a.b"},
    "del T[1]": {"T"},
    "T.x += 1": {"T.x"},
    "T.append(1)": {"T"},
    "x = T.setdefault(1, []).append(2)": {"T", "T.setdefault"},
    "setattr(T, name, 1)": {"T"},
    "for T[0] in x: pass": {"T"},
    "x = T.copy()": set(),
    "x = T[1]": set(),
}


@pytest.mark.parametrize(("source", "names"), CHANGES.items(), ids=CHANGES.keys())
def test_what_a_statement_changes_is_told(source: str, names: set[str]) -> None:
    found = {".".join((ref.root, *ref.chain)) for ref, use in facts(source).refs.items() if use.now & CHANGED}
    assert found == names


def test_what_a_function_may_change_is_told_apart_from_what_changes_now() -> None:
    found = facts("def f(x):\n T[x] = 1\n x[0] = 1").refs
    assert found[Ref("T")].later & CHANGED
    assert not found[Ref("T")].now & CHANGED


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the syntax of Python 3.12")
def test_type_parameters_hide() -> None:
    assert read("def f[T: A](x: T) -> list[T]: ...") == {"A", "list"}
    assert read("class C[T](B[T]): ...") == {"B"}
    assert read("type X[T] = dict[T, A]") == {"dict", "A"}


def test_expressions_of_any_depth_are_read() -> None:
    deep = "x = " + " + ".join(["a"] * 900) + " + b"
    assert read(deep) == {"a", "b"}
    assert read("x = a" + ".b(c)" * 900) == {"a.b", "c"}
    assert read("x = a" + "(c)" * 900) == {"a", "c"}
    assert read("x = a" + "[c]" * 900) == {"a", "c"}


def compiled_globals(source: str) -> tuple[set[str], set[str]]:
    """The names that Python's own compiler looks up in the module, and those it may look up there in class bodies."""
    top = symtable.symtable(source, "m", "exec")
    names: set[str] = set()
    perhaps: set[str] = set()
    tables = [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                names.add(symbol.get_name())
            elif symbol.is_referenced() and table.get_type() == "class":
                perhaps.add(symbol.get_name())
    return names, perhaps


@pytest.mark.parametrize("module", [argparse, dataclasses, inspect, json.decoder, typing, ast, textwrap, symtable])
def test_the_names_of_real_modules_are_those_that_the_compiler_finds(module: object) -> None:
    source = Path(inspect.getfile(module)).read_text(encoding="utf-8")  # type: ignore[arg-type]
    refs = [pair for statement in ast.parse(source).body for pair in facts_of(statement).refs.items()]
    found = {ref.root for ref, _ in refs if ref.source is None}
    needed = {ref.root for ref, use in refs if ref.source is None and use.roles & NEEDED}
    names, perhaps = compiled_globals(source)
    assert names <= found
    assert needed - perhaps <= names | {"__class__"}
