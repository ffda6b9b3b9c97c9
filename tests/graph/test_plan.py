"""What runs, what is there and what is not needed, over stores from which anything may be missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.graph.plan import State
from etude.study.prepare import PreparedStudy
from etude.study.study import Study, Vary
from projects import Project

CODE = """
@step
def base(*, k: int) -> list[int]:
    return list(range(k))

@step
def scaled(base: list[int], *, by: int) -> dict[str, float]:
    return {"sum": float(by * sum(base))}

@step
def total(sums: Across[dict[str, float]]) -> float:
    return sum(each["sum"] for each in sums.values())
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path).write(CODE)


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that many examples use up."""
    return Project(tmp_path_factory.mktemp("plans"))


def study_of(project: Project) -> Study:
    return project.study(
        {"base": ("base", None, {"k": "${k}"}), "scaled": ("scaled", "base", {"by": "${by}"})},
        params={"k": 1, "by": 1},
        vary=Vary(grid={"k": (2, 3), "by": (1, 2)}),
        collect={"total": ("total", {"sums": "scaled[*]"})},
    )


def drop(prepared: PreparedStudy, *labels: str) -> None:
    for action in prepared.plan.actions:
        if action.node.label() in labels:
            shutil.rmtree(prepared.store.folder(action.node.fingerprint), ignore_errors=True)


def states(prepared: PreparedStudy) -> dict[str, State]:
    return {action.node.label(): action.state for action in prepared.plan.actions}


def test_a_missing_result_that_nothing_missing_reads_is_not_needed(project: Project) -> None:
    study = study_of(project)
    drop(project.run(study).prepared, "base k=2")
    planned = states(project.prepare(study))
    assert planned.pop("base k=2") is State.UNNEEDED
    assert set(planned.values()) == {State.CACHED}


def test_it_is_needed_once_something_that_reads_it_is_to_be_compared_anew(project: Project) -> None:
    study = study_of(project)
    drop(project.run(study).prepared, "base k=2", "scaled k=3 by=1")
    planned = states(project.prepare(study))
    assert planned["base k=2"] is State.RUN, "the records read it, and a node beside it runs"
    assert project.run(study).succeeded


LABELS = ["base k=2", "base k=3", *(f"scaled k={k} by={by}" for k in (2, 3) for by in (1, 2)), "records", "total"]


@settings(max_examples=60, deadline=None)
@given(missing=st.sets(st.sampled_from(LABELS)), edited=st.booleans())
def test_whatever_is_missing_a_run_makes_what_is_wanted(worn: Project, missing: set[str], edited: bool) -> None:
    study = study_of(worn)
    worn.write(CODE)
    drop(worn.run(study).prepared, *missing)
    if edited:
        worn.write(CODE.replace("by * sum(base)", "sum(base) * by"))
    result = worn.run(study)
    assert result.succeeded
    assert result.value("total") == 3 * (1 + 3)
    assert worn.prepare(study).plan.todo == ()


def test_a_store_that_is_gone_altogether_is_made_anew(project: Project) -> None:
    study = study_of(project)
    project.run(study)
    shutil.rmtree(Path(project.folder) / ".etude" / "store")
    assert project.run(study).value("total") == 3 * (1 + 3)
