"""A step is held to its inputs: files as planned, folders of other nodes as they were stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etude.errors import IdentityError, StepError
from etude.execute.input_guard import guard_inputs
from etude.execute.perform import Host, perform
from etude.execute.task import Status, task_of
from etude.identity.files import FileDigests
from etude.store.store import Store
from projects import Project

CODE = """
@step
def read(*, file: InputFile) -> str:
    text = file.read_text()
    if text == "edit me":
        file.write_text("edited while the step ran")
    return text

@step
def shout(text: str) -> str:
    return text.upper()

@step
def folder(*, ctx: Context) -> Path:
    made = ctx.scratch / "made"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "a.txt").write_text("a")
    return made

@step
def spoil(folder: Path, *, name: str = "inner/new.txt") -> int:
    (folder / name).write_text("left behind")
    return 1

@step
def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "data.txt").write_text("as planned")
    return Project(tmp_path).write(CODE)


@pytest.mark.parametrize("backend", ["inline", "processes"])
def test_a_file_that_changes_between_plan_and_run_makes_no_result(project: Project, backend: str) -> None:
    study = project.study({"it": ("read", None, {"file": "data.txt"})}, backend=backend, workers=1)
    prepared = project.prepare(study)
    (project.folder / "data.txt").write_text("changed since")
    result = project.run_prepared(prepared)
    assert "data.txt has changed since" in result.summary.failures[0].outcome.error
    (project.folder / "data.txt").write_text("as planned")
    assert project.run(study).value("it") == "as planned"


def test_a_file_that_changes_while_the_step_runs_makes_no_result(project: Project) -> None:
    (project.folder / "data.txt").write_text("edit me")
    result = project.run(project.study({"it": ("read", None, {"file": "data.txt"}), "up": ("shout", "it")}))
    assert [failure.node.name for failure in result.summary.failures] == ["it"]


def test_a_file_that_goes_away_is_named(project: Project) -> None:
    prepared = project.prepare(project.study({"it": ("read", None, {"file": "data.txt"})}))
    (project.folder / "data.txt").unlink()
    result = project.run_prepared(prepared)
    assert "data.txt: does not exist" in result.summary.failures[0].outcome.error


def test_a_step_that_writes_into_the_folder_of_another_node_fails_and_its_sibling_sees_nothing(
    project: Project,
) -> None:
    pipeline = {"folder": ("folder",), "spoiled": ("spoil", "folder"), "listed": ("listed", "folder")}
    result = project.run(project.study(pipeline))
    assert "inner/new.txt was written into a folder" in result.summary.failures[0].outcome.error
    assert result.value("listed") == ["a.txt", "inner"]


def test_a_step_that_changes_a_file_of_another_node_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StepError, match="file was changed in a folder"), guard_inputs({}, FileDigests(), [tmp_path]):
        (tmp_path / "file").write_text("longer")


def test_what_a_failing_step_left_in_a_folder_is_removed_too(tmp_path: Path) -> None:
    def fail() -> None:
        with guard_inputs({}, FileDigests(), [[tmp_path]]):
            (tmp_path / "left").mkdir()
            (tmp_path / "left" / "file").touch()
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_leaves_its_inputs_alone_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    digests = FileDigests()
    with guard_inputs({str(tmp_path / "file"): digests.digest(tmp_path / "file")}, digests, [tmp_path, 3, "text"]):
        pass
    assert (tmp_path / "file").read_text() == "x"


def test_another_content_is_told_before_the_step_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    started = []
    with (
        pytest.raises(StepError, match="run again"),
        guard_inputs({str(tmp_path / "file"): "0" * 64}, FileDigests(), []),
    ):
        started.append(True)
    with pytest.raises(IdentityError, match="does not exist"), guard_inputs({"/nowhere": "0"}, FileDigests(), []):
        started.append(True)
    assert started == []


def test_a_folder_that_was_changed_before_it_is_watched_is_damaged(project: Project) -> None:
    study = project.study({"folder": ("folder",), "listed": ("listed", "folder")})
    result = project.run(study, until=("folder",))
    stored = (
        result.prepared.store.folder(result.prepared.expansion.named("folder")[0].fingerprint)
        / "value"
        / "inner"
        / "a.txt"
    )

    class Slow(Store):
        """Between a read and the watch, somebody writes."""

        def read(self, fingerprint: str, **how: Any) -> Any:
            value = super().read(fingerprint, **how)
            stored.chmod(0o644)
            stored.write_text("b")
            return value

    prepared = project.prepare(study)
    call = task_of(prepared.expansion.named("listed")[0], {}, {})
    outcome = perform(call, Slow(prepared.store.root), Host())
    assert outcome.status is Status.DAMAGED
