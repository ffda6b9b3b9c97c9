"""Start-up is taken out of a cost into an account of its own, and both together are the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.meter.accounting.carbon import Footprint, custom_factor
from etude.meter.accounting.cost import START_UP, Cost, Energy, WindowCost
from etude.meter.accounting.start_up import without_start_up
from etude.meter.sources.quantity import Quality, Quantity


def joules(value: float | None, quality: Quality = Quality.MEASURED, method: str = "m") -> Quantity:
    if value is None:
        return Quantity.absent("joules", "below the counter's period")
    return Quantity(
        value=value, unit="joules", quality=quality, method=method, lo=max(0.0, value - 5.0), hi=value + 5.0
    )


def measured(
    windows: dict[str, tuple[float, float | None]], whole: float = 100.0, quality: Quality = Quality.MEASURED
) -> Cost:
    """A cost of 10 s and 100 J with windows: path → seconds, joules."""
    energy = Energy(component="cpu", source="m", joules=joules(whole, quality), gross_j=whole, share=1.0)
    return Cost(
        wall_s=10.0,
        cpu_s=8.0,
        energy={"cpu": energy},
        covers=("cpu",),
        covered=joules(whole, quality),
        windows={
            path: WindowCost(count=1, wall_s=wall, cpu_s=wall, energy={"cpu": joules(value)})
            for path, (wall, value) in windows.items()
        },
    )


def test_what_starts_up_is_in_no_figure_of_the_work() -> None:
    told = without_start_up(measured({"train": (6.0, 50.0), f"train/{START_UP}": (2.0, 20.0), START_UP: (1.0, 10.0)}))
    assert (told.wall_s, told.cpu_s, told.covered.value) == (7.0, 5.0, 70.0)
    assert (told.covered.lo, told.covered.hi) == (65.0, 75.0)
    assert list(told.windows) == ["train"]
    assert (told.windows["train"].wall_s, told.windows["train"].energy["cpu"].value) == (4.0, 30.0)
    assert told.start_up is not None
    assert (told.start_up.count, told.start_up.wall_s, told.start_up.energy["cpu"].value) == (2, 3.0, 30.0)


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.sampled_from(list(Quality)[:-1]))
def test_work_and_start_up_together_are_the_whole(one: float, other: float, quality: Quality) -> None:
    told = without_start_up(
        measured({START_UP: (1.0, one), f"a/{START_UP}": (1.0, other), "a": (2.0, other)}, 100, quality)
    )
    assert told.start_up is not None
    apart = told.start_up.energy["cpu"].value
    assert apart is not None
    assert told.covered.value is not None
    assert told.covered.value + apart == pytest.approx(100.0)
    assert told.covered.lo is not None
    assert told.covered.hi is not None
    assert told.covered.lo <= told.covered.value <= told.covered.hi


def test_no_start_up_is_a_measured_zero() -> None:
    told = without_start_up(measured({"train": (6.0, 50.0)}))
    assert told.start_up is not None
    assert (told.start_up.count, told.start_up.wall_s, told.start_up.energy["cpu"].value) == (0, 0.0, 0.0)
    assert told.covered.value == 100.0
    assert told.as_json()["start_up"]["joules"] == 0.0


def test_where_the_counter_is_too_slow_to_tell_it_goes_by_time_and_says_so() -> None:
    told = without_start_up(measured({START_UP: (2.0, None)}))
    assert told.covered.value == pytest.approx(80.0)
    assert told.covered.quality is Quality.ESTIMATED
    assert told.start_up is not None
    assert told.start_up.energy["cpu"].method == "m, by time"


def test_energy_that_is_not_known_stays_so() -> None:
    blind = replace(
        measured({START_UP: (2.0, None)}),
        energy={"cpu": Energy(component="cpu", source="m", joules=joules(None), gross_j=None, share=1.0)},
        covered=joules(None),
    )
    told = without_start_up(blind)
    assert told.covered.value is None
    assert told.covered.reason == "cpu: below the counter's period"
    assert told.as_json()["start_up"]["joules"] is None
    assert without_start_up(replace(blind, windows={})).as_json()["start_up"]["joules"] is None


def test_carbon_is_that_of_the_work() -> None:
    told = without_start_up(measured({START_UP: (1.0, 64.0)}), footprint=Footprint(factor=custom_factor(360.0)))
    assert told.carbon.value == pytest.approx(36 * 1e-4)


def test_the_record_comes_back_as_it_was() -> None:
    told = without_start_up(replace(measured({START_UP: (1.0, 10.0)}), first_in_process=True, order=3, others_cpus=0.5))
    back = Cost.from_json(told.as_json())
    assert (back.first_in_process, back.order, back.others_cpus) == (True, 3, 0.5)
    assert back.start_up is not None
    assert back.start_up.energy["cpu"].value == 10.0
