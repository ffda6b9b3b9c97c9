"""What makes two results the same: identity, and nothing of execution."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etude.graph.node import Node
from etude.study.prepare import prepare
from etude.study.study import NodeSpec, PlaceSettings, Study
from projects import Project, node

STEPS = """
from typing import Annotated

SCALE = 3

def helper(x):
    return x * SCALE

@step
def leaf(*, value: object, other: float = 1.0, workers: Annotated[int, placement] = 1) -> object:
    return value

@step
def join(*parts: object, label: str = "") -> object:
    return [helper(1), *parts]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("fingerprints")).write(STEPS)


def fingerprints(project: Project, pipeline: dict[str, NodeSpec], place: PlaceSettings | None = None) -> dict[str, str]:
    study = Study(name="s", pipeline=pipeline, place=place or PlaceSettings(), project=project.folder)
    nodes = prepare(study).expansion.nodes[0]
    return {name: planned.fingerprint for name, planned in nodes.items()}


@st.composite
def graphs(draw: st.DrawFn, project_module: str = "") -> list[list[int]]:
    """For each node the earlier nodes that it reads."""
    count = draw(st.integers(2, 9))
    return [draw(st.lists(st.integers(0, index - 1), max_size=3)) if index else [] for index in range(count)]


def pipeline_of(project: Project, graph: list[list[int]], changed: int | None = None, **on: int) -> dict[str, NodeSpec]:
    made = {}
    for index, reads in enumerate(graph):
        mark = "changed" if index == changed else "as it was"
        if reads:
            sources = {str(place): f"n{other}" for place, other in enumerate(reads)}
            made[f"n{index}"] = node(f"n{index}", f"{project.module}:join", sources, {"label": f"{index} {mark}"}, **on)
        else:
            made[f"n{index}"] = node(f"n{index}", f"{project.module}:leaf", None, {"value": [index, mark]}, **on)
    return made


def downstream(graph: list[list[int]], start: int) -> set[str]:
    reached = {start}
    for index, reads in enumerate(graph):
        if reached & set(reads):
            reached.add(index)
    return {f"n{index}" for index in reached}


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@relaxed
@given(graph=graphs(), data=st.data())
def test_a_changed_setting_changes_exactly_the_nodes_downstream(
    project: Project, graph: list[list[int]], data: st.DataObject
) -> None:
    changed = data.draw(st.integers(0, len(graph) - 1))
    before = fingerprints(project, pipeline_of(project, graph))
    after = fingerprints(project, pipeline_of(project, graph, changed))
    assert {name for name in before if before[name] != after[name]} == downstream(graph, changed)


@relaxed
@given(graph=graphs(), workers=st.integers(1, 99), gpus=st.integers(0, 3), memory=st.integers(1, 10**12))
def test_where_and_how_a_study_runs_changes_nothing(
    project: Project, graph: list[list[int]], workers: int, gpus: int, memory: int
) -> None:
    here = fingerprints(project, pipeline_of(project, graph))
    there = fingerprints(
        project,
        pipeline_of(project, graph, gpus=gpus, memory_bytes=memory),
        PlaceSettings(backend="inline", workers=workers, store="elsewhere", retries=7),
    )
    assert here == there


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def leaf(project: Project, **given: object) -> str:
    return fingerprints(project, {"n": node("n", f"{project.module}:leaf", None, given)})["n"]


def typed(value: object) -> object:
    """The value such that equality tells types apart, zeros by their sign too."""
    if isinstance(value, dict):
        return ("dict", frozenset((key, typed(inner)) for key, inner in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(typed, value)))
    return (type(value).__name__, repr(value))


@relaxed
@given(json_values, json_values)
def test_two_settings_share_a_fingerprint_only_if_they_are_the_same_value(
    project: Project, first: object, second: object
) -> None:
    assert (leaf(project, value=first) == leaf(project, value=second)) == (typed(first) == typed(second))


def test_the_order_of_settings_changes_nothing(project: Project) -> None:
    assert leaf(project, value=1, other=2.0) == leaf(project, other=2.0, value=1)


def test_a_default_written_out_changes_nothing_and_another_value_does(project: Project) -> None:
    assert leaf(project, value=1) == leaf(project, value=1, other=1.0) == leaf(project, value=1, other=1)
    assert leaf(project, value=1) != leaf(project, value=1, other=2.0)


def test_a_placement_setting_changes_nothing(project: Project) -> None:
    assert leaf(project, value=1) == leaf(project, value=1, workers=8)


def test_the_name_of_a_node_changes_nothing(project: Project) -> None:
    spec = node("n", f"{project.module}:leaf", None, {"value": 1})
    assert set(fingerprints(project, {"n": spec}).values()) == set(
        fingerprints(project, {"other": node("other", spec.step, None, {"value": 1})}).values()
    )


def test_the_order_and_the_item_of_inputs_count(project: Project) -> None:
    leaves = {f"l{index}": node(f"l{index}", f"{project.module}:leaf", None, {"value": index}) for index in (0, 1)}

    def joined(**sources: str) -> str:
        join = node("j", f"{project.module}:join", {key.removeprefix("_"): to for key, to in sources.items()})
        return fingerprints(project, {**leaves, "j": join})["j"]

    assert len({joined(_0="l0", _1="l1"), joined(_0="l1", _1="l0"), joined(_0="l0"), joined(_0="l0.a")}) == 4


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("SCALE = 3", "SCALE = 4", {"join"}),
        ("return x * SCALE", "return SCALE * x", {"join"}),
        ("return value", "return [value][0]", {"leaf"}),
        ("other: float = 1.0", "other: float = 2.0", {"leaf"}),
        ("def helper(x):", "def helper(x):\n    '''Why.'''\n    # because", set()),
        ("return [helper(1), *parts]", "return [helper( 1 ),\n            *parts]", set()),
        ("SCALE = 3", "SCALE = 3\nUNRELATED = 4", set()),
    ],
)
def test_code_counts_where_it_is_reached_and_only_there(tmp_path: Path, old: str, new: str, changes: set[str]) -> None:
    project = Project(tmp_path)

    def both(code: str) -> dict[str, str]:
        project.write(code)
        return fingerprints(
            project,
            {
                "leaf": node("leaf", f"{project.module}:leaf", None, {"value": 1}),
                "join": node("join", f"{project.module}:join", None, {"label": "x"}),
            },
        )

    before, after = both(STEPS), both(STEPS.replace(old, new))
    assert {name for name in before if before[name] != after[name]} == changes


def test_the_same_project_elsewhere_has_the_same_fingerprints(tmp_path: Path, project: Project) -> None:
    (tmp_path / "copy").mkdir()
    module = f"{project.module}_moved"
    for folder in (tmp_path, tmp_path / "copy"):
        (folder / f"{module}.py").write_text((project.folder / f"{project.module}.py").read_text())

    def planned(folder: Path) -> Node:
        spec = node("n", f"{module}:leaf", None, {"value": 1})
        return prepare(Study(name="s", pipeline={"n": spec}, project=folder)).expansion.nodes[0]["n"]

    assert planned(tmp_path).fingerprint == planned(tmp_path / "copy").fingerprint
