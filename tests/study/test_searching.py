"""Searching a study: trials are variants, the records see them all, and nothing is done twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etude.errors import ConfigError
from etude.search.space import Choice, Condition, Float, Int, Space
from etude.search.spec import Search
from etude.search.trials import Bound, Goal, TrialOutcome
from etude.study.study import Study, Top, Vary
from projects import CALLED, Project

STEPS = (
    CALLED
    + """
@step
def load(*, size: int = 3) -> list[int]:
    called("load")
    return list(range(size))

@step
def fit(rows: list[int], *, x: float, depth: int = 1, kind: str = "a", seed: int = 0) -> dict[str, float]:
    called("fit")
    if kind == "bad":
        raise ValueError("does not converge")
    return {"loss": (x - 0.3) ** 2 + 0.01 * depth + seed}

@step
def score(model: dict[str, float]) -> dict[str, float]:
    called("score")
    return {"auc": 1.0 - model["loss"], "nan": float("nan")}

@step
def gather(scores: Across[dict[str, float]]) -> dict[str, float]:
    called("gather")
    return {"best": max(value["auc"] for value in scores.values()), "count": len(scores)}
"""
)
SPACE = Space(
    {"x": Float(0.0, 1.0), "kind": Choice(("a", "b", "bad")), "depth": Int(1, 5)},
    (Condition(dimension="depth", on="kind", values=("a",)),),
)
GOAL = Goal(metrics=("score.auc",), directions=("maximize",))
SEARCH = Search(space=SPACE, goal=GOAL, trials=12, sampler="random", baseline={"x": 0.5, "kind": "b"})
PARAMS = {"x": 0.5, "kind": "b", "depth": 1, "seed": 0}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path).write(STEPS)


def searched(project: Project, search: Search = SEARCH, **more: Any) -> Study:
    settings = {name: f"${{{name}}}" for name in PARAMS}
    return project.study(
        {"rows": ("load",), "model": ("fit", "rows", settings), "score": ("score", "model")},
        collect=more.pop("collect", {"best": ("gather", "score[*]")}),
        params=PARAMS,
        vary=Vary(search=search, repeat=more.pop("repeat", {})),
        **more,
    )


def test_a_search_is_run_and_then_collected(project: Project) -> None:
    result = project.run(searched(project))
    assert result.succeeded
    state = result.prepared.search
    assert state is not None
    assert state.complete
    assert len(state.history.ended) == 12
    assert project.calls().count("load") == 1, "what all trials share is computed once"
    ok = [trial for trial in state.history.trials.values() if trial.outcome is TrialOutcome.OK]
    assert result.value("best") == {"best": max(trial.values[0] for trial in ok if trial.values), "count": len(ok)}


def test_the_records_tell_of_every_trial_in_the_order_of_numbers_failed_ones_with_nulls(project: Project) -> None:
    result = project.run(searched(project))
    assert result.prepared.search is not None
    rows = result.records().to_pylist()
    trials = [result.prepared.search.history.trials[number] for number in range(12)]
    assert [row["x"] for row in rows] == [trial.point["x"] for trial in trials]
    for row, trial in zip(rows, trials, strict=True):
        assert row["status"] == ("done" if trial.outcome is TrialOutcome.OK else "crash")
        assert row["score.auc"] == (trial.values[0] if trial.values else None)
    assert any(row["status"] == "crash" for row in rows)


def test_a_finished_search_computes_nothing_when_it_is_run_again(project: Project) -> None:
    project.run(searched(project))
    calls = project.calls()
    again = project.run(searched(project))
    assert again.run == ""
    assert project.calls() == calls, "failed trials are not tried again either"


def test_more_trials_go_on_where_it_stood(project: Project) -> None:
    project.run(searched(project))
    fits = project.calls().count("fit")
    result = project.run(searched(project, replace(SEARCH, trials=15)))
    assert project.calls().count("fit") == fits + 3
    assert len(result.records()) == 15


def test_a_trial_is_cached_like_any_variant(project: Project) -> None:
    project.run(searched(project))
    (project.folder / ".etude" / "searches" / "test" / "events.jsonl").unlink()
    failed = project.calls().count("fit") - project.calls().count("score")
    fits = project.calls().count("fit")
    result = project.run(searched(project))
    assert project.calls().count("fit") == fits + failed, "the same points: only failures, which are never cached"
    assert len(result.records()) == 12


def test_the_value_of_a_trial_is_the_mean_over_its_replicates(project: Project) -> None:
    result = project.run(searched(project, repeat={"seed": (0, 1, 5)}))
    state = result.prepared.search
    assert state is not None
    baseline = state.history.trials[0]
    assert baseline.values == pytest.approx((1 - 0.04 - 0.01 - 2.0,))
    assert len(result.records()) == 36
    assert project.calls().count("load") == 1


def test_what_a_condition_leaves_out_keeps_the_studys_own_value(project: Project) -> None:
    result = project.run(searched(project))
    rows = result.records().to_pylist()
    assert all(row["depth"] == 1 for row in rows if row["kind"] != "a")
    assert {row["depth"] for row in rows if row["kind"] == "a"} - {1}


def test_trials_that_give_no_number_are_invalid_and_say_why(project: Project) -> None:
    nan = replace(SEARCH, goal=Goal(metrics=("score.nan",), directions=("maximize",)), trials=3)
    missing = replace(SEARCH, goal=Goal(metrics=("score.acu",), directions=("maximize",)), trials=3)
    found = project.run(searched(project, nan)).prepared.search
    assert found is not None
    assert found.history.trials[0].outcome is TrialOutcome.INVALID
    assert "score.nan is nan" in found.history.trials[0].error
    (project.folder / ".etude" / "searches" / "test").rename(project.folder / "aside")
    found = project.run(searched(project, missing)).prepared.search
    assert found is not None
    assert "score.acu is missing; did you mean 'score.auc'?" in found.history.trials[0].error


def test_an_objective_of_a_node_without_metrics_is_refused_before_anything_runs(project: Project) -> None:
    wrong = replace(SEARCH, goal=Goal(metrics=("rows.auc",), directions=("maximize",)))
    with pytest.raises(ConfigError, match=r"node 'rows' gives no metrics"):
        project.run(searched(project, wrong))
    assert project.calls() == []


def test_costs_can_be_objectives_and_constraints(project: Project) -> None:
    goal = Goal(
        metrics=("score.auc", "cost.wall_s"),
        directions=("maximize", "minimize"),
        constraints=(Bound(metric="model.cost.wall_s", at_most=1e-9),),
    )
    found = project.run(searched(project, replace(SEARCH, goal=goal, trials=2))).prepared.search
    assert found is not None
    trial = found.history.trials[0]
    assert trial.values is not None
    assert trial.values[1] > 0
    assert trial.constraints[0] > 0
    assert not trial.feasible


def test_a_changed_space_is_told_by_name_with_what_to_do(project: Project) -> None:
    project.run(searched(project, replace(SEARCH, trials=3)))
    space = Space({**SPACE.dimensions, "x": Float(0.0, 2.0)}, SPACE.conditions)
    with pytest.raises(ConfigError, match=r"x: float from 0 to 2 \(was float from 0 to 1\)") as error:
        project.run(searched(project, replace(SEARCH, space=space, trials=3)))
    assert "--new" in str(error.value)
    assert "--keep-fitting" in str(error.value)


def test_points_that_fit_a_changed_space_are_kept_and_not_computed_again(project: Project) -> None:
    from etude.study.search_state import fitting_points, set_aside, state_of

    project.run(searched(project, replace(SEARCH, trials=8)))
    fits = project.calls().count("fit")
    space = Space({"x": Float(0.0, 0.6), "kind": Choice(("a", "b"))})
    narrow = searched(project, replace(SEARCH, space=space, trials=8, baseline=None))
    state = state_of(narrow, project.folder / ".etude")
    assert state is not None
    first = tuple(fitting_points(state, PARAMS))
    before = [state.history.trials[number] for number in sorted(state.history.ended)]
    wanted = [t for t in before if t.point["x"] <= 0.6 and t.point["kind"] != "bad"]  # type: ignore[operator]
    assert 0 < len(first) == len(wanted) < 8
    set_aside(state)
    result = project.run(narrow, first=first)
    assert result.prepared.search is not None
    trials = result.prepared.search.history.trials
    assert [trials[number].origin for number in range(len(first))] == ["told"] * len(first)
    cached = sum(t.point["kind"] == "b" or t.point["depth"] == 1 for t in wanted)
    assert project.calls().count("fit") == fits + 8 - cached


def test_the_best_points_of_a_search_become_the_points_of_another_study(project: Project) -> None:
    study = searched(project)
    project.run(study)
    top = replace(study, name="again", vary=Vary(top=Top(of="test", by="score.auc", k=3), repeat={"seed": (0, 7)}))
    from etude.study.prepare import prepare

    prepared = prepare(top, other_study=lambda _name: study)
    assert len(prepared.expansion.variants) == 6
    best = sorted(row["score.auc"] for row in project.run(study).records().to_pylist() if row["score.auc"])[-3:]
    first = project.run_prepared(prepared).records().to_pylist()
    assert sorted(row["score.auc"] for row in first if row["seed"] == 0) == best


def test_a_search_learns_from_a_table_of_earlier_results(project: Project) -> None:
    (project.folder / "earlier.csv").write_text(
        "note,x,kind,depth,objective\noutside,7.0,b,,0.5\nfirst,0.31,a,2,0.9\nsecond,0.9,b,,F_crash\nthird,7.0,b,,0.5\n"
    )
    found = project.run(searched(project, replace(SEARCH, trials=3, warm_start="earlier.csv"))).prepared.search
    assert found is not None
    warm = [trial for trial in found.history.trials.values() if trial.origin == "warm"]
    assert [(dict(trial.point), trial.values) for trial in warm] == [
        ({"x": 0.31, "kind": "a", "depth": 2}, (0.9,)),
        ({"x": 0.9, "kind": "b"}, None),
    ]
    assert len(found.history.ended) == 3
    assert found.left == "the search is done: 3 trials"


def test_a_search_learns_from_an_earlier_search(project: Project) -> None:
    from etude.study.prepare import prepare

    earlier = searched(project, replace(SEARCH, trials=6))
    first = project.run(earlier).prepared.search
    assert first is not None
    study = replace(searched(project, replace(SEARCH, trials=2, warm_start="test")), name="later")
    found = project.run_prepared(prepare(study, other_study=lambda _name: earlier)).prepared.search
    assert found is not None
    warm = [trial for trial in found.history.trials.values() if trial.origin == "warm"]
    before = [first.history.trials[number] for number in first.history.ended]
    assert [(dict(trial.point), trial.values, trial.outcome) for trial in warm] == [
        (dict(trial.point), trial.values, trial.outcome) for trial in before
    ]


def test_a_table_without_a_column_that_is_needed_is_refused_by_name(project: Project) -> None:
    (project.folder / "earlier.csv").write_text("x,knd,depth,objective\n0.31,a,2,0.9\n")
    with pytest.raises(ConfigError, match="no column for 'kind'") as error:
        project.run(searched(project, replace(SEARCH, trials=3, warm_start="earlier.csv")))
    assert "did you mean 'knd'" in str(error.value)


def test_a_search_in_processes_stops_hung_trials_and_goes_on(project: Project) -> None:
    project.write(STEPS.replace('    if kind == "bad":', '    if kind == "bad":\n        time.sleep(600)'))
    search = replace(SEARCH, trials=6, trial_timeout_s=2.0, workers=2)
    result = project.run(searched(project, search, backend="processes", workers=2))
    assert result.prepared.search is not None
    trials = result.prepared.search.history.trials.values()
    hung = [trial for trial in trials if trial.point["kind"] == "bad"]
    assert hung
    assert all(trial.outcome is TrialOutcome.TIMEOUT for trial in hung)
    assert all(2.0 <= (trial.ended_s or 0) - (trial.started_s or 0) <= 3.5 for trial in hung)


def test_what_a_killed_search_has_stored_is_kept_from_being_collected(project: Project) -> None:
    from etude.study.needed_results import needed_results

    result = project.run(searched(project, replace(SEARCH, trials=3)))
    etude = project.folder / ".etude"
    (log,) = (etude / "runs").glob("*/events.jsonl")
    (etude / "studies" / "test.json").unlink()
    assert needed_results(etude).latest == {}
    *lines, _ended = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines))
    stored = {node.fingerprint for node in result.prepared.plan.cached if node.name in ("model", "score")}
    assert stored <= needed_results(etude).latest["test"]


PRUNED = (
    CALLED
    + """
