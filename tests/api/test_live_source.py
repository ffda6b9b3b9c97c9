"""A running script stands for its steps by what they need of it."""

from __future__ import annotations

import textwrap

import pytest

from etude.api.live_source import needed_source


def kept(text: str, *names: str) -> str:
    source = needed_source(textwrap.dedent(text).lstrip(), names)
    compile(source, "kept", "exec")
    return "\n".join(line for line in source.splitlines() if line.strip())


SCRIPT = """
from __future__ import annotations
import numpy as np
import pandas
from dataclasses import dataclass

RATES = {"low": 1}
RATES["high"] = 2
OTHER = 3

@dataclass
class Fit:
    error: float

def helper(x):
    return np.mean(x) * RATES["low"]

def fit(points, *, degree: int) -> Fit:
    return Fit(helper(points))

study = Study("first", fit=node(fit, helper))
result = study.run()
print(result.table())
if __name__ == "__main__":
    fit([], degree=1)
"""


def test_what_a_step_needs_is_kept_and_the_running_of_the_study_is_not() -> None:
    source = kept(SCRIPT, "fit")
    assert "study" not in source
    assert "print" not in source
    assert "pandas" not in source
    assert "OTHER" not in source
    assert "__name__" not in source
    for needed in (
        "from __future__",
        "import numpy as np",
        "@dataclass",
        "class Fit",
        'RATES["high"] = 2',
        "def helper",
    ):
        assert needed in source


def test_lines_stay_where_they_are() -> None:
    text = textwrap.dedent(SCRIPT).lstrip()
    lines = needed_source(text, ["fit"]).splitlines()
    for number, line in enumerate(lines):
        assert line in ("", text.splitlines()[number])


def test_of_two_definitions_the_last_counts() -> None:
    assert kept("def f():\n    return 1\ndef f():\n    return 2\n", "f") == "def f():\n    return 2"


def test_what_changes_a_needed_value_in_place_is_kept() -> None:
    source = kept(
        """
        import random
        names = ["b", "a"]
        names.sort()
        random.shuffle(names)
        seen = []
        for each in ("x", "y"):
            names.append(each)
            seen.append(each)
        def first():
            return names[0]
        """,
        "first",
    )
    assert "names.sort()" in source
    assert "random.shuffle(names)" in source
    assert "names.append(each)" in source


def test_names_in_quoted_annotations_are_needed() -> None:
    assert "class Point" in kept('class Point: ...\ndef f(x: "list[Point]"): ...\n', "f")


def test_a_local_name_or_a_text_needs_no_statement_of_that_name() -> None:
    """Else a step that says `result` would run the study again in every worker."""
    source = kept(
        """
        from etude import Study, node
        import etude
        def fit(points, study=None):
            result = {"result": 1, "study": 2}
            return [point for point in points if result]
        points = node(fit)
        point = etude.node(fit, points)
        study = Study("first", point=point)
        result = study.run()
        """,
        "fit",
    )
    assert source.startswith("def fit")
    assert "node" not in source
    assert "Study" not in source


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("CONFIG = {'a': {'x': 1}}\nc = CONFIG['a']\nc['x'] = 2\ndef f(): return CONFIG['a']['x']", 2),
        ("CONFIGS = [{'x': 1}]\nfor c in CONFIGS:\n    c['x'] = 2\ndef f(): return CONFIGS[0]['x']", 2),
        ("X = 1\ndef setup():\n    global X\n    X = 2\nsetup()\ndef f(): return X", 2),
        ("C = {}\ndef inner(): C['x'] = 2\ndef setup(): inner()\nsetup()\ndef f(): return len(C)", 1),
        ("def change(c): c['x'] = 2\nC = {}\nignored = change(c=C)\ndef f(): return len(C)", 1),
        ("R = {}\ndef reg(g):\n    R[g.__name__] = g\n    return g\n@reg\ndef g(): pass\ndef f(): return len(R)", 1),
        (
            "from functools import singledispatch\n@singledispatch\ndef one(x): return 1\n@one.register\n"
            "def _(x: int): return 2\n@one.register\ndef _(x: str): return 3\ndef f(): return (one(1), one('a'))",
            (2, 3),
        ),
        ("class B: pass\nclass D(B): pass\ndef f(): return len(B.__subclasses__())", 1),
        ("S = []\nclass B:\n    def __init_subclass__(cls): S.append(1)\nclass D(B): pass\ndef f(): return len(S)", 1),
        ("from math import *\ndef f(): return floor(2.5)", 2),
        ("def g(): return 1\nh = g\ndef g(): return 2\ndef f(): return (g(), h())", (2, 1)),
        ("class C: x = 1\nsetattr(C, 'x', 2)\ndef f(): return C.x", 2),
        ("try:\n    import no_such_module as m\nexcept ImportError:\n    m = None\ndef f(): return m", None),
        ("L = [1]\nfirst = L.pop()\ndef f(): return len(L)", 0),
    ],
)  # fmt: skip
def test_a_step_finds_what_the_whole_script_would_give_it(text: str, value: object) -> None:
    for source in (text, needed_source(text, ["f"])):
        module: dict[str, object] = {"__name__": "kept"}
        exec(source, module)
        step = module["f"]
        assert callable(step)
        assert step() == value


def test_building_a_study_changes_nothing_that_steps_read() -> None:
    source = kept(
        """
        from etude import Study, node
        CACHE = {}
        VALUES = [1, 2]
        def f(x):
            CACHE[x] = 1
            return VALUES
        def main():
            Study("s", f=node(f)).run()
        print(VALUES)
        main()
        for each in VALUES:
            Study("s", f=node(f, VALUES, x=VALUES)).run()
        node(f, VALUES).on(gpus=1)
        """,
        "f",
    )
    assert [line for line in source.splitlines() if not line.startswith(" ")] == [
        "CACHE = {}",
        "VALUES = [1, 2]",
        "def f(x):",
    ]


def test_what_sets_a_library_up_is_kept_for_all_that_comes_from_it() -> None:
    source = kept(
        """
        import sys
        import jax
        import jax.numpy as jnp
        import matplotlib.pyplot as plt
        sys.path.insert(0, "lib")
        jax.config.update("jax_enable_x64", True)
        plt.show()
        def f():
            return jnp.ones(3)
        """,
        "f",
    )
    assert "jax.config.update" in source
    assert "sys.path.insert" in source
    assert "plt" not in source
