"""The shared thread: when counters are read, what a short piece of work pays, and what becomes of it in a fork."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.measure import measure
from etude.meter.sampling.channel import Channel
from etude.meter.sampling.sampler import Sampler
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality
from meter_fakes import LiveBoard, quiet_sampler


class Counting:
    """A meter that counts how often it is read."""

    def __init__(self, *, every_s: float = 0.0, at_marks: bool = False) -> None:
        self.reads = 0
        self.closed = 0
        self.traits = Traits(
            component="cpu",
            source="counting",
            device="counting:0",
            method="reads",
            quality=Quality.MEASURED,
            unit_j=1.0,
            every_s=every_s,
            at_marks=at_marks,
            may_rest=True,
        )

    def read(self) -> int:
        self.reads += 1
        return self.reads

    def close(self) -> None:
        self.closed += 1


def test_a_counter_is_read_ten_times_a_second_and_at_both_ends(clock: ManualClock, proc: Path) -> None:
    meter = Counting()
    with measure(quiet_sampler([meter], clock, proc=proc)):
        clock.sleep(10.0)
    assert 100 <= meter.reads <= 104


def test_a_slow_meter_is_read_no_more_often_than_it_asks(clock: ManualClock, proc: Path) -> None:
    meter = Counting(every_s=1.0)
    with measure(quiet_sampler([meter], clock, proc=proc)):
        clock.sleep(10.0)
    assert 10 <= meter.reads <= 14


def test_a_gpu_that_the_work_was_not_given_is_not_even_read(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock)
    board.fault = AssertionError("read")
    with measure(quiet_sampler([board], clock, proc=proc), devices=[]) as m:
        clock.sleep(3.0)
    assert m.recording.meters == ()


def test_nothing_is_read_while_nothing_is_measured(clock: ManualClock, proc: Path) -> None:
    meter = Counting()
    quiet_sampler([meter], clock, proc=proc)
    clock.sleep(10.0)
    assert meter.reads == 0


def test_two_pieces_of_work_at_once_share_the_readings(clock: ManualClock, proc: Path) -> None:
    meter = Counting()
    sampler = quiet_sampler([meter], clock, proc=proc)
    with measure(sampler), measure(sampler):
        clock.sleep(10.0)
    assert meter.reads <= 106


def test_a_ticking_counter_is_looked_at_around_its_ticks_only(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock, seed=3)
    looks: list[int] = []
    read = board.read
    board.read = lambda: looks.append(clock.ns) or read()  # type: ignore[method-assign, func-returns-value]
    with measure(quiet_sampler([board], clock, proc=proc)):
        clock.sleep(20.0)
    assert len(looks) < 20 * 10 * 5 + 150


@pytest.mark.parametrize("period_s", [0.02, 0.05, 0.07, 0.1])
def test_the_period_of_a_counter_is_found(clock: ManualClock, proc: Path, period_s: float) -> None:
    board = LiveBoard(clock, seed=3, period_s=period_s)
    nominal = board.traits
    channel = Channel(meter=board, traits=nominal)
    while clock.ns < 10**12 + 5 * 10**9:
        channel.read_and_plan(clock, every_s=0.1, closely=True)
        clock.move_to(max(channel.due_ns, clock.ns + 1))
    assert channel.period_s == pytest.approx(period_s, rel=0.1)


def test_a_meter_that_keeps_failing_is_asked_less_often(clock: ManualClock, proc: Path) -> None:
    board = LiveBoard(clock)
    board.fault = MeterError("gone")
    asked: list[int] = []

    def read() -> int:
        asked.append(clock.ns)
        raise MeterError("gone")

    board.read = read  # type: ignore[method-assign]
    with measure(quiet_sampler([board], clock, proc=proc)):
        clock.sleep(100.0)
    assert len(asked) < 30


def test_old_readings_are_dropped_while_nothing_needs_them(clock: ManualClock, proc: Path) -> None:
    sampler = quiet_sampler([Counting()], clock, proc=proc)
    for _ in range(20):
        with measure(sampler):
            clock.sleep(20.0)
    assert len(sampler.channels[0].log) < 20 * 10 * 3


def test_a_meter_read_at_marks_is_not_read_at_the_ends(clock: ManualClock, proc: Path) -> None:
    meter = Counting(at_marks=True)
    with measure(quiet_sampler([meter], clock, proc=proc)):
        pass
    assert meter.reads == 0


def test_meters_given_for_one_block_are_closed_after_it(clock: ManualClock) -> None:
    meter = Counting()
    with measure([meter], clock=clock):
        pass
    assert meter.closed == 1


def test_a_watch_that_is_shared_stays_open(clock: ManualClock, proc: Path) -> None:
    meter = Counting()
    with measure(quiet_sampler([meter], clock, proc=proc)):
        pass
    assert meter.closed == 0


def test_one_thread_serves_a_process_and_stops_when_told() -> None:
    def threads() -> int:
        return sum(thread.name == "etude-meter" for thread in threading.enumerate())

    before = threads()
    sampler = Sampler([Counting()])
    for _ in range(3):
        with measure(sampler):
            pass
    assert threads() == before + 1
    sampler.close()
    assert threads() == before


def test_a_closed_watch_still_lets_work_run(clock: ManualClock) -> None:
    sampler = Sampler([Counting()], clock=clock)
    sampler.close()
    with measure(sampler) as m:
        clock.sleep(1.0)
    assert m.cost().wall_s == 1.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_measures_for_itself() -> None:
    sampler = Sampler([Counting()])
    with measure(sampler):
        child = os.fork()
        if child == 0:
            with measure(sampler) as m:
                pass
            os._exit(0 if m.cost().wall_s is not None and sampler.tree.pid == os.getpid() else 1)
        _, status = os.waitpid(child, 0)
    sampler.close()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_watch_of_real_time_measures_this_process() -> None:
    sampler = Sampler()
    with measure(sampler) as m:
        sum(range(500_000))
    sampler.close()
    cost = m.cost()
    assert cost.cpu_s is not None
    assert cost.cpu_s > 0
    assert cost.peak_rss_bytes is not None
    assert cost.peak_rss_bytes > 1_000_000
