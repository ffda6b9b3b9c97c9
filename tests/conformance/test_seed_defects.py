"""Defects of an earlier pipeline framework, each as a behaviour that must hold here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from project import Project, Version

from etude.errors import ConfigError, EtudeError
from etude.study.execution import new_run_id
from etude.study.interpolation import resolve
from etude.study.study import Study
from projects import CALLED
from projects import Project as InProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def here(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path)


def fingerprint(project: InProcess, study: Study, node: str) -> str:
    return project.prepare(study).expansion.named(node)[0].fingerprint


STEPS = (
    CALLED
    + """
@step
def one(*, value: object = None, _hidden: int = 0) -> object:
    return value

@step
def other(*, value: object = None, _hidden: int = 0) -> object:
    return value

@step
def give(*, kind: str) -> object:
    return {"list": [1, 2], "text": "t", "number": 3, "mapping": {"a": 1}, "none": None}[kind]

@step
def same(value: object) -> str:
    return type(value).__name__

@step
def needs_a_list(value: list[int]) -> int:
    return len(value)

@step
def text(*, value: str) -> str:
    return value
"""
)


def test_the_step_itself_is_part_of_identity(here: InProcess) -> None:
    here.write(STEPS)
    first = here.study({"n": ("one", None, {"value": 1})})
    assert fingerprint(here, first, "n") != fingerprint(here, here.study({"n": ("other", None, {"value": 1})}), "n")


def test_what_a_node_reads_is_part_of_identity(here: InProcess) -> None:
    here.write(STEPS)
    pipeline = {"a": ("one", None, {"value": 1}), "b": ("one", None, {"value": 2})}
    assert fingerprint(here, here.study({**pipeline, "n": ("same", "a")}), "n") != fingerprint(
        here, here.study({**pipeline, "n": ("same", "b")}), "n"
    )


def test_settings_whose_names_begin_with_an_underscore_count(here: InProcess) -> None:
    here.write(STEPS)
    found = {fingerprint(here, here.study({"n": ("one", None, {"_hidden": value})}), "n") for value in (0, 1)}
    assert len(found) == 2


def test_the_order_in_which_settings_are_written_does_not_count(here: InProcess) -> None:
    here.write(STEPS)
    found = {
        fingerprint(here, here.study({"n": ("one", None, settings)}), "n")
        for settings in ({"value": {"a": 1, "b": 2}, "_hidden": 1}, {"_hidden": 1, "value": {"b": 2, "a": 1}})
    }
    assert len(found) == 1


@pytest.mark.parametrize(("kind", "name"), [("list", "list"), ("text", "str"), ("number", "int"), ("mapping", "dict")])
def test_a_result_is_read_back_in_the_type_that_it_was_given_in(here: InProcess, kind: str, name: str) -> None:
    study = here.write(STEPS).study({"n": ("give", None, {"kind": kind}), "t": ("same", "n")})
    assert here.run(study).value("t") == name


def test_an_input_of_the_wrong_type_stops_the_study_before_it_runs(here: InProcess) -> None:
    study = here.write(STEPS).study({"n": ("text", None, {"value": "t"}), "m": ("needs_a_list", "n")})
    with pytest.raises(ConfigError, match=r"list\[int\]"):
        here.prepare(study)


@pytest.mark.parametrize("value", ["__import__('os').system('touch pwned')", "[].__class__", "1 + 1"])
def test_no_value_is_ever_evaluated(project: Project, value: str) -> None:
    project.write(Version())
    ran = project.run(None, "--set", f"pipeline.a.with.x={value}")
    assert ran.code == 2
    assert ran.calls == ""
    assert not (project.folder / "pwned").exists()


def test_interpolation_fills_in_names_and_evaluates_nothing() -> None:
    assert resolve("${x}", {"x": "__import__('os')"}) == "__import__('os')"
    with pytest.raises(EtudeError):
        resolve("${x.__class__}", {"x": 1})


def test_a_module_that_cannot_be_imported_is_an_error_with_its_cause(project: Project) -> None:
    project.write(Version())
    (project.folder / "others.py").write_text("raise KeyError('broken on import')\n")
    ran = project.run()
    assert ran.code == 2
    assert "broken on import" in ran.output
    assert "others.py:1" in ran.output


def test_a_missing_checkpoint_is_an_error_and_never_an_untrained_model(here: InProcess) -> None:
    study = here.write(
        CALLED
        + """
@step
def model(*, file: InputFile) -> str:
    return file.read_text()
"""
    ).study({"m": ("model", None, {"file": "trained.ckpt"})})
    with pytest.raises(ConfigError, match=r"trained\.ckpt"):
        here.prepare(study)


def test_runs_that_start_at_the_same_moment_have_different_names() -> None:
    assert len({new_run_id(1_700_000_000.0) for _ in range(100)}) > 90
    assert new_run_id(1_700_000_000.0) < new_run_id(1_700_000_000.1)


def test_a_half_written_result_is_no_result(project: Project) -> None:
    version = Version()
    project.run(version)
    for manifest in project.folder.glob(".etude/store/??/*/manifest.json"):
        manifest.chmod(0o644)
        manifest.write_bytes(manifest.read_bytes()[:-10])
    again = project.run(version)
    assert (again.code, again.calls, project.value("c")) == (0, "abcd", version.c)


def test_histories_in_which_both_old_results_exist_stay_right(project: Project) -> None:
    first, second = Version(), replace(Version(), x=2)
    for version in (first, second, first, second, replace(second, c_from="d"), first):
        assert project.run(version).code == 0
        assert project.value("c") == version.c
