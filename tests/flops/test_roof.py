"""The measured roof: cached with its date, and utilisation as a share of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError, MeterError
from etude.flops import roof as roofs

LLAMA = flops.describe(oracle.config("llama"))


def a_roof(**changes: object) -> flops.Roof:
    """A roof of 100 GFLOP/s and 20 GB/s, with changes."""
    values = {
        "gemm_flops_per_s": 100e9,
        "gemm_median_flops_per_s": 90e9,
        "copy_bytes_per_s": 20e9,
        "copy_median_bytes_per_s": 19e9,
        "device": "cpu",
        "device_name": "a processor",
        "dtype": "float32",
        "threads": 2,
        "host": "here",
        "torch": "2.13.0",
        "measured_utc": "2026-01-02T03:04:05+00:00",
        "gemm_size": 2048,
        "copy_bytes": 2**28,
    }
    return flops.Roof(**{**values, **changes})  # type: ignore[arg-type]


def test_utilisation_counts_useful_exact_flops_alone() -> None:
    cost = flops.forward(LLAMA, [100, 10])
    found = flops.mfu(cost, 0.5, a_roof())
    assert found.fraction == pytest.approx((cost.useful.causal_exact_flops or 0) / 0.5 / 100e9)
    assert found.convention == "causal_exact"
    assert found.roof_measured_utc == "2026-01-02T03:04:05+00:00"


def test_counted_work_is_used_by_the_convention_it_has() -> None:
    cost = flops.count(oracle.config("llama"), 9).forward
    found = flops.mfu(cost, 1.0, a_roof())
    assert (found.convention, found.achieved_per_s) == ("torch", cost.useful.torch_flops)


def test_bandwidth_utilisation_is_bytes_over_what_a_copy_moves() -> None:
    step = flops.step_traffic(LLAMA, 30)
    assert flops.mbu(step, 1e-5, a_roof()).fraction == pytest.approx(step.total_bytes / 1e-5 / 20e9)


@pytest.mark.parametrize("duration", [0.0, -1.0])
def test_a_duration_that_is_not_above_zero_is_refused(duration: float) -> None:
    with pytest.raises(ConfigError, match="duration_s"):
        flops.mfu(flops.forward(LLAMA, 3), duration, a_roof())
    with pytest.raises(ConfigError, match="duration_s"):
        flops.mbu(flops.step_traffic(LLAMA, 3), duration, a_roof())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Measuring replaced by a figure at hand; the list says how often it was asked for."""
    asked: list[str] = []

    def measured(*, device: str, dtype: str) -> flops.Roof:
        asked.append(dtype)
        return a_roof(**roofs._place(device, dtype))

    monkeypatch.setattr(roofs, "measure_roof", measured)
    return asked


def test_a_roof_is_measured_once_and_kept_with_its_date(tmp_path: Path, small: list[str]) -> None:
    file = tmp_path / "new folder" / "roofs.json"
    first, second = (flops.machine_roof(file) for _ in range(2))
    assert first == second
    assert small == ["float32"]
    assert json.loads(file.read_text(encoding="utf-8"))[0]["measured_utc"] == "2026-01-02T03:04:05+00:00"


def test_another_type_host_or_thread_count_is_another_roof(tmp_path: Path, small: list[str]) -> None:
    file = tmp_path / "roofs.json"
    flops.machine_roof(file)
    entries = json.loads(file.read_text(encoding="utf-8"))
    others = [{**entries[0], "host": "elsewhere"}, {**entries[0], "threads": 64}]
    file.write_text(json.dumps(others), encoding="utf-8")
    flops.machine_roof(file)
    flops.machine_roof(file, dtype="bfloat16")
    assert small == ["float32", "float32", "bfloat16"]
    assert len(json.loads(file.read_text(encoding="utf-8"))) == 4


def test_a_refreshed_roof_takes_the_place_of_the_old(tmp_path: Path, small: list[str]) -> None:
    file = tmp_path / "roofs.json"
    flops.machine_roof(file)
    flops.machine_roof(file, refresh=True)
    assert len(small) == 2
    assert len(json.loads(file.read_text(encoding="utf-8"))) == 1


@pytest.mark.parametrize("text", ["{", '[{"gemm": 1}]', "3"])
def test_a_file_without_roofs_is_named_and_left_alone(tmp_path: Path, small: list[str], text: str) -> None:
    file = tmp_path / "roofs.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"roofs\.json"):
        flops.machine_roof(file)
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("wrong", "named"), [({"device": "cuda:99"}, "cuda:99"), ({"dtype": "float61"}, "float61")])
def test_a_device_or_type_that_is_not_there_is_named(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(MeterError, match=named):
        flops.measure_roof(**wrong)


@pytest.mark.slow
def test_a_measured_roof_is_plausible() -> None:
    found = flops.measure_roof(seconds=0.1)
    assert 1e9 < found.gemm_median_flops_per_s <= found.gemm_flops_per_s < 1e15
    assert 1e8 < found.copy_median_bytes_per_s <= found.copy_bytes_per_s < 1e13
