"""The seam: a block of work, its windows, and its cost, by a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from dataclasses import replace
from math import fsum, isclose
from pathlib import Path

import numpy as np
import pytest

from etude.errors import MeterError
from etude.meter.accounting.carbon import Footprint, custom_factor
from etude.meter.accounting.cost import Cost, WindowCost
from etude.meter.measure import Measurement, measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.cpu_power import cpu_power
from etude.meter.sources.cputime import CpuTimeMeter
from etude.meter.sources.meter import Traits
from etude.meter.sources.processes import ProcessTree
from etude.meter.sources.quantity import Quality
from etude.meter.sources.simulated import PowerTrace, SimulatedMeter
from meter_fakes import CpuHand, LiveBoard, quiet_sampler, work_like_a_language_model


def steady(clock: ManualClock, watts: float, component: str = "gpu0", device: str = "a") -> SimulatedMeter:
    trace = PowerTrace.steps([(1e6, watts)])
    return SimulatedMeter(trace=trace, clock=clock, component=component, device=device, period_s=0.0, start_ns=clock.ns)


def generated(
    seed: int, seconds: float, proc: Path, *, aligned: bool = False, period_s: float = 0.1
) -> tuple[Measurement, LiveBoard, dict[str, list[tuple[int, int]]]]:
    """A simulated language model, measured through a counter that ticks, after some idling."""
    clock = ManualClock(ns=10**12)
    board = LiveBoard(clock, seed=seed, period_s=period_s, wobble_w=8.0)
    sampler = quiet_sampler([board], clock, proc=proc)
    clock.sleep(1.0 + seed / 100)
    with measure(sampler, aligned=aligned) as m:
        spans = work_like_a_language_model(board, m, seconds, seed)
    return m, board, spans


def test_time_and_cpu_time_are_those_of_the_block(clock: ManualClock, proc: Path) -> None:
    cpu = CpuHand()
    with measure(quiet_sampler([], clock, proc=proc, cpu=cpu)) as m:
        clock.sleep(3.0)
        cpu.burn(1.5)
    assert (m.cost().wall_s, m.cost().cpu_s) == (3.0, 1.5)


def test_without_a_meter_energy_and_carbon_are_unknown_and_never_zero(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([], clock, proc=proc), footprint=Footprint(factor=custom_factor(100))) as m:
        clock.sleep(1.0)
    cost = m.cost()
    assert (cost.covered.value, cost.covered.reason) == (None, "no meter serves this machine")
    assert (cost.carbon.value, cost.energy) == (None, {})


def test_without_a_factor_carbon_is_unknown(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([steady(clock, 100)], clock, proc=proc)) as m:
        clock.sleep(1.0)
    assert m.cost().carbon.value is None
    assert "no country" in m.cost().carbon.reason


def test_a_steady_power_is_measured_exactly(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([steady(clock, 120)], clock, proc=proc)) as m:
        clock.sleep(7.5)
    assert isclose(m.cost().covered.value or 0, 900.0, rel_tol=1e-6)


@pytest.mark.parametrize("seconds", [1.0, 5.0])
def test_a_runs_energy_is_within_half_a_per_cent_from_a_100_ms_counter(proc: Path, seconds: float) -> None:
    errors = []
    for seed in range(60):
        m, board, _ = generated(seed, seconds, proc, aligned=True)
        truth = board.joules_between(m.recording.start_ns, m.recording.end_ns)
        errors.append(abs((m.cost().covered.value or 0.0) / truth - 1))
    assert np.percentile(errors, 95) <= 0.005


def test_the_interval_of_a_run_holds_the_truth(proc: Path) -> None:
    for seed in range(40):
        m, board, _ = generated(seed, 1.0, proc, aligned=seed % 2 == 0)
        truth = board.joules_between(m.recording.start_ns, m.recording.end_ns)
        told = m.cost().covered
        assert told.lo is not None
        assert told.hi is not None
        assert told.lo <= truth <= told.hi


def test_counter_differences_alone_would_be_off_ten_times_as_much(proc: Path) -> None:
    ours, plain = [], []
    for seed in range(30):
        m, board, _ = generated(seed, 1.0, proc, aligned=True)
        start_ns, end_ns = m.recording.start_ns, m.recording.end_ns
        truth = board.joules_between(start_ns, end_ns)
        last_ticks = [(ns - board.phase_ns) // board.period_ns * board.period_ns for ns in (start_ns, end_ns)]
        naive = board.joules_between(*(tick + board.phase_ns for tick in last_ticks))
        ours.append(abs((m.cost().covered.value or 0.0) / truth - 1))
        plain.append(abs(naive / truth - 1))
    assert np.median(plain) > 10 * np.median(ours)


def test_an_unaligned_run_waits_no_longer_than_a_hundredth_of_its_time(proc: Path) -> None:
    clock = ManualClock(ns=10**12)
    board = LiveBoard(clock)
    with measure(quiet_sampler([board], clock, proc=proc)) as m:
        clock.sleep(1.0)
    assert clock.ns - m.recording.end_ns <= 0.0125e9


def test_phase_shares_and_batches_are_within_three_per_cent(proc: Path) -> None:
    shares, batches = [], []
    for seed in range(12):
        m, board, spans = generated(seed, 20.0, proc)
        account = m.ledger().of("gpu0")
        assert account is not None
        truth = fsum(board.joules_between(*span) for span in spans["batch/prefill"])
        shares.append(abs((account.paths["batch/prefill"].value or 0.0) / truth - 1))
        windows = m.recording.windows
        tops = [index for index in range(len(windows)) if windows.name(index) == "batch"]
        truths = [board.joules_between(*span) for span in spans["batch"]]
        batches += [abs(account.windows[index] / true - 1) for index, true in zip(tops, truths, strict=True)]
    assert np.percentile(shares, 95) <= 0.03
    assert np.percentile(batches, 95) <= 0.03


def test_windows_and_what_lies_between_them_add_up_to_the_run(proc: Path) -> None:
    m, _, _ = generated(5, 10.0, proc)
    account = m.ledger().of("gpu0")
    assert account is not None
    windows = m.recording.windows
    tops = fsum(account.windows[index] for index in range(len(windows)) if windows.name(index) == "batch")
    assert isclose(tops + account.between, account.run.value or 0, rel_tol=1e-9)
    assert m.cost().closure_error is not None
    assert m.cost().closure_error <= 1e-9  # type: ignore[operator]


def test_a_batch_is_the_sum_of_its_phases(proc: Path) -> None:
    m, _, _ = generated(6, 10.0, proc)
    paths = m.cost().windows
    joules = {path: spent.energy["gpu0"].value or 0 for path, spent in paths.items()}
    assert isclose(joules["batch"], joules["batch/prefill"] + joules["batch/decode"], rel_tol=1e-9)


def test_windows_that_overlap_share_and_still_add_up(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([steady(clock, 100)], clock, proc=proc)) as m:
        one, two = m.window("one"), m.window("two")
        others = contextvars.Context()
        one.__enter__()
        clock.sleep(1.0)
        others.run(two.__enter__)
        clock.sleep(2.0)
        one.__exit__(None, None, None)
        clock.sleep(1.0)
        others.run(two.__exit__, None, None, None)
    joules = {path: spent.energy["gpu0"].value for path, spent in m.cost().windows.items()}
    assert joules == {"one": pytest.approx(200.0), "two": pytest.approx(200.0)}


def test_tasks_that_interleave_each_nest_in_their_own(clock: ManualClock, proc: Path) -> None:
    async def task(m: Measurement, name: str) -> None:
        with m.window(name):
            await asyncio.sleep(0)
            with m.window("inner"):
                await asyncio.sleep(0)
                clock.sleep(1.0)

    async def both(m: Measurement) -> None:
        await asyncio.gather(task(m, "one"), task(m, "two"))

    with measure(quiet_sampler([], clock, proc=proc)) as m:
        asyncio.run(both(m))
    assert set(m.cost().windows) == {"one", "one/inner", "two", "two/inner"}


def test_a_window_of_another_block_is_not_around_this_ones(clock: ManualClock, proc: Path) -> None:
    sampler = quiet_sampler([], clock, proc=proc)
    with measure(sampler) as outer, outer.window("outer"), measure(sampler) as inner, inner.window("inner"):
        clock.sleep(1.0)
    assert list(inner.cost().windows) == ["inner"]


def test_a_window_outside_the_block_marks_nothing(clock: ManualClock, proc: Path) -> None:
    m = measure(quiet_sampler([], clock, proc=proc))
    with m.window("before"):
        pass
    with m:
        clock.sleep(1.0)
    with m.window("after"):
        pass
    assert m.cost().windows == {}


def test_an_error_in_the_work_closes_windows_and_gets_through(clock: ManualClock, proc: Path) -> None:
    def broken() -> None:
        with m, m.window("broken"):
            clock.sleep(2.0)
            raise ZeroDivisionError

    m = measure(quiet_sampler([], clock, proc=proc))
    with pytest.raises(ZeroDivisionError):
        broken()
    assert m.cost().windows["broken"].wall_s == 2.0


def test_the_cost_is_not_told_while_the_work_runs(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([], clock, proc=proc)) as m, pytest.raises(MeterError, match="still being measured"):
        m.cost()


class Broken:
    """A meter of a user's own that breaks in ways it should not."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    traits = Traits(
        component="gpu0", source="mine", device="mine:0", method="mine", quality=Quality.MEASURED, unit_j=1.0
    )

    def read(self) -> int:
        raise self.error

    def close(self) -> None:
        raise self.error


