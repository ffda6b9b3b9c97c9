"""The page on training shows a study that can be run."""

from __future__ import annotations

import re
from pathlib import Path

from etude.config.load import load_study
from etude.graph.signature import signature_of
from etude.nn import steps
from etude.study.prepare import prepare
from projects import Project

PAGE = Path(__file__).parent.parent.parent / "docs" / "training.md"


def blocks(language: str) -> list[str]:
    page = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_a_module_of_ones_own_trains_as_the_page_shows_and_an_edit_of_it_trains_anew(tmp_path: Path) -> None:
    (tmp_path / "lines.py").write_text(blocks("python")[0], encoding="utf-8")
    (tmp_path / "study.yaml").write_text(blocks("yaml")[1], encoding="utf-8")

    def computed() -> int:
        result = Project(tmp_path).run(load_study(tmp_path / "study.yaml", project=tmp_path))
        assert result.succeeded
        return len(result.summary.computed)

    assert [computed() > 0, computed()] == [True, 0]
    code = (tmp_path / "lines.py").read_text(encoding="utf-8")
    (tmp_path / "lines.py").write_text(code.replace(".square()", ".abs()"), encoding="utf-8")
    assert computed() >= 6


def test_the_page_names_every_setting_of_a_module_of_ones_own() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## A module of your own")[2]
    settings = signature_of("etude.nn.steps:fit", steps.fit).settings
    assert [name for name in settings if f"`{name}`" not in page] == []


def test_the_study_of_the_page_has_no_faults(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    prepared = prepare(load_study(tmp_path / "study.yaml", project=tmp_path))
    assert len(prepared.expansion.variants) == 2


def test_the_page_names_every_setting_of_training() -> None:
    from dataclasses import fields

    from etude.nn.training_spec import TrainingSpec

    page = PAGE.read_text(encoding="utf-8")
    assert [field.name for field in fields(TrainingSpec) if f"`{field.name}`" not in page] == []
