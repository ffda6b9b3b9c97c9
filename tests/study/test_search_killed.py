"""Searches whose processes are killed, and searches that several processes share, over one log and one store."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from etude.search.trial_events import Asked, Finished
from etude.search.trial_log import read_log

STEPS = """
import os, time
from pathlib import Path
from etude import step

@step
def fit(*, x: float) -> dict[str, float]:
    time.sleep(0.05)
    with open(Path(__file__).parent / "calls.log", "a") as file:
        file.write(f"{x!r}\\n")
    if 0.2 < x < 0.3:
        raise ValueError("no")
    return {"auc": x}
"""
STUDY = """
name: killed
params: {x: 0.5}
pipeline: {fit: {step: "killed_steps:fit", with: {x: "${x}"}}}
vary: {search: {space: {x: {float: [0, 1]}}, objective: fit.auc, trials: TRIALS, sampler: random, baseline: params}}
place: {workers: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".etude").mkdir()
    (tmp_path / "killed_steps.py").write_text(STEPS)
    return tmp_path


def start(folder: Path, trials: int) -> subprocess.Popen[bytes]:
    (folder / "killed.yaml").write_text(STUDY.replace("TRIALS", str(trials)))
    return subprocess.Popen(
        [sys.executable, "-m", "etude.cli.main", "run", "killed.yaml"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def killed_after(process: subprocess.Popen[bytes], folder: Path, *, lines: int, pause_s: float) -> bool:
    """Kill a search with all its workers once its log has so many lines more; whether it was still under way."""
    log = folder / ".etude" / "searches" / "killed" / "events.jsonl"
    before = log.read_bytes().count(b"\n") if log.exists() else 0
    while process.poll() is None and (log.read_bytes().count(b"\n") if log.exists() else 0) < before + lines:
        time.sleep(0.01)
    time.sleep(pause_s)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return True


def events(folder: Path) -> list[object]:
    return list(read_log(folder / ".etude" / "searches" / "killed" / "events.jsonl"))


def assert_whole(folder: Path, trials: int) -> None:
    found = events(folder)
    asked = [event.number for event in found if isinstance(event, Asked)]
    ended = [event.number for event in found if isinstance(event, Finished)]
    assert sorted(asked) == list(range(trials)), "each number once"
    assert sorted(ended) == list(range(trials)), "none lost, none twice"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_search_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing(folder: Path, seed: int) -> None:
    trials, rng = 60, random.Random(seed)
    kills = 0
    for _ in range(10):
        process = start(folder, trials)
        kills += killed_after(process, folder, lines=rng.randint(1, 20), pause_s=rng.uniform(0, 0.1))
    _, told = (process := start(folder, trials)).communicate(timeout=120)
    assert process.returncode == 0, told.decode()
    assert kills >= 5
    assert_whole(folder, trials)
    finished = {event.number for event in events(folder) if isinstance(event, Finished)}
    points = {event.number: event.point for event in events(folder) if isinstance(event, Asked)}
    calls = Counter((folder / "calls.log").read_text().split())
    succeeded = [points[number]["x"] for number in finished if not 0.2 < points[number]["x"] < 0.3]  # type: ignore[operator]
    again = sum(count - 1 for count in calls.values())
    assert again <= 2 * kills, "at most what was running when it was killed is computed again"
    assert all(calls[repr(x)] >= 1 for x in succeeded)
    replayed = subprocess.run(
        [sys.executable, "-m", "etude.cli.main", "search", "replay", "killed.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{trials - 1} of {trials - 1} proposals follow again" in replayed.stdout


@pytest.mark.slow
def test_two_processes_share_a_search(folder: Path) -> None:
    trials = 40
    both = [start(folder, trials), start(folder, trials)]
    told = [process.communicate(timeout=120)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert_whole(folder, trials)
    drivers = Counter(event.driver for event in events(folder) if isinstance(event, Asked))
    assert len(drivers) == 2, "both worked on it"
    calls = Counter((folder / "calls.log").read_text().split())
    assert max(calls.values()) == 1, "no trial was evaluated twice"


@pytest.mark.slow
def test_what_a_killed_process_left_is_taken_over_by_one_that_lives(folder: Path) -> None:
    trials = 60
    first, second = start(folder, trials), start(folder, trials)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        drivers = {event.driver for event in events(folder) if isinstance(event, Asked)} if _begun(folder) else set()
        if len(drivers) == 2:
            break
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    _, told = second.communicate(timeout=120)
    assert second.returncode == 0, told.decode()
    assert_whole(folder, trials)


def _begun(folder: Path) -> bool:
    return (folder / ".etude" / "searches" / "killed" / "events.jsonl").exists()
