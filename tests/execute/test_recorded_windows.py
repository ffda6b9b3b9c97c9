"""Windows of a cost as columns of the record, and values of several kinds in one column."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from etude.execute.node_metering import MOST_WINDOWS, cost_columns
from etude.execute.record_table import as_table


def spent(**energy: float | None) -> dict[str, Any]:
    parts = {
        name: {"joules": joules, "lo": joules and joules / 2, "hi": joules and 2 * joules}
        for name, joules in energy.items()
    }
    return {"count": 1, "wall_s": 2.0, "cpu_s": 3.0, "peak_rss_bytes": 4, "energy": parts}


def cost(windows: dict[str, Any], covers: list[str]) -> dict[str, Any]:
    return {"wall_s": 1.0, "energy_covered": {"joules": 9.0, "covers": covers}, "windows": windows}


def test_a_window_has_its_time_memory_and_the_energy_of_what_is_covered() -> None:
    found = cost_columns(cost({"training": spent(cpu=5.0, gpu0=6.0, dram=100.0)}, ["cpu", "gpu0"]))
    assert {name: value for name, value in found.items() if name.startswith("window.")} == {
        "window.training.wall_s": 2.0,
        "window.training.cpu_s": 3.0,
        "window.training.peak_rss_bytes": 4,
        "window.training.energy_j": 11.0,
        "window.training.energy_low_j": 5.5,
        "window.training.energy_high_j": 22.0,
    }


def test_energy_of_which_a_part_is_not_known_is_not_known() -> None:
    for parts, covers in (({"cpu": None}, ["cpu"]), ({"cpu": 1.0}, ["cpu", "gpu0"]), ({}, []), ({}, ["cpu"])):
        assert cost_columns(cost({"w": spent(**parts)}, covers))["window.w.energy_j"] is None


def test_windows_go_by_the_last_of_their_names_unless_several_have_it() -> None:
    windows = {name: spent() for name in ("a", "a/inner", "b", "b/inner", "b/deep")}
    found = {name.removesuffix(".wall_s") for name in cost_columns(cost(windows, [])) if name.endswith(".wall_s")}
    assert found == {"window.a", "window.a/inner", "window.b", "window.b/inner", "window.deep"}


def test_every_kind_of_window_is_in_the_record() -> None:
    windows = {f"phase{index}": spent() for index in range(MOST_WINDOWS)}
    found = cost_columns(cost(windows, []))
    assert all(f"window.{name}.wall_s" in found for name in windows)
    assert "windows_left_out" not in found


def test_of_a_great_many_kinds_the_longest_are_kept_and_the_others_are_counted() -> None:
    windows = {f"phase{index}": spent() | {"wall_s": float(index)} for index in range(MOST_WINDOWS + 7)}
    found = cost_columns(cost(windows, []))
    assert found["windows_left_out"] == 7
    assert [f"window.phase{index}.wall_s" in found for index in (6, 7, MOST_WINDOWS + 6)] == [False, True, True]


def test_a_cost_without_windows_has_the_columns_that_it_had() -> None:
    assert cost_columns({"wall_s": 1.0})["wall_s"] == 1.0


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=5)
)


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_values_of_several_kinds_come_back_from_the_records_as_they_went_in(values: list[Any]) -> None:
    rows = [{"variant": str(index), "n.m": value} for index, value in enumerate(values)]
    found = as_table(rows, {})["n.m"].to_pylist()
    kinds = {type(value) for value in values if value is not None}
    assert [value is None for value in found] == [value is None for value in values]
    if kinds <= {int, float} or len(kinds) == 1:
        assert found == values
    else:
        told = [None if value is None else json.loads(value) for value in found]
        assert told == values
        assert list(map(type, told)) == list(map(type, values))
    assert all(math.copysign(1, a) == math.copysign(1, b) for a, b in zip(found, values) if type(a) is type(b) is float)
