"""The process environment is read and set in one module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from etude import environment
from etude.environment import set_variables, take_variable, variable, variables, variables_copy, with_variables

SOURCE = Path(environment.__file__).parent


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "1")
    monkeypatch.delenv("LACKING", raising=False)


def test_no_other_module_looks_at_the_environment() -> None:
    readers = {
        path.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv")
    }
    assert readers == {"environment.py"}


def test_variables_are_a_view_and_a_copy_is_not() -> None:
    view, copy = variables(), variables_copy()
    with with_variables({"GIVEN": "2"}):
        assert (view["GIVEN"], copy["GIVEN"], variable("GIVEN")) == ("2", "1", "2")


def test_a_block_leaves_the_variables_as_they_were() -> None:
    with pytest.raises(ZeroDivisionError), with_variables({"GIVEN": "2", "LACKING": "3"}):
        raise ZeroDivisionError
    assert variable("GIVEN") == "1"
    assert "LACKING" not in variables()
    assert variable("LACKING", "none") == "none"


def test_a_variable_that_is_taken_is_gone() -> None:
    set_variables({"LACKING": "4"})
    assert take_variable("LACKING") == "4"
    with pytest.raises(KeyError):
        take_variable("LACKING")
