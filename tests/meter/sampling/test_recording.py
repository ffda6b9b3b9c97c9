from __future__ import annotations

import json
from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.accounting.costing import cost_of
from etude.meter.accounting.ledger import resolve
from etude.meter.measure import measure
from etude.meter.sampling.log import Log, Sample
from etude.meter.sampling.recording import Recording
from etude.meter.sources.clock import ManualClock
from meter_fakes import LiveBoard, quiet_sampler, work_like_a_language_model


def recorded(proc: Path) -> Recording:
    clock = ManualClock(ns=10**12)
    board = LiveBoard(clock)
    with measure(quiet_sampler([board], clock, proc=proc)) as m:
        work_like_a_language_model(board, m, 2.0, seed=1)
    return m.recording


def test_a_stored_recording_resolves_to_the_same_cost(proc: Path, tmp_path: Path) -> None:
    original = recorded(proc)
    original.save(tmp_path / "run.json")
    again = Recording.load(tmp_path / "run.json")
    assert cost_of(resolve(again)) == cost_of(resolve(original))


def test_a_recording_can_be_resolved_again_with_another_idle_power(proc: Path) -> None:
    original = recorded(proc)
    plain, other = resolve(original), resolve(original, idle_w={"gpu0": 400.0})
    assert plain.accounts[0].run.value != other.accounts[0].run.value


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no recording"), ("{}", "no recording"), (json.dumps({"version": 99}), "version 99")],
)
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(MeterError, match=rf"run\.json.*{reason}"):
        Recording.load(path)


def test_a_plateau_is_kept_as_its_two_ends() -> None:
    log = Log()
    for ns, raw in [(0, 5), (1, 5), (2, 5), (3, 5), (4, 6)]:
        log.add(ns, raw)
    assert list(log.samples()) == [Sample(ns=0, raw=5), Sample(ns=3, raw=5), Sample(ns=4, raw=6)]


def test_a_failed_reading_keeps_its_reason() -> None:
    log = Log()
    log.add(0, 5)
    log.add(1, None, "gone")
    assert list(log.samples())[-1] == Sample(ns=1, raw=None, reason="gone")


def test_what_is_forgotten_leaves_one_reading_before_the_moment() -> None:
    log = Log()
    for ns in range(10):
        log.add(ns, ns)
    log.forget_before(6)
    assert [sample.ns for sample in log.samples()] == [5, 6, 7, 8, 9]


def test_a_slice_starts_with_the_reading_before_the_moment_and_is_a_copy() -> None:
    log = Log()
    for ns in range(10):
        log.add(ns, ns)
    part = log.since(6)
    log.add(10, 10)
    assert [sample.ns for sample in part.samples()] == [5, 6, 7, 8, 9]


def test_a_recording_of_before_threads_were_told_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with measure() as m, m.window("w"):
        pass
    m.recording.save(path)
    told = json.loads(path.read_text())
    del told["windows"]["thread_of"], told["windows"]["thread_cpu_ns"]
    path.write_text(json.dumps(told | {"version": 1}))
    assert list(Recording.load(path).windows.thread_cpu_ns) == [-1]
