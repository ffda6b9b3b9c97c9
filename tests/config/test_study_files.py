"""Files that cannot be read as a study at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.config import read_study
from etude.config.document import MAX_BYTES
from etude.errors import Fault
from study_files import Write

SUFFIXES = (".yaml", ".yml", ".json", ".jsonnet")


def refused(path: Path) -> Fault:
    reading = read_study(path)
    assert reading.study is None
    (fault,) = reading.faults
    assert fault.file == str(path)
    return fault


@pytest.mark.parametrize("suffix", ["", *SUFFIXES])
def test_a_missing_file_suggests_the_nearest(write: Write, tmp_path: Path, suffix: str) -> None:
    write("", f"quickstart{suffix or '.yaml'}")
    fault = refused(tmp_path / f"quikstart{suffix}")
    assert fault.reason == "no such file"
    assert f"'quickstart{suffix or '.yaml'}'" in fault.mend


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "gone") in refused(tmp_path / "gone" / "s.yaml").mend


@pytest.mark.parametrize("suffix", ["", *SUFFIXES])
def test_a_folder_is_no_study_and_tells_what_is_in_it(write: Write, tmp_path: Path, suffix: str) -> None:
    write("", f"studies{suffix}/first.yaml")
    fault = refused(tmp_path / f"studies{suffix}")
    assert "folder" in fault.reason
    assert "first.yaml" in fault.mend


@pytest.mark.parametrize("suffix", [".toml", ".py", "", ".yaml.bak", ".libsonnet"])
def test_another_suffix_is_refused(write: Write, suffix: str) -> None:
    assert ".jsonnet" in refused(write("pipeline: {}", f"s{suffix}")).mend


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("text", ["", "\n  \n"])
def test_an_empty_file_is_told(write: Write, suffix: str, text: str) -> None:
    assert refused(write(text, f"s{suffix}")).reason == "is empty"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_that_are_no_utf_8_are_told_with_their_line(write: Write, suffix: str) -> None:
    fault = refused(write(b'{"a": 1,\n"b": "\xe9"}', f"s{suffix}"))
    assert (fault.line, "0xe9" in fault.reason) == (2, True)
    assert "UTF-8" in fault.mend


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_told(write: Write, suffix: str, encoding: str) -> None:
    fault = refused(write('{"a": 1}'.encode(encoding), f"s{suffix}"))
    assert fault.line == 1
    assert "without a byte order mark" in fault.mend


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_too_large_is_refused(write: Write, suffix: str) -> None:
    assert "larger" in refused(write(b" " * (MAX_BYTES + 1), f"s{suffix}")).reason


@pytest.mark.parametrize(
    ("name", "text"), [("s.yaml", "[1]"), ("s.yaml", "text"), ("s.json", "3"), ("s.yaml", "---\n...")]
)
def test_a_file_without_a_mapping_is_no_study(write: Write, name: str, text: str) -> None:
    assert "pipeline:" in refused(write(text, name)).mend


def test_a_file_that_may_not_be_read_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("pipeline: {}")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refused(path).reason
