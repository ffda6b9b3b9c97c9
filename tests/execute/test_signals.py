"""Runs that are stopped, killed or starved, as whole processes: what is lost is never more than it says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
def leaves(*, how: str, ends: str) -> int:
    import multiprocessing, subprocess, sys
    if how == "program":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    elif how == "shell":
        child = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"])
    else:
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        child.start()
    (HERE / "child").write_text(str(child.pid))
    while ends == "killed" or not (HERE / "hurry").exists():
        time.sleep(0.02)
    if ends == "now":
        os._exit(3)
    return 1

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

    def start(self, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, sys.executable, "-m", "etude.cli.main", "run", "study.json"],
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_at_a_checkpoint_and_the_next_run_goes_on_from_it(
    project: Project, backend: str, number: signal.Signals
) -> None:
    project.counting(checks=True, backend=backend)
    process = project.start()
    until(lambda: project.counted() > 5, "counting")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "run the same command again" in output
    reached = project.counted()
    project.hurry()
    code, output = project.finish()
    assert code == 0, output
    assert project.calls() == ["from-0", f"from-{reached}"]


@pytest.mark.parametrize("backend", ["processes", "inline"])
def test_a_closed_terminal_stops_a_run_at_a_checkpoint(project: Project, backend: str) -> None:
    project.counting(checks=True, backend=backend)
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "etude.cli.main", "run", "study.json"],
        cwd=project.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    until(lambda: project.counted() > 5, "counting")
    os.close(ours)
    assert process.wait(timeout=60) == 130
    reached = project.counted()
    project.hurry()
    code, output = project.finish()
    assert code == 0, output
    assert project.calls() == ["from-0", f"from-{reached}"]


def test_a_run_that_is_to_outlive_its_terminal_goes_on(project: Project) -> None:
    project.counting(checks=True)
    process = project.start(before=["nohup"])
    until(lambda: project.counted() > 5, "counting")
    process.send_signal(signal.SIGHUP)
    before = project.counted()
    until(lambda: project.counted() > before + 5, "counting on")
    project.hurry()
    process.communicate(timeout=60)
    assert process.returncode == 0


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


@pytest.mark.parametrize("backend", ["processes", "inline"])
@pytest.mark.parametrize("ends", ["killed", "now", "done"])
@pytest.mark.parametrize("how", ["program", "shell", "fork"])
def test_what_a_step_has_started_ends_with_the_run_however_that_ends(
    project: Project, backend: str, ends: str, how: str
) -> None:
    if (ends, how) == ("done", "fork"):
        pytest.skip("Python itself waits for such a child")
    project.study({"it": {"step": "signal_steps:leaves", "with": {"how": how, "ends": ends}}}, backend=backend)
    process = project.start()
    note = project.folder / "child"
    until(lambda: note.exists() and note.read_text() != "", "the start of a child")
    child = psutil.Process(int(note.read_text()))
    below = child.children(recursive=True)
    time.sleep(0.5)
    if ends == "killed":
        process.kill()
    project.hurry()
    process.communicate(timeout=60)
    until(lambda: not any(each.is_running() and each.status() != "zombie" for each in (child, *below)), "their end")


@pytest.mark.parametrize("how", ["program", "shell"])
def test_what_a_done_step_left_in_a_session_of_its_own_is_ended_and_told_and_nothing_else_is(
    project: Project, how: str
) -> None:
    left = {"step": "signal_steps:leaves", "with": {"how": how, "ends": "done"}}
    project.study({"left": left, "after": {"step": "signal_steps:after", "from": "left"}}, workers=1)
    process = project.start()
    note = project.folder / "child"
    until(lambda: note.exists() and note.read_text() != "", "the start of a child")
    project.hurry()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    events = "".join(path.read_text() for path in project.folder.rglob("events.jsonl"))
    told = "ended what the step left running in a session of its own: python" in events
    assert told == (how == "program")


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
