"""Numbers beyond all bounds, nesting without end and durations that may mean two things are refused in their place."""

from __future__ import annotations

import sys
import time

import pytest

from etude.config.yaml12 import parse_yaml
from etude.errors import ConfigError
from etude.units import AmbiguousError, bytes_of, seconds
from study_files import FaultAt, Read

NINES = "9" * 400


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pipeline.n.on.memory", f"{NINES}GB"),
        ("pipeline.n.on.memory", f"'{NINES}'"),
        ("pipeline.n.on.memory", NINES),
        ("pipeline.n.on.walltime", f"{NINES}h"),
        ("pipeline.n.on.walltime", f"{NINES}:00:00"),
        ("pipeline.n.on.walltime", NINES),
        ("pipeline.n.on.cpus", "9" * 5000),
        ("pipeline.n.with.x", "1e999"),
    ],
)
def test_a_number_beyond_all_bounds_is_refused_in_its_place(fault_at: FaultAt, path: str, value: str) -> None:
    *outer, key = path.split(".")[2:]
    assert fault_at(f"pipeline: {{n: {{step: a.b, {outer[0]}: {{{key}: {value}}}}}}}", path).value is not None


@pytest.mark.parametrize("value", ["1e999", "-1e999", "[1, {y: 1e999}]", "1e308 * 10"])
def test_a_number_that_jsonnet_cannot_hold_is_a_fault(read: Read, value: str) -> None:
    text = f"{{pipeline: {{n: {{step: 'a.b', with: {{x: {value}, note: 'to inf, and on'}}}}}}}}"
    (fault,) = read(text, "s.jsonnet").faults
    assert fault.path.startswith("pipeline.n.with.x")
    assert fault.file.endswith("s.jsonnet")


def test_a_number_that_json_cannot_hold_is_a_fault(read: Read) -> None:
    (fault,) = read('{"pipeline": {"n": {"step": "a.b", "with": {"x": 1e999}}}}', "s.json").faults
    assert "1e999 is larger" in fault.reason


@pytest.mark.parametrize(("text", "short", "long"), [("36:00", "36m", "36h"), ("01:30", "01m30s", "01h30m")])
def test_a_duration_of_two_numbers_is_refused_with_both_readings(
    fault_at: FaultAt, text: str, short: str, long: str
) -> None:
    fault = fault_at(f"pipeline: {{n: {{step: a.b, on: {{walltime: '{text}'}}}}}}", "pipeline.n.on.walltime")
    assert text in fault.reason
    assert "SLURM" in fault.reason
    assert short in fault.mend
    assert long in fault.mend
    assert seconds(long) == 60 * seconds(short)


def test_a_duration_of_three_numbers_is_hours_minutes_and_seconds() -> None:
    assert seconds("36:00:05") == 36 * 3600 + 5
    with pytest.raises(AmbiguousError):
        seconds("36:00")


@pytest.mark.parametrize("convert", [seconds, bytes_of])
def test_no_amount_is_infinite(convert: object) -> None:
    assert callable(convert)
    with pytest.raises(ValueError, match="larger than any number"):
        convert("9" * 400 + ("s" if convert is seconds else ""))


def calls_while(text: str) -> int:
    """Python calls and C calls that a refusal takes: a measure of its work that no clock disturbs."""
    count = 0

    def tick(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tick)
    try:
        with pytest.raises(ConfigError, match="nests deeper"):
            parse_yaml(text, "s.yaml")
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("unit", ["[", "{a: ", "[[", "- "])
def test_nesting_is_refused_after_as_much_work_however_deep_it_goes_on(unit: str) -> None:
    start = "\n" if unit == "- " else ""
    assert calls_while(start + unit * 20_000) < 3 * calls_while(start + unit * 2_000)
    began = time.process_time()
    with pytest.raises(ConfigError):
        parse_yaml(start + unit * 100_000, "s.yaml")  # more than a minute where the parser went on to the end
    assert time.process_time() - began < 10
