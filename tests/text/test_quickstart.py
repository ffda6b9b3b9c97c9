"""The study that everybody runs first: it plans without a fault, and comes to tables."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "studies" / "intent" / "quickstart.yaml"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return Path(shutil.copy(STUDY, tmp_path))


def etude(study: Path, command: str, *options: str) -> str:
    program = "from etude.cli.main import main; main()"
    call = [sys.executable, "-c", program, command, str(study), *options]
    done = subprocess.run(call, cwd=study.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_plans_eight_trainings_on_data_that_are_made_once(study: Path) -> None:
    nodes = json.loads(etude(study, "plan", "--json"))["nodes"]
    counts = {
        name: sum(node["node"] == name for node in nodes) for name in ("raw", "tokens", "model", "quality", "table")
    }
    assert counts == {"raw": 1, "tokens": 1, "model": 8, "quality": 8, "table": 1}


@pytest.mark.slow
def test_a_small_scale_of_it_comes_to_a_table_of_four_poolings_and_two_baselines(study: Path) -> None:
    small = {"raw.with.packages": "[networkx, numpy, sklearn]", "raw.with.per_label": "150", "model.with.epochs": "2"}
    etude(study, "run", *(word for key, value in small.items() for word in ("--set", f"pipeline.{key}={value}")))
    [results] = (study.parent / "results").glob("intent-quickstart@*")  # of its own, for what was set
    rows = list(csv.DictReader((results / "aggregated_metrics.csv").open(newline="", encoding="utf-8")))
    assert [row["name"] for row in rows] == [
        *(f"pooling={pooling}" for pooling in ("mean", "max", "attention", "last")),
        "commonest label",
        "bag of words",
    ]
    accuracy = {row["name"]: float(row["quality.accuracy_mean"]) for row in rows}
    assert accuracy["commonest label"] == pytest.approx(1 / 3)
    assert all(accuracy[f"pooling={pooling}"] > 0.5 for pooling in ("mean", "max", "attention", "last"))
    assert {row["quality.accuracy_n"] for row in rows[:4]} == {"2"}
    found = json.loads((results / "detailed_statistics.json").read_text(encoding="utf-8"))
    assert {one["claim"] for one in found["comparisons"]} == {"not tested"}
