"""Generated projects that are really run: a result changes if and only if the symbol map of its step does."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from source_tree import Tree

MODULES = 4

# How a function calls another one: at the top of the module, and in the body. {m} module, {f} function, {i} a number.
NEAR = [
    ("", "{f}()"),
    ("KEPT{i} = {f}", "KEPT{i}()"),
    ("TABLE{i} = {{}}\nTABLE{i}['f'] = {f}", "TABLE{i}['f']()"),
    ("LIST{i} = []\nLIST{i}.append({f})", "LIST{i}[0]()"),
    ("class C{i}:\n    def call(self): return {f}()", "C{i}().call()"),
    ("class B{i}:\n    def call(self): return {f}()\nclass D{i}(B{i}): pass", "D{i}().call()"),
    ("WITH{i} = (lambda g: lambda: g())({f})", "WITH{i}()"),
    (
        "REG{i} = []\ndef reg{i}(g):\n    REG{i}.append(g)\n    return g\n@reg{i}\ndef on{i}(): return {f}()",
        "REG{i}[0]()",
    ),
    ("def make{i}(g=lambda: {f}()): return g()", "make{i}()"),
    ("def by{i}(g):\n    return lambda h: lambda: h() + g()\n@by{i}({f})\ndef y{i}(): return 0", "y{i}()"),
    ("S{i} = {{}}\ndef set{i}():\n    global G{i}\n    G{i} = {f}\nset{i}()", "G{i}()"),
    (
        "class M{i}:\n    known = []\n    def __init_subclass__(cls): M{i}.known.append(cls)\n"
        "class N{i}(M{i}):\n    call = staticmethod(lambda: {f}())",
        "M{i}.known[0].call()",
    ),
    (
        "from functools import singledispatch as sd{i}\n@sd{i}\ndef one{i}(x): return 0\n"
        "@one{i}.register\ndef _(x: int): return {f}()",
        "one{i}(1)",
    ),
    ("def at{i}(x): return x()\nat{i}.f = {f}", "at{i}.f()"),
    ("if True:\n    I{i} = {f}\nelse:\n    I{i} = None", "I{i}()"),
    ("for F{i} in [{f}]: pass", "F{i}()"),
    ("(U{i}, *V{i}) = [{f}, 1]", "U{i}()"),
    ("W{i} = [w for w in [{f}]]", "W{i}[0]()"),
    ("", "(lambda *a, k={f}: k())()"),
    ("", "next(iter({{'k': {f}}}.values()))()"),
    ("", "[{f}() for _ in range(1)][0]"),
    ("", "(lambda: {f}())()"),
]
FAR = [
    ("from lab.{m} import {f} as a{i}", "a{i}()"),
    ("from .{m} import {f} as a{i}", "a{i}()"),
    ("import lab.{m} as m{i}", "m{i}.{f}()"),
    ("import lab.{m}", "lab.{m}.{f}()"),
    ("from lab import {m} as m{i}", "m{i}.{f}()"),
    ("from . import {m} as m{i}", "getattr(m{i}, '{f}')()"),
    ("from lab.{m} import *", "{f}()"),
    ("try:\n    from lab.{m} import {f} as a{i}\nexcept ImportError:\n    a{i} = None", "a{i}()"),
    ("from lab.{m} import {f} as b{i}\nTABLE{i} = dict(f=b{i})", "TABLE{i}['f']()"),
    ("import lab.{m}\nclass C{i}:\n    call = staticmethod(lab.{m}.{f})", "C{i}.call()"),
]
LATE = [
    ("import importlib", "importlib.import_module('lab.{m}').{f}()"),
    ("def late{i}():\n    from lab.{m} import {f}\n    return {f}()", "late{i}()"),
    ("def late{i}():\n    import lab.{m} as x\n    return x.{f}()", "late{i}()"),
    ("def late{i}():\n    from . import {m}\n    return {m}.{f}()", "late{i}()"),
    ("class L{i}:\n    def call(self):\n        import lab.{m}\n        return lab.{m}.{f}()", "L{i}().call()"),
]


@dataclass(frozen=True)
class Call:
    caller: int
    called: int
    way: int


@dataclass(frozen=True)
class Plan:
    """Functions, each in a module, and calls from lower to higher numbers."""

    homes: tuple[int, ...]
    calls: tuple[Call, ...]

    def sources(self, changed: int | None) -> dict[str, str]:
        heads: list[list[str]] = [[] for _ in range(MODULES)]
        bodies: list[list[str]] = [[] for _ in range(MODULES)]
        for number in reversed(range(len(self.homes))):
            home = self.homes[number]
            terms = [str(2**number + (2**40 if number == changed else 0))]
            for call in self.calls:
                if call.caller == number:
                    top, term = self.written(call)
                    (heads if "import" in top.split("\n")[0] else bodies)[home].append(top)
                    terms.append(term)
            bodies[home].append(f"def f{number}(): return {' + '.join(terms)}")
        return {
            "lab/__init__": "",
            **{f"lab/m{home}": "\n".join([*heads[home], *bodies[home]]) for home in range(MODULES)},
        }

    def written(self, call: Call) -> tuple[str, str]:
        caller, called = self.homes[call.caller], self.homes[call.called]
        ways = NEAR if caller == called else FAR + LATE if caller < called else LATE
        place = {"m": f"m{called}", "f": f"f{call.called}", "i": f"{call.caller}_{call.called}"}
        top, term = ways[call.way % len(ways)]
        return top.format(**place), term.format(**place)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(3, 9))
    homes = draw(st.lists(st.integers(0, MODULES - 1), min_size=count, max_size=count))
    pairs = [(low, high) for high in range(count) for low in range(high)]
    kept = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=2, max_size=10))
    return Plan(tuple(homes), tuple(Call(low, high, draw(st.integers(0, 200))) for low, high in kept))


@contextmanager
def imported(folder: Path) -> Iterator[None]:
    """Let the generated package be imported from a folder, and forget it afterwards."""
    written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = written
        for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
            del sys.modules[name]


def outcomes(plan: Plan, changed: int | None) -> tuple[list[int], list[str]]:
    """The result of every function, and the digest of its symbol map."""
    with tempfile.TemporaryDirectory() as name:
        tree = Tree(Path(name)).write(plan.sources(changed))
        places = [f"lab.m{home}:f{number}" for number, home in enumerate(plan.homes)]
        maps = [tree.index().symbols_of(place) for place in places]
        assert all(found.opaque == () for found in maps)
        with imported(tree.folder):
            results = [getattr(importlib.import_module(module), f)() for module, f in (p.split(":") for p in places)]
        return results, [found.digest for found in maps]


@settings(deadline=None, max_examples=60)
@given(plans(), st.data())
def test_a_result_changes_if_and_only_if_the_digest_of_its_code_does(plan: Plan, data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, len(plan.homes) - 1))
    results, digests = outcomes(plan, None)
    other_results, other_digests = outcomes(plan, changed)
    differ = [left != right for left, right in zip(results, other_results, strict=True)]
    assert [left != right for left, right in zip(digests, other_digests, strict=True)] == differ


@settings(deadline=None, max_examples=60)
@given(plans(), st.data())
def test_code_that_stands_or_is_wired_otherwise_has_one_digest_only_where_it_gives_one_result(
    plan: Plan, data: st.DataObject
) -> None:
    homes = data.draw(st.lists(st.integers(0, MODULES - 1), min_size=len(plan.homes), max_size=len(plan.homes)))
    moved = replace(plan, homes=tuple(homes))
    number = data.draw(st.integers(0, len(plan.calls) - 1))
    called = data.draw(st.integers(plan.calls[number].caller + 1, len(plan.homes) - 1))
    calls = [*plan.calls]
    calls[number] = replace(calls[number], called=called)
    for other in (moved, replace(plan, calls=tuple(calls)), replace(moved, calls=tuple(calls))):
        if len({(call.caller, call.called) for call in other.calls}) < len(other.calls):
            continue  # names of two calls would clash
        results, digests = outcomes(plan, None)
        other_results, other_digests = outcomes(other, None)
        for one, two, result, other_result in zip(digests, other_digests, results, other_results, strict=True):
            assert one != two or result == other_result


def test_functions_that_move_to_other_files_keep_the_digest_of_the_step() -> None:
    calls = (Call(0, 1, 1), Call(1, 2, 1), Call(0, 2, 1))
    _, before = outcomes(Plan((0, 1, 2), calls), None)
    _, after = outcomes(Plan((0, 2, 3), calls), None)
    assert before == after
