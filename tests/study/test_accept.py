"""Results are adopted where a user vouches for a change of code, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import ConfigError
from etude.study.accept import accept_node
from etude.study.study import Study
from projects import CALLED, Project

CODE = """
@step
def base(*, k: int = 1) -> int:
    called("base")
    return k

@step
def twice(base: int) -> int:
    called("twice")
    return 2 * base
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def edited(project: Project, *changes: tuple[str, str]) -> Project:
    code = CODE
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    return Project(project.folder, project.module).write(CALLED + code)


def study_of(project: Project, k: int = 1) -> Study:
    return project.study({"base": ("base", None, {"k": k}), "twice": ("twice", "base")})


TWICE = ("return 2 * base", "return base + base")
BASE = ("return k\n", "return 1 * k\n")


def test_an_adopted_result_is_not_computed_again_and_says_why(project: Project) -> None:
    edited(project)
    project.run(study_of(project))
    again = edited(project, TWICE)
    told = accept_node(again.prepare(study_of(again)), "twice", "the same by algebra")
    assert [str(change) for change in told["twice"]] == [f"symbol {project.module}:twice changed"]
    result = again.run(study_of(again))
    assert result.value("twice") == 2
    assert project.calls() == ["base", "twice"]
    action = again.prepare(study_of(again)).plan.actions[-1]
    accepted = {one.node.name: one.manifest for one in again.prepare(study_of(again)).plan.actions}["twice"]
    assert action.state == "cached"
    assert accepted is not None
    assert accepted.provenance["accepted"]["because"] == "the same by algebra"


def test_a_result_is_adopted_only_once_what_it_reads_is_there(project: Project) -> None:
    edited(project)
    project.run(study_of(project))
    again = edited(project, TWICE, BASE)
    with pytest.raises(ConfigError) as error:
        accept_node(again.prepare(study_of(again)), "twice", "the same")
    assert error.value.faults[0].mend


@pytest.mark.parametrize("by", ["run", "accept"])
def test_a_result_is_adopted_where_what_it_reads_was_made_anew_with_the_same_bytes(project: Project, by: str) -> None:
    edited(project)
    project.run(study_of(project))
    again = edited(project, TWICE, BASE)
    if by == "accept":
        accept_node(again.prepare(study_of(again)), "base", "the same")
    else:
        again.run(study_of(again), until=("base",))
    accept_node(again.prepare(study_of(again)), "twice", "the same by algebra")
    assert again.run(study_of(again)).value("twice") == 2
    assert project.calls() == ["base", "twice", *(["base"] if by == "run" else [])]


def test_a_result_is_not_adopted_where_what_it_reads_has_other_bytes(project: Project) -> None:
    edited(project)
    project.run(study_of(project))
    again = edited(project, TWICE, ("return k\n", "return k + 1\n"))
    again.run(study_of(again), until=("base",))
    with pytest.raises(ConfigError, match="upstream base is made anew"):
        accept_node(again.prepare(study_of(again)), "twice", "the same")


def test_a_setting_that_differs_is_never_adopted(project: Project) -> None:
    edited(project)
    project.run(study_of(project))
    with pytest.raises(ConfigError, match="more than its code has changed: setting k: 1 → 2"):
        accept_node(project.prepare(study_of(project, k=2)), "base", "no matter")


def test_there_is_nothing_to_adopt_where_nothing_is_to_be_run(project: Project) -> None:
    edited(project)
    project.run(study_of(project))
    with pytest.raises(ConfigError, match="nothing to accept"):
        accept_node(project.prepare(study_of(project)), "twice", "no matter")


def test_a_run_pauses_at_the_node_and_the_moment_asked_for(project: Project) -> None:
    edited(project)
    met: list[tuple[str, str]] = []

    def pause(moment: str, name: str, at_hand: object) -> None:
        met.append((moment, name))

    project.run(study_of(project), pause=pause, break_after="base", break_before="twice")
    assert met == [("after", "base"), ("before", "twice")]


@pytest.mark.parametrize("which", ["break_before", "break_after"])
def test_a_pause_at_a_node_that_there_is_not_is_refused(project: Project, which: str) -> None:
    edited(project)
    with pytest.raises(ConfigError, match="tiwce"):
        project.prepare(study_of(project), **{which: "tiwce"})
