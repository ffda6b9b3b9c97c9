"""RAPL zones from a folder tree like the kernel's: each physical one once, and every fault named."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.measure import measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.quantity import Quality
from etude.meter.sources.rapl import RaplMeter, zones
from meter_fakes import CpuHand, quiet_sampler, rapl_zone


def components(root: Path) -> list[tuple[str, str]]:
    return [(zone.component, zone.name) for zone in zones(root)]


def test_a_machine_without_powercap_has_no_zones(tmp_path: Path) -> None:
    assert zones(tmp_path / "nowhere") == []


def test_cores_and_uncore_are_inside_their_package_and_not_counted(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    rapl_zone(tmp_path, "intel-rapl:0:0", "core")
    rapl_zone(tmp_path, "intel-rapl:0:1", "uncore")
    assert components(tmp_path) == [("cpu", "package-0")]


def test_memory_is_a_component_of_its_own_for_each_socket(tmp_path: Path) -> None:
    for socket in (0, 1):
        rapl_zone(tmp_path, f"intel-rapl:{socket}", f"package-{socket}")
        rapl_zone(tmp_path, f"intel-rapl:{socket}:0", "dram")
    assert components(tmp_path) == [
        ("cpu", "package-0"),
        ("dram", "package-0/dram"),
        ("cpu", "package-1"),
        ("dram", "package-1/dram"),
    ]


def test_the_platform_zone_is_a_component_of_its_own(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    rapl_zone(tmp_path, "intel-rapl:1", "psys")
    assert components(tmp_path) == [("cpu", "package-0"), ("platform", "psys")]


def test_a_package_that_two_interfaces_show_is_counted_once(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl-mmio:0", "package-0")
    rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    assert [zone.folder.name for zone in zones(tmp_path)] == ["intel-rapl:0"]


def test_dies_of_one_package_are_counted_each(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl:0", "package-0-die-0")
    rapl_zone(tmp_path, "intel-rapl:1", "package-0-die-1")
    assert len(zones(tmp_path)) == 2


def test_the_counter_is_read_afresh_each_time(tmp_path: Path) -> None:
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0", energy_uj=5)
    meter = RaplMeter(zones(tmp_path)[0], "m")
    zone.show(17)
    assert meter.read() == 17
    meter.close()


def test_the_range_is_one_more_than_the_kernels_greatest_value(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl:0", "package-0", span_uj=999)
    assert RaplMeter(zones(tmp_path)[0], "m").traits.modulus == 1000


def test_two_processes_of_one_machine_name_a_zone_alike_and_two_machines_do_not(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    zone = zones(tmp_path)[0]
    assert RaplMeter(zone, "m").traits.device == RaplMeter(zone, "m").traits.device
    assert RaplMeter(zone, "m").traits.device != RaplMeter(zone, "n").traits.device


@pytest.mark.parametrize("text", ["", "nan", "12 34"])
def test_a_file_that_holds_no_number_is_named(tmp_path: Path, text: str) -> None:
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    meter = RaplMeter(zones(tmp_path)[0], "m")
    zone.show(text)
    with pytest.raises(MeterError, match="package-0: energy_uj holds no number"):
        meter.read()


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    meter = RaplMeter(zones(tmp_path)[0], "m")
    (zone.folder / "energy_uj").unlink()
    with pytest.raises(MeterError, match="energy_uj has vanished"):
        meter.read()


def test_a_zone_without_a_range_is_refused(tmp_path: Path) -> None:
    zone = rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    (zone.folder / "max_energy_range_uj").unlink()
    with pytest.raises(MeterError, match="package-0"):
        RaplMeter(zones(tmp_path)[0], "m")


def test_a_closed_meter_says_so_and_may_be_closed_again(tmp_path: Path) -> None:
    rapl_zone(tmp_path, "intel-rapl:0", "package-0")
    meter = RaplMeter(zones(tmp_path)[0], "m")
    meter.close()
    meter.close()
    with pytest.raises(MeterError, match="closed"):
        meter.read()


class Package:
    """A package at a steady power in a folder tree, with a wrap on the way."""

    def __init__(self, root: Path, clock: ManualClock, watts: float) -> None:
        self.zone = rapl_zone(root, "intel-rapl:0", "package-0")
        self.clock, self.watts, self.base_uj = clock, watts, 262_143_328_851 - 50_000_000
        self.begin_ns = clock.ns
        clock.attach(self.tick)

    def tick(self) -> float:
        self.zone.show(int(self.base_uj + self.watts * (self.clock.ns - self.begin_ns) / 1e3) % 262_143_328_851)
        return 0.01


def test_a_wrap_during_the_work_is_undone(tmp_path: Path, clock: ManualClock, proc: Path) -> None:
    package = Package(tmp_path, clock, 100.0)
    sampler = quiet_sampler([RaplMeter(zones(tmp_path)[0], "m")], clock, proc=proc)
    with measure(sampler) as m:
        clock.sleep(2.0)
    assert package.watts * 2 == pytest.approx(m.cost().covered.value, rel=0.01)


def machine_load(proc: Path, busy_s: float) -> None:
    """The kernel's account of the machine's CPU time, in hundredths of a second."""
    (proc / "stat").write_text(f"cpu  {round(busy_s * 100)} 0 0 1000 0 0 0 0 0 0\n")


def test_of_a_machine_that_others_use_too_our_part_is_by_cpu_time(
    tmp_path: Path, clock: ManualClock, proc: Path
) -> None:
    Package(tmp_path, clock, 100.0)
    cpu = CpuHand()
    machine_load(proc, 50.0)
    with measure(quiet_sampler([RaplMeter(zones(tmp_path)[0], "m")], clock, proc=proc, cpu=cpu)) as m:
        clock.sleep(4.0)
        cpu.burn(1.0)
        machine_load(proc, 54.0)
    told = m.cost().energy["cpu"]
    assert told.share == pytest.approx(0.25)
    assert told.gross_j == pytest.approx(400.0, rel=0.01)
    assert told.joules.value == pytest.approx(100.0, rel=0.01)
    assert told.joules.quality is Quality.SHARED


def test_the_interval_of_our_part_allows_for_how_idling_is_divided(
    tmp_path: Path, clock: ManualClock, proc: Path
) -> None:
    Package(tmp_path, clock, 100.0)
    cpu = CpuHand()
    machine_load(proc, 50.0)
    with measure(quiet_sampler([RaplMeter(zones(tmp_path)[0], "m")], clock, proc=proc, cpu=cpu)) as m:
        clock.sleep(4.0)
        cpu.burn(1.0)
        machine_load(proc, 52.0)
    told = m.cost().energy["cpu"].joules
    assert told.lo is not None
    assert told.hi is not None
    assert told.lo < 0.5 * 400.0 < told.hi


def test_alone_on_a_machine_we_have_used_all_of_it(tmp_path: Path, clock: ManualClock, proc: Path) -> None:
    Package(tmp_path, clock, 100.0)
    cpu = CpuHand()
    machine_load(proc, 50.0)
    with measure(quiet_sampler([RaplMeter(zones(tmp_path)[0], "m")], clock, proc=proc, cpu=cpu)) as m:
        clock.sleep(4.0)
        cpu.burn(2.0)
        machine_load(proc, 52.0)
    assert m.cost().energy["cpu"].share == 1.0
    assert m.cost().energy["cpu"].joules.quality is Quality.MEASURED
