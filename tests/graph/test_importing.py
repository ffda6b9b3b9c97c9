"""Steps are run from the very files that were read for their identity, whatever else has the same name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from etude.errors import ConfigError
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
