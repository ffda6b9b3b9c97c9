"""The page on training shows a study that can be run."""

from __future__ import annotations

import re
from pathlib import Path

from etude.config.load import load_study
from etude.study.prepare import prepare

PAGE = Path(__file__).parent.parent.parent / "docs" / "training.md"


def test_the_study_of_the_page_has_no_faults(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    prepared = prepare(load_study(tmp_path / "study.yaml", project=tmp_path))
    assert len(prepared.expansion.variants) == 2


def test_the_page_names_every_setting_of_training() -> None:
    from dataclasses import fields

    from etude.nn.training_spec import TrainingSpec

    page = PAGE.read_text(encoding="utf-8")
    assert [field.name for field in fields(TrainingSpec) if f"`{field.name}`" not in page] == []
