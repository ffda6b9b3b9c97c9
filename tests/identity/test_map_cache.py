"""Maps of code that are kept between runs: used while all that they depend on stays, never after.

That a map which is used equals one that is read anew is checked by `Tree.map`, in all tests of this room.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from etude.identity import map_cache, symbols
from etude.identity.code import CodeIndex
from etude.identity.map_cache import MapCache
from source_tree import Tree

LAB = {
    "lab/__init__": "",
    "lab/steps": """
        import numpy as np
        from lab.helpers import scaled
        from lab import settings

        def fit(x):
            return np.sum(scaled(x)) * settings.RATE
    """,
    "lab/helpers": "def scaled(x):\n    return 2 * x\n",
    "lab/settings": "RATE = 0.5\n",
    "other": "import lab.settings\n\ndef run():\n    return lab.settings.RATE\n",
}


@pytest.fixture
def lab(tree: Tree) -> Tree:
    return tree.write(LAB)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules whose source is read and taken apart, one after the other."""
    names: list[str] = []
    parsed = symbols._parsed

    def noted(module: symbols.Module, source: bytes) -> object:
        names.append(module.name)
        return parsed(module, source)

    monkeypatch.setattr(symbols, "_parsed", noted)
    return names


def cached(tree: Tree, *names: str) -> list[str]:
    index = tree.index(cache=True)
    return [index.symbols_of(name).digest for name in names]


def test_code_that_stays_is_read_once(lab: Tree, read: list[str]) -> None:
    first = cached(lab, "lab.steps:fit")
    assert "lab.helpers" in read
    read.clear()
    assert cached(lab, "lab.steps:fit") == first
    assert read == []


@pytest.mark.parametrize("module", ["lab/steps", "lab/helpers", "lab/settings", "lab/__init__"])
def test_a_change_of_any_file_that_was_read_is_noticed_whatever_its_times(lab: Tree, module: str) -> None:
    cached(lab, "lab.steps:fit")
    path = lab.folder / f"{module}.py"
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"2 * x", b"3 * x").replace(b"0.5", b"0.6") + b"\nNEW = 1\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cached(lab, "lab.steps:fit") == [lab.index().symbols_of("lab.steps:fit").digest]


def test_a_submodule_that_appears_where_a_name_was_looked_for_is_noticed(tree: Tree) -> None:
    tree.write({"lab/__init__": "from lab.values import *\n", "lab/values": "rate = 1\n"})
    tree.write({"run": "import lab\n\ndef fit():\n    return lab.rate\n"})
    before = cached(tree, "run:fit")
    tree.write({"lab/rate": "VALUE = 1\n"})
    assert cached(tree, "run:fit") == [tree.index().symbols_of("run:fit").digest]
    assert cached(tree, "run:fit") != before


def test_a_module_that_comes_to_hide_another_is_noticed(tree: Tree, tmp_path: Path) -> None:
    tree.write(
        {"a/helper": "def f():\n    return 1\n", "a/run": "import helper\n\ndef fit():\n    return helper.f()\n"}
    )
    tree.write({".etude/note.txt": ""})

    def digest() -> str:
        index = CodeIndex([tmp_path / "b", tmp_path / "a"], cache=MapCache(tree.cache))
        return index.symbols_of("run:fit").digest

    before = digest()
    tree.write({"b/helper": "def f():\n    return 2\n"})
    assert digest() != before
    (tmp_path / "b" / "helper.py").unlink()
    assert digest() == before


def test_a_package_that_is_installed_meanwhile_is_noticed(tree: Tree) -> None:
    tree.write({"run": "import unheard_of\n\ndef fit():\n    return unheard_of.f()\n"})
    before = tree.index(cache=True).symbols_of("run:fit")
    tree.write({"unheard_of": "def f():\n    return 2\n"})
    assert before.opaque
    assert not tree.index(cache=True).symbols_of("run:fit").opaque


def test_a_module_taken_whole_is_kept_as_well(lab: Tree, read: list[str]) -> None:
    first = lab.index(cache=True).whole("lab.settings")
    read.clear()
    assert lab.index(cache=True).whole("lab.settings") == first
    assert read == []
    lab.edit("lab/settings", "0.5", "0.25")
    assert lab.index(cache=True).whole("lab.settings") != first


def test_a_change_of_one_package_leaves_the_maps_of_another_in_use(lab: Tree, read: list[str]) -> None:
    cached(lab, "lab.steps:fit", "other:run")
    lab.edit("other", "RATE\n", "RATE + 1\n")
    read.clear()
    cached(lab, "lab.steps:fit")
    assert read == []


def test_maps_read_by_other_code_of_etude_are_not_used(
    lab: Tree, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(lab, "lab.steps:fit")
    read.clear()
    monkeypatch.setattr(map_cache, "_reader", lambda: "another version")
    cached(lab, "lab.steps:fit")
    assert "lab.helpers" in read


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _with_another_digit(content: bytes) -> bytes:
    at = content.rindex(b'"digest":"') + 12
    return content[:at] + (b"0" if content[at : at + 1] != b"0" else b"1") + content[at + 1 :]


def _signed(content: object) -> bytes:
    text = json.dumps(content).encode()
    return map_cache._sha(text).encode() + b"\n" + text


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _with_another_digit,
        lambda content: b"",
        lambda content: b"\xff\n{}",
        lambda content: _signed([]),
        lambda content: _signed({"name": "lab.steps:fit"}),
        lambda content: _signed({"name": "lab.steps:fit", "modules": {"lab": 3}, "map": {}}),
        lambda content: _signed({"name": "lab.steps:fit", "modules": {}, "map": {"symbols": {}}}),
    ],
)
def test_a_damaged_map_is_read_anew(lab: Tree, damage: Callable[[bytes], bytes]) -> None:
    first = cached(lab, "lab.steps:fit")
    (file,) = lab.cache.glob("*.json")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert cached(lab, "lab.steps:fit") == first
    assert file.read_bytes() == whole


def test_where_nothing_can_be_kept_code_is_read_all_the_same(lab: Tree) -> None:
    lab.cache.parent.mkdir()
    lab.cache.write_text("a file, not a folder")
    assert cached(lab, "lab.steps:fit") == [lab.index().symbols_of("lab.steps:fit").digest]


def test_no_folder_is_made_in_a_project_that_nothing_has_run_in(lab: Tree) -> None:
    CodeIndex([lab.folder], cache=MapCache(lab.cache)).symbols_of("lab.steps:fit")
    assert not lab.cache.parent.exists()


def test_of_many_maps_the_oldest_go(lab: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_cache, "_MOST_FILES", 4)
    names = [f"lab.many:f{number}" for number in range(7)]
    lab.write({"lab/many": "\n".join(f"def f{number}():\n    return {number}\n" for number in range(7))})
    cached(lab, *names)
    assert len(list(lab.cache.glob("*.json"))) <= 4
