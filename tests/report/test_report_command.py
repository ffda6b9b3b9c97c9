"""`etude report` as a user meets it: which files it writes, what it says, its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Etude, etude_in


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    """Runs a command in a fresh project."""
    return etude_in(tmp_path, monkeypatch, capfd)


STEPS = """
from dataclasses import dataclass
from etude import step

@dataclass(frozen=True)
class Scores:
    accuracy: float

@step
def score(*, rate: float, seed: int) -> Scores:
    return Scores(rate / (1 + seed))
"""

STUDY = """
name: {name}
params: {{rate: 0.1, seed: 0}}
pipeline:
  quality: {{step: "report_steps:score", with: {{rate: "${{rate}}", seed: "${{seed}}"}}}}
vary: {{grid: {{rate: [{rates}]}}, repeat: {{seed: [0, 1]}}}}
{collect}
place: {{backend: inline}}
"""
COLLECT = "collect: {table: {step: analysis.aggregate, from: records}}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two studies that share a metric, and one without a table of its own."""
    (tmp_path / "report_steps.py").write_text(STEPS)
    (tmp_path / "etude.toml").touch()
    for name, rates, collect in (("one", "0.1, 0.2", COLLECT), ("two", "0.2, 0.3", COLLECT), ("bare", "0.5", "")):
        (tmp_path / f"{name}.yaml").write_text(STUDY.format(name=name, rates=rates, collect=collect))
    return tmp_path


def test_a_report_stands_beside_the_study_s_results(etude: Etude, project: Path) -> None:
    etude("run", "one.yaml")
    said = etude("report", "one.yaml")
    report = project / "results" / "one" / "report.html"
    assert said.code == 0
    assert said.out.strip() == str(report)
    assert "rate=0.2 seed=1" in report.read_text(encoding="utf-8")


def test_a_second_report_of_the_same_results_is_the_same_file(etude: Etude, project: Path) -> None:
    etude("run", "one.yaml")
    report = project / "results" / "one" / "report.html"
    etude("report", "one.yaml")
    first = report.read_bytes()
    etude("report", "one.yaml")
    assert report.read_bytes() == first


def test_several_studies_are_laid_side_by_side_under_the_names_given(etude: Etude, project: Path) -> None:
    etude("run", "one.yaml")
    etude("run", "two.yaml")
    said = etude("report", "one.yaml", "two.yaml", "--name", "Clean", "--name", "Noisy & <b>", "--output", "out/r.html")
    assert said.code == 0
    text = (project / "out" / "r.html").read_text(encoding="utf-8")
    assert "Noisy &amp; &lt;b&gt;" in text
    assert '<h2 id="compare-head">Comparison</h2>' in text
    assert {path.name for path in (project / "out" / "r-charts").iterdir()} == {
        "quality.accuracy.png",
        "quality.accuracy.svg",
    }


def test_studies_of_one_name_are_told_apart(etude: Etude, project: Path) -> None:
    etude("run", "one.yaml")
    assert etude("report", "one.yaml", "one.yaml").code == 0
    (report,) = project.glob("results/one-one/report.html")
    assert "one (2)" in report.read_text(encoding="utf-8")


def test_a_study_that_was_not_run_is_reported_as_such_and_runs_nothing(etude: Etude, project: Path) -> None:
    said = etude("report", "one.yaml")
    assert said.code == 1
    assert "4 of 4 variants are not done" in said.err
    assert "made for this report" not in said.err
    assert (project / "results" / "one" / "report.html").exists()
    assert not (project / ".etude" / "store").exists()


def test_a_study_whose_table_is_still_to_come_says_so(etude: Etude, project: Path) -> None:
    etude("run", "one.yaml", "--until", "quality")
    said = etude("report", "one.yaml")
    assert said.code == 0
    assert "table is not computed yet: these means were made for this report" in said.err


def test_a_study_without_a_table_gets_means_made_for_the_report(etude: Etude, project: Path) -> None:
    etude("run", "bare.yaml")
    said = etude("report", "bare.yaml")
    assert said.code == 0
    assert "made for this report" in said.err
    assert "Results: all records" in (project / "results" / "bare" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--name", "A"], "2 studies, but 1 names"),
        (["--name", "A", "--name", "A"], "a name of its own"),
        (["--name", "A", "--name", " "], "a name of its own"),
    ],
)
def test_names_that_do_not_fit_the_studies_are_refused(
    etude: Etude, project: Path, words: list[str], reason: str
) -> None:
    said = etude("report", "one.yaml", "two.yaml", *words)
    assert said.code == 2
    assert reason in said.err
    assert not (project / "results").exists()


def test_a_place_that_cannot_be_written_is_told_without_a_traceback(etude: Etude, project: Path) -> None:
    (project / "file").touch()
    said = etude("report", "one.yaml", "--output", "file/report.html")
    assert said.code == 2
    assert "Traceback" not in said.err
