"""Which nodes go to a worker together, and which are not worth a job of their own."""

from __future__ import annotations

import pytest

from etude.graph.node import RECORDS_STEP
from etude.pilots.durations import MOST_TOGETHER, Durations


def durations(*wall_s: object) -> Durations:
    known = Durations()
    for each in wall_s:
        known.note("it", each)
    return known


@pytest.mark.parametrize(("wall_s", "count"), [(0.0, MOST_TOGETHER), (0.05, 10), (0.3, 1), (60.0, 1)])
def test_as_many_nodes_go_together_as_take_half_a_second(wall_s: float, count: int) -> None:
    assert durations(wall_s).together("it") == count


def test_a_node_of_which_nothing_was_measured_goes_alone_and_is_not_small() -> None:
    known = durations(None)
    assert known.together("it") == 1
    assert not known.is_small("it", "m:f", None)


def test_a_node_is_small_when_none_of_its_latest_results_took_long() -> None:
    assert durations(0.1, 0.9).is_small("it", "m:f", None)
    assert not durations(0.1, 5.0, 0.1).is_small("it", "m:f", None)
    assert not durations(0.1).is_small("another", "m:f", None)


def test_a_node_is_small_when_the_study_says_so_and_when_it_makes_tables_of_records() -> None:
    assert Durations().is_small("it", "m:f", 5.0)
    assert not Durations().is_small("it", "m:f", 3600.0)
    assert Durations().is_small("table", "etude.analysis.steps:aggregate", None)
    assert Durations().is_small("records", RECORDS_STEP, None)
