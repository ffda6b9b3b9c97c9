"""The estimate for machines without a counter: a function of the work alone, and honest about how little it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.meter.accounting.cost import Cost
from etude.meter.measure import measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.cpu_power import Calibration, cpu_power
from etude.meter.sources.cputime import CpuTimeMeter
from etude.meter.sources.processes import ProcessTree
from etude.meter.sources.quantity import Quality
from meter_fakes import CpuHand, quiet_sampler

EPYC = "AMD EPYC 7742 64-Core Processor"


def measured(clock: ManualClock, proc: Path, work, *, period_s: float = 0.1, model: str = EPYC) -> Cost:  # type: ignore[no-untyped-def]
    cpu = CpuHand()
    tree = ProcessTree(proc=proc, own_ns=cpu)
    sampler = quiet_sampler([CpuTimeMeter(tree, cpu_power(model))], clock, proc=proc, tree=tree, period_s=period_s)
    with measure(sampler) as m:
        work(m, cpu)
        clock.sleep(0.001)
    return m.cost()


def square_wave(clock: ManualClock):  # type: ignore[no-untyped-def]
    """Half of each second at full load, for a minute."""

    def work(_m, cpu: CpuHand) -> None:  # type: ignore[no-untyped-def]
        for _ in range(60):
            clock.sleep(0.5)
            cpu.burn(0.5)
            clock.sleep(0.5)

    return work


def test_energy_is_cpu_time_times_the_watts_of_a_thread(clock: ManualClock, proc: Path) -> None:
    cost = measured(clock, proc, lambda _m, cpu: cpu.burn(10.0))
    assert cost.covered.value == pytest.approx(10.0 * 0.9 * 225 / 128)
    assert cost.covered.quality is Quality.ESTIMATED


def test_the_interval_is_that_of_the_law(clock: ManualClock, proc: Path) -> None:
    told = measured(clock, proc, lambda _m, cpu: cpu.burn(10.0)).covered
    assert told.value is not None
    assert (told.lo, told.hi) == (pytest.approx(0.52 * told.value), pytest.approx(1.74 * told.value))


def test_the_answer_does_not_depend_on_how_often_it_is_sampled(proc: Path) -> None:
    told = []
    for period_s in (0.1, 1.0, 15.0):
        clock = ManualClock()
        told.append(measured(clock, proc, square_wave(clock), period_s=period_s).covered.value)
    assert told[0] == pytest.approx(told[1], rel=1e-9)
    assert told[0] == pytest.approx(told[2], rel=1e-9)


def test_a_busy_neighbour_does_not_move_it(clock: ManualClock, proc: Path) -> None:
    (proc / "stat").write_text("cpu  100 0 0 0 0 0 0 0 0 0\n")

    def idle_beside_a_neighbour(_m, cpu: CpuHand) -> None:  # type: ignore[no-untyped-def]
        clock.sleep(5.0)
        cpu.burn(0.01)
        (proc / "stat").write_text("cpu  1100 0 0 0 0 0 0 0 0 0\n")

    assert measured(clock, proc, idle_beside_a_neighbour).covered.value == pytest.approx(0.01 * 0.9 * 225 / 128)


def test_a_window_of_a_millisecond_is_known_as_well_as_the_run(clock: ManualClock, proc: Path) -> None:
    def short(m, cpu: CpuHand) -> None:  # type: ignore[no-untyped-def]
        clock.sleep(1.0)
        with m.window("short"):
            clock.sleep(0.001)
            cpu.burn(0.001)
        clock.sleep(1.0)

    cost = measured(clock, proc, short)
    assert cost.windows["short"].energy["cpu"].value == pytest.approx(0.001 * 0.9 * 225 / 128)


def test_sleeping_costs_a_measured_zero(clock: ManualClock, proc: Path) -> None:
    assert measured(clock, proc, lambda _m, _cpu: clock.sleep(5.0)).covered.value == 0.0


def test_what_idling_would_have_cost_is_told_beside_and_not_added(clock: ManualClock, proc: Path) -> None:
    cost = measured(clock, proc, lambda _m, _cpu: clock.sleep(10.0))
    assert cost.energy["cpu"].idle_joules == pytest.approx(225.0, rel=1e-3)
    assert cost.covered.value == 0.0


def test_an_unknown_processor_has_a_wider_interval_and_says_so() -> None:
    known, unknown = cpu_power(EPYC), cpu_power("AMD EPYC")
    assert unknown.factor[0] < known.factor[0]
    assert unknown.factor[1] > known.factor[1]
    assert "no data sheet for 'AMD EPYC'" in unknown.method
    assert unknown.idle_w is None


def test_a_calibration_of_this_processor_is_used_before_its_data_sheet() -> None:
    mine = Calibration(cpu_model=EPYC, watts_per_thread=2.5, idle_w=40.0, factor=(0.9, 1.1), made="today")
    power = cpu_power(EPYC, calibration=mine)
    assert (power.watts_per_thread, power.quality) == (2.5, Quality.CALIBRATED)


def test_a_calibration_of_another_processor_is_not_used() -> None:
    other = Calibration(cpu_model="other", watts_per_thread=2.5, idle_w=40.0, factor=(0.9, 1.1), made="today")
    assert cpu_power(EPYC, calibration=other).quality is Quality.ESTIMATED
