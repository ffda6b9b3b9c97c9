"""What the exports of a study are made of is needed: lost, it is computed anew; else it stays as it was recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from etude.study.execution import Result
from etude.study.prepare import PreparedStudy
from etude.study.study import Study, Vary
from projects import Project

CODE = """
from dataclasses import dataclass
import pyarrow as pa

@dataclass(frozen=True)
class Score:
    acc: float

def called(name):
    with open("calls.log", "a") as log:
        log.write(name + "\\n")

@step
def data(*, seed: int) -> list[int]:
    return [seed, seed]

@step
def score(data: list[int]) -> Score:
    return Score(0.5 + data[0])

@step
def predictions(data: list[int]) -> pa.Table:
    return pa.table({"label": ["a", "b"], "prediction": ["a", "a"]})

@step
def double(score: Score) -> float:
    return 2 * score.acc

@step
def last(predictions: pa.Table) -> list[int]:
    return [predictions.num_rows]
"""


@pytest.fixture
def ready(project: Project) -> tuple[Project, Study]:
    study = project.write(CODE).study(
        {
            "data": ("data", None, {"seed": "${seed}"}),
            "score": ("score", "data"),
            "double": ("double", "score"),
            "predicted": ("predictions", "data"),
            "last": ("last", "predicted"),
        },
        params={"seed": 0},
        vary=Vary(repeat={"seed": (0, 1)}),
        collect={"table": ("etude.analysis.steps:aggregate", "records")},
    )
    return project, study


def folder(prepared: PreparedStudy, label: str) -> Path:
    (found,) = {a.node.fingerprint for a in prepared.plan.actions if a.node.label() == label}
    return prepared.store.folder(found)


def scores(result: Result) -> list[object]:
    return [row["score.acc"] for row in result.records().to_pylist()]


@pytest.mark.parametrize("how", ["removed", "overwritten"])
@pytest.mark.parametrize("name", ["score", "predicted"])
def test_a_lost_result_that_is_exported_is_computed_anew(ready: tuple[Project, Study], name: str, how: str) -> None:
    project, study = ready
    first = project.run(study)
    place = folder(first.prepared, f"{name} seed=1")
    if how == "removed":
        shutil.rmtree(place)
    else:
        (place / "manifest.json").chmod(0o644)
        (place / "manifest.json").write_text("x")
    again = project.run(study)
    assert [node.label() for node in again.prepared.plan.todo] == [f"{name} seed=1"]
    assert scores(again) == scores(first) == [0.5, 1.5]
    assert (place / "manifest.json").read_text().startswith("{")


def test_what_a_lost_result_has_cost_stays_in_the_record(ready: tuple[Project, Study]) -> None:
    project, study = ready
    first = project.run(study)
    before = first.records().to_pylist()
    shutil.rmtree(folder(first.prepared, "data seed=0"))
    again = project.run(study)
    assert again.run == "", "what is not exported is not needed"
    after = again.records().to_pylist()
    assert after == before
    assert after[0]["status"] == "done"
    assert after[0]["data.cost.wall_s"] is not None
