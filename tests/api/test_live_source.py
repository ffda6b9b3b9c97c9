"""A running script stands for its steps by what they need of it."""

from __future__ import annotations

import textwrap

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
