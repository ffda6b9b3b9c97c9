"""`etude search`, its commands, and `etude top`, as a user meets them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from commands import Etude, etude_in

STEPS = """
from etude import step

@step
def fit(*, x: float, kind: str, seed: int) -> dict[str, float]:
    if kind == "bad":
        raise ValueError("does not converge")
    return {"loss": (x - 0.3) ** 2 + 0.01 * seed, "size": 10 * x}
"""
STUDY = """
name: searched
params: {x: 0.5, kind: good, seed: 0}
pipeline: {fit: {step: "search_command_steps:fit", with: {x: "${x}", kind: "${kind}", seed: "${seed}"}}}
vary:
  search:
    space: {x: {float: [0, 1]}, kind: {choice: [good, bad]}}
    objective: fit.loss
    direction: minimize
    trials: 8
    sampler: random
    baseline: params
  repeat: {seed: [0, 1]}
place: {backend: inline}
"""


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    """Runs a command in a folder with a searched study."""
    (tmp_path / ".etude").mkdir()
    (tmp_path / "search_command_steps.py").write_text(STEPS)
    (tmp_path / "s.yaml").write_text(STUDY)
    return etude_in(tmp_path, monkeypatch, capfd)


def test_a_search_tells_its_best_its_baseline_and_its_failures(etude: Etude) -> None:
    code, out, err = etude("search", "s.yaml")
    assert code == 0
    assert "the search is done: 8 trials" in out
    assert "best: trial" in out
    assert "crash" in out
    assert "does not converge" in err
    assert "★ trial 0" in err


def test_it_computes_nothing_when_it_is_run_again_and_more_when_more_is_asked_for(etude: Etude) -> None:
    etude("search", "s.yaml")
    assert "nothing to do" in etude("run", "s.yaml")[1]
    assert "search: 8 of 10 trials done" in etude("plan", "s.yaml", "--set", "vary.search.trials=10")[1]
    assert "the search is done: 10 trials" in etude("run", "s.yaml", "--set", "vary.search.trials=10")[1]


def test_its_trials_can_be_shown_and_exported(etude: Etude, tmp_path: Path) -> None:
    assert "search: 0 of 8 trials done" in etude("search", "show", "s.yaml")[1]
    etude("search", "s.yaml")
    assert "0 (baseline)" in etude("search", "show", "s.yaml")[1]
    rows = json.loads(etude("search", "show", "s.yaml", "--json")[1])
    assert len(rows) == 8
    found = list(csv.DictReader(io.StringIO(etude("search", "export", "s.yaml", "--csv")[1])))
    assert [row["objective"] for row in found if row["kind"] == "bad"] == ["F_crash"] * sum(
        row["param.kind"] == "bad" for row in rows
    )
    assert etude("search", "export", "s.yaml", "--output", "all.parquet")[0] == 0
    assert (tmp_path / "all.parquet").exists()
    code, _, err = etude("search", "export", "s.yaml", "--output", "all.xlsx")
    assert code == 2
    assert "FILE.parquet" in err


def test_the_best_points_average_replicates(etude: Etude) -> None:
    etude("search", "s.yaml")
    best = json.loads(etude("top", "s.yaml", "--k", "3", "--json")[1])
    losses = [one["fit.loss"] for one in best]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx((best[0]["x"] - 0.3) ** 2 + 0.005)
    largest = json.loads(etude("top", "s.yaml", "--by", "fit.size", "--k", "1", "--json")[1])
    assert largest[0]["fit.size"] == pytest.approx(10 * largest[0]["x"])
    code, _, err = etude("top", "s.yaml", "--by", "fit.lss")
    assert code == 2
    assert "did you mean 'fit.loss'" in err


def test_every_proposal_follows_again(etude: Etude, tmp_path: Path) -> None:
    assert etude("search", "replay", "s.yaml")[0] == 1, "not begun"
    etude("search", "s.yaml")
    code, out, _ = etude("search", "replay", "s.yaml")
    assert (code, "7 of 7 proposals follow again" in out) == (0, True)
    log = tmp_path / ".etude" / "searches" / "searched" / "events.jsonl"
    log.write_text(log.read_text().replace('"seed":0', '"seed":1', 1))
    code, out, _ = etude("search", "replay", "s.yaml")
    assert (code, "0 of 7" in out) == (1, True)


def test_a_changed_space_is_refused_and_what_fits_can_be_kept(etude: Etude, tmp_path: Path) -> None:
    etude("search", "s.yaml")
    (tmp_path / "s.yaml").write_text(STUDY.replace("float: [0, 1]", "float: [0, 0.7]"))
    code, _, err = etude("search", "s.yaml")
    assert code == 2
    assert "x: float from 0 to 0.7 (was float from 0 to 1)" in " ".join(err.split())
    code, out, err = etude("search", "s.yaml", "--keep-fitting")
    assert code == 0
    assert "points lie in the space as it is and come first" in err
    assert "the search is done: 8 trials" in out
    assert etude("search", "s.yaml", "--new")[0] == 0
    assert {path.name for path in (tmp_path / ".etude" / "searches").iterdir()} == {
        "searched",
        "searched.1",
        "searched.2",
    }


def test_a_study_without_a_search_is_told(etude: Etude, tmp_path: Path) -> None:
    head, _, rest = STUDY.partition("vary:")
    (tmp_path / "s.yaml").write_text(head + "place" + rest.partition("place")[2])
    for words in (("search", "s.yaml"), ("search", "show", "s.yaml"), ("search", "replay", "s.yaml")):
        code, _, err = etude(*words)
        assert code == 2
        assert "has no search" in err
    code, _, err = etude("top", "s.yaml")
    assert code == 2
    assert "--by" in err
