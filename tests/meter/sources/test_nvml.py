from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.accounting.cost import Cost
from etude.meter.measure import measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.meter import Meter
from etude.meter.sources.nvml import boards, is_driver_loaded
from etude.meter.sources.quantity import Quality
from meter_fakes import CpuHand, FakeNvml, NvmlError, quiet_sampler


def only(library: FakeNvml, clock: ManualClock) -> Meter:
    meter = boards(clock, library)[0].meter
    assert meter is not None
    return meter


def test_a_board_is_known_by_its_uuid(clock: ManualClock) -> None:
    meter = only(FakeNvml(energy_mj=[5]), clock)
    assert (meter.traits.component, meter.traits.device) == ("gpu0", "GPU-0000")


def test_the_counter_holds_millijoules(clock: ManualClock) -> None:
    meter = only(FakeNvml(energy_mj=[1500]), clock)
    assert meter.read() * meter.traits.unit_j == pytest.approx(1.5)


def test_a_reading_that_fails_is_told_with_the_drivers_words(clock: ManualClock) -> None:
    library = FakeNvml(energy_mj=[5])
    meter = only(library, clock)
    library.energy_mj[0] = NvmlError("GPU is lost")
    with pytest.raises(MeterError, match="nvml: GPU is lost"):
        meter.read()


def test_a_driver_that_does_not_start_is_told(clock: ManualClock) -> None:
    with pytest.raises(MeterError, match="Driver Not Loaded"):
        boards(clock, FakeNvml(init_fault=NvmlError("Driver Not Loaded")))


def test_a_board_without_a_counter_is_added_up_from_its_power_and_labelled(clock: ManualClock, proc: Path) -> None:
    library = FakeNvml(energy_mj=[NvmlError("Not Supported")], power_mw=lambda: 250_000)
    meter = only(library, clock)
    with measure(quiet_sampler([meter], clock, proc=proc)) as m:
        clock.sleep(10.0)
    assert m.cost().covered.value == pytest.approx(2500.0)
    assert m.cost().covered.quality is Quality.INTEGRATED


def test_power_is_added_up_by_the_trapezoid_rule(clock: ManualClock, proc: Path) -> None:
    begin = clock.ns
    library = FakeNvml(
        energy_mj=[NvmlError("Not Supported")], power_mw=lambda: round(100_000 + 20 * (clock.ns - begin) / 1e6)
    )
    with measure(quiet_sampler([only(library, clock)], clock, proc=proc)) as m:
        clock.sleep(10.0)
    assert m.cost().covered.value == pytest.approx(2000.0, rel=1e-4)


def test_a_board_that_tells_nothing_has_a_reason_and_no_meter(clock: ManualClock) -> None:
    board = boards(clock, FakeNvml(energy_mj=[NvmlError("Not Supported")]))[0]
    assert board.meter is None
    assert "Not Supported" in board.reason


@pytest.mark.parametrize(("limit_mw", "most_w"), [(700_000, 875.0), (None, 2000.0)])
def test_what_a_board_can_draw_at_most_follows_from_its_limit(
    clock: ManualClock, limit_mw: int | None, most_w: float
) -> None:
    assert only(FakeNvml(limit_mw=limit_mw), clock).traits.max_power_w == most_w


def test_under_mig_the_label_says_that_it_is_the_whole_board(clock: ManualClock) -> None:
    assert "whole board (MIG is on)" in only(FakeNvml(mig=True), clock).traits.method


def running(proc: Path, pid: int) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} (x y) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 1\n")


def shared(clock: ManualClock, proc: Path, pids: tuple[int, ...]) -> tuple[Quality, float | None]:
    begin = clock.ns
    library = FakeNvml(energy_mj=[lambda: round((clock.ns - begin) / 1e6 * 100)], users=[pids])
    sampler = quiet_sampler([only(library, clock)], clock, proc=proc, cpu=CpuHand())
    with measure(sampler) as m:
        clock.sleep(3.0)
    return m.cost().covered.quality, m.cost().covered.lo


def test_processes_of_others_on_the_board_lower_the_quality_and_open_the_interval(
    clock: ManualClock, proc: Path
) -> None:
    running(proc, 4242)
    assert shared(clock, proc, (4242,)) == (Quality.SHARED, 0.0)


def test_a_process_id_that_this_machine_does_not_show_is_not_believed(clock: ManualClock, proc: Path) -> None:
    assert shared(clock, proc, (999_999,))[0] is Quality.MEASURED


def test_a_driver_shows_itself_by_a_file(tmp_path: Path) -> None:
    assert not is_driver_loaded(tmp_path)
    (tmp_path / "proc" / "driver" / "nvidia").mkdir(parents=True)
    assert is_driver_loaded(tmp_path)


@pytest.mark.parametrize(("users", "told"), [((), 0), (None, None)])
def test_users_that_cannot_be_told_are_not_said_to_be_none(
    users: tuple[int, ...] | None, told: int | None, clock: ManualClock, proc: Path
) -> None:
    begin = clock.ns
    library = FakeNvml(energy_mj=[lambda: round((clock.ns - begin) / 1e6 * 100)], users=[users])
    with measure(quiet_sampler([only(library, clock)], clock, proc=proc, cpu=CpuHand())) as m:
        clock.sleep(3.0)
    assert m.cost().energy["gpu0"].foreign == told
    assert Cost.from_json(m.cost().as_json()).energy["gpu0"].foreign == told
