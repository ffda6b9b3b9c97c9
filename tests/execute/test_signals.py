"""Runs that are stopped, killed or starved, as whole processes: what is lost is never more than it says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

STEPS = """
import os, time
from pathlib import Path
from etude import Context, Stopped, step

HERE = Path(__file__).parent

def called(name):
    with open(HERE / "calls.log", "a") as file:
        file.write(f"{name}\\n")

@step
def count(*, ctx: Context, to: int, checks: bool) -> int:
    state = ctx.scratch / "state"
    done = int(state.read_text()) if state.exists() else 0
    called(f"from-{done}")
    while done < to:
        done += 1
        state.with_suffix(".tmp").write_text(str(done))
        state.with_suffix(".tmp").rename(state)
        ctx.progress(done, to)
        time.sleep(0.02)
        if checks and ctx.stopping:
            raise Stopped(f"at {done}")
        if (HERE / "hurry").exists():
            break
    return done

@step
def after(count: int) -> int:
    return count + 1

@step
def dies(*, times: int) -> int:
    called("dies")
    os.kill(os.getpid(), 9)
    return 0

@step
def large(*, megabytes: int) -> bytes:
    return bytes(megabytes * 1_000_000)
"""


class Project:
    """A project with one study, run by the command line in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "signal_steps.py").write_text(STEPS)

    def study(self, pipeline: dict[str, object], **place: object) -> None:
        study = {"name": "stopped", "pipeline": pipeline, "place": {"workers": 2, **place}}
        (self.folder / "study.json").write_text(json.dumps(study))

    def counting(self, *, checks: bool, backend: str = "processes") -> None:
        nodes = {
            "count": {"step": "signal_steps:count", "with": {"to": 100_000, "checks": checks}},
            "after": {"step": "signal_steps:after", "from": "count"},
        }
        self.study(nodes, backend=backend)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "etude.cli.main", "run", "study.json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )

    def finish(self) -> tuple[int, str]:
        process = self.start()
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def calls(self) -> list[str]:
        log = self.folder / "calls.log"
        return log.read_text().split() if log.exists() else []

    def counted(self) -> int:
        states = [path for path in self.folder.glob(".etude/store/scratch/*/*/state") if path.exists()]
        with contextlib.suppress(ValueError, OSError):
            return int(states[0].read_text()) if states else 0
        return 0

    def hurry(self) -> None:
        (self.folder / "hurry").touch()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def until(holds: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen in {limit_s:g} s"
        time.sleep(0.02)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("backend", ["processes", "inline"])
def test_one_interrupt_stops_at_a_checkpoint_and_the_next_run_goes_on_from_it(project: Project, backend: str) -> None:
    project.counting(checks=True, backend=backend)
    process = project.start()
    until(lambda: project.counted() > 5, "counting")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "run the same command again" in output
    reached = project.counted()
    project.hurry()
    code, output = project.finish()
    assert code == 0, output
    assert project.calls() == ["from-0", f"from-{reached}"]


@pytest.mark.parametrize("backend", ["processes", "inline"])
def test_a_second_interrupt_stops_now_and_leaves_nothing_half_done(project: Project, backend: str) -> None:
    project.counting(checks=False, backend=backend)
    process = project.start()
    until(lambda: project.counted() > 5, "counting")
    workers = workers_of(process)
    process.send_signal(signal.SIGINT)
    before = project.counted()
    until(lambda: project.counted() > before + 5, "counting on after the first interrupt")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    until(lambda: not any(worker.is_running() for worker in workers), "the end of the workers")
    project.hurry()
    code, output = project.finish()
    assert code == 0, output


def test_workers_die_with_a_killed_driver_and_the_next_run_takes_over(project: Project) -> None:
    project.counting(checks=False)
    process = project.start()
    until(lambda: project.counted() > 5, "counting")
    workers = workers_of(process)
    process.kill()
    process.communicate()
    until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers), "their end")
    reached = project.counted()
    project.hurry()
    code, output = project.finish()
    assert code == 0, output
    assert project.calls() == ["from-0", f"from-{reached}"]


def test_a_killed_worker_alone_is_replaced_and_the_step_goes_on_from_its_scratch_folder(project: Project) -> None:
    project.counting(checks=False)
    process = project.start()
    until(lambda: project.counted() > 5, "counting")
    for worker in workers_of(process):
        worker.kill()
    until(lambda: len(project.calls()) == 2, "the second attempt")
    project.hurry()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "SIGKILL" in output
    assert project.calls()[1] != "from-0"


def test_a_step_that_is_killed_each_time_fails_with_the_likely_cause(project: Project) -> None:
    project.study({"dies": {"step": "signal_steps:dies", "with": {"times": 1}}}, retries=1)
    code, output = project.finish()
    assert code == 1
    assert "SIGKILL (perhaps out of memory" in output
    assert project.calls() == ["dies", "dies"]


def test_two_runs_share_the_work_and_the_second_sees_the_first(project: Project) -> None:
    project.counting(checks=False)
    first = project.start()
    until(lambda: project.counted() > 5, "counting")
    second = project.start()
    lines: list[str] = []
    assert second.stdout is not None
    while not any("another run computes it" in line for line in lines):
        lines.append(second.stdout.readline())
    project.hurry()
    assert first.wait(timeout=60) == 0
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert project.calls() == ["from-0"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_fails_the_node_by_name_and_the_next_run_completes(project: Project, small_disk: Path) -> None:
    nodes = {
        "small": {"step": "signal_steps:large", "with": {"megabytes": 1}},
        "large": {"step": "signal_steps:large", "with": {"megabytes": 9}},
    }
    project.study(nodes, store=str(small_disk / "store"), workers=1)  # one after the other: the small one fits
    code, output = project.finish()
    assert code == 1
    assert "large" in output
    assert "No space left" in output or "full" in output, output
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    code, output = project.finish()
    assert code == 0, output
    assert "1 cached" in output


def test_an_edit_while_a_study_runs_never_leaks_into_it(project: Project) -> None:
    project.counting(checks=False)
    process = project.start()
    until(lambda: project.counted() > 5, "counting")
    (project.folder / "signal_steps.py").write_text(STEPS.replace("return count + 1", "return count - 1"))
    for worker in workers_of(process):
        worker.kill()
    until(lambda: len(project.calls()) == 2, "the second attempt, in a new worker")
    project.hurry()
    process.communicate(timeout=60)
    assert process.returncode == 0
    (project.folder / "signal_steps.py").write_text(STEPS)
    done = subprocess.run(
        [sys.executable, "-m", "etude.cli.main", "show", "study.json", "--json", "after"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    count = json.loads(
        subprocess.run(
            [sys.executable, "-m", "etude.cli.main", "show", "study.json", "--json", "count"],
            cwd=project.folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )[0]["value"]
    assert json.loads(done.stdout)[0]["value"] == count + 1
