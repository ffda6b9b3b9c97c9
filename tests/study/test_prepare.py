"""What is asked of a run is compared with what the study has, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import ConfigError
from etude.study.study import Vary
from projects import Project


@pytest.mark.parametrize(
    ("count", "words"),
    [(12, r"there are x: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11$"), (13, r"x: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …$")],
)
def test_a_variant_that_is_not_there_is_told_with_a_dozen_that_are(tmp_path: Path, count: int, words: str) -> None:
    project = Project(tmp_path).write("@step\ndef one(*, x: int) -> int: return x\n")
    study = project.study(
        {"n": ("one", None, {"x": "${x}"})}, params={"x": 0}, vary=Vary(grid={"x": tuple(range(count))})
    )
    with pytest.raises(ConfigError, match=words):
        project.prepare(study, only={"x": "99"})
