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
    largest = json.loads(etude("top", "s.yaml", "--by", "fit.size", "--direction", "maximize", "--k", "1", "--json")[1])
    assert largest[0]["fit.size"] == pytest.approx(10 * largest[0]["x"])
    code, _, err = etude("top", "s.yaml", "--by", "fit.size")
    assert code == 2
    assert "nothing says whether more or less of 'fit.size' is better" in err
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


BEST = """
name: again
params: {x: 0.5, kind: good, seed: 0}
pipeline: {fit: {step: "search_command_steps:fit", with: {x: "${x}", kind: "${kind}", seed: "${seed}"}}}
vary: {top: {of: searched, by: fit.loss, k: 1}, repeat: {seed: [7]}}
place: {backend: inline}
"""


def test_the_best_of_a_search_named_by_its_study_are_those_that_the_search_calls_best(
    etude: Etude, tmp_path: Path
) -> None:
    etude("search", "s.yaml")
    best = json.loads(etude("top", "s.yaml", "--k", "1", "--json")[1])[0]
    (tmp_path / "t.yaml").write_text(BEST)
    assert etude("run", "t.yaml")[0] == 0
    row = json.loads((tmp_path / "results" / "again" / "records.jsonl").read_text())
    assert row["x"] == pytest.approx(best["x"])


def test_a_study_that_cannot_be_found_is_told_beside_studies_alone(etude: Etude, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(BEST.replace("of: searched", "of: serched"))
    (tmp_path / "data.json").write_text('{"rows": []}')
    (tmp_path / "other.yaml").write_text("a: 1")
    code, _, err = etude("plan", "t.yaml")
    assert code == 2
    assert "did you mean 'searched'" in err
    (tmp_path / "t.yaml").write_text(BEST.replace("of: searched", "of: nowhere"))
    _, _, err = etude("plan", "t.yaml")
    assert "known: again, s, searched, t" in " ".join(err.split())


def test_a_name_that_two_studies_have_is_not_guessed(etude: Etude, tmp_path: Path) -> None:
    (tmp_path / "s2.yaml").write_text(STUDY)
    (tmp_path / "t.yaml").write_text(BEST)
    code, _, err = etude("plan", "t.yaml")
    assert code == 2
    assert "2 studies are called 'searched'" in err


@pytest.mark.parametrize("seed", ["-1", "1.5", "x"])
def test_a_wrong_value_is_told_as_such_also_where_the_search_has_begun(etude: Etude, seed: str) -> None:
    etude("search", "s.yaml")
    code, _, err = etude("plan", "s.yaml", "--set", f"vary.search.seed={seed}")
    assert code == 2
    assert f"got {seed}" in err.replace("'", "")
    assert "has changed" not in err
