"""Rows are grouped by equal values, whatever type JSON gives them."""

from __future__ import annotations

import math

import pytest

from etude.analysis.grouping import group_rows, is_finite, key_of, name_of, results_of


def test_equal_values_are_one_group_in_the_order_first_met() -> None:
    rows = [{"k": 2, "x": 1}, {"k": 1, "x": 2}, {"k": 2.0, "x": 3}, {"k": "2", "x": 4}, {"k": True, "x": 5}]
    assert [[row["x"] for row in group] for group in group_rows(rows, ["k"])] == [[1, 3], [2], [4], [5]]
    assert group_rows(rows, []) == [rows]


def test_the_order_of_params_is_no_part_of_their_key() -> None:
    assert key_of({"a": 1, "b": 0.5}) == key_of({"b": 0.5, "a": 1.0}) != key_of({"a": 0.5, "b": 1})


def test_a_name_shows_the_params_asked_for_and_all_without_any() -> None:
    params = {"pooling": "max", "rate": 0.1, "flag": True, "none": None}
    assert name_of(params, ["rate", "pooling"]) == "rate=0.1, pooling=max"
    assert name_of(params, ["flag", "none"]) == "flag=true, none=null"
    assert name_of(params, []) == "all"


@pytest.mark.parametrize("said", [None, 1, "", "x", "[1]", "null"])
def test_results_that_are_not_said_are_none(said: object) -> None:
    assert results_of({"results": said}) == {}


def test_results_are_read_from_their_json() -> None:
    assert results_of({"results": '{"model": "abc"}'}) == {"model": "abc"}


@pytest.mark.parametrize(
    ("value", "finite"), [(1, True), (0.5, True), (math.inf, False), (math.nan, False), ("1", False), (None, False)]
)
def test_only_numbers_can_be_reckoned_with(value: object, finite: bool) -> None:
    assert is_finite(value) == finite
