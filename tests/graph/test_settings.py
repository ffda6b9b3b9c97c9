"""The settings of a node: checked, filled in, and in the form that is identity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

from etude import InputFile, InputFolder, placement, step
from etude.errors import ConfigError
from etude.graph.settings import NodeSettings, read_settings
from etude.graph.signature import signature_of
from etude.identity.canonical import canonical
from etude.identity.files import FileDigests


@step
def train(
    *,
    rate: float = 0.1,
    workers: Annotated[int, placement] = 1,
    words: InputFile = Path("words.txt"),
    folder: InputFolder | None = None,
    free: object = None,
) -> int:
    return 0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "words.txt").write_text("a b")
    (tmp_path / "texts").mkdir()
    return tmp_path


def read(project: Path, **given: object) -> NodeSettings:
    return read_settings(signature_of("m:train", train), given, FileDigests(), project)


def fault(project: Path, **given: object) -> str:
    with pytest.raises(ConfigError) as error:
        read(project, **given)
    return str(error.value)


def test_defaults_and_the_content_of_files_are_identity_and_placement_is_not(project: Path) -> None:
    digest = FileDigests().digest(project / "words.txt")
    settings = read(project, workers=3)
    assert settings.text == canonical({"rate": 0.1, "words": {"content": digest}, "folder": None, "free": None})
    assert settings.files == {str(project / "words.txt"): digest}
    assert settings.given == {"workers": 3, "words": str(project / "words.txt")}


def test_a_whole_number_for_a_float_is_the_same_setting(project: Path) -> None:
    assert read(project, rate=1).text == read(project, rate=1.0).text != read(project).text


def test_a_file_where_a_folder_is_read_is_refused_and_the_other_way_round(project: Path) -> None:
    assert "is a folder, and the step reads a file" in fault(project, words="texts")
    assert "is a file, and the step reads a folder" in fault(project, folder="words.txt")
    assert read(project, folder="texts").files[str(project / "texts")].endswith("/")


def test_an_empty_path_names_no_file(project: Path) -> None:
    said = fault(project, words="")
    assert "it names no file" in said
    assert "write the path of one" in said


def test_a_missing_file_is_told_with_its_setting_and_as_it_was_written(project: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(project, words="gone.txt")
    (one,) = error.value.faults
    assert (one.path, one.value) == ("words", "gone.txt")
    assert one.mend
    assert "Mend" not in one.reason


def test_a_missing_default_file_is_told_too(project: Path) -> None:
    (project / "words.txt").unlink()
    with pytest.raises(ConfigError) as error:
        read(project)
    assert [(one.path, one.value) for one in error.value.faults] == [("words", "words.txt")]


def test_faults_of_values_are_told_by_the_name_of_the_setting_alone(project: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(project, rate="x", wrokers=1)
    assert sorted(one.path for one in error.value.faults) == ["rate", "wrokers"]


def test_all_files_that_cannot_be_read_are_told_together(project: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(project, words="gone.txt", folder="words.txt")
    assert [one.path for one in error.value.faults] == ["words", "folder"]
