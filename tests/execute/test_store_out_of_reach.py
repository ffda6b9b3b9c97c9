"""A store that is moved away while a step runs: what was computed waits for it, and nothing is made in its place."""

from __future__ import annotations

import pytest

from backend_contract import calls_of
from etude.execute import perform as performing
from etude.execute.perform import Host, perform
from etude.execute.task import Status, Task
from etude.study.prepare import PreparedStudy
from projects import CALLED, Project

STEPS = (
    CALLED
    + """
@step
def move_away(*, where: str) -> int:
    called("computed")
    Path(where).rename(Path(where).with_name("moved"))
    return 7

@step
def double(number: int) -> int:
    return 2 * number
"""
)


def laid_out(project: Project) -> tuple[PreparedStudy, Task]:
    where = str(project.folder / ".etude" / "store")
    study = project.write(STEPS).study({"it": ("move_away", None, {"where": where}), "d": ("double", "it")})
    prepared = project.prepare(study)
    call = calls_of(prepared)["it"]
    prepared.store.scratch(call.fingerprint)
    return prepared, call


def test_a_result_that_was_computed_waits_for_the_store_to_come_back(project: Project) -> None:
    prepared, call = laid_out(project)
    root = prepared.workplace.store

    def back() -> bool:
        root.with_name("moved").rename(root)
        return False

    assert perform(call, prepared.store, Host(asked_to_stop=back)).status is Status.DONE
    assert prepared.store.read(call.fingerprint) == 7
    assert project.calls() == ["computed"]


def test_a_store_that_stays_away_is_told_and_not_made_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "STORE_S", 0.0)
    prepared, call = laid_out(project)
    outcome = perform(call, prepared.store, Host())
    assert (outcome.status, outcome.again) == (Status.LOST, True)
    assert f"the store {prepared.store.root} is out of reach" in outcome.error
    assert not prepared.workplace.store.exists()


def test_a_run_whose_store_is_moved_away_is_told_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "STORE_S", 0.0)
    prepared, call = laid_out(project)
    root = prepared.workplace.store
    result = project.run_prepared(prepared)
    assert not result.succeeded
    assert "out of reach" in str([failure.outcome.error for failure in result.summary.failures])
    assert not (root / call.fingerprint[:2]).exists()
