from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.sources.quantity import Quality, Quantity, total, worst

MEASURED = Quantity(value=10.0, unit="joules", quality=Quality.MEASURED, method="counter", lo=9.0, hi=11.0)
ESTIMATED = Quantity(value=5.0, unit="joules", quality=Quality.ESTIMATED, method="model", lo=2.0, hi=9.0)
ABSENT = Quantity.absent("joules", "no sensor")


def test_a_sum_has_the_worst_quality_of_its_parts() -> None:
    assert total({"gpu0": MEASURED, "cpu": ESTIMATED}, "joules").quality is Quality.ESTIMATED


def test_a_sum_adds_values_and_both_ends_of_the_intervals() -> None:
    whole = total({"gpu0": MEASURED, "cpu": ESTIMATED}, "joules")
    assert (whole.value, whole.lo, whole.hi) == (15.0, 11.0, 20.0)


def test_a_sum_over_an_absent_part_is_unknown_and_names_it() -> None:
    whole = total({"gpu0": MEASURED, "dram": ABSENT}, "joules")
    assert whole.value is None
    assert whole.quality is Quality.ABSENT
    assert "dram: no sensor" in whole.reason


def test_a_sum_of_nothing_is_unknown_and_not_zero() -> None:
    assert total({}, "joules").value is None


def test_a_measured_zero_stays_zero() -> None:
    zero = Quantity(value=0.0, unit="joules", quality=Quality.MEASURED, method="counter", lo=0.0, hi=0.0)
    assert total({"gpu0": zero, "gpu1": zero}, "joules").value == 0.0


def test_the_worst_of_no_qualities_is_the_best() -> None:
    assert worst([]) is Quality.MEASURED


@given(st.lists(st.sampled_from(list(Quality)), min_size=1))
def test_the_worst_quality_is_no_better_than_any(qualities: list[Quality]) -> None:
    assert all(worst(qualities).rank >= quality.rank for quality in qualities)


@pytest.mark.parametrize("quantity", [MEASURED, ESTIMATED, ABSENT])
def test_json_tells_a_quantity_in_full(quantity: Quantity) -> None:
    assert Quantity.from_json(quantity.as_json(), "joules") == quantity


def test_json_keeps_an_unknown_value_as_null() -> None:
    assert ABSENT.as_json()["joules"] is None


def test_what_is_no_quantity_is_refused_with_its_content() -> None:
    with pytest.raises(MeterError, match="'joules': 'many'"):
        Quantity.from_json({"joules": "many", "quality": "measured", "method": ""}, "joules")


def test_scaling_moves_value_and_interval_alike() -> None:
    told = MEASURED.scaled(2.0)
    assert (told.value, told.lo, told.hi) == (20.0, 18.0, 22.0)
