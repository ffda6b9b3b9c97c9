"""Steps are found by the names that studies use, and what cannot be found is told with the mend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from etude.graph.library import StepLibrary, full_reference, import_function, step_names, step_rooms
from etude.graph.signature import NotAStep
from projects import Project


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StepLibrary:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.syspath_prepend(str(tmp_path))
    return StepLibrary(project=tmp_path)


def test_a_room_s_step_and_a_user_s_have_their_references() -> None:
    assert full_reference("text.load") == "etude.text.steps:load"
    assert full_reference("package.module:function") == "package.module:function"
    assert full_reference("m:f") == "m:f"


@pytest.mark.parametrize("name", ["load", "a.b.c", "a:b:c", "text.load ", "1a:f", "a:1f", "", "a.b:c.d"])
def test_what_is_no_step_s_name_is_refused_with_both_forms(name: str) -> None:
    with pytest.raises(NotAStep, match=r"is no step's name\. write room\.function .*package\.module:function"):
        full_reference(name)


def test_an_unknown_room_suggests_the_nearest_and_the_user_s_form() -> None:
    with pytest.raises(NotAStep, match="étude has no room 'texd'") as error:
        full_reference("texd.load")
    assert "text" in error.value.mend
    assert error.value.mend.endswith("For a step of your own write `texd:load`")


def test_every_step_of_a_room_has_a_name_that_leads_to_it() -> None:
    assert "text" in step_rooms()
    assert list(step_rooms()) == sorted(step_rooms())
    names = step_names("analysis")
    assert "analysis.aggregate" in names
    assert all(callable(import_function(full_reference(name))) for name in names)


def test_a_step_is_looked_up_once_also_where_there_is_none(library: StepLibrary, tmp_path: Path) -> None:
    project = Project(tmp_path).write("@step\ndef there() -> int:\n    return 1\n")
    assert library.find(f"{project.module}:there") is library.find(f"{project.module}:there")
    errors = []
    for _ in range(2):
        with pytest.raises(NotAStep, match="there is no step") as error:
            library.find(f"{project.module}:gone")
        errors.append(error.value)
    assert errors[0] is errors[1]


def test_the_sources_are_the_user_s_files_and_none_of_etude_s(library: StepLibrary, tmp_path: Path) -> None:
    project = Project(tmp_path).write("@step\ndef there() -> int:\n    return 1\n")
    library.find(f"{project.module}:there")
    library.find("analysis.aggregate")
    path = tmp_path / f"{project.module}.py"
    assert library.sources()[str(path)] == path.read_bytes()
    assert not any("/etude/analysis/" in name for name in library.sources())


def test_code_seen_to_run_is_among_the_sources(library: StepLibrary, tmp_path: Path) -> None:
    (tmp_path / "seen_to_run.py").write_text("def f():\n    return 1\n")
    library.add_observed([library.index.whole("seen_to_run")])
    assert library.sources() == {str(tmp_path / "seen_to_run.py"): b"def f():\n    return 1\n"}


def test_a_module_that_fails_to_import_is_told_with_its_error_and_place(library: StepLibrary, tmp_path: Path) -> None:
    project = Project(tmp_path).write(
        "def inner():\n    return 1 / 0\n\n@step\ndef f() -> int:\n    return 1\n\ninner()\n"
    )
    with pytest.raises(NotAStep, match=r"fails with ZeroDivisionError: .*steps_\d+\.py:\d+\)") as error:
        library.find(f"{project.module}:f")
    line = (tmp_path / f"{project.module}.py").read_text().splitlines().index("    return 1 / 0") + 1
    assert error.value.reason.endswith(f":{line})")


def test_a_name_that_a_module_lacks_suggests_the_nearest() -> None:
    with pytest.raises(NotAStep, match=r"json has no 'dmups'.*dumps"):
        import_function("json:dmups")
