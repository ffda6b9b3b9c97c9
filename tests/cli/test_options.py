"""How much a run says, what it says to programs, how far it goes, and what a shell completes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import Etude, etude_in

STEPS = """
from etude import step

@step
def numbers(*, count: int) -> list[int]:
    return list(range(count))

@step
def score(numbers: list[int], *, rate: float) -> dict[str, float]:
    if rate > 5:
        raise ValueError(f"rate {rate} is too high")
    return {"accuracy": rate * sum(numbers)}
"""

STUDY = """
name: small
params: {rate: 1.0, seed: 0}
pipeline:
  data: {step: "option_steps:numbers", with: {count: 4}}
  other: {step: "option_steps:numbers", with: {count: "${seed}"}}
  quality: {step: "option_steps:score", from: data, with: {rate: "${rate}"}}
vary: {list: [{rate: 1.0}, {rate: 2.5}], repeat: {seed: [0, 1]}}
collect:
  table: {step: analysis.aggregate, from: records}
place: {backend: inline}
"""


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    (tmp_path / "small.yaml").write_text(STUDY)
    (tmp_path / "option_steps.py").write_text(STEPS)
    (tmp_path / "etude.toml").write_text("")
    monkeypatch.delitem(sys.modules, "option_steps", raising=False)
    return etude_in(tmp_path, monkeypatch, capfd)


def test_several_nodes_may_be_named_to_run_until(etude: Etude) -> None:
    rows = json.loads(etude("plan", "small.yaml", "--until", "data", "--until", "other", "--json").out)["nodes"]
    assert {row["node"] for row in rows} == {"data", "other"}
    assert "no node 'nope'" in etude("plan", "small.yaml", "--until", "data", "--until", "nope").err


def test_a_quiet_run_that_succeeds_says_nothing(etude: Etude, tmp_path: Path) -> None:
    assert etude("run", "small.yaml", "--quiet") == (0, "", "")
    assert (tmp_path / "results" / "small" / "records.parquet").exists()


def test_a_quiet_run_tells_what_failed(etude: Etude) -> None:
    said = etude("run", "small.yaml", "-q", "--set", "vary.list=[{rate: 9.0}]")
    assert said.code == 1
    assert not said.out
    assert "rate 9.0 is too high" in said.err
    assert "✗" not in said.err


def test_a_verbose_run_tells_when_a_node_starts_and_why_it_runs(etude: Etude) -> None:
    said = etude("run", "small.yaml", "-v")
    assert "▸ data" in said.err
    assert "never computed" in said.err or "not computed" in said.err
    assert "▸" not in etude("run", "small.yaml", "--rerun", "data").err


def test_quiet_and_verbose_contradict_each_other(etude: Etude) -> None:
    said = etude("run", "small.yaml", "-q", "-v")
    assert said.code == 2
    assert "--quiet" in said.err


def test_a_run_tells_programs_what_it_came_to(etude: Etude, tmp_path: Path) -> None:
    told = json.loads(etude("run", "small.yaml", "--json").out)
    assert told["succeeded"]
    assert told["nodes"] == {"computed": 7, "reused": 0, "cached": 0, "failed": 0, "stopped": 0, "not_run": 0}
    assert "records.parquet" in told["files"]
    assert Path(told["results"]) == tmp_path / "results" / "small"
    again = json.loads(etude("run", "small.yaml", "--json").out)
    assert (again["run"], again["nodes"]["cached"]) == (None, 7)


def test_a_run_tells_programs_of_every_failure_with_the_command_that_repeats_it(etude: Etude) -> None:
    said = etude("run", "small.yaml", "--json", "--set", "vary.list=[{rate: 9.0}]")
    assert said.code == 1
    told = json.loads(said.out)
    assert not told["succeeded"]
    (failure, *_) = told["failures"]
    assert failure["node"] == "quality"
    assert failure["params"]["rate"] == 9.0
    assert "too high" in failure["error"]
    assert "--set 'vary.list=[{rate: 9.0}]' --until quality --only-variant rate=9.0" in failure["command"]


def test_a_dry_run_tells_programs_the_plan(etude: Etude) -> None:
    assert json.loads(etude("run", "small.yaml", "--dry-run", "--json").out)["study"] == "small"


def completions(folder: Path, words: str) -> set[str]:
    """What a shell offers at the end of a line."""
    program = "import sys; sys.argv = ['etude']\nfrom etude.cli.main import main; main()"
    line = {
        "_ETUDE_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": words,
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env={**os.environ, **line}, capture_output=True, text=True
    )
    assert not done.stderr
    return {text.split("\t")[0] for text in done.stdout.split("\n") if text}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("etude show small.yaml ", {"data", "other", "quality", "records", "table"}),
        ("etude run small.yaml --until q", {"quality"}),
        ("etude run small.yaml --rerun data --rerun o", {"other"}),
        ("etude run small.yaml --break-after d", {"data"}),
        ("etude plan small.yaml --set ", {"rate=", "seed="}),
        ("etude plan small.yaml --only-variant ", {"rate=1.0", "rate=2.5", "seed=0", "seed=1"}),
        ("etude plan small.yaml --only-variant s", {"seed=0", "seed=1"}),
        ("etude plan nowhere.yaml --until ", set()),
        ("etude plan faulty.yaml --until ", set()),
    ],
)
@pytest.mark.usefixtures("etude")
def test_a_shell_completes_nodes_params_and_variants(tmp_path: Path, words: str, offered: set[str]) -> None:
    (tmp_path / "faulty.yaml").write_text("name: [")
    assert completions(tmp_path, words) == offered