@pytest.mark.parametrize("error", [MeterError("gone"), OSError("vanished"), RuntimeError("bug"), ValueError("bad")])
def test_a_meter_that_fails_does_not_fail_the_work(clock: ManualClock, proc: Path, error: Exception) -> None:
    with measure(quiet_sampler([Broken(error)], clock, proc=proc)) as m:
        clock.sleep(1.0)
        done = True
    told = m.cost()
    assert done
    assert told.wall_s == 1.0
    assert told.energy["gpu0"].joules.value is None
    assert str(error) in told.energy["gpu0"].joules.reason


def test_a_meter_that_dies_midway_leaves_what_it_saw_as_a_lower_end(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock, idle_w=100.0)
    with measure(quiet_sampler([board], clock, proc=proc)) as m:
        clock.sleep(5.0)
        board.fault = MeterError("GPU is lost")
        clock.sleep(5.0)
    told = m.cost().covered
    assert told.value is None
    assert "GPU is lost" in told.reason
    assert 450 <= (m.cost().energy["gpu0"].joules.lo or 0) <= 500


def test_a_meter_that_comes_back_has_lost_nothing(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock, idle_w=100.0)
    with measure(quiet_sampler([board], clock, proc=proc)) as m:
        clock.sleep(5.0)
        board.fault = MeterError("busy")
        clock.sleep(0.3)
        board.fault = None
        clock.sleep(5.0)
    assert isclose(m.cost().covered.value or 0, 1030.0, rel_tol=0.01)


