"""What varies must reach a result; what is ranked must have all its replicates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Etude, etude_in

STEPS = """
from typing import Annotated
from etude import metric, placement, step

@step
def q(*, model: str, seed: int) -> dict[str, float | None]:
    if model == "bad" and seed in (1, 2):
        return {"accuracy": float("nan")}
    if model == "crash" and seed == 1:
        raise ValueError("the loss is not a number")
    if model == "inf" and seed == 1:
        return {"accuracy": float("inf")}
    return {"accuracy": {"good": 0.90, "bad": 0.93, "crash": 0.95, "inf": 0.80}[model] + 0.001 * seed}

@step
def same(*, workers: Annotated[int, placement] = 1) -> dict[str, float]:
    return {"accuracy": 0.9}

@step
def spent(*, seed: int) -> dict[str, Annotated[float, metric(unit="J", lower_is_better=True)]]:
    return {"per_answer": float(seed)}
"""


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    return etude_in(tmp_path, monkeypatch, capfd)


def study(tmp_path: Path, text: str) -> None:
    (tmp_path / "etude.toml").touch()
    (tmp_path / "mine.py").write_text(STEPS)
    (tmp_path / "s.yaml").write_text(f"name: s\n{text}\nplace: {{backend: inline}}\n")


TABLE = "collect: {table: {step: analysis.aggregate, from: records}}"
MODELS = (
    'params: {model: good, seed: 0}\npipeline: {q: {step: "mine:q", with: {model: "${model}", seed: "${seed}"}}}\n'
    "vary: {grid: {model: [MODELS]}, repeat: {seed: [0, 1, 2]}}\n" + TABLE
)


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ("repeat: {seed: [0, 1, 2]}", "vary.repeat.seed param 'seed' is repeated, and no node refers to it"),
        ("grid: {seed: [0, 1, 2]}", "vary.grid.seed param 'seed' is varied, and no node refers to it"),
        ("list: [{seed: 0}, {seed: 1}]", "vary.list.seed param 'seed' is varied, and no node refers to it"),
        (
            "search: {space: {seed: {int: [0, 3]}}, objective: q.accuracy, direction: maximize, trials: 2}",
            "vary.search.space.seed param 'seed' is varied, and no node refers to it",
        ),
    ],
)
def test_a_param_that_varies_and_reaches_no_node_is_a_fault(
    tmp_path: Path, vary: str, words: str, etude: Etude
) -> None:
    study(tmp_path, f'params: {{seed: 0}}\npipeline: {{q: {{step: "mine:same"}}}}\nvary: {{{vary}}}\n{TABLE}')
    code, _, err = etude("plan", "s.yaml")
    told = " ".join(err.split())
    assert code == 2
    assert words in told
    assert "refer to it as `${seed}`" in told


def test_a_param_that_cannot_change_the_result_makes_no_replicates(tmp_path: Path, etude: Etude) -> None:
    pipeline = 'params: {seed: 1}\npipeline: {q: {step: "mine:same", with: {workers: "${seed}"}}}\n'
    study(tmp_path, f"{pipeline}vary: {{repeat: {{seed: [1, 2, 3]}}}}\n{TABLE}")
    assert etude("run", "s.yaml")[0] == 0
    (group,) = json.loads((tmp_path / "results/s/detailed_statistics.json").read_text())["groups"]
    found = group["estimates"]["q.accuracy"]
    assert (found["n"], found["std"]) == (1, None)
    assert found["note"].startswith("3 replicates share 1 result")


def test_the_survivor_is_neither_best_nor_top(tmp_path: Path, etude: Etude) -> None:
    study(tmp_path, MODELS.replace("MODELS", "good, bad, inf"))
    assert etude("run", "s.yaml")[0] == 0
    table = (tmp_path / "results/s/aggregated_metrics.md").read_text()
    assert "| good | 3 | **0.9010" in table
    assert "| bad | 1 of 3 | 0.93" in table
    best = json.loads(etude("top", "s.yaml", "--by", "q.accuracy", "--json")[1])
    assert [(one["model"], one.get("missing_replicates")) for one in best] == [("good", None), ("bad", 2), ("inf", 1)]
    shown = etude("top", "s.yaml", "--by", "q.accuracy")[1]
    assert "1 of 3" in shown


def test_what_a_step_says_of_its_numbers_is_in_records_and_manifest(tmp_path: Path, etude: Etude) -> None:
    import pyarrow.parquet as pq

    pipeline = 'params: {seed: 1}\npipeline: {q: {step: "mine:spent", with: {seed: "${seed}"}}}\n'
    study(tmp_path, f"{pipeline}vary: {{grid: {{seed: [1, 2, 3]}}}}\n{TABLE}")
    assert etude("run", "s.yaml")[0] == 0
    meaning = json.loads(pq.read_schema(tmp_path / "results/s/records.parquet").metadata[b"etude"])
    assert meaning["declared"] == {"q.*": {"unit": "J", "better": "lower"}}
    said = json.loads((tmp_path / "results/s/detailed_statistics.json").read_text())
    assert (said["units"]["q.per_answer"], said["lower_is_better"][0]) == ("J", "q.per_answer")
    (best,) = json.loads(etude("top", "s.yaml", "--by", "q.per_answer", "--k", "1", "--json")[1])
    assert best["seed"] == 1
    manifests = [json.loads(path.read_text()) for path in (tmp_path / ".etude/store").rglob("manifest.json")]
    assert {"*": {"unit": "J", "better": "lower"}} in [one["provenance"].get("metrics") for one in manifests]


def test_one_failed_variant_leaves_a_table_that_says_what_is_missing(tmp_path: Path, etude: Etude) -> None:
    text = MODELS.replace("MODELS", "good, crash").replace("records}}", "records, with: {baseline: {model: good}}}}")
    study(tmp_path, text)
    code, out, _ = etude("run", "s.yaml")
    told = (
        "incomplete: 1 of 6 variants are not done: model=crash seed=1 (q failed: ValueError: the loss is not a number)"
    )
    assert code == 1
    assert told in " ".join(out.split())
    results = tmp_path / "results/s"
    for name in ("aggregated_metrics.md", "aggregated_metrics.tex"):
        assert told in (results / name).read_text().replace("\\_", "_")
    summary = json.loads((results / "detailed_statistics.json").read_text())
    assert summary["notes"][0] == told
    assert [one["pairs"] for one in summary["comparisons"]] == [2], "the study's own settings hold"
    assert not (tmp_path / "results/s/charts").exists() or (results / "records.jsonl").exists()
    (tmp_path / "mine.py").write_text(STEPS.replace('model == "crash"', 'model == "none"'))
    assert etude("run", "s.yaml")[0] == 0
    assert "incomplete" not in (results / "aggregated_metrics.md").read_text()


FAILS = """
import pyarrow as pa
from etude import step

