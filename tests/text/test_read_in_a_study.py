"""What `text.read` takes in a study file is what it says it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects import Project


@pytest.mark.parametrize("name", ["texts.csv", "divided"])
def test_a_study_may_name_a_file_or_a_folder_of_splits(project: Project, name: str) -> None:
    rows = "text,label\n" + "".join(f"text number {index},{'ab'[index % 2]}\n" for index in range(8))
    (project.folder / "texts.csv").write_text(rows)
    (project.folder / "divided").mkdir()
    (project.folder / "divided" / "train.csv").write_text(rows)
    (project.folder / "divided" / "test.csv").write_text(rows)
    result = project.run(project.study({"raw": ("text.read", None, {"file": str(Path(name))})}))
    assert result.succeeded
