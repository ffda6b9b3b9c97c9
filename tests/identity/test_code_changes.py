"""One project in which each step reaches code in its own way: an edit must change exactly the steps that reach it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from etude.identity.code import CodeIndex, explain_code
from source_tree import Tree

PROJECT = {
    "lab/__init__": '''
        """The lab."""
        from lab.kernels import exported as reexported
        from .second import twice_exported
    ''',
    "lab/kernels": '''
        """Kernels, with many helpers."""
        import math

        BASE = 0.5
        SCALE = BASE * 2

        def far(x):
            """Three calls away."""
            return near(x) + 1

        def near(x):
            return nearest(x)

        def nearest(x):
            return x * 3

        def by_alias(x):
            return x - 1

        def by_relative(x):
            return x - 2

        def exported(x):
            return x - 3

        def lazy(x):
            return x - 4

        def scaled(x):
            return math.floor(x * SCALE)

        def decorate(times=1):
            def wrap(function):
                return lambda x: function(x) * times
            return wrap

        def adder(amount):
            def add(x):
                return x + amount
            return add

        def unrelated(x):
            return x - 5
    ''',
    "lab/second": """
        from .third import twice_exported
    """,
    "lab/third": """
        def twice_exported(x):
            return x - 6
    """,
    "lab/starred": """
        __all__ = ["star_target"]

        def star_target(x):
            return x - 7

        def not_exported(x):
            return x - 8
    """,
    "lab/models": """
        class Base:
            size = 1

            def forward(self, x):
                return x * self.size

        class Model(Base):
            def run(self, x):
                return self.forward(x) + 9
    """,
    "lab/registry": """
        TABLE = {}
        LIMITS = {"low": 1}
        LIMITS["high"] = 10

        def register(name):
            def keep(function):
                TABLE[name] = function
                return function
            return keep

        class Registry:
            def __init__(self):
                self.items = {}

            def add(self, function):
                self.items[function.__name__] = function
                return function

        SHOP = Registry()
    """,
    "lab/handlers": """
        from lab.registry import SHOP, register

        @register("one")
        def handle_one(x):
            return x + 100

        @SHOP.add
        def sell(x):
            return x + 200

        def handle_nothing(x):
            return x + 300
    """,
    "lab/steps": '''
        """All steps."""
        from __future__ import annotations

        import lab.handlers as handlers
        import lab.kernels as k
        from lab import registry, reexported, twice_exported
        from lab.kernels import adder, decorate, far, scaled
        from lab.models import Model
        from lab.starred import *
        from . import kernels

        FACTOR = 4
        TIMES = 2
        WIDTH = 8
        add_factor = adder(FACTOR)

        def helper(x):
            return x + 10

        def same_file(x):
            return helper(x)

        def other_module(x):
            return far(x)

        def through_alias(x):
            return k.by_alias(x)

        def through_relative(x):
            return kernels.by_relative(x)

        def through_reexport(x):
            return reexported(x)

        def through_two_reexports(x):
            return twice_exported(x)

        def through_star(x):
            return star_target(x)

        def through_lazy(x):
            from lab.kernels import lazy
            return lazy(x)

        def through_class(x):
            return Model().run(x)

        @decorate(TIMES)
        def decorated(x):
            return x

        def with_default(x, *, width=WIDTH):
            return x * width

        def through_closure(x):
            return add_factor(x)

        def through_constant(x):
            return scaled(x)

        def through_table(x):
            return x in registry.LIMITS

        def through_handlers(x):
            return registry.TABLE["one"](x)

        def through_shop(x):
            return registry.SHOP.items["sell"](x)

        def names_handlers(x):
            return handlers.handle_nothing(x)

        def alone(x):
            return x
    ''',
}
STEPS = re.findall(r"def (\w+)", PROJECT["lab/steps"])
STEPS.remove("helper")

EDITS = [
    ("its body", "lab/steps", "def alone(x):\n    return x\n", "def alone(x):\n    return -x\n", {"alone"}),
    ("a helper in its file", "lab/steps", "return x + 10", "return x + 11", {"same_file"}),
    ("a function three calls away", "lab/kernels", "x * 3", "x * 4", {"other_module"}),
    ("a function through a module alias", "lab/kernels", "x - 1", "x - 10", {"through_alias"}),
    ("a function through a relative import", "lab/kernels", "x - 2", "x - 20", {"through_relative"}),
    ("a re-exported function", "lab/kernels", "x - 3", "x - 30", {"through_reexport"}),
    (
        "what is re-exported",
        "lab/__init__",
        "kernels import exported as",
        "kernels import lazy as",
        {"through_reexport"},
    ),
    ("a function behind two re-exports", "lab/third", "x - 6", "x - 60", {"through_two_reexports"}),
    ("a function behind a star", "lab/starred", "x - 7", "x - 70", {"through_star"}),
    ("a function imported inside the body", "lab/kernels", "x - 4", "x - 40", {"through_lazy"}),
    ("a method", "lab/models", "forward(x) + 9", "forward(x) + 8", {"through_class"}),
    ("a base class", "lab/models", "size = 1", "size = 2", {"through_class"}),
    ("a decorator", "lab/kernels", "function(x) * times", "function(x) ** times", {"decorated"}),
    ("a decorator's argument", "lab/steps", "TIMES = 2", "TIMES = 3", {"decorated"}),
    ("a decorator's default", "lab/kernels", "times=1", "times=5", {"decorated"}),
    ("a default argument", "lab/steps", "width=WIDTH", "width=WIDTH + 1", {"with_default"}),
    ("a constant in a default", "lab/steps", "WIDTH = 8", "WIDTH = 9", {"with_default"}),
    ("an argument of a closure's factory", "lab/steps", "FACTOR = 4", "FACTOR = 5", {"through_closure"}),
    ("a closure's factory", "lab/kernels", "x + amount", "x - amount", {"through_closure"}),
    ("a constant", "lab/kernels", "SCALE = BASE * 2", "SCALE = BASE * 3", {"through_constant"}),
    ("a constant that a constant uses", "lab/kernels", "BASE = 0.5", "BASE = 0.25", {"through_constant"}),
    ("what a standard name stands for", "lab/kernels", "import math", "import cmath as math", {"through_constant"}),
    ("an item put in a table", "lab/registry", '["high"] = 10', '["high"] = 11', {"through_table"}),
    ("a registered handler", "lab/handlers", "x + 100", "x + 101", {"through_handlers"}),
    ("the name of a registered handler", "lab/handlers", 'register("one")', 'register("two")', {"through_handlers"}),
    (
        "the function that registers",
        "lab/registry",
        "TABLE[name] = function",
        "TABLE[name] = keep",
        {"through_handlers"},
    ),
    ("a handler registered by a method", "lab/handlers", "x + 200", "x + 201", {"through_shop"}),
    ("a function of a module of handlers", "lab/handlers", "x + 300", "x + 301", {"names_handlers"}),
    ("an unrelated function", "lab/kernels", "x - 5", "x - 50", set()),
    ("a function that a star leaves out", "lab/starred", "x - 8", "x - 80", set()),
    ("a docstring", "lab/kernels", "Three calls away.", "Called by a step, in the end.", set()),
    ("a module's docstring", "lab/steps", "All steps.", "Each step.", set()),
    ("a comment", "lab/kernels", "return near(x) + 1", "return near(x) + 1  # and one", set()),
    ("blank lines", "lab/steps", "def alone", "\n\n\n\ndef alone", set()),
    ("parentheses and spaces", "lab/kernels", "return near(x) + 1", "return (near( x )\n            +1)", set()),
    ("quotes", "lab/starred", '"star_target"', "'star_target'", set()),
    ("the order of functions", "lab/steps", "FACTOR = 4\nTIMES = 2", "TIMES = 2\nFACTOR = 4", set()),
    ("a new function", "lab/kernels", "def unrelated", "def another():\n    return 1\n\ndef unrelated", set()),
    ("an import that nothing uses", "lab/kernels", "import math", "import math\nimport cmath", set()),
]


def digests(index: CodeIndex) -> dict[str, str]:
    return {step: index.symbols_of(f"lab.steps:{step}").digest for step in STEPS}


@pytest.mark.parametrize(("name", "old", "new", "steps"), [edit[1:] for edit in EDITS], ids=[edit[0] for edit in EDITS])
def test_an_edit_changes_exactly_the_steps_that_reach_it(
    tree: Tree, name: str, old: str, new: str, steps: set[str]
) -> None:
    before = digests(tree.write(PROJECT).index())
    after = digests(tree.edit(name, old, new).index())
    assert {step for step in STEPS if before[step] != after[step]} == steps


def test_every_step_has_code_of_its_own(tree: Tree) -> None:
    assert len(set(digests(tree.write(PROJECT).index()).values())) == len(STEPS)


def test_rewriting_all_sources_from_their_syntax_changes_nothing(tree: Tree) -> None:
    before = digests(tree.write(PROJECT).index())
    for path in tree.folder.rglob("*.py"):
        path.write_text(ast.unparse(ast.parse(path.read_text())))
    assert digests(tree.index()) == before


def test_the_place_of_the_project_does_not_matter(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = digests(tree.write(PROJECT).index())
    tree.folder = tmp_path_factory.mktemp("elsewhere")
    assert digests(tree.write(PROJECT).index()) == before


def test_the_order_of_asking_does_not_matter(tree: Tree) -> None:
    first, second = tree.write(PROJECT).index(), tree.index()
    backwards = {step: second.symbols_of(f"lab.steps:{step}") for step in reversed(STEPS)}
    assert {step: first.symbols_of(f"lab.steps:{step}") for step in STEPS} == backwards


def test_neither_maps_nor_digests_show_the_hash_seed(tree: Tree) -> None:
    tree.write(PROJECT)
    program = (
        "import sys; from etude.identity.code import CodeIndex; index = CodeIndex([sys.argv[1]])\n"
        "print([index.symbols_of('lab.steps:' + name) for name in sys.argv[2:]])"
    )
    command = [sys.executable, "-c", program, str(tree.folder), *STEPS]
    printed = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout for seed in "123"
    }
    assert len(printed) == 1


def test_the_map_says_which_symbol_changed(tree: Tree) -> None:
    before = tree.write(PROJECT).map("lab.steps:other_module").symbols
    after = tree.edit("lab/kernels", "return x * 3", "return x * 4").map("lab.steps:other_module").symbols
    assert explain_code(before, after).changed == ("lab.kernels:nearest",)


def test_the_map_names_exactly_what_a_step_reaches(tree: Tree) -> None:
    tree.write(PROJECT)
    assert tree.symbols("lab.steps:alone") == {"lab.steps:alone"}
    assert tree.symbols("lab.steps:through_constant") == {
        "lab.steps:through_constant",
        "lab.kernels:scaled",
        "lab.kernels:SCALE",
        "lab.kernels:BASE",
    }


def test_added_and_removed_symbols_are_told(tree: Tree) -> None:
    before = tree.write(PROJECT).map("lab.steps:same_file").symbols
    tree.edit("lab/steps", "return helper(x)", "return k.unrelated(x)")
    changes = explain_code(before, tree.map("lab.steps:same_file").symbols)
    assert changes.changed == ("lab.steps:same_file",)
    assert changes.added == ("lab.kernels:unrelated",)
    assert changes.removed == ("lab.steps:helper",)
    assert changes
    assert not explain_code(before, before)
