from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.sources.cpu_power import (
    _UNKNOWN_SPREAD,
    _UNKNOWN_W,
    calibrate,
    cpu_model,
    cpu_power,
    read_calibration,
    write_calibration,
)


@pytest.mark.parametrize(
    ("told", "watts_per_thread"),
    [
        ("AMD EPYC 7742 64-Core Processor", 225 / 128),
        ("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", 210 / 48),
        ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", 28 / 8),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 120 / 28),
        ("AMD Ryzen 9 5950X 16-Core Processor", 105 / 32),
    ],
)
def test_the_kernels_name_of_a_processor_finds_its_data_sheet(told: str, watts_per_thread: float) -> None:
    assert cpu_power(told).watts_per_thread == pytest.approx(0.9 * watts_per_thread)


def test_the_last_resort_is_the_middle_of_the_table_and_its_spread_the_tables() -> None:
    text = files("etude.meter").joinpath("cpu_power.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    watts = [float(row["tdp_w"]) / int(row["threads"]) for row in rows]
    assert np.median(watts) == pytest.approx(_UNKNOWN_W, rel=0.05)
    assert np.percentile(watts, [5, 95]) / _UNKNOWN_W == pytest.approx(_UNKNOWN_SPREAD, rel=0.03)


@given(st.floats(1.0, 20.0), st.floats(1.0, 200.0))
def test_calibrating_on_exact_runs_finds_the_machine_again(per_thread: float, idle: float) -> None:
    runs = [(threads * 10.0, 10.0, 10.0 * (idle + per_thread * threads)) for threads in (0, 1, 2, 4)]
    found = calibrate(runs, cpu_model="x", made="now")
    assert found.watts_per_thread == pytest.approx(per_thread, rel=1e-6)
    assert found.idle_w == pytest.approx(idle, abs=1e-6)


def test_the_factor_holds_every_run_and_at_least_five_per_cent() -> None:
    found = calibrate([(0.0, 10.0, 100.0), (10.0, 10.0, 200.0), (20.0, 10.0, 330.0)], cpu_model="x", made="now")
    assert found.factor[0] <= 0.95
    assert found.factor[1] >= 1.05


def test_loads_that_are_alike_cannot_part_work_from_rest() -> None:
    with pytest.raises(MeterError, match="too much alike"):
        calibrate([(10.0, 10.0, 100.0)] * 3, cpu_model="x", made="now")


def test_power_that_falls_with_load_is_refused() -> None:
    with pytest.raises(MeterError, match="falls as load rises"):
        calibrate([(0.0, 10.0, 300.0), (10.0, 10.0, 200.0), (20.0, 10.0, 100.0)], cpu_model="x", made="now")


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    made = calibrate([(0.0, 10.0, 100.0), (10.0, 10.0, 200.0), (20.0, 10.0, 300.0)], cpu_model="x", made="now")
    write_calibration(tmp_path / "deep" / "cpu.json", made)
    assert read_calibration(tmp_path / "deep" / "cpu.json") == made


@pytest.mark.parametrize(
    "text", ["", "{}", '{"cpu_model": "x", "watts_per_thread": -1, "idle_w": 1, "factor": [1, 1]}']
)
def test_a_file_that_is_no_calibration_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cpu.json"
    path.write_text(text)
    with pytest.raises(MeterError, match=r"cpu\.json"):
        read_calibration(path)


def test_the_processor_is_read_from_the_kernels_file(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\n")
    assert cpu_model(tmp_path / "cpuinfo") == "AMD EPYC 7763 64-Core Processor"
    assert cpu_model(tmp_path / "nowhere") == ""
