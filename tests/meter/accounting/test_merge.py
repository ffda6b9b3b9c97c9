"""Several costs as one: ranks share time and devices, attempts add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etude.meter.accounting.carbon import Footprint, custom_factor
from etude.meter.accounting.cost import Cost, DeviceSpan, Energy, Memory, WindowCost
from etude.meter.accounting.merge import merge_attempts, merge_ranks
from etude.meter.sources.quantity import Quality, Quantity

SECOND = 1_000_000_000


def joules(value: float) -> Quantity:
    return Quantity(
        value=value, unit="joules", quality=Quality.ESTIMATED, method="model", lo=0.5 * value, hi=2.0 * value
    )


def spent(device: str, value: float, start_s: float = 0.0, end_s: float = 10.0) -> Cost:
    """What a process cost that a meter of this device has followed."""
    component = "cpu" if device.startswith("process:") else "gpu0"
    span = DeviceSpan(device=device, start_ns=round(start_s * SECOND), end_ns=round(end_s * SECOND), joules=value)
    energy = Energy(component=component, source="m", joules=joules(value), gross_j=value, share=1.0, spans=(span,))
    return Cost(
        wall_s=end_s - start_s,
        cpu_s=4.0,
        started_utc=1e9 + start_s,
        machine="m",
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        memory=Memory(peak_rss_bytes=100, devices={"cuda:0": (7, 9)}),
        energy={component: energy},
        covers=(component,),
        covered=joules(value),
        windows={
            "work": WindowCost(
                count=1, wall_s=end_s - start_s, cpu_s=3.0, energy={component: joules(value / 2)}, peak_rss_bytes=80
            )
        },
    )


def test_ranks_take_from_the_first_start_to_the_last_end() -> None:
    whole = merge_ranks([spent("process:m:1", 10.0, 0, 6), spent("process:m:2", 10.0, 2, 9)])
    assert (whole.wall_s, whole.cpu_s, whole.processes) == (9.0, 8.0, 2)
    assert whole.peak_rss_bytes == 200
    assert whole.covered.value == pytest.approx(20.0)
    assert (whole.windows["work"].count, whole.windows["work"].wall_s, whole.windows["work"].cpu_s) == (2, 7.0, 6.0)


def test_ranks_on_machines_of_their_own_are_told_apart_by_the_time_of_day() -> None:
    other = replace(spent("process:n:2", 10.0, 5, 9), machine="n", start_ns=7, end_ns=8)
    assert merge_ranks([spent("process:m:1", 10.0, 0, 6), other]).wall_s == pytest.approx(9.0)


def test_a_device_that_ranks_share_is_counted_once_in_the_whole_and_in_its_windows() -> None:
    whole = merge_ranks([spent("GPU-a", 100.0), spent("GPU-a", 100.0)])
    assert whole.covered.value == pytest.approx(100.0)
    assert whole.windows["work"].energy["gpu0"].value == pytest.approx(50.0)
    assert len(whole.energy["gpu0"].spans) == 1


def test_a_part_that_no_rank_has_measured_leaves_the_whole_unknown() -> None:
    blind = replace(Cost.unknown("no counter", wall_s=10.0, cpu_s=4.0), machine="m", end_ns=1, start_ns=0)
    whole = merge_ranks([spent("process:m:1", 10.0), blind])
    assert whole.covered.value is None
    assert "rank 1: no counter" in whole.covered.reason
    assert merge_ranks([spent("GPU-a", 10.0), blind]).covered.value == pytest.approx(10.0), (
        "another read the board for it"
    )


def test_attempts_add_up_and_memory_peaks() -> None:
    first, last = spent("process:m:1", 10.0, 0, 5), spent("process:m:2", 6.0, 100, 111)
    whole = merge_attempts([first, replace(last, memory=Memory(peak_rss_bytes=70))])
    assert (whole.wall_s, whole.cpu_s, whole.attempts) == (16.0, 8.0, 2)
    assert whole.peak_rss_bytes == 100
    assert whole.covered.value == pytest.approx(16.0)
    assert (whole.covered.lo, whole.covered.hi) == (pytest.approx(8.0), pytest.approx(32.0))
    assert (whole.windows["work"].wall_s, whole.windows["work"].energy["cpu"].value) == (16.0, pytest.approx(8.0))
    assert whole.started_utc == first.started_utc


def test_three_attempts_are_three_however_they_are_put_together() -> None:
    each = [spent(f"process:m:{index}", 1.0) for index in range(3)]
    assert merge_attempts([merge_attempts(each[:2]), each[2]]) == merge_attempts(each)


def test_an_attempt_whose_energy_is_not_known_leaves_the_whole_unknown() -> None:
    whole = merge_attempts([Cost.unknown("no counter", wall_s=1.0, cpu_s=1.0), spent("process:m:2", 6.0)])
    assert (whole.wall_s, whole.covered.value) == (11.0, None)
    assert "attempt 1: no counter" in whole.covered.reason


def test_carbon_is_that_of_all_energy() -> None:
    by = Footprint(factor=custom_factor(360.0))
    whole = merge_attempts([spent("process:m:1", 1e4), spent("process:m:2", 1e4)], footprint=by)
    assert whole.carbon.value == pytest.approx(2.0)
    assert merge_ranks([spent("GPU-a", 1e4), spent("GPU-a", 1e4)], footprint=by).carbon.value == pytest.approx(1.0)


def test_one_cost_stays_as_it_is() -> None:
    alone = spent("process:m:1", 10.0)
    assert merge_ranks([alone]) is merge_attempts([alone]) is alone


def test_the_record_keeps_how_many_there_were_and_reads_older_ones() -> None:
    whole = merge_attempts([spent("process:m:1", 1.0), merge_ranks([spent("GPU-a", 1.0)] * 2)])
    told = whole.as_json()
    assert Cost.from_json(told) == replace(whole, windows=Cost.from_json(told).windows)
    assert (told["attempts"], told["processes"]) == (2, 2)
    del told["attempts"], told["processes"]
    assert Cost.from_json(told).attempts == 1
