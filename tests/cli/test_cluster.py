"""`etude cluster` and `etude run --on` as users meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Etude, etude_in
from etude.config.cluster import read_profile, ready_profiles


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    """Runs a command in a fresh project."""
    (tmp_path / "pyproject.toml").touch()
    return etude_in(tmp_path, monkeypatch, capfd)


def test_the_profiles_that_there_are_are_listed_the_projects_own_first(etude: Etude, tmp_path: Path) -> None:
    assert etude("cluster", "copy", "narval").code == 0
    said = etude("cluster", "list").out
    assert all(name in said for name in ready_profiles())
    assert said.index("cluster/narval.yaml") < said.index("htcondor")
    assert read_profile("cluster/narval.yaml", tmp_path).scheduler == "slurm"


def test_a_copied_profile_is_not_written_over(etude: Etude, tmp_path: Path) -> None:
    etude("cluster", "copy", "slurm")
    (tmp_path / "cluster" / "slurm.yaml").write_text("scheduler: slurm\n")
    said = etude("cluster", "copy", "slurm")
    assert said.code == 2
    assert "is there already" in said.err
    assert (tmp_path / "cluster" / "slurm.yaml").read_text() == "scheduler: slurm\n"


def test_a_script_is_shown_with_what_the_nodes_need(etude: Etude) -> None:
    said = etude("cluster", "render", "narval", "--gpus", "1")
    assert said.code == 0
    assert "#SBATCH --gpus-per-node=a100:1" in said.out
    assert "--gpus" not in etude("cluster", "render", "narval").out


def test_a_script_that_nodes_could_never_run_in_is_refused(etude: Etude) -> None:
    said = etude("cluster", "render", "narval", "--gpus", "9")
    assert said.code == 2
    assert "needs 9 GPU(s)" in said.err


def test_a_faulty_profile_is_told_with_all_its_faults(etude: Etude, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("scheduler: pbs\npartition: x\nwalltime: soon\n")
    said = etude("cluster", "render", "bad.yaml")
    assert said.code == 2
    assert "pbs has no partition" in said.err
    assert "expected a duration" in said.err


def test_the_schema_of_profiles_is_printed(etude: Etude) -> None:
    assert "scheduler" in json.loads(etude("cluster", "schema").out)["properties"]


def test_a_scheduler_that_is_not_installed_is_told_by_the_check(
    etude: Etude, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = etude("cluster", "check", "htcondor", "--json")
    assert said.code == 1
    [finding] = json.loads(said.out)
    assert "condor_submit" in finding["detail"]
    assert "login node" in finding["mend"]


def test_a_run_on_a_cluster_that_does_not_exist_is_refused_with_those_that_do(etude: Etude, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("pipeline: {raw: {step: text.load, with: {source: docstrings}}}\n")
    said = etude("run", "study.yaml", "--on", "slrum")
    assert said.code == 2
    assert "did you mean 'slurm'?" in said.err


def test_a_node_that_no_job_of_the_profile_can_run_is_refused_before_anything_is_submitted(
    etude: Etude, tmp_path: Path
) -> None:
    study = 'pipeline: {it: {step: "some_steps:one", on: {gpus: 2, walltime: 3h}}}\n'
    (tmp_path / "study.yaml").write_text(study)
    (tmp_path / "some_steps.py").write_text("from etude import step\n@step\ndef one() -> int:\n    return 1\n")
    said = etude("run", "study.yaml", "--on", "slurm")
    assert said.code == 2
    assert "needs 2 GPU(s) and profile 'slurm' asks for none" in said.err
    assert not (tmp_path / ".etude" / "runs").exists()


@pytest.mark.slow
def test_a_study_runs_on_a_cluster_from_the_command_line_and_is_cached_for_all_other_ways(
    etude: Etude, tmp_path: Path
) -> None:
    pytest.importorskip("parsl")
    (tmp_path / "study.yaml").write_text('pipeline: {it: {step: "some_steps:one"}}\n')
    (tmp_path / "some_steps.py").write_text("from etude import step\n@step\ndef one() -> int:\n    return 1\n")
    said = etude("run", "study.yaml", "--on", "local")
    assert said.code == 0, said.err
    assert "2 computed" in said.out + said.err
    assert "nothing to do: all 2 results are there" in etude("run", "study.yaml").out
