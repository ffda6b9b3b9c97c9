"""What belongs to a symbol and where names lead: one test for each construct of the language."""

from __future__ import annotations

import hashlib
import sys

import pytest

from etude.errors import IdentityError
from etude.identity.code import CodeIndex
from source_tree import Tree

# What makes a symbol.

SYMBOLS = {
    "def": "def x(): return 1",
    "async def": "async def x(): return 1",
    "class": "class x: y = 1",
    "assign": "x = 1",
    "unpacking": "x, other = 1, 2",
    "annotated": "x: int = 1",
    "augmented": "x = 0\nx += 1",
    "for": "for x in [1]: pass",
    "while": "while (x := 1) > 1: pass",
    "if": "if True:\n    x = 1",
    "else": "if False: pass\nelse: x = 1",
    "try": "try: x = 1\nfinally: pass",
    "except": "try: x = 0\nexcept ValueError: x = 1",
    "with": "with open('a'): x = 1",
    "match": "match [1]:\n    case [x]: pass",
    "item": "x = {}\nx['a'] = 1",
    "attribute": "def x(): pass\nx.size = 1",
    "deletion": "x = {1: 2}\ndel x[1]",
    "method": "x = []\nx.append(1)",
    "loop that fills": "x = {}\nfor key in 'ab': x[key] = 1",
    "value of a mutating call": "x = [1]\nlast = x.pop(1)",
    "mention": "x = []\nprint(x, 1)",
    "condition that fills": "x = []\nif True:\n    x.append(1)",
    "chain of items": "x = {'a': {}}\nx['a']['b'] = 1",
    "setattr": "class x: pass\nsetattr(x, 'y', 1)",
}


@pytest.mark.parametrize("source", SYMBOLS.values(), ids=SYMBOLS.keys())
def test_every_statement_that_makes_or_changes_a_name_belongs_to_it(tree: Tree, source: str) -> None:
    steps = "\ndef step(): return x\ndef alone(): pass\n"
    step, alone = tree.write({"m": source + steps}).digests("m:step", "m:alone")
    head, tail = source.rsplit("1", 1)
    changed_step, same_alone = tree.write({"m": f"{head}2{tail}{steps}"}).digests("m:step", "m:alone")
    assert changed_step != step
    assert same_alone == alone


def test_statements_about_other_names_do_not_belong(tree: Tree) -> None:
    before = tree.write({"m": "x = []\ny = []\ny.append(1)\ndef step(): return x"}).map("m:step").digest
    assert tree.edit("m", "append(1)", "append(2)").map("m:step").digest == before


def test_the_main_guard_never_belongs(tree: Tree) -> None:
    source = "x = []\ndef step(): return x\nif __name__ == '__main__':\n    x.append({})\n    print(step())"
    before = tree.write({"m": source.replace("{}", "1")}).map("m:step").digest
    assert tree.write({"m": source.replace("{}", "2")}).map("m:step").digest == before


