"""The results table of a search and its CSV form."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from etude.search.evaluation import Ending
from etude.search.simulate import Course
from etude.search.spec import Limits
from etude.search.trial_history import TrialHistory
from etude.search.trial_table import csv_text, results_table
from etude.search.trials import Bound, Goal, Trial, TrialOutcome
from search_spaces import CONDITIONAL, MINIMISE

GOAL = Goal(
    metrics=("quality.loss",), directions=("minimize",), constraints=(Bound(metric="cost.energy_j", at_most=5.0),)
)


def course(trial: Trial) -> Course:
    if trial.number % 4 == 3:
        return Course(2.0, Ending(outcome=TrialOutcome.CRASH, error="ValueError: no"))
    return Course(
        10.0 - trial.number,
        Ending(
            outcome=TrialOutcome.OK,
            values=(0.1 * trial.number,),
            constraints=(trial.number - 5.0,),
            error="",
            fingerprint="ab",
        ),
    )


@pytest.fixture
def history(stage: Any) -> TrialHistory:
    baseline = {"kind": "linear", "lr": 0.1}
    found: TrialHistory = stage(
        Limits(trials=8, workers=3, baseline=baseline), course, space=CONDITIONAL, goal=GOAL
    ).run()
    return found


def test_there_is_a_row_for_each_trial_in_the_order_in_which_they_ended(history: TrialHistory) -> None:
    table = results_table(history)
    ends = table["ended_s"].to_pylist()
    assert ends == sorted(ends)
    assert sorted(table["number"].to_pylist()) == list(range(8))


def test_failures_have_their_outcome_and_error_and_no_values(history: TrialHistory) -> None:
    rows = {row["number"]: row for row in results_table(history).to_pylist()}
    assert rows[3]["outcome"] == "crash"
    assert rows[3]["error"] == "ValueError: no"
    assert rows[3]["value.quality.loss"] is None
    assert rows[3]["constraint.cost.energy_j"] is None
    assert rows[2]["value.quality.loss"] == pytest.approx(0.2)
    assert rows[2]["constraint.cost.energy_j"] == -3.0


def test_what_does_not_count_is_null(history: TrialHistory) -> None:
    for row in results_table(history).to_pylist():
        point = history.trials[row["number"]].point
        assert {name: row[f"param.{name}"] for name in CONDITIONAL.columns} == {
            name: point.get(name) for name in CONDITIONAL.columns
        }


def test_its_metadata_say_what_was_searched_for(history: TrialHistory) -> None:
    about = json.loads(results_table(history).schema.metadata[b"etude.search"])
    assert about["goal"]["metrics"] == ["quality.loss"]
    assert about["baseline_number"] == 0
    assert about["workers"] == 3
    assert about["space"]["space"]["depth"]["when"] == {"kind": ["forest"]}


def test_the_analysis_of_searches_reads_it(history: TrialHistory) -> None:
    from etude.analysis.search.results import read_results

    found = read_results(results_table(history))
    assert found.baseline is not None
    assert found.baseline.number == 0
    assert len(found.trials) == 8


def test_the_csv_has_the_columns_of_other_tools(history: TrialHistory) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(history))))
    assert list(rows[0]) == [*CONDITIONAL.columns, "objective", "worker_rank", "timestamp_start", "timestamp_end"]
    assert len(rows) == 8
    assert sum(row["objective"] == "F_crash" for row in rows) == 2
    assert all(float(row["timestamp_start"]) <= float(row["timestamp_end"]) for row in rows)


def test_values_are_in_the_users_sign(stage: Any) -> None:
    goal = Goal(metrics=("quality.auc",), directions=("maximize",))
    found = stage(
        Limits(trials=2, workers=1),
        lambda trial: Course(1.0, Ending(outcome=TrialOutcome.OK, values=(0.9,))),
        goal=goal,
    ).run()
    assert results_table(found)["value.quality.auc"].to_pylist() == [0.9, 0.9]
    assert MINIMISE.signed((0.9,)) == (0.9,)
    assert goal.signed((0.9,)) == (-0.9,)
