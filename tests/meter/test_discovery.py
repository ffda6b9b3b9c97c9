"""Which meters serve a machine, why others do not, and the mend: on machines made of folders and fakes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from etude.meter.discovery import Discovery, State, discover
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.cpu_power import Calibration, write_calibration
from etude.meter.sources.quantity import Quality
from meter_fakes import FakeNvml, NvmlError, Zone, rapl_zone

MODEL = "AMD EPYC 7742 64-Core Processor"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "proc").mkdir(parents=True)
    (folder / "proc" / "cpuinfo").write_text(f"model name\t: {MODEL}\n")
    return folder


def look(root: Path, clock: ManualClock, **options: Any) -> Discovery:
    return discover(root=root, powercap=root / "powercap", clock=clock, **options)


def states(found: Discovery) -> dict[tuple[str, str], State]:
    return {(finding.component, finding.source): finding.state for finding in found.findings}


def moving(clock: ManualClock, zone: Zone) -> None:
    """A counter that goes on."""

    def step() -> float:
        zone.show(clock.ns // 1000)
        return 0.001

    clock.attach(step)


def test_a_machine_without_any_counter_is_served_by_the_model(root: Path, clock: ManualClock) -> None:
    found = look(root, clock)
    assert states(found)["cpu", "cpu-time"] is State.SERVING
    assert [meter.traits.source for meter in found.meters] == ["cpu-time"]
    assert found.processor == MODEL


def test_what_is_absent_is_told_with_its_reason(root: Path, clock: ManualClock) -> None:
    absent = look(root, clock).absent
    assert "no RAPL zones" in absent["dram"]
    assert "no NVIDIA driver" in absent["gpu"]
    assert "cpu" not in absent


def test_every_fault_of_a_counter_has_a_mend(root: Path, clock: ManualClock) -> None:
    found = look(root, clock)
    assert all(finding.mend for finding in found.findings if finding.source == "rapl")


def test_a_counter_that_moves_serves_and_the_model_is_not_needed(root: Path, clock: ManualClock) -> None:
    moving(clock, rapl_zone(root / "powercap", "intel-rapl:0", "package-0"))
    found = look(root, clock)
    assert states(found)["cpu", "rapl"] is State.SERVING
    assert states(found)["cpu", "cpu-time"] is State.NOT_NEEDED
    assert [meter.traits.quality for meter in found.meters] == [Quality.MEASURED]


def test_a_counter_that_stands_still_does_not_serve(root: Path, clock: ManualClock) -> None:
    rapl_zone(root / "powercap", "intel-rapl:0", "package-0", energy_uj=5)
    found = look(root, clock)
    assert states(found)["cpu", "rapl"] is State.CONSTANT
    assert states(found)["cpu", "cpu-time"] is State.SERVING


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_counter_that_may_not_be_read_is_told_by_its_permission(root: Path, clock: ManualClock) -> None:
    zone = rapl_zone(root / "powercap", "intel-rapl:0", "package-0")
    (zone.folder / "energy_uj").chmod(0)
    found = look(root, clock)
    assert states(found)["cpu", "rapl"] is State.FORBIDDEN
    assert any("udev" in finding.mend for finding in found.findings)


def test_a_refused_permission_is_told_apart_from_a_fault(
    root: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rapl_zone(root / "powercap", "intel-rapl:0", "package-0")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("etude.meter.sources.rapl.os.open", refuse)
    found = look(root, clock)
    assert states(found)["cpu", "rapl"] is State.FORBIDDEN
    assert "Permission denied" in next(f.detail for f in found.findings if f.source == "rapl")


def test_a_component_that_serves_only_in_part_does_not_serve(root: Path, clock: ManualClock) -> None:
    moving(clock, rapl_zone(root / "powercap", "intel-rapl:0", "package-0"))
    rapl_zone(root / "powercap", "intel-rapl:1", "package-1", energy_uj=5)
    found = look(root, clock)
    assert states(found)["cpu", "rapl"] is State.CONSTANT
    assert [meter.traits.source for meter in found.meters] == ["cpu-time"]


def test_a_component_is_found_once_for_each_source(root: Path, clock: ManualClock) -> None:
    moving(clock, rapl_zone(root / "powercap", "intel-rapl:0", "package-0"))
    found = look(root, clock)
    assert len(states(found)) == len(found.findings)


def test_nvidia_boards_serve_each_as_a_component(root: Path, clock: ManualClock) -> None:
    found = look(root, clock, libraries={"pynvml": FakeNvml(energy_mj=[1, 2])})
    assert states(found)["gpu0", "nvml"] is State.SERVING
    assert states(found)["gpu1", "nvml"] is State.SERVING


def test_a_driver_without_its_library_says_what_to_install(root: Path, clock: ManualClock, monkeypatch: Any) -> None:
    (root / "proc" / "driver" / "nvidia").mkdir(parents=True)
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    finding = next(f for f in look(root, clock).findings if f.source == "nvml")
    assert finding.state is State.NOT_INSTALLED
    assert "etude[nvml]" in finding.mend


def test_a_driver_that_fails_is_told_in_its_words(root: Path, clock: ManualClock) -> None:
    found = look(root, clock, libraries={"pynvml": FakeNvml(init_fault=NvmlError("version mismatch"))})
    finding = next(f for f in found.findings if f.source == "nvml")
    assert (finding.state, "version mismatch" in finding.detail) == (State.FAILED, True)


def test_a_board_whose_counter_stands_still_is_found_out_by_a_thorough_look(root: Path, clock: ManualClock) -> None:
    found = look(root, clock, libraries={"pynvml": FakeNvml(energy_mj=[7])}, thorough=True)
    assert states(found)["gpu0", "nvml"] is State.CONSTANT


def test_the_model_may_be_read_beside_a_counter(root: Path, clock: ManualClock) -> None:
    moving(clock, rapl_zone(root / "powercap", "intel-rapl:0", "package-0"))
    found = look(root, clock, beside=["cpu-time"])
    assert states(found)["cpu", "cpu-time"] is State.BESIDE
    assert [meter.traits.source for meter in found.meters] == ["rapl"]
    assert [meter.traits.source for meter in found.beside] == ["cpu-time"]


def test_foreign_meters_that_are_not_installed_are_told_with_the_mend(root: Path, clock: ManualClock) -> None:
    found = look(root, clock, beside=["zeus", "codecarbon"], country="FRA")
    told = {f.source: (f.state, f.mend) for f in found.findings if f.source in ("zeus", "codecarbon")}
    assert told["zeus"] == (State.NOT_INSTALLED, "pip install 'etude[zeus]'")
    assert told["codecarbon"] == (State.NOT_INSTALLED, "pip install 'etude[carbon]'")


def test_a_calibration_of_this_processor_is_used(root: Path, clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    mine = Calibration(cpu_model=MODEL, watts_per_thread=2.0, idle_w=10.0, factor=(0.9, 1.1), made="today")
    write_calibration(path, mine)
    assert look(root, clock, calibration=path).meters[0].traits.quality is Quality.CALIBRATED


def test_a_calibration_of_another_processor_is_told_and_not_used(
    root: Path, clock: ManualClock, tmp_path: Path
) -> None:
    path = tmp_path / "cpu.json"
    other = Calibration(cpu_model="other", watts_per_thread=2.0, idle_w=10.0, factor=(0.9, 1.1), made="today")
    write_calibration(path, other)
    found = look(root, clock, calibration=path)
    assert found.meters[0].traits.quality is Quality.ESTIMATED
    assert any("is for 'other'" in finding.detail for finding in found.findings)


def test_a_broken_calibration_is_told_and_the_model_serves(root: Path, clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    path.write_text("{")
    found = look(root, clock, calibration=path)
    assert states(found)["cpu", "calibration"] is State.FAILED
    assert states(found)["cpu", "cpu-time"] is State.SERVING


def test_this_machine_can_be_surveyed_and_watched() -> None:
    found = discover()
    assert found.meters
    sampler = found.sampler()
    assert sampler.absent == found.absent
    sampler.close()
