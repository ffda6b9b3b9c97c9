"""How far a mean of physical numbers can be trusted: ends, quality and method."""

from __future__ import annotations

import math

import pytest

from etude.analysis.estimates import estimate
from etude.analysis.summary import Group, Interval
from etude.analysis.trust import Trusted, sum_of, trusted_values, with_shared_error, with_trust

PARTS = {"quality": "q", "method": "m", "low": "lo", "high": "hi"}


def trusted(value: float, low: float | None, high: float | None, quality: str = "estimated", by: str = "a") -> Trusted:
    return Trusted(value, low, high, quality, by)


def interval(*values: Trusted) -> tuple[float, float] | None:
    found = with_shared_error(estimate([one.value for one in values]), values).interval
    return found and (found.low, found.high)


def test_the_error_of_the_method_and_the_spread_are_added_in_quadrature_on_each_side() -> None:
    values = [trusted(10, 9, 13), trusted(12, 11, 15), trusted(14, 13, 17)]
    half = 4.302652729911275 * 2 / math.sqrt(3)  # Student's t of two degrees of freedom at 97.5 %, deviation 2
    found = interval(*values)
    assert found == pytest.approx((12 - math.hypot(1, half), 12 + math.hypot(3, half)))


def test_of_one_value_the_interval_is_its_own() -> None:
    assert interval(trusted(10, 9, 13)) == pytest.approx((9, 13))


def test_what_cannot_be_below_0_is_not_and_what_can_be_is() -> None:
    assert interval(trusted(1, 0, 1), trusted(9, 0, 9)) == pytest.approx((0, 5 + 12.706204736 * 4), rel=1e-6)
    below = interval(trusted(1, -1, 1), trusted(9, 0, 9))
    assert below is not None
    assert below[0] < 0


@pytest.mark.parametrize("other", [trusted(2, None, 3), trusted(2, 1, None), trusted(2, None, None)])
def test_with_an_end_that_is_not_known_there_is_no_interval(other: Trusted) -> None:
    assert interval(trusted(1, 0, 2), other) is None


def test_a_number_that_no_meter_read_is_left_as_it_is() -> None:
    found = estimate([1.0, 2.0])
    assert with_shared_error(found, []) is found
    nothing = estimate([])
    assert with_shared_error(nothing, [trusted(1, 0, 2)]) is nothing


def test_the_quality_is_the_worst_and_each_method_is_told_once() -> None:
    values = [trusted(1, 0, 2, "measured", "b"), trusted(1, 0, 2, "estimated", "a"), trusted(1, 0, 2, "", "b")]
    found = with_shared_error(estimate([1.0, 1.0, 1.0]), values)
    assert (found.quality, found.method) == ("estimated", "b / a")
    assert with_shared_error(estimate([1.0]), [trusted(1, 0, 2, "", "")]).quality == ""


def test_the_ends_of_a_sum_add_up_and_are_not_known_where_one_is_not() -> None:
    whole = sum_of([trusted(1, 0.5, 2), trusted(2, 1.5, 4, "measured", "b")])
    assert whole == Trusted(3, 2, 6, "estimated", "a / b")
    assert sum_of([trusted(1, None, 2), trusted(2, 1, 4)]) == Trusted(3, None, 6, "estimated", "a")


def test_values_that_are_missing_or_not_finite_are_left_out() -> None:
    rows = [
        {"x": 1, "q": "measured", "m": "a", "lo": 0.5, "hi": math.inf},
        {"x": None, "q": "measured"},
        {"x": math.nan},
        {"x": "2"},
        {"x": 2.0, "q": None},
    ]
    assert trusted_values(rows, "x", PARTS) == [
        Trusted(1.0, 0.5, None, "measured", "a"),
        Trusted(2.0, None, None, "", ""),
    ]


def test_only_the_physical_numbers_of_a_group_are_given_an_interval() -> None:
    row = {"x": 1.0, "q": "measured", "m": "a", "lo": 0.5, "hi": 2.0}
    group = Group(name="all", params={}, replicates=1, estimates={"x": estimate([1.0]), "y": estimate([1.0])})
    found = with_trust(group, [row], {"x": PARTS, "gone": PARTS})
    assert found.estimates["x"].interval == Interval(0.5, 2.0)
    assert found.estimates["y"] == group.estimates["y"]
    assert list(found.estimates) == ["x", "y"]
