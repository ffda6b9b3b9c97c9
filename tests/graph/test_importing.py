"""Steps are run from the very files that were read for their identity, whatever else has the same name."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from etude.errors import ConfigError
from etude.graph import importing
from etude.graph.importing import ExactFinder, import_path, importable, known_sources, make_importable, use_sources
from projects import Project

CODE = """
import same_helper

@step
def who() -> str:
    return "{name} " + same_helper.NAME
"""


@pytest.fixture(autouse=True)
def _own_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with these names must not meet other tests."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def project_in(folder: Path, name: str) -> Project:
    folder.mkdir()
    (folder / "same_helper.py").write_text(f"NAME = {name!r}\n")
    return Project(folder, "same_steps").write(CODE.replace("{name}", name))


def test_projects_with_modules_of_the_same_names_do_not_mix(tmp_path: Path) -> None:
    projects = {name: project_in(tmp_path / name, name) for name in ("one", "two")}
    for name in ("one", "two", "one"):
        study = projects[name].study({"who": ("who",)})
        assert projects[name].run(study, rerun=("who",)).value("who") == f"{name} {name}"


@pytest.mark.parametrize("name", ["logging", "select", "dataclasses"])
def test_a_module_whose_name_is_taken_is_refused_with_the_other_ones_place(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path, name).write(CODE.replace("import same_helper", "").replace(" + same_helper.NAME", ""))
    with pytest.raises(ConfigError, match=f"importing {name} gives .*not .*{name}.py(.|\n)*another name"):
        project.prepare(project.study({"who": ("who",)}))


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExactFinder]:
    """A finder of this test's own, whose modules are forgotten behind it."""
    own = ExactFinder()
    monkeypatch.setattr(importing, "_finder", own)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield own
    for name in [name for name in sys.modules if name.startswith("exact_")]:
        del sys.modules[name]


def test_a_module_has_the_bytes_that_were_given_and_its_own_place(finder: ExactFinder, tmp_path: Path) -> None:
    file = tmp_path / "exact_one.py"
    file.write_text("VALUE = 'on disk'\n")
    sys.path.insert(0, str(tmp_path))
    use_sources({str(file): b"VALUE = 'given'\n"})
    module = importlib.import_module("exact_one")
    assert (module.VALUE, module.__file__) == ("given", str(file))
    assert known_sources() == {str(file): b"VALUE = 'given'\n"}


def test_other_bytes_are_imported_anew_with_what_may_hold_on_to_the_old(finder: ExactFinder, tmp_path: Path) -> None:
    one, two = tmp_path / "exact_two.py", tmp_path / "exact_three.py"
    one.write_text("")
    two.write_text("")
    sys.path.insert(0, str(tmp_path))
    reader = b"import exact_two\nVALUE = exact_two.VALUE\n"
    use_sources({str(one): b"VALUE = 1\n", str(two): reader})
    assert importlib.import_module("exact_three").VALUE == 1
    kept = sys.modules["exact_three"]
    use_sources({str(one): b"VALUE = 1\n"})
    assert sys.modules["exact_three"] is kept
    use_sources({str(one): b"VALUE = 2\n"})
    assert "exact_three" not in sys.modules
    assert importlib.import_module("exact_three").VALUE == 2
    assert sum(each is finder for each in sys.meta_path) == 1


def test_modules_whose_files_were_deleted_are_still_imported(finder: ExactFinder, tmp_path: Path) -> None:
    inner = tmp_path / "exact_package" / "inner.py"
    sys.path.insert(0, str(tmp_path))
    package = str(tmp_path / "exact_package" / "__init__.py")
    use_sources({package: b"HERE = 1\n", str(inner): b"VALUE = 2\n"})
    assert importlib.import_module("exact_package.inner").VALUE == 2
    assert sys.modules["exact_package"].HERE == 1
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("exact_package.other")


def test_a_module_loaded_before_is_kept_unless_its_file_is_younger_than_the_process(
    finder: ExactFinder, tmp_path: Path
) -> None:
    file = tmp_path / "exact_four.py"
    sys.path.insert(0, str(tmp_path))
    for age, kept in ((-1000.0, True), (1000.0, False)):
        file.write_text("VALUE = 1\n")
        time = importing._process_start() + age
        os.utime(file, (time, time))
        importlib.invalidate_caches()
        module = importlib.import_module("exact_four")
        finder.sources.clear()
        use_sources({str(file): b"VALUE = 2\n"})
        assert (sys.modules.get("exact_four") is module) == kept


def test_a_project_s_folders_are_its_root_and_its_sources(finder: ExactFinder, tmp_path: Path) -> None:
    assert import_path(tmp_path) == (str(tmp_path.resolve()),)
    (tmp_path / "src").mkdir()
    assert import_path(tmp_path) == (str(tmp_path.resolve()), str(tmp_path.resolve() / "src"))
    before = list(sys.path)
    with importable(tmp_path):
        assert sys.path[:2] == list(import_path(tmp_path))
        with importable(tmp_path):
            assert sys.path.count(str(tmp_path.resolve())) == 1
    assert sys.path == before


def test_the_modules_of_another_project_are_forgotten_and_its_own_are_kept(finder: ExactFinder, tmp_path: Path) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"exact_{name}.py").write_text("")
        sys.path.insert(0, str(tmp_path / name))
        use_sources({str(tmp_path / name / f"exact_{name}.py"): b"\n"})
        importlib.import_module(f"exact_{name}")
    make_importable(tmp_path / "mine")
    assert "exact_mine" in sys.modules
    assert "exact_theirs" not in sys.modules
