"""The picture of a study's nodes: in the terminal, as SVG and as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import Etude, etude_in
from etude.cli.commands.graph import GraphNode, lane_lines, svg_text

STEPS = """
from etude import step

@step
def numbers(*, count: int) -> list[int]:
    return list(range(count))

@step
def score(numbers: list[int], *, rate: float) -> dict[str, float]:
    if rate > 5:
        raise ValueError("too high")
    return {"accuracy": rate * sum(numbers)}
"""

STUDY = """
name: small
params: {rate: 1.0}
pipeline:
  data: {step: "graph_steps:numbers", with: {count: 4}}
  quality: {step: "graph_steps:score", from: data, with: {rate: "${rate}"}}
vary: {grid: {rate: [1.0, 9.0]}}
collect:
  table: {step: analysis.aggregate, from: records}
place: {backend: inline}
"""


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    (tmp_path / "small.yaml").write_text(STUDY)
    (tmp_path / "graph_steps.py").write_text(STEPS)
    (tmp_path / "etude.toml").write_text("")
    monkeypatch.delitem(sys.modules, "graph_steps", raising=False)
    return etude_in(tmp_path, monkeypatch, capfd)


def test_a_chain_stands_in_one_lane() -> None:
    assert lane_lines("abc", [("a", "b"), ("b", "c")]) == ["●", "●", "●"]


def test_a_fork_opens_a_lane_and_a_join_closes_it() -> None:
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    assert lane_lines("abcd", edges) == ["●  ", "├─●", "● │", "●─┘"]


def test_an_arrow_passes_lanes_that_are_none_of_its_own() -> None:
    edges = [("a", "e"), ("b", "d"), ("c", "d"), ("a", "d")]
    assert lane_lines("abcde", edges) == ["●    ", "│ ●  ", "│ │ ●", "├─●─┘", "●    "]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    names = [f"n{number}" for number in range(draw(st.integers(1, 12)))]
    pairs = [(one, other) for place, other in enumerate(names) for one in names[:place]]
    return names, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


@given(graphs())
def test_each_node_has_one_dot_and_as_many_joints_as_it_reads(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    names, edges = graph
    for name, line in zip(names, lane_lines(*graph), strict=True):
        assert line.count("●") == 1
        joints = sum(line.count(mark) for mark in "├└┤┘┼┴")
        read = sum(target == name for _, target in edges)
        assert joints in (read, read - 1)  # the last reader of a node may stand in its lane


@given(graphs())
def test_a_picture_has_a_box_for_each_node_and_a_line_for_each_arrow(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    names, edges = graph
    nodes = [
        GraphNode(name=f"{name}<&>", step="m:f", results=1, states={"cached": 1}, wall_s=None, energy_j=None)
        for name in names
    ]
    root = ElementTree.fromstring(svg_text("a & b", nodes, [(f"{one}<&>", f"{other}<&>") for one, other in edges]))
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}g/{space}rect")) == len(names)
    assert len(root.findall(f"{space}path")) == len(edges)


def test_a_node_is_told_by_its_states_and_what_it_cost(etude: Etude) -> None:
    assert "to run" in etude("graph", "small.yaml").out
    etude("run", "small.yaml")
    lines = etude("graph", "small.yaml").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["●", name] for name in ("data", "quality", "records", "table")]
    assert "1 cached" in lines[0]
    assert lines[0].split()[-1] in ("ms", "s", "µs")
    assert "1 cached, 1 failed" in lines[1]


def test_a_graph_is_told_to_programs(etude: Etude) -> None:
    etude("run", "small.yaml")
    told = json.loads(etude("graph", "small.yaml", "--until", "quality", "--json").out)
    assert told["edges"] == [["data", "quality"]]
    assert told["nodes"][1]["states"] == {"cached": 1, "failed": 1}
    assert told["nodes"][0]["wall_s"] > 0


def test_a_graph_is_drawn_into_a_file(etude: Etude, tmp_path: Path) -> None:
    said = etude("graph", "small.yaml", "--svg", "figures/graph.svg")
    assert said.out.strip() == "figures/graph.svg"
    assert "quality" in (tmp_path / "figures" / "graph.svg").read_text()