def test_a_counter_that_stops_makes_the_run_unknown_and_says_since_when(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock, idle_w=100.0)
    with measure(quiet_sampler([board], clock, proc=proc)) as m:
        clock.sleep(5.0)
        board.frozen_ns = clock.ns
        clock.sleep(5.0)
    assert m.cost().covered.value is None
    assert "did not move for the last 5." in m.cost().covered.reason


def test_one_unknown_component_makes_the_sum_unknown_and_is_named(clock: ManualClock, proc: Path) -> None:
    meters = [steady(clock, 50, "cpu", "b"), Broken(MeterError("gone"))]
    with measure(quiet_sampler(meters, clock, proc=proc)) as m:
        clock.sleep(1.0)
    assert m.cost().energy["cpu"].joules.value is not None
    assert m.cost().covered.value is None
    assert "gpu0: " in m.cost().covered.reason


def test_the_sum_says_what_it_covers_and_what_is_absent(clock: ManualClock, proc: Path) -> None:
    sampler = quiet_sampler([steady(clock, 50, "cpu", "b")], clock, proc=proc)
    sampler.absent = {"dram": "no zone", "gpu": "no driver"}
    with measure(sampler) as m:
        clock.sleep(1.0)
    assert (m.cost().covers, m.cost().absent) == (("cpu",), {"dram": "no zone", "gpu": "no driver"})


def test_a_platform_counter_is_told_beside_its_parts_and_never_added(clock: ManualClock, proc: Path) -> None:
    meters = [steady(clock, 100, "cpu", "a"), steady(clock, 20, "dram", "b"), steady(clock, 150, "platform", "c")]
    with measure(quiet_sampler(meters, clock, proc=proc)) as m:
        clock.sleep(1.0)
    assert m.cost().covered.value == pytest.approx(120.0)
    assert m.cost().energy["platform"].joules.value == pytest.approx(150.0)


def test_two_packages_are_one_component(clock: ManualClock, proc: Path) -> None:
    meters = [steady(clock, 100, "cpu", "package-0"), steady(clock, 70, "cpu", "package-1")]
    with measure(quiet_sampler(meters, clock, proc=proc)) as m:
        clock.sleep(1.0)
    assert m.cost().energy["cpu"].joules.value == pytest.approx(170.0)


def test_a_second_source_is_told_beside_the_first_and_not_added(clock: ManualClock, proc: Path) -> None:
    cpu = CpuHand()
    tree = ProcessTree(proc=proc, own_ns=cpu)
    model = CpuTimeMeter(tree, cpu_power("AMD EPYC 7742"))
    with measure(quiet_sampler([steady(clock, 100, "cpu", "a"), model], clock, proc=proc, tree=tree)) as m:
        clock.sleep(1.0)
        cpu.burn(1.0)
    assert m.cost().covered.value == pytest.approx(100.0)
    assert [(other.source, other.component) for other in m.cost().beside] == [("cpu-time", "cpu")]


