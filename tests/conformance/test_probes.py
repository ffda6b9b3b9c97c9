"""What a tool that caches must get right, whatever changed between two runs. No row may ever give a wrong answer.

The rows were run against ten other tools; none is right on all of them.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from project import Project, Version

BASE = Version()

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


CHANGES = [
    pytest.param(BASE, "", id="nothing changed"),
    pytest.param(replace(BASE, x=2), "abcd", id="a setting of a"),
    pytest.param(replace(BASE, b_adds="+ 20"), "bc", id="the body of b"),
    pytest.param(replace(BASE, a_body="x + 1"), "abcd", id="the body of a, which now gives another value"),
    pytest.param(replace(BASE, helper="+ 200"), "bc", id="a helper in the same file"),
    pytest.param(replace(BASE, other_module="+ 2000"), "bc", id="a helper in another module"),
    pytest.param(replace(BASE, constant=8), "bc", id="a constant of the module"),
    pytest.param(replace(BASE, default=5), "bc", id="a default of b"),
    pytest.param(replace(BASE, comment="changed"), "", id="a comment in b"),
    pytest.param(replace(BASE, a_body="x + 0"), "a", id="the code of a, which gives the same value: early cut-off"),
    pytest.param(replace(BASE, c_from="d"), "c", id="c reads d in place of b"),
    pytest.param(replace(BASE, workers=1), "", id="the number of workers"),
    pytest.param(replace(BASE, backend="inline"), "", id="the backend"),
]


@pytest.mark.parametrize(("version", "recomputed"), CHANGES)
def test_after_a_change_the_answer_is_right_and_only_what_it_reaches_is_computed(
    project: Project, version: Version, recomputed: str
) -> None:
    first = project.run(BASE)
    assert (first.code, first.calls) == (0, "abcd"), first.output
    second = project.run(version)
    assert second.code == 0, second.output
    assert project.value("c") == version.c
    assert project.value("d") == version.d
    assert second.calls == recomputed


def test_going_back_to_an_earlier_setting_computes_nothing_and_is_right(project: Project) -> None:
    project.run(BASE)
    project.run(replace(BASE, x=2))
    back = project.run(BASE)
    assert (back.code, back.calls, project.value("c")) == (0, "", BASE.c)


@pytest.mark.parametrize("backend", ["processes", "inline"])
def test_a_step_that_changes_its_input_does_not_change_what_its_sibling_sees(project: Project, backend: str) -> None:
    version = replace(BASE, b_changes_its_input=True, backend=backend)
    assert project.run(version).code == 0
    assert project.value("d") == version.d


def test_a_failing_branch_leaves_the_others_done_and_its_failure_is_not_cached(project: Project) -> None:
    first = project.run(replace(BASE, d_fails=True))
    assert (first.code, first.calls) == (1, "abcd")
    assert project.value("c") == BASE.c
    second = project.run(BASE)
    assert (second.code, second.calls) == (0, "d")


def killed_in_b(project: Project, version: Version) -> None:
    project.write(version)
    project.log.write_text("")
    process = project.start()
    deadline = time.monotonic() + 60
    while "b" not in project.log.read_text().split():
        assert time.monotonic() < deadline, "b never started"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_run_killed_in_the_middle_is_taken_up_where_it_was(project: Project) -> None:
    version = replace(BASE, b_sleep_s=1.5)
    killed_in_b(project, version)
    again = project.run(version)
    assert again.code == 0, again.output
    assert "a" not in again.calls
    assert project.value("c") == version.c


def test_a_run_killed_after_a_change_never_mixes_old_and_new(project: Project) -> None:
    before = replace(BASE, b_sleep_s=1.5)
    after = replace(before, x=2)
    project.run(before)
    killed_in_b(project, after)
    again = project.run(after)
    assert (again.code, project.value("c"), project.value("d")) == (0, after.c, after.d)


def test_truncated_results_are_found_out_and_computed_again(project: Project) -> None:
    project.run(BASE)
    for path in project.stored_files():
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[: len(content) // 2])
    again = project.run(BASE)
    assert again.code == 0, again.output
    assert project.value("c") == BASE.c


def test_two_runs_at_once_compute_each_node_once(project: Project) -> None:
    version = replace(BASE, b_sleep_s=1.5)
    project.write(version)
    project.log.write_text("")
    runs = [project.start() for _ in range(2)]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert sorted(project.log.read_text().split()) == ["a", "b", "c", "d"]
    assert project.value("c") == version.c
