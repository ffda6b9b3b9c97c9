"""Several processes: a device that all of them read is counted once."""

from __future__ import annotations

from math import fsum, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.accounting.cost import Cost, DeviceSpan, Energy, Memory
from etude.meter.accounting.ranks import combine, throughput
from etude.meter.sources.quantity import Quality, Quantity

SECOND = 1_000_000_000


def energy(component: str, device: str, joules: float | None, start: float, end: float, share: float = 1.0) -> Energy:
    ours = None if joules is None else joules * share
    quantity = Quantity.absent("joules", "GPU is lost")
    if ours is not None:
        ends = {"lo": ours * 0.9, "hi": ours * 1.1}
        quantity = Quantity(value=ours, unit="joules", quality=Quality.MEASURED, method="counter", **ends)
    span = DeviceSpan(device=device, start_ns=round(start * SECOND), end_ns=round(end * SECOND), joules=joules)
    return Energy(component=component, source="nvml", joules=quantity, gross_j=joules, share=share, spans=(span,))


def rank(*energies: Energy, wall_s: float = 10.0, cpu_s: float = 5.0) -> Cost:
    return Cost(
        wall_s=wall_s,
        cpu_s=cpu_s,
        memory=Memory(peak_rss_bytes=100),
        energy={each.component: each for each in energies},
        covers=tuple(each.component for each in energies),
    )


def test_four_ranks_on_one_board_have_used_it_once() -> None:
    joint = combine([rank(energy("gpu0", "GPU-a", 1000.0, 0, 10)) for _ in range(4)])
    assert joint.covered.value == pytest.approx(1000.0)
    assert joint.by_rank == (pytest.approx(250.0),) * 4


def test_boards_of_their_own_are_added_up() -> None:
    joint = combine([rank(energy("gpu0", f"GPU-{name}", 1000.0, 0, 10)) for name in "abcd"])
    assert joint.covered.value == pytest.approx(4000.0)


def test_time_is_the_slowest_ranks_and_cpu_time_is_added_up() -> None:
    joint = combine([rank(wall_s=10.0), rank(wall_s=12.0)])
    assert (joint.wall_s, joint.cpu_s, joint.peak_rss_bytes) == (12.0, 10.0, 200)


def test_throughput_is_all_work_over_the_slowest_time_and_no_mean_of_rates() -> None:
    costs = [rank(wall_s=10.0), rank(wall_s=20.0)]
    assert throughput([100.0, 100.0], costs) == pytest.approx(10.0)


def test_the_rank_that_read_longest_speaks_for_the_device() -> None:
    joint = combine([rank(energy("gpu0", "GPU-a", 700.0, 1, 8)), rank(energy("gpu0", "GPU-a", 1000.0, 0, 10))])
    assert joint.devices["GPU-a"].reader == 1
    assert joint.covered.value == pytest.approx(1000.0)
    assert joint.covered.quality is Quality.MEASURED


def test_what_another_rank_alone_has_seen_is_added_in_proportion_and_labelled() -> None:
    joint = combine([rank(energy("gpu0", "GPU-a", 1000.0, 0, 10)), rank(energy("gpu0", "GPU-a", 800.0, 6, 14))])
    assert joint.covered.value == pytest.approx(1400.0)
    assert joint.covered.quality is Quality.ESTIMATED


def test_ranks_one_after_the_other_are_added_up() -> None:
    joint = combine([rank(energy("gpu0", "GPU-a", 300.0, 0, 5)), rank(energy("gpu0", "GPU-a", 400.0, 5, 9))])
    assert joint.covered.value == pytest.approx(700.0)
    assert joint.covered.quality is Quality.MEASURED


def test_a_device_may_be_divided_by_what_each_rank_did() -> None:
    joint = combine([rank(energy("gpu0", "GPU-a", 1000.0, 0, 10)) for _ in range(2)], weights=[1.0, 3.0])
    assert joint.by_rank == (pytest.approx(250.0), pytest.approx(750.0))


def test_a_processor_shared_with_strangers_counts_by_the_ranks_part_only() -> None:
    joint = combine([rank(energy("cpu", "rapl:m:package-0", 1000.0, 0, 10, share=0.25)) for _ in range(2)])
    assert joint.covered.value == pytest.approx(500.0)


def test_a_board_that_one_rank_could_not_read_is_unknown() -> None:
    joint = combine([rank(energy("gpu0", "GPU-a", 1000.0, 0, 10)), rank(energy("gpu0", "GPU-a", None, 0, 10))])
    assert joint.covered.value is None
    assert "GPU is lost" in joint.covered.reason


def test_a_time_that_one_rank_does_not_know_is_unknown() -> None:
    assert combine([rank(), Cost.unknown("lost")]).wall_s is None


def test_ranks_without_a_meter_have_no_energy_and_not_zero() -> None:
    assert combine([rank(), rank()]).covered.value is None


@pytest.mark.parametrize(("costs", "weights"), [([], None), ([rank()], [1.0, 2.0]), ([rank()], [-1.0])])
def test_weights_must_be_one_per_rank(costs: list[Cost], weights: list[float] | None) -> None:
    with pytest.raises(MeterError, match="one or more"):
        combine(costs, weights=weights)


spans = st.tuples(st.integers(0, 50), st.integers(1, 50), st.floats(0.0, 1000.0))


@given(st.lists(spans, min_size=1, max_size=6))
def test_the_ranks_parts_add_up_to_the_whole(drawn: list[tuple[int, int, float]]) -> None:
    costs = [rank(energy("gpu0", "GPU-a", watts * length, start, start + length)) for start, length, watts in drawn]
    joint = combine(costs)
    assert joint.covered.value is not None
    parts = [part for part in joint.by_rank if part is not None]
    assert isclose(fsum(parts), joint.covered.value, rel_tol=1e-9, abs_tol=1e-9)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=6), st.floats(1.0, 500.0))
def test_of_a_steady_board_the_union_of_time_is_counted_exactly(drawn: list[tuple[int, int]], watts: float) -> None:
    costs = [rank(energy("gpu0", "GPU-a", watts * length, start, start + length)) for start, length in drawn]
    seconds = {second for start, length in drawn for second in range(start, start + length)}
    assert combine(costs).covered.value == pytest.approx(watts * len(seconds), rel=1e-9)
