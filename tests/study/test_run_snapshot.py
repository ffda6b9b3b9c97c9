"""A run keeps the resolved study and the project's sources as they were planned, without secrets."""

from __future__ import annotations

import json

import pytest

from etude.errors import BackendError
from etude.redaction import Redactor
from etude.study.run_snapshot import kept_sources, take_snapshot
from etude.study.study import Vary
from projects import Project

CODE = """
@step
def one(*, rate: float) -> float:
    return rate
"""


def test_the_sources_of_a_run_are_kept_byte_for_byte(project: Project) -> None:
    study = project.write(CODE).study({"n": ("one", None, {"rate": "${rate}"})}, params={"rate": 1.0})
    sources = {str(project.folder / "inner" / "steps.py"): b"x = 1\n", "/elsewhere/more.py": b"y = 2\n"}
    folder = project.folder / "run"
    take_snapshot(project.prepare(study), folder, Redactor(), sources)
    assert kept_sources(folder) == sources
    assert (folder / "sources" / "inner" / "steps.py").read_bytes() == b"x = 1\n"


def test_a_source_that_held_a_secret_is_no_longer_what_was_planned(project: Project) -> None:
    study = project.write(CODE).study({"n": ("one", None, {"rate": 1.0})})
    folder = project.folder / "run"
    redact = Redactor.of({"API_KEY": "sk-0123456789abcdef"})
    path = str(project.folder / "steps.py")
    take_snapshot(project.prepare(study), folder, redact, {path: b"key = 'sk-0123456789abcdef'\n"})
    assert b"sk-0123456789abcdef" not in (folder / "sources" / "steps.py").read_bytes()
    with pytest.raises(BackendError, match="not what was planned"):
        kept_sources(folder)


def test_the_resolved_study_names_its_variants_and_their_nodes(project: Project) -> None:
    study = project.write(CODE).study(
        {"n": ("one", None, {"rate": "${rate}"})}, params={"rate": 1.0}, vary=Vary(grid={"rate": (1.0, 2.0)})
    )
    prepared, folder = project.prepare(study), project.folder / "run"
    folder.mkdir()
    take_snapshot(prepared, folder, Redactor(), {})
    resolved = json.loads((folder / "resolved.json").read_text())
    assert [variant["rate"] for variant in resolved["variants"]] == [1.0, 2.0]
    assert resolved["searches"] is False
    assert {"n rate=1.0", "n rate=2.0"} <= resolved["nodes"].keys()
