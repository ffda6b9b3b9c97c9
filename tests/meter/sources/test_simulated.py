from __future__ import annotations

from math import isclose
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.simulated import PowerTrace, ReplayMeter, SimulatedMeter, read_trace


@st.composite
def traces(draw: st.DrawFn) -> PowerTrace:
    waits = draw(st.lists(st.floats(0.0, 10.0), min_size=2, max_size=20))
    powers = draw(st.lists(st.floats(0.0, 500.0), min_size=len(waits), max_size=len(waits)))
    times = [sum(waits[: index + 1]) for index in range(len(waits))]
    return PowerTrace(t_s=tuple(times), power_w=tuple(powers))


@given(traces(), st.floats(0.0, 1.0))
def test_the_energy_of_a_trace_is_the_sum_of_its_two_parts(trace: PowerTrace, at: float) -> None:
    start, end = trace.t_s[0], trace.t_s[-1]
    middle = start + at * (end - start)
    parts = trace.joules_between(start, middle) + trace.joules_between(middle, end)
    assert isclose(parts, trace.joules_between(start, end), rel_tol=1e-9, abs_tol=1e-9)


@given(traces(), st.floats(0.0, 200.0), st.floats(0.0, 200.0))
def test_energy_never_falls(trace: PowerTrace, one: float, other: float) -> None:
    assert trace.joules_until(max(one, other)) >= trace.joules_until(min(one, other)) - 1e-9


def test_a_ramp_is_integrated_exactly() -> None:
    assert PowerTrace(t_s=(0.0, 10.0), power_w=(0.0, 100.0)).joules_until(5.0) == pytest.approx(125.0)


def test_outside_the_trace_no_power_is_drawn() -> None:
    trace = PowerTrace(t_s=(1.0, 2.0), power_w=(100.0, 100.0))
    assert trace.joules_between(-5.0, 50.0) == pytest.approx(100.0)


def test_a_simulated_counter_stands_still_between_ticks(clock: ManualClock) -> None:
    meter = SimulatedMeter(trace=PowerTrace.steps([(100.0, 50.0)]), clock=clock, period_s=0.1, start_ns=clock.ns)
    clock.sleep(0.55)
    first = meter.read()
    clock.sleep(0.04)
    assert meter.read() == first == 25_000
    clock.sleep(0.02)
    assert meter.read() == 30_000


def test_a_simulated_counter_wraps(clock: ManualClock) -> None:
    meter = SimulatedMeter(
        trace=PowerTrace.steps([(100.0, 50.0)]), clock=clock, period_s=0.0, modulus=100_000, start_ns=clock.ns
    )
    clock.sleep(3.0)
    assert meter.read() == 50_000


def test_a_replay_tells_the_last_reading_at_or_before_now(clock: ManualClock) -> None:
    meter = ReplayMeter(t_s=(0.0, 1.0, 2.0), joules=(0.0, 10.0, None), clock=clock, start_ns=clock.ns)
    clock.sleep(1.5)
    assert meter.read() * meter.traits.unit_j == pytest.approx(10.0)


def test_a_replay_fails_where_the_record_did(clock: ManualClock) -> None:
    meter = ReplayMeter(t_s=(0.0, 1.0), joules=(0.0, None), clock=clock, start_ns=clock.ns)
    clock.sleep(1.5)
    with pytest.raises(MeterError, match="nothing was recorded"):
        meter.read()


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    return path


def test_a_trace_is_read_from_a_file(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "t_s,power_w\n0,100\n2,100\n"))
    assert trace.joules_between(0, 2) == pytest.approx(200.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("t_s,power_w\n0,1\n2,1\n1,1\n", r"point 3: its time 1\.0 s lies before the one above, 2\.0 s.*sort"),
        ("t_s,power_w\n0,1\n1,lots\n", r"trace\.csv:3: power_w: expected a finite number, got 'lots'"),
        ("t_s,power_w\n0,nan\n", r"trace\.csv:2: power_w"),
        ("t_s,power_w\n0,-1\n", "0 or more"),
        ("time,watts\n0,1\n", "expected a header with t_s, power_w"),
        ("", "expected a header"),
    ],
)
def test_a_faulty_trace_is_named_by_file_line_and_value(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(MeterError, match=rf"(?s)trace\.csv.*{reason}|{reason}"):
        read_trace(written(tmp_path, text))


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="nowhere"):
        read_trace(tmp_path / "nowhere.csv")