@step
def more(records: pa.Table) -> pa.Table:
    raise ValueError("no")
"""


def test_a_failing_collect_node_leaves_the_tables_of_what_there_is(tmp_path: Path, etude: Etude) -> None:
    collect = "collect: {more: {step: 'fails:more', from: records}, table: {step: analysis.aggregate, from: more}}"
    study(tmp_path, MODELS.replace("MODELS", "good, inf").replace(TABLE, collect))
    (tmp_path / "fails.py").write_text(FAILS)
    assert etude("run", "s.yaml")[0] == 1
    table = (tmp_path / "results/s/aggregated_metrics.md").read_text()
    assert "0.901" in table
    assert "incomplete: more could not be read" in table


@pytest.mark.parametrize("command", ["run", "search"])
def test_a_search_of_which_no_trial_succeeded_has_failed(tmp_path: Path, command: str, etude: Etude) -> None:
    space = "{seed: {int: [1, 2]}, model: {choice: [none, other]}}"
    search = f"{{space: {space}, objective: q.accuracy, direction: maximize, trials: 2}}"
    text = MODELS.replace("{grid: {model: [MODELS]}, repeat: {seed: [0, 1, 2]}}", f"{{search: {search}}}")
    study(tmp_path, text)
    assert etude(command, "s.yaml")[0] == 1
    assert etude(command, "s.yaml")[0] == 1, "and again, where nothing is left to do"
