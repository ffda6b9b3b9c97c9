"""A run of a study: what it expects to take, and what it comes to where there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.study.execution import _expected_s
from projects import Project


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
    first, again = project.run(study), project.run(study)
    assert (first.run != "", again.run) == (True, "")
    assert 0 <= again.wall_s < 60
    assert not project.events
