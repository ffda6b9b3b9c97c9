"""The picture of a plan: everything flows from left to right, and nothing lies on anything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.report.charts.plot import log_ticks, ticks
from etude.report.page.findings import NodeBox
from etude.report.page.plan_graph import crossings, layers_of, picture_of_graph


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    names = [f"n{index}" for index in range(draw(st.integers(1, 9)))]
    pairs = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
    return names, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14)) if pairs else []


@given(graphs())
def test_every_edge_runs_to_the_right_one_layer_at_a_time(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    drawn = layers_of(*graph)
    for source, target, places in drawn.edges:
        assert places[0] == drawn.nodes[source]
        assert places[-1] == drawn.nodes[target]
        assert [int(x) for x, _ in places] == list(range(int(places[0][0]), int(places[-1][0]) + 1))
        assert len(places) > 1


@given(graphs())
def test_no_two_nodes_share_a_place_and_none_lies_on_an_edge(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    drawn = layers_of(*graph)
    assert len(set(drawn.nodes.values())) == len(graph[0])
    between = [place for _, _, places in drawn.edges for place in places[1:-1]]
    assert not set(between) & set(drawn.nodes.values())
    assert all(0 <= y <= drawn.rows - 1 for _, y in drawn.nodes.values())


@given(graphs())
def test_a_graph_is_laid_out_the_same_way_each_time(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    assert layers_of(*graph) == layers_of(*graph)


def test_crossings_that_can_be_undone_are_undone() -> None:
    drawn = layers_of(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    ys = {name: place[1] for name, place in drawn.nodes.items()}
    assert (ys["a"] - ys["b"]) * (ys["y"] - ys["x"]) > 0
    assert crossings([["a", "b"], ["x", "y"]], [("a", "y"), ("b", "x")]) == 1


def test_a_circle_is_refused() -> None:
    with pytest.raises(AssertionError, match="circle"):
        layers_of(["a", "b"], [("a", "b"), ("b", "a")])


FINITE = st.floats(-1e12, 1e12)


@given(FINITE, FINITE)
def test_round_numbers_cover_the_range_and_are_few(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    slack = max(abs(low), abs(high), 1e-300) * 1e-6
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 15
    assert found == sorted(set(found))


@given(st.floats(1e-9, 1e9), st.floats(1.0, 1e9))
def test_round_numbers_on_a_logarithmic_axis_cover_the_range(low: float, factor: float) -> None:
    found = log_ticks(low, low * factor)
    assert found[0] <= low * (1 + 1e-9)
    assert found[-1] >= low * factor * (1 - 1e-9)
    assert found == sorted(set(found))


def test_an_arrow_ends_at_the_left_side_of_the_box_that_reads() -> None:
    boxes = [NodeBox(name=name, step="s", results=1, stored=1, kind="pipeline") for name in "abc"]
    picture = str(picture_of_graph(boxes, [("a", "b"), ("b", "c"), ("a", "c")], "p"))
    lefts = [float(x) for x in re.findall(r'<rect x="([\d.]+)"', picture)]
    paths = re.findall(r'<path d="(M[^"]+)" class="edge"', picture)
    assert len(paths) == 3
    assert {float(re.findall(r"[\d.]+", path)[-2]) for path in paths} <= set(lefts)
    assert sorted("H" in path for path in paths) == [False, False, True]
