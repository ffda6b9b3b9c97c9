"""Edits to small projects: each one that changes what a step returns reruns it, or the plan says what it cannot see.

The projects stand in `edits.py`. That a result really changes is found by running the step.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Mapping

import pytest

from edits import EDITS, NEEDLESS, STEADY, UNSEEN, UNSTEADY, Table
from etude.identity.code import SymbolMap
from source_tree import Tree

MARK = re.compile("«([^|»]*)\\|([^»]*)»")


def project(files: Mapping[str, str], top: str, value: str, edited: bool) -> dict[str, str]:
    """The sources of one row, before or after its edit."""
    sources = {**files, "m": f"{files.get('m', '')}\n{top}\ndef step(): return {value}"}
    marks = [mark for text in sources.values() for mark in MARK.findall(text)]
    assert marks, "no edit"
    return {name: MARK.sub(r"\2" if edited else r"\1", text) for name, text in sources.items()}


def cases(tables: Mapping[str, Table]) -> Iterator[object]:
    for name, table in tables.items():
        for top, value in table.rows:
            yield pytest.param(table, top, value, id=f"{name}: {'; '.join((*top.splitlines(), value))}")


def outcome(tree: Tree) -> tuple[SymbolMap, object]:
    """The symbol map of the step and what it returns."""
    found = tree.map("m:step")
    known = set(sys.modules)
    sys.path.insert(0, str(tree.folder))
    importlib.invalidate_caches()
    try:
        return found, importlib.import_module("m").step()
    finally:
        sys.path.remove(str(tree.folder))
        for name in set(sys.modules) - known:
            if str(tree.folder) in str(getattr(sys.modules[name], "__file__", "") or tree.folder):
                del sys.modules[name]


@pytest.fixture(autouse=True)
def _project(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tree.folder)


@pytest.mark.parametrize(("table", "top", "value"), cases(EDITS))
def test_an_edit_that_changes_a_result_reruns(tree: Tree, table: Table, top: str, value: str) -> None:
    before, result = outcome(tree.write(project(table.files, top, value, edited=False)))
    after, other = outcome(tree.write(project(table.files, top, value, edited=True)))
    assert result != other, "the edit changes nothing"
    assert before.digest != after.digest


@pytest.mark.parametrize(("table", "top", "value"), cases(UNSEEN))
def test_an_edit_of_what_is_no_code_is_told_as_unseen(tree: Tree, table: Table, top: str, value: str) -> None:
    before, result = outcome(tree.write(project(table.files, top, value, edited=False)))
    after, other = outcome(tree.write(project(table.files, top, value, edited=True)))
    assert result != other, "the edit changes nothing"
    assert before.digest != after.digest or before.opaque


@pytest.mark.parametrize(("top", "value", "words"), [(top, *rest) for top, rest in UNSTEADY.items()])
def test_what_a_step_takes_from_elsewhere_is_told(tree: Tree, top: str, value: str, words: str) -> None:
    (reason,) = tree.write({"m": f"{top}\ndef step(): return {value}"}).reasons("m:step")
    assert words in reason


@pytest.mark.parametrize(("top", "value"), STEADY)
def test_of_a_step_that_hides_nothing_nothing_is_told(tree: Tree, top: str, value: str) -> None:
    assert tree.write({"m": f"{top}\ndef step(): return {value}"}).reasons("m:step") == []


@pytest.mark.parametrize(("table", "top", "value"), cases(NEEDLESS))
def test_an_edit_that_changes_nothing_reruns_nothing(tree: Tree, table: Table, top: str, value: str) -> None:
    before, result = outcome(tree.write(project(table.files, top, value, edited=False)))
    after, other = outcome(tree.write(project(table.files, top, value, edited=True)))
    assert result == other
    assert before.digest == after.digest


def test_a_class_that_moves_is_another_for_stored_results_name_it(tree: Tree) -> None:
    top = "from h import C\ndef step(): return C()"
    before = tree.write({"m": top, "h": "class C: x = 1"}).map("m:step")
    after = tree.write({"m": top.replace("from h", "from k"), "h": "", "k": "class C: x = 1"}).map("m:step")
    assert before.digest != after.digest