def test_a_meter_read_for_comparison_never_counts_even_if_it_is_the_only_one(clock: ManualClock, proc: Path) -> None:
    guess = steady(clock, 20, "dram", "guess")
    with measure(quiet_sampler([steady(clock, 50, "cpu", "a")], clock, proc=proc, beside=[guess])) as m:
        clock.sleep(1.0)
    assert m.cost().covers == ("cpu",)
    assert m.cost().covered.value == pytest.approx(50.0)
    assert [other.component for other in m.cost().beside] == ["dram"]


def test_a_gpu_that_the_work_was_not_given_is_not_counted(clock: ManualClock, proc: Path) -> None:
    meters = [steady(clock, 100, "gpu0", "GPU-a"), steady(clock, 70, "gpu1", "GPU-b"), steady(clock, 10, "cpu", "c")]
    with measure(quiet_sampler(meters, clock, proc=proc), devices=["GPU-b"]) as m:
        clock.sleep(1.0)
    assert m.cost().covers == ("gpu1", "cpu")


def test_work_without_a_gpu_of_its_own_counts_none(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([steady(clock, 100)], clock, proc=proc), devices=[]) as m:
        clock.sleep(1.0)
    assert m.cost().energy == {}


def test_a_phase_that_cannot_be_told_is_unknown_and_the_batch_around_it_is_not(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock, idle_w=100.0)
    with measure(quiet_sampler([board], clock, proc=proc)) as m:
        for _ in range(100):
            with m.window("batch"):
                with m.window("a"):
                    clock.sleep(0.002)
                with m.window("b"):
                    clock.sleep(0.008)
    windows = m.cost().windows
    assert windows["batch/a"].energy["gpu0"].value is None
    assert "cannot be told" in windows["batch/a"].energy["gpu0"].reason
    assert windows["batch"].energy["gpu0"].value == pytest.approx(100.0, rel=0.05)


def test_cost_survives_json(proc: Path) -> None:
    m, _, _ = generated(1, 3.0, proc)
    cost = m.cost()
    assert Cost.from_json(cost.as_json()) == cost


def test_a_record_of_another_version_is_refused() -> None:
    with pytest.raises(MeterError, match="version 99"):
        Cost.from_json({"version": 99})


def test_carbon_is_energy_times_overhead_times_factor(clock: ManualClock, proc: Path) -> None:
    footprint = Footprint(factor=custom_factor(360.0), pue=1.5)
    with measure(quiet_sampler([steady(clock, 1000)], clock, proc=proc), footprint=footprint) as m:
        clock.sleep(36.0)
    assert m.cost().carbon.value == pytest.approx(5.4)
    assert m.cost().footprint["pue"] == 1.5


def test_threads_that_compute_in_windows_of_their_own_are_not_counted_in_each_other() -> None:
    def burn() -> None:
        with m.window("part"):
            began = time.thread_time()
            while time.thread_time() - began < 0.1:
                pass

    with measure() as m:
        threads = [threading.Thread(target=burn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    part = m.cost().windows["part"]
    assert part.cpu_s is not None
    assert 0.4 <= part.cpu_s <= (m.cost().cpu_s or 0.0) + 0.01
    assert "its own thread" in part.cpu_method


def test_two_hundred_and_fifty_kinds_of_windows_are_all_in_the_cost(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([], clock, proc=proc)) as m:
        for kind in range(250):
            with m.window(f"phase{kind}"):
                clock.sleep(0.01)
    assert len(m.cost().windows) == 250
    assert m.cost().warnings == ()


def test_kinds_of_windows_that_are_left_out_are_counted(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([], clock, proc=proc)) as m:
        for kind in range(2003):
            with m.window(f"phase{kind}"):
                clock.sleep(0.001 * (kind + 1))
    cost = m.cost()
    assert len(cost.windows) == 2000
    assert "phase0" not in cost.windows
    assert "3 of 2003 kinds of windows are not kept" in cost.warnings[0]


def test_how_a_windows_cpu_time_was_got_survives_the_manifest() -> None:
    spent = WindowCost(count=2, wall_s=1.0, cpu_s=None, cpu_method="not known: because")
    cost = replace(Cost.unknown("x"), windows={"w": spent})
    assert Cost.from_json(cost.as_json()).windows["w"] == spent


def test_a_gpu_that_the_work_was_given_and_no_meter_knows_is_told_as_absent(clock: ManualClock, proc: Path) -> None:
    with measure(quiet_sampler([steady(clock, 100)], clock, proc=proc), devices=["gpu0", "MIG-3f"]) as m:
        clock.sleep(1.0)
    assert list(m.cost().absent) == ["MIG-3f"]
    assert "no meter" in m.cost().absent["MIG-3f"]
