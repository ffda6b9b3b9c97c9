"""CodeCarbon and Zeus behind the meter's protocol, with fakes that speak as those libraries do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from etude.errors import MeterError
from etude.meter.discovery import State, discover
from etude.meter.measure import measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.codecarbon import CodeCarbonTracker
from etude.meter.sources.simulated import PowerTrace, SimulatedMeter
from etude.meter.sources.zeus import zeus_meters
from meter_fakes import quiet_sampler


@dataclass
class FakeCodeCarbon:
    """`codecarbon` 3.3: a tracker whose running totals reach whoever stands as its logger, on every flush."""

    kwh: dict[str, float] = field(default_factory=lambda: {"cpu": 0.0, "ram": 0.0, "gpu": 0.0})
    gpu_count: int = 0
    refuses: Exception | None = None
    options: dict[str, Any] = field(default_factory=dict)
    stopped: int = 0

    def OfflineEmissionsTracker(self, **options: Any) -> FakeCodeCarbon:
        self.options = options
        return self

    def start(self) -> None:
        if self.refuses:
            raise self.refuses

    def flush(self) -> float:
        total = SimpleNamespace(
            cpu_energy=self.kwh["cpu"],
            ram_energy=self.kwh["ram"],
            gpu_energy=self.kwh["gpu"],
            gpu_count=self.gpu_count,
        )
        self.options["logging_logger"].out(total, total)
        return 0.0

    def stop(self) -> float:
        self.stopped += 1
        return 0.0


def test_codecarbon_writes_no_file_and_asks_for_a_country() -> None:
    fake = FakeCodeCarbon()
    CodeCarbonTracker(country="FRA", library=fake)
    assert fake.options["country_iso_code"] == "FRA"
    assert fake.options["output_methods"] == "logger"


def test_codecarbons_kilowatt_hours_become_joules() -> None:
    fake = FakeCodeCarbon()
    meters = {meter.traits.component: meter for meter in CodeCarbonTracker(country="FRA", library=fake).meters()}
    fake.kwh |= {"cpu": 0.001, "ram": 0.002}
    assert meters["cpu"].read() * meters["cpu"].traits.unit_j == pytest.approx(3600.0)
    assert meters["dram"].read() * meters["dram"].traits.unit_j == pytest.approx(7200.0)


def test_codecarbon_without_a_gpu_has_no_meter_for_one() -> None:
    told = [meter.traits.component for meter in CodeCarbonTracker(country="FRA", library=FakeCodeCarbon()).meters()]
    assert told == ["cpu", "dram"]


@pytest.mark.parametrize("error", [RuntimeError("no network"), TypeError("unexpected keyword 'output_methods'")])
def test_a_codecarbon_that_does_not_start_is_told(error: Exception) -> None:
    with pytest.raises(MeterError, match=f"does not start.*{error}"):
        CodeCarbonTracker(country="FRA", library=FakeCodeCarbon(refuses=error))


def test_a_codecarbon_that_breaks_midway_is_a_failed_reading() -> None:
    fake = FakeCodeCarbon()
    meter = CodeCarbonTracker(country="FRA", library=fake).meters()[0]
    fake.kwh.clear()
    with pytest.raises(MeterError, match="cannot be read"):
        meter.read()


def test_codecarbon_is_stopped_when_its_meters_are_closed() -> None:
    fake = FakeCodeCarbon()
    CodeCarbonTracker(country="FRA", library=fake).meters()[0].close()
    assert fake.stopped >= 1


def test_codecarbon_that_is_not_installed_says_how_to_install_it() -> None:
    with pytest.raises(MeterError, match=r"not installed.*etude\[carbon\]"):
        CodeCarbonTracker(country="FRA")


@dataclass
class FakeGpus:
    mj: list[int]
    supported: bool = True

    def __len__(self) -> int:
        return len(self.mj)

    def supports_get_total_energy_consumption(self, index: int) -> bool:
        return self.supported

    def get_total_energy_consumption(self, index: int) -> int:
        return self.mj[index]


@dataclass
class FakeCpus:
    mj: list[tuple[float, float | None]]

    def __len__(self) -> int:
        return len(self.mj)

    def supports_get_dram_energy_consumption(self, index: int) -> bool:
        return self.mj[index][1] is not None

    def get_total_energy_consumption(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(cpu_mj=self.mj[index][0], dram_mj=self.mj[index][1])


def zeus(gpus: object, cpus: object) -> SimpleNamespace:
    """`zeus.device`, whose look for a device raises where there is none."""

    def give(found: object) -> object:
        if isinstance(found, Exception):
            raise found
        return found

    return SimpleNamespace(get_gpus=lambda: give(gpus), get_cpus=lambda: give(cpus))


def test_zeus_tells_each_counter_it_finds() -> None:
    meters, faults = zeus_meters(zeus(FakeGpus([5, 7]), FakeCpus([(11.0, 3.0), (13.0, None)])))
    assert [(meter.traits.component, meter.read()) for meter in meters] == [
        ("gpu0", 5),
        ("gpu1", 7),
        ("cpu", 11),
        ("dram", 3),
        ("cpu", 13),
    ]
    assert not faults


def test_zeus_on_a_machine_without_a_device_is_told_and_is_no_zero() -> None:
    with pytest.raises(MeterError, match=r"no counter on this machine.*NVML"):
        zeus_meters(zeus(RuntimeError("NVML and AMDSMI unavailable"), RuntimeError("RAPL unavailable")))


def test_zeus_with_a_gpu_and_without_a_processor_counter_serves_the_gpu() -> None:
    meters, faults = zeus_meters(zeus(FakeGpus([5]), RuntimeError("RAPL unavailable")))
    assert [meter.traits.component for meter in meters] == ["gpu0"]
    assert faults == {"cpu": "RuntimeError: RAPL unavailable"}


def test_a_board_without_a_counter_is_told_beside_those_that_have_one() -> None:
    meters, faults = zeus_meters(zeus(FakeGpus([5], supported=False), FakeCpus([(11.0, None)])))
    assert [meter.traits.component for meter in meters] == ["cpu"]
    assert faults.keys() == {"gpu0"}


def test_what_zeus_cannot_count_is_a_finding_beside_what_it_counts(tmp_path: Path) -> None:
    library = zeus(FakeGpus([5]), RuntimeError("RAPL unavailable"))
    findings = discover(beside=("zeus",), powercap=tmp_path, root=tmp_path, libraries={"zeus.device": library}).findings
    told = {(each.component, each.state): each.detail for each in findings if each.source == "zeus"}
    assert told.keys() == {("gpu0", State.BESIDE), ("cpu", State.ABSENT)}
    assert told["cpu", State.ABSENT] == "RuntimeError: RAPL unavailable"


def test_zeus_that_breaks_midway_is_a_failed_reading() -> None:
    gpus = FakeGpus([5])
    meter = zeus_meters(zeus(gpus, RuntimeError("none"))).meters[0]
    gpus.mj.clear()
    with pytest.raises(MeterError, match="zeus gpu0"):
        meter.read()


def test_zeus_that_is_not_installed_says_how_to_install_it() -> None:
    with pytest.raises(MeterError, match=r"not installed.*etude\[zeus\]"):
        zeus_meters()


def test_one_run_is_metered_three_ways_side_by_side(clock: ManualClock, proc: Path) -> None:
    begin = clock.ns
    ours = SimulatedMeter(trace=PowerTrace.steps([(100.0, 50.0)]), clock=clock, period_s=0.0, start_ns=begin)
    carbon = FakeCodeCarbon()

    class Growing(FakeCpus):
        def get_total_energy_consumption(self, index: int) -> SimpleNamespace:
            return SimpleNamespace(cpu_mj=(clock.ns - begin) / 1e9 * 48_000, dram_mj=None)

    others = [
        *CodeCarbonTracker(country="FRA", library=carbon).meters()[:1],
        *zeus_meters(zeus(RuntimeError("none"), Growing([(0.0, None)]))).meters,
    ]
    with measure(quiet_sampler([ours], clock, proc=proc, beside=others)) as m:
        clock.sleep(5.0)
        carbon.kwh["cpu"] = 700 / 3.6e6
        clock.sleep(5.0)
    told = {m.cost().energy["cpu"].source: m.cost().energy["cpu"].joules.value}
    told |= {other.source: other.joules.value for other in m.cost().beside}
    assert told == {
        "simulated": pytest.approx(500.0, rel=1e-3),
        "codecarbon": pytest.approx(700.0, rel=1e-3),
        "zeus": pytest.approx(480.0, rel=1e-2),
    }
