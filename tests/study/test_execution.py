"""A run of a study: what it expects to take, and what it comes to where there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.execute.run_events import Event, EventKind
from etude.study.execution import Execution, _expected_s
from etude.study.prepare import Options
from projects import CALLED, Project, environment


def test_the_time_expected_of_a_node_is_the_mean_over_its_stored_results(tmp_path: Path) -> None:
    project = Project(tmp_path).write("@step\ndef one(*, k: int) -> int: return k\n")
    study = project.study({"a": ("one", None, {"k": 1}), "b": ("one", None, {"k": 2})})
    assert _expected_s(project.prepare(study).plan.actions) == {}
    project.run(study)
    actions = project.prepare(study).plan.actions
    times = {
        action.node.name: action.manifest.cost["wall_s"]
        for action in actions
        if action.manifest and "wall_s" in action.manifest.cost
    }
    for action in actions:
        action.node.name = "same"
    mean = (times["a"] + times["b"]) / 2
    assert _expected_s([one for one in actions if one.node.step.endswith(":one")])["same"] == pytest.approx(mean)


def test_a_run_with_nothing_to_do_has_no_identifier_and_takes_no_time(project: Project) -> None:
    study = project.write("@step\ndef one() -> int:\n    return 1\n").study({"n": ("one",)})
    first = project.run(study)
    assert 0 <= project.events[-1].data["wall_s"] < 3600
    again = project.run(study)
    assert (first.run != "", again.run) == (True, "")
    assert 0 <= again.wall_s < 60
    assert not project.events


def test_a_node_that_is_forced_is_computed_once_though_the_run_starts_over_for_a_damaged_result(tmp_path: Path) -> None:
    code = """
@step
def number(*, value: int) -> int:
    called("number")
    return value

@step
def double(n: int) -> int:
    return 2 * n
"""
    project = Project(tmp_path).write(code + CALLED)
    study = project.study(
        {"m": ("number", None, {"value": 1}), "n": ("number", None, {"value": 4}), "d": ("double", "n")}
    )
    project.run(study)
    options = Options(environment=environment(), rerun=("m", "n", "d"))
    prepared = project.prepare(study, rerun=("m", "n", "d"))
    damaged = prepared.store.folder(prepared.expansion.named("n")[0].fingerprint) / "manifest.json"
    times: list[str] = []

    def damage_once(event: Event) -> None:
        if event.kind is EventKind.DONE and event.name == "n" and not times:
            times.append(event.name)
            damaged.unlink()

    result = Execution(prepared, options, damage_once).run()
    assert result.succeeded
    assert result.value("d") == 8
    assert project.calls() == ["number"] * 5