def test_names_for_type_checkers_are_known_but_lead_nowhere(tree: Tree) -> None:
    source = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from types_only import Table
        def step(x: Table) -> 'Table': return x
    """
    found = tree.write({"m": source, "types_only": "class Table: pass"}).map("m:step")
    assert set(found.symbols) == {"m:step"}
    assert found.opaque == ()
    assert [path.stem for path in found.files] == ["m"]


def test_what_is_imported_when_not_type_checking_counts(tree: Tree) -> None:
    source = """
        import typing
        if not typing.TYPE_CHECKING:
            from real import Table
        else:
            from types_only import Table
        def step(): return Table
    """
    assert tree.write({"m": source, "real": "class Table: pass"}).symbols("m:step") == {"m:step", "real:Table"}


def test_a_name_with_several_definitions_is_all_of_them(tree: Tree) -> None:
    source = "if SWITCH:\n    def f(): return 1\nelse:\n    def f(): return 2\ndef step(): return f()"
    before = tree.write({"m": source}).map("m:step").digest
    assert tree.edit("m", "return 1", "return 3").map("m:step").digest != before


# What code names.


def test_parameters_and_locals_that_hide_a_name_lead_nowhere(tree: Tree) -> None:
    source = """
        def helper(): pass
        def by_parameter(helper): return helper()
        def by_local():
            helper = len
            return helper([])
        def by_comprehension(): return [helper for helper in range(3)]
    """
    tree.write({"m": source})
    for step in ("by_parameter", "by_local", "by_comprehension"):
        assert tree.symbols(f"m:{step}") == {f"m:{step}"}


def test_a_class_brings_its_bases_metaclass_decorators_and_all_that_its_methods_name(tree: Tree) -> None:
    source = """
        def deco(c): return c
        def used(): pass
        def default(): pass
        class Meta(type): pass
        class Base: pass
        @deco
        class Model(Base, metaclass=Meta):
            def run(self, x=default()): return used()
        def step(): return Model()
    """
    assert tree.write({"m": source}).symbols("m:step") == {
        f"m:{name}" for name in ("step", "Model", "Base", "Meta", "deco", "used", "default")
    }


def test_annotations_lead_to_the_types_they_name(tree: Tree) -> None:
    source = """
        class Spec: pass
        class Result: pass
        class Quoted: pass
        def step(x: list[Spec], *, y: "Quoted" = None) -> Result: pass
    """
    assert tree.write({"m": source}).symbols("m:step") == {"m:step", "m:Spec", "m:Result", "m:Quoted"}


def test_mutual_recursion_and_import_cycles_end(tree: Tree) -> None:
    files = {
        "a": "import b\ndef f(n): return b.g(n)\ndef h(): pass",
        "b": "from a import f, h\ndef g(n): return f(n - 1) if n else h()",
    }
    assert tree.write(files).symbols("a:f") == {"a:f", "b:g", "a:h"} == tree.symbols("b:g")


def test_a_chain_of_thousands_of_calls_is_followed(tree: Tree) -> None:
    calls = "\n".join(f"def f{n}(): return f{n + 1}()" for n in range(3000))
    assert len(tree.write({"m": calls + "\ndef f3000(): return 1"}).symbols("m:f0")) == 3001


# Imports.

UTILS = "def u(): return 1\ndef v(): return 2"


@pytest.mark.parametrize(
    "source",
    [
        "import pkg.utils\ndef step(): return pkg.utils.u()",
        "import pkg.utils as z\ndef step(): return z.u()",
        "from pkg import utils\ndef step(): return utils.u()",
        "from pkg import utils as z\ndef step(): return z.u()",
        "from pkg.utils import u\ndef step(): return u()",
        "from pkg.utils import u as z\ndef step(): return z()",
        "from pkg.utils import *\ndef step(): return u()",
        "import pkg\nimport pkg.utils\ndef step(): return pkg.utils.u.__name__",
        "def step():\n    import pkg.utils\n    return pkg.utils.u()",
        "def step():\n    from pkg import utils as z\n    return z.u()",
        "def step():\n    from pkg.utils import u\n    def inner(): return u()\n    return inner()",
        "def step():\n    import importlib\n    return getattr(importlib, 'reload')(__import__('pkg.utils'))",
        "class A:\n    from pkg.utils import u\ndef step(): return A.u()",
        "import pkg.utils as z\ndef step(): return getattr(z, 'u')()",
        "import pkg.utils as z\ndef step(): return z.__dict__",
        "import pkg.utils as z\nw = z\ndef step(): return w.u()",
        "import pkg.utils as z\ndef step(): return vars(z)",
        "import pkg.utils as z\ndef step(name): return getattr(z, name)()",
        "import importlib\ndef step(): return importlib.import_module('pkg.utils').u()",
        "from importlib import import_module\nz = import_module('.utils', 'pkg')\ndef step(): return z.u()",
        "import pkg.utils\ndef step(): return 1",
        "def step():\n    import pkg.utils\n    return 1",
        "def step():\n    global z\n    import pkg.utils as z\n    return other()\ndef other(): return z.u()",
        "try:\n    from fast import u\nexcept ImportError:\n    from pkg.utils import u\ndef step(): return u()",
        "if True:\n    import pkg.utils as z\ndef step(): return z.u()",
    ],
)
def test_every_way_of_importing_leads_to_the_function(tree: Tree, source: str) -> None:
    tree.write({"pkg/__init__": "", "pkg/utils": UTILS, "m": source})
    before = tree.map("m:step")
    assert "pkg.utils:u" in before.symbols
    assert before.opaque == ()
    assert "utils.py" in {path.name for path in before.files}
    assert tree.edit("pkg/utils", "return 1", "return 10").map("m:step").digest != before.digest


@pytest.mark.parametrize(
    "source",
    [
        "import pkg.utils\ndef step(): return pkg.utils.u()",
        "from pkg import utils\ndef step(): return utils.u()",
        "from pkg.utils import *\ndef step(): return u()",
        "import pkg.utils as z\ndef step(): return getattr(z, 'u')()",
        "from pkg.utils import u, v\ndef step(): return u()",
        "import importlib\ndef step(): return importlib.import_module('pkg.utils').u()",
        "def step(): return __import__('pkg.utils').utils.u()",
    ],
)
def test_functions_beside_the_named_one_are_not_reached(tree: Tree, source: str) -> None:
    tree.write({"pkg/__init__": "", "pkg/utils": UTILS, "m": source})
    assert tree.symbols("m:step") == {"m:step", "pkg.utils:u"}


@pytest.mark.parametrize(
    "source",
    ["import pkg.utils as z\ndef step(x): return x(z)", "import pkg.utils as z\nTOOLS = [z]\ndef step(): TOOLS"],
)
def test_a_module_that_is_passed_on_may_be_asked_for_anything(tree: Tree, source: str) -> None:
    tree.write({"pkg/__init__": "", "pkg/utils": UTILS, "m": source})
    assert tree.symbols("m:step") >= {"pkg.utils:u", "pkg.utils:v"}


def test_relative_imports_of_every_level_are_followed(tree: Tree) -> None:
    files = {
        "a/__init__": "",
        "a/near": "def n(): pass",
        "a/b/__init__": "def here(): pass",
        "a/b/sibling": "def s(): pass",
        "a/b/c/__init__": "",
        "a/b/c/m": """
            from ...near import n
            from ..sibling import s
            from .. import here, sibling as again
            from . import own
            def step(): return n(), s(), here(), again.s, own.o
        """,
        "a/b/c/own": "def o(): pass",
    }
    assert tree.write(files).symbols("a.b.c.m:step") == {
        "a.b.c.m:step", "a.near:n", "a.b.sibling:s", "a.b:here", "a.b.c.own:o"
    }  # fmt: skip


def test_a_reexport_is_followed_to_the_symbol_and_is_none_itself(tree: Tree) -> None:
    files = {
        "pkg/__init__": "from .impl import f as g\nfrom . import impl as inner",
        "pkg/impl": "def f(): pass\ndef h(): pass",
        "m": "import pkg\nfrom pkg import inner\ndef step(): return pkg.g(), inner.h()",
    }
    assert tree.write(files).symbols("m:step") == {"m:step", "pkg.impl:f", "pkg.impl:h"}


def test_swapping_two_imported_names_is_a_change_though_all_symbols_stay(tree: Tree) -> None:
    tree.write({"lib": "def a(): pass\ndef b(): pass", "m": "from lib import a as f, b as g\ndef step(): f(g())"})
    before = tree.map("m:step")
    after = tree.write({"m": "from lib import b as f, a as g\ndef step(): f(g())"}).map("m:step")
    assert before.symbols.keys() == after.symbols.keys()
    assert before.digest != after.digest


SWAPS = {
    "a module": ("from math import sqrt\ndef step(): return sqrt(1)", "math", "cmath"),
    "a name": ("from math import floor as f\ndef step(): return f(1)", "floor", "ceil"),
    "a package": ("import numpy as np\ndef step(): return np.zeros(1)", "numpy", "scipy"),
    "a star": ("from numpy import *\ndef step(): return zeros(1)", "numpy", "scipy"),
    "a lazy import": ("def step():\n    import numpy as np\n    return np.zeros(1)", "numpy", "scipy"),
}


@pytest.mark.parametrize(("source", "old", "new"), SWAPS.values(), ids=SWAPS.keys())
def test_another_library_behind_the_same_name_is_a_change(tree: Tree, source: str, old: str, new: str) -> None:
    before = tree.write({"m": source}).map("m:step").digest
    assert tree.write({"m": source.replace(old, new)}).map("m:step").digest != before


STARS = {
    "without a list, public names": ("def f(): pass\ndef _g(): pass", {"f"}),
    "a list of names": ("__all__ = ['_g']\ndef f(): pass\ndef _g(): pass", {"_g"}),
    "a list that grows": ("__all__ = ['f']\n__all__ += ['_g']\ndef f(): pass\ndef _g(): pass", {"f", "_g"}),
    "a list that is extended": ("__all__ = []\n__all__.extend(('f',))\ndef f(): pass\ndef _g(): pass", {"f"}),
    "a sum of lists": ("__all__ = ['f'] + ['_g']\ndef f(): pass\ndef _g(): pass", {"f", "_g"}),
    "a list that only running tells": ("__all__ = list(x)\ndef f(): pass\ndef _g(): pass", {"f", "_g"}),
    "a star behind a star": ("from deeper import *", {"f"}),
}


@pytest.mark.parametrize(("source", "names"), STARS.values(), ids=STARS.keys())
def test_a_star_import_binds_what_python_would_bind(tree: Tree, source: str, names: set[str]) -> None:
    tree.write({"lib": source, "deeper": "def f(): pass", "m": "from lib import *\ndef step(): f\ndef other(): _g"})
    found = {symbol.partition(":")[2] for step in ("step", "other") for symbol in tree.symbols(f"m:{step}")}
    assert found - {"step", "other"} == names


def test_a_star_of_a_third_party_package_may_bind_any_name(tree: Tree) -> None:
    found = tree.write({"m": "from numpy import *\ndef step(): return zeros(3), sum([1])"}).map("m:step")
    assert found.packages == ("numpy",)
    assert found.opaque == ()


def test_a_first_party_star_comes_before_a_third_party_one(tree: Tree) -> None:
    tree.write(
        {
            "lib": "from numpy import *\ndef zeros(): pass",
            "m": "from numpy import *\nfrom lib import *\ndef step(): zeros",
        }
    )
    assert "lib:zeros" in tree.symbols("m:step")


def test_both_branches_of_a_conditional_import_count(tree: Tree) -> None:
    source = """
        import sys
        if sys.version_info >= (3, 99):
            from new import f
        else:
            from old import f
        def step(): return f()
    """
    tree.write({"m": source, "new": "def f(): pass", "old": "def f(): pass"})
    assert tree.symbols("m:step") == {"m:step", "m:f", "new:f", "old:f"}


def test_an_optional_package_that_is_not_there_is_named_and_nothing_hidden(tree: Tree) -> None:
    source = """
        try:
            import not_installed_at_all as fast
        except ImportError:
            fast = None
        def step(): return fast
    """
    found = tree.write({"m": source}).map("m:step")
    assert found.packages == ("not_installed_at_all",)
    assert found.opaque == ()


def test_an_import_made_for_its_effect_belongs_to_all_that_is_reached(tree: Tree) -> None:
    plug = "import base\nbase.KNOBS['a'] = 1"
    before = tree.write({"m": "import plug\ndef step(): pass", "plug": plug, "base": "KNOBS = {}"}).map("m:step").digest
    assert tree.edit("plug", "= 1", "= 2").map("m:step").digest != before


def test_a_package_around_a_module_that_imports_for_effect_counts(tree: Tree) -> None:
    files = {"pkg/__init__": "import pkg.plug", "pkg/plug": "X = 1", "pkg/m": "def step(): pass"}
    assert tree.write(files).symbols("pkg.m:step") == {"pkg.m:step", "pkg.plug:X"}


def test_what_a_package_reexports_is_no_import_for_effect(tree: Tree) -> None:
    files = {
        "pkg/__init__": "from . import plug\nfrom .plug import X",
        "pkg/plug": "X = 1",
        "pkg/m": "def step(): pass",
    }
    assert tree.write(files).symbols("pkg.m:step") == {"pkg.m:step"}


def test_a_module_level_getattr_stands_in_for_names_that_are_not_there(tree: Tree) -> None:
    lib = "def f(): pass\ndef made(): pass\ndef __getattr__(name): return made"
    tree.write({"lib": lib, "m": "import lib\nfrom lib import g\ndef step(): lib.f\ndef other(): g, lib.h"})
    assert tree.symbols("m:step") == {"m:step", "lib:f"}
    assert tree.symbols("m:other") == {"m:other", "lib:__getattr__", "lib:made"}
    assert tree.reasons("m:other") == []


def test_a_submodule_is_found_though_only_others_import_it(tree: Tree) -> None:
    tree.write({"pkg/__init__": "", "pkg/sub": "def f(): pass", "m": "import pkg\ndef step(): return pkg.sub.f()"})
    assert tree.symbols("m:step") == {"m:step", "pkg.sub:f"}


def test_a_function_of_a_package_hides_the_submodule_of_its_name(tree: Tree) -> None:
    files = {"pkg/__init__": "from .fit import fit", "pkg/fit": "def fit(): pass\ndef other(): pass"}
    tree.write({**files, "m": "import pkg\ndef step(): return pkg.fit(1)"})
    assert tree.symbols("m:step") == {"m:step", "pkg.fit:fit"}


def test_folders_without_init_are_packages_too(tree: Tree) -> None:
    tree.write({"ns/inner/m": "from ns.other import f\ndef step(): return f()", "ns/other": "def f(): pass"})
    assert tree.symbols("ns.inner.m:step") == {"ns.inner.m:step", "ns.other:f"}


# Effects of importing.


def test_a_handler_registered_in_another_module_belongs_to_the_table(tree: Tree) -> None:
    files = {
        "registry": "TABLE = {}\ndef register(f):\n    TABLE[f.__name__] = f\n    return f\ndef lookup(n): TABLE[n]",
        "handlers": "from registry import register\n@register\ndef h(): return 1\ndef free(): return 2",
        "m": "from handlers import free\nfrom registry import lookup\ndef step(): lookup('h')\ndef other(): return 3",
    }
    assert "handlers:h" in tree.write(files).symbols("m:step")
    assert "handlers:free" not in tree.symbols("m:step")
    assert tree.symbols("m:other") == {"m:other"}


def test_a_handler_in_a_module_that_nothing_imports_is_not_registered(tree: Tree) -> None:
    files = {
        "registry": "TABLE = {}\ndef register(f):\n    TABLE[f.__name__] = f\n    return f",
        "handlers": "from registry import register\n@register\ndef h(): return 1",
        "m": "from registry import TABLE\ndef step(): return TABLE",
    }
    assert "handlers:h" not in tree.write(files).symbols("m:step")


EFFECTS = {
    "a call that registers": "registry.register('a', handler)",
    "a value of a call that registers": "kept = registry.register('a', handler)",
    "a store": "registry.TABLE['a'] = handler",
    "a mutating method": "registry.TABLE.update(a=handler)",
    "a decorator of the table's method": "@registry.SHOP.add('a')\ndef wrapped(): return handler()",
    "an attribute of a function": "registry.lookup.handler = handler",
    "a subclass of a class that records them": "class Mine(registry.Recorded):\n    call = handler",
    "a subclass of a subclass": "class Mine(registry.Plain):\n    pass\nclass More(Mine):\n    call = handler",
    "a class with a recording metaclass": "class Mine(metaclass=registry.Meta):\n    call = handler",
    "a call in a list": "[registry.register(n, handler) for n in 'ab']",
    "a call inside a function that is called": "def fill():\n    registry.register('a', handler)\nfill()",
    "a decorator that passes on": "def mine(f): return registry.keep(f)\n@mine\ndef h(): return handler()",
    "a decorator by another name": "add = registry.SHOP.add\n@add('a')\ndef h(): return handler()",
    "a partial decorator": "import functools as t\nadd = t.partial(registry.register, 'a')\n@add\ndef h(): handler()",
    "a call in a loop": "for n in 'ab':\n    registry.register(n, handler)",
}


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS.keys())
def test_whatever_a_module_puts_into_another_counts_there(tree: Tree, effect: str) -> None:
    registry = """
        TABLE = {}
        def register(name, handler):
            TABLE[name] = handler
        def keep(handler):
            TABLE[handler.__name__] = handler
            return handler
        class Shop:
            def __init__(self): self.items = {}
            def add(self, name): return lambda f: self.items.setdefault(name, f)
        SHOP = Shop()
        class Recorded:
            known = {}
            def __init_subclass__(cls): cls.known[cls.__name__] = cls
        class Plain(Recorded): pass
        class Meta(type):
            def __new__(mcs, name, bases, body):
                made = super().__new__(mcs, name, bases, body)
                TABLE[name] = made
                return made
        def lookup(): return TABLE, SHOP, Recorded, lookup
    """
    handlers = f"import registry\ndef handler(): return 1\n{effect}\n"
    tree.write({"registry": registry, "handlers": handlers, "m": "from registry import lookup\nimport handlers as h\n"})
    tree.write({"n": "import registry\nfrom handlers import handler as unused\ndef step(): return registry.lookup()"})
    before = tree.map("n:step").digest
    assert tree.edit("handlers", "return 1", "return 2").map("n:step").digest != before


def test_a_single_dispatch_function_has_its_own_implementations_alone(tree: Tree) -> None:
    source = """
        from functools import singledispatch
        @singledispatch
        def f(x): return 1
        @f.register
        def _(x: int): return 2
        @singledispatch
        def g(x): return 3
        @g.register
        def _(x: int): return 4
    """
    f, g = tree.write({"m": source}).digests("m:f", "m:g")
    changed_f, same_g = tree.edit("m", "return 2", "return 5").digests("m:f", "m:g")
    assert changed_f != f
    assert same_g == g


def test_a_class_hook_that_only_sets_attributes_records_no_subclasses(tree: Tree) -> None:
    source = """
        class Base:
            def __init_subclass__(cls): cls.size = 1
        class A(Base): pass
        class B(Base): pass
    """
    assert tree.write({"m": source}).symbols("m:A") == {"m:A", "m:Base"}


def test_a_cache_that_a_function_fills_belongs_to_whoever_reads_it(tree: Tree) -> None:
    source = """
        CACHE = {}
        def fill(key): CACHE[key] = 1
        def set_it():
            global CACHE
            CACHE = {2: 2}
        def step(): return CACHE
    """
    before = tree.write({"m": source}).map("m:step")
    assert set(before.symbols) == {"m:step", "m:CACHE", "m:fill"}
    assert tree.edit("m", "{2: 2}", "{2: 3}").map("m:step").digest != before.digest


def test_a_name_that_only_a_function_binds_is_known(tree: Tree) -> None:
    source = "def load():\n    global MODEL\n    MODEL = 1\ndef step(): return MODEL"
    found = tree.write({"m": source}).map("m:step")
    assert found.opaque == ()
    assert tree.edit("m", "MODEL = 1", "MODEL = 2").map("m:step").digest != found.digest


@pytest.mark.parametrize(
    "effect",
    [
        "import numpy as np\nnp.random.seed(1)",
        "import torch\ntorch.backends.cudnn.deterministic = 1",
        "import os\nos.environ['A'] = '1'",
        "from setup_all import configure\nconfigure(1)",
        "def configure(x): seed(x)\nfrom random import seed\nconfigure(1)",
    ],
)
def test_a_statement_that_sets_something_for_the_whole_process_counts_for_all_code_of_its_module(
    tree: Tree, effect: str
) -> None:
    tree.write({"m": f"{effect}\ndef step(): pass", "setup_all": "import random\ndef configure(x): random.seed(x)"})
    before = tree.map("m:step").digest
    tree.write({"m": f"{effect}\ndef step(): pass".replace("1", "2")})
    assert tree.map("m:step").digest != before


def test_what_is_only_shown_counts_for_nothing(tree: Tree) -> None:
    source = "import logging\nlogging.basicConfig(level=1)\nlog = logging.getLogger('a')\ndef step(): log.info('x')"
    before = tree.write({"m": source}).map("m:step").digest
    assert tree.edit("m", "level=1", "level=2").map("m:step").digest == before


# What cannot be seen through.

OPAQUE = {
    "a dynamic import": ("import importlib\ndef step(x): importlib.import_module(x)", "imports a module"),
    "a dynamic import by a bare name": ("from importlib import import_module as i\ndef step(x): i(x)", "imports a "),
    "__import__": ("def step(x): __import__(x)", "imports a module"),
    "eval": ("def step(x): eval(x)", "evaluates text"),
    "exec": ("def step(x): exec(x)", "runs text"),
    "compile": ("def step(x): compile(x, '', 'eval')", "compiles text"),
    "globals": ("def step(x): globals()[x]", "globals()"),
    "locals": ("def step(x): locals()[x]", "locals()"),
    "vars of nothing": ("def step(x): vars()[x]", "vars()"),
    "os.environ": ("import os\ndef step(): os.environ['A']", "reads the environment"),
    "os.environ.get": ("from os import environ\ndef step(): environ.get('A')", "reads the environment"),
    "os.getenv": ("import os as o\ndef step(): o.getenv('A')", "reads the environment"),
    "the environment two calls away": ("import os\nA = os.environ['A']\ndef f(): A\ndef step(): f()", "environment"),
    "the place of the file": ("from pathlib import Path\ndef step(): Path(__file__).parent", "place of its file"),
    "files of a package": ("from importlib.resources import files\ndef step(): files('a')", "files of a package"),
    "sys.modules": ("import sys\ndef step(x): sys.modules[x]", "happen to be imported"),
    "all subclasses": ("class A: pass\ndef step(): A.__subclasses__()", "derive from A"),
    "a docstring": ("def f():\n    \"text\"\ndef step(): return f.__doc__", "docstring of f"),
    "the docstring of the module": ("def step(): return __doc__", "docstring of its module"),
    "source as text": ("import inspect\ndef f(): pass\ndef step(): return inspect.getsource(f)", "source as text"),
    "an unknown name": ("def step(): return nowhere", "nowhere is not found"),
    "a name that its module lacks": ("import lib\ndef step(): lib.nowhere", "lib.nowhere is not found"),
    "a module that its package lacks": ("import pkg.no\ndef step(): pkg.no.f()", "pkg.no.f is not found"),
    "an import beyond the top": ("from ..x import f\ndef step(): f()", "x.f is not found"),
    "a package that is not there": ("import absent_one\ndef step(): absent_one.f()", "absent_one is not installed"),
    "a compiled module": ("import binary\ndef step(): binary.f()", "binary.f is compiled"),
    "a compiled submodule": ("from pkg import fast\ndef step(): fast.f()", "pkg.fast.f is compiled"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "reason"), OPAQUE.values(), ids=OPAQUE.keys())
def test_what_cannot_be_seen_through_is_told_with_its_place(tree: Tree, source: str, reason: str) -> None:
    tree.write({"m": source, "lib": "", "pkg/__init__": "", "binary.pyc": "", "pkg/fast.pyc": ""})
    (place,) = tree.map("m:step").opaque
    assert reason in place.reason
    assert place.symbol.startswith("m:")
    assert f"line {place.line}" in str(place)
    assert source.splitlines()[place.line - 1]


def test_the_line_of_an_opaque_place_is_where_it_stands(tree: Tree) -> None:
    (place,) = tree.write({"m": "\n\n\ndef step(x):\n    y = x\n    return eval(y)"}).map("m:step").opaque
    assert (place.symbol, place.line) == ("m:step", 6)


SEEN_THROUGH = {
    "opaque code that is not reached": "def other(x): eval(x)\ndef step(): pass",
    "a method of the name": "import re\ndef step(model): model.eval(), re.compile('a')",
    "a function of its own of the name": "def eval(x): return x\ndef step(): eval('1')",
    "setting the environment": "import os\ndef step(): os.environ['A'] = '1'",
    "vars of an object": "def step(x): return vars(x)",
    "names of every module": "def step(): return __name__, __package__",
    "the class inside a method": "class A:\n    def f(self): return __class__, super()\ndef step(): A()",
    "names of a class body": "class A:\n    x = __qualname__, __module__\ndef step(): A",
    "a text that is no annotation": "def step(x: 'no such type', y: 'Unknown'): pass",
    "an optional first-party module": "try: from lib import extra\nexcept ImportError: extra = None\ndef step(): extra",
    "a suppressed import": "from contextlib import suppress\nwith suppress(ImportError): import no\ndef step(): no",
}


@pytest.mark.parametrize("source", SEEN_THROUGH.values(), ids=SEEN_THROUGH.keys())
def test_nothing_is_told_where_nothing_is_hidden(tree: Tree, source: str) -> None:
    assert tree.write({"m": source, "lib": ""}).map("m:step").opaque == ()


# Whose code it is.


def test_third_party_code_is_its_import_name_and_the_standard_library_nothing(tree: Tree) -> None:
    source = """
        import json, os.path
        import numpy.linalg as la
        from pytest import approx
        import scipy
        def step(): return la.norm, approx, json.dumps, os.path.join
    """
    found = tree.write({"m": source}).map("m:step")
    assert found.packages == ("numpy", "pytest")
    assert set(found.symbols) == {"m:step"}


def test_a_project_module_hides_the_standard_one_of_its_name(tree: Tree) -> None:
    tree.write({"statistics": "def mean(x): return 1", "m": "import statistics\ndef step(): statistics.mean([])"})
    assert tree.symbols("m:step") == {"m:step", "statistics:mean"}


def test_rooms_of_etude_are_tracked_and_its_machinery_is_not(tree: Tree) -> None:
    source = """
        from etude import step, units
        from etude.graph.step import Context
        import etude.errors
        import etude
        @step
        def mine(x, *, ctx: Context): return units.kwh(1), etude.errors.nearest, etude.units.joules
    """
    assert tree.write({"m": source}).symbols("m:mine") == {
        "m:mine", "etude.units:kwh", "etude.units:joules", "etude.units:JOULES_PER_KWH"
    }  # fmt: skip
    assert tree.reasons("m:mine") == []


def test_a_star_of_etude_may_bind_its_names(tree: Tree) -> None:
    found = tree.write({"m": "from etude import *\n@step\ndef mine(x): return len(x)"}).map("m:mine")
    assert found.opaque == ()
    assert found.packages == ()


def test_a_third_party_function_has_its_package_alone(tree: Tree) -> None:
    found = tree.index().symbols_of("numpy:zeros")
    assert (dict(found.symbols), found.packages) == ({}, ("numpy",))


def test_nothing_is_imported_or_run(tree: Tree) -> None:
    exploding = "raise SystemExit('it ran')\ndef f(): pass"
    tree.write({"exploding": exploding, "m": "import exploding\ndef step(): exploding.f()"})
    assert "exploding:f" in tree.symbols("m:step")
    assert not {"m", "exploding"} & sys.modules.keys()


# Files.


def test_all_files_that_a_step_imports_are_listed_with_the_bytes_that_were_digested(tree: Tree) -> None:
    files = {
        "pkg/__init__": "from .reexported import r",
        "pkg/reexported": "def r(): pass",
        "pkg/m": "import pkg.used\nfrom pkg.named_only import n\ndef step():\n from pkg import later\n pkg.used.u",
        "pkg/used": "def u(): pass",
        "pkg/named_only": "def n(): pass",
        "pkg/later": "",
        "pkg/never": "",
    }
    index = tree.write(files).index()
    found = index.symbols_of("pkg.m:step")
    assert {path.stem for path in found.files} == {"__init__", "reexported", "m", "used", "named_only", "later"}
    tree.write({"pkg/m": "changed = 1"})
    for path, digest in found.files.items():
        assert hashlib.sha256(index.source_of(path)).hexdigest() == digest
    assert b"changed" not in index.source_of(tree.folder / "pkg" / "m.py")


def test_an_index_is_a_picture_of_one_moment(tree: Tree) -> None:
    index = tree.write({"m": "from n import f\ndef step(): f()\ndef other(): f()", "n": "def f(): return 1"}).index()
    before = index.symbols_of("m:step").symbols["n:f"]
    tree.edit("n", "return 1", "return 2")
    assert index.symbols_of("m:other").symbols["n:f"] == before
    assert tree.map("m:other").symbols["n:f"] != before


@pytest.mark.parametrize(
    "encoded", [b"# coding: latin-1\ndef step(): return '\xe9'", "\ufeffdef step(): return 'é'".encode()]
)
def test_sources_in_any_declared_encoding_are_read(tree: Tree, encoded: bytes) -> None:
    plain = tree.write({"m": "def step(): return 'é'"}).map("m:step").digest
    (tree.folder / "m.py").write_bytes(encoded)
    assert tree.map("m:step").digest == plain


def test_line_endings_do_not_count(tree: Tree) -> None:
    plain = tree.write({"m": "def step():\n    return '''a\n    b'''\n"}).map("m:step").digest
    (tree.folder / "m.py").write_bytes(b"def step():\r\n    return '''a\r\n    b'''\r\n")
    assert tree.map("m:step").digest == plain


# Faults.

FAULTS = {
    "m:stpe": "did you mean 'step'?",
    "n:step": "no module 'n'",
    "pkg.sbu:step": "did you mean 'sub'?",
    "step": "package.module:function",
    "m:": "package.module:function",
    ":step": "package.module:function",
    "m:a.b": "package.module:function",
    "math:floor": "belongs to Python",
    "pkg:step": "is a folder",
    "etude.errors:nearest": "belongs to étude",
    "binary:step": "is compiled",
    "m:imported": "has no function 'imported'",
}


@pytest.mark.parametrize(("function", "reason"), FAULTS.items(), ids=FAULTS.keys())
def test_a_name_that_leads_to_no_step_is_told_with_reason_and_mend(tree: Tree, function: str, reason: str) -> None:
    tree.write({"m": "import json as imported\ndef step(): pass", "pkg/sub": "", "binary.pyc": ""})
    with pytest.raises(IdentityError) as told:
        tree.map(function)
    assert reason in str(told.value)
    assert "Mend:" in str(told.value)
    assert function in str(told.value)


def test_a_syntax_error_is_told_with_file_and_line(tree: Tree) -> None:
    tree.write({"m": "import n\ndef step(): n.f()", "n": "def f():\n    return (\n\ndef g(): pass"})
    with pytest.raises(IdentityError, match=r"n\.py:2: .*'\(' was never closed") as told:
        tree.map("m:step")
    assert "Mend:" in str(told.value)


def test_a_file_that_is_no_text_is_told(tree: Tree) -> None:
    (tree.folder / "m.py").write_bytes(b"x = '\xff'\x00")
    with pytest.raises(IdentityError, match=r"m\.py"):
        tree.map("m:step")


def test_a_source_that_is_gone_is_told(tree: Tree) -> None:
    with pytest.raises(IdentityError, match="cannot be read"):
        tree.index().source_of(tree.folder / "gone.py")


def test_digests_never_change_by_themselves(tree: Tree) -> None:
    """A change of these texts is a change of every fingerprint there is."""
    source = "import numpy as np\nfrom lib import f as g\nA = 1\ndef step(x: int = A): return g(np.zeros(x))"
    found = tree.write({"m": source, "lib": "def f(x):\n    return x"}).map("m:step")
    assert dict(found.symbols) == {
        "lib:f": "cee6e54cde626c0078615cdc0a858ad9",
        "m:A": "626af57f188b017176dff14300b18127",
        "m:step": "0606876384d9e8dd88275de8c3a8af4c",
    }
    assert found.digest == "b3807114dd010e36413d38db8ce224bdfa8c16a532688cad8a3c14431dae6c30"


def test_many_steps_over_one_code_base_share_what_is_known(tree: Tree) -> None:
    functions = "\n".join(f"def f{n}(x): return f{(n * 7 + 1) % 500}(x) + f{(n * 3) % 500}(x)" for n in range(500))
    steps = "\n".join(f"def s{n}(x): return f{n}(x)" for n in range(100))
    index = tree.write({"m": f"{functions}\n{steps}"}).index()
    maps = [index.symbols_of(f"m:s{n}") for n in range(100)]
    assert len({found.digest for found in maps}) == 100
    assert index.symbols_of("m:s0") is maps[0]


def test_the_search_path_comes_before_the_python_path(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write({"first/m": "def step(): return 1", "second/m": "def step(): return 2"})
    monkeypatch.syspath_prepend(tree.folder / "second")
    assert CodeIndex().symbols_of("m:step") != CodeIndex([tree.folder / "first"]).symbols_of("m:step")


def test_a_name_that_a_package_takes_from_its_modules_is_suggested_for_a_wrong_one(tree: Tree) -> None:
    tree.write(
        {"lab/__init__": "from lab.fits import fit\n__all__ = ['fit']\n", "lab/fits": "def fit():\n    return 1\n"}
    )
    with pytest.raises(IdentityError, match="did you mean 'fit'"):
        tree.map("lab:fits_")