@step
def fit(*, x: float, ctx: Context) -> dict[str, float]:
    checkpoint = ctx.scratch / "epoch"
    start = int(checkpoint.read_text()) if checkpoint.exists() else 0
    called(f"fit-{x}-from-{start}")
    for epoch in range(start, 30):
        ctx.report(epoch + 1, x)
        checkpoint.write_text(str(epoch + 1))
        time.sleep(0.02)
        if ctx.stopping:
            raise Stopped("asked to")
    return {"auc": x}
"""
)


@pytest.mark.parametrize("backend", ["inline", "processes"])
def test_a_hopeless_trial_is_stopped_and_can_go_on_from_its_checkpoint(tmp_path: Path, backend: str) -> None:
    from etude.search.spec import StopEarly

    project = Project(tmp_path).write(PRUNED)
    search = Search(
        space=Space({"x": Float(0.0, 1.0)}),
        goal=Goal(metrics=("fit.auc",), directions=("maximize",)),
        trials=8,
        sampler="random",
        stop_early=StopEarly(method="asha", min_step=2, reduction=2),
        workers=2,
    )
    study = project.study(
        {"fit": ("fit", None, {"x": "${x}"})}, params={"x": 0.5}, vary=Vary(search=search), backend=backend, workers=2
    )
    result = project.run(study)
    assert result.prepared.search is not None
    trials = result.prepared.search.history.trials
    pruned = [trial for trial in trials.values() if trial.outcome is TrialOutcome.PRUNED]
    assert pruned
    assert {row["status"] for row in result.records().to_pylist()} == {"done", "pruned"}
    again = replace(study, name="again", vary=Vary(points=tuple(dict(trial.point) for trial in pruned)))
    assert project.run(again).succeeded
    resumed = [call for call in project.calls() if not call.endswith("from-0")]
    assert len(resumed) == len(pruned), "each went on from where it was stopped"
