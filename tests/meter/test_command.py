"""Any command, measured: real processes, short ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.command import measure_command
from etude.meter.launch import launch

PYTHON = sys.executable


def run(program: str) -> tuple[int, float, float, int]:
    told = measure_command([PYTHON, "-c", program])
    assert told.cost.cpu_s is not None
    assert told.cost.wall_s is not None
    assert told.cost.peak_rss_bytes is not None
    return told.returncode, told.cost.cpu_s, told.cost.wall_s, told.cost.peak_rss_bytes


BURN = "import time\nwhile time.process_time() < 0.2: pass"


def test_a_commands_cpu_time_is_its_own() -> None:
    returncode, cpu_s, wall_s, _ = run(BURN)
    assert returncode == 0
    assert 0.2 <= cpu_s < 0.2 + 0.3
    assert wall_s >= 0.2


def test_what_its_children_used_counts_though_they_ended_before_it() -> None:
    _, cpu_s, _, _ = run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])")
    assert cpu_s >= 0.2


def test_its_peak_memory_is_known_even_if_it_was_short() -> None:
    _, _, _, peak = run("x = bytearray(60_000_000)")
    assert peak >= 60_000_000


def test_its_exit_code_comes_through() -> None:
    assert run("raise SystemExit(7)")[0] == 7


def test_a_signal_that_ended_it_comes_through() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run(program)[0] == -signal.SIGTERM


def test_its_energy_is_estimated_or_measured_and_says_which() -> None:
    told = measure_command([PYTHON, "-c", BURN]).cost
    assert told.energy["cpu"].joules.value is not None
    assert told.energy["cpu"].joules.method


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    told = measure_command([PYTHON, "-c", "open('here', 'w').close()"], cwd=tmp_path)
    assert told.returncode == 0
    assert (tmp_path / "here").exists()


def test_our_own_cpu_time_is_not_the_commands() -> None:
    for _ in range(300_000):
        pass
    _, cpu_s, _, _ = run("pass")
    baseline = subprocess.run(
        [PYTHON, "-c", "import time; print(time.process_time())"], capture_output=True, check=True
    )
    assert cpu_s < float(baseline.stdout) + 0.3


@pytest.mark.parametrize("argv", [[], ["/nowhere/at/all"]])
def test_a_command_that_cannot_be_run_is_named(argv: list[str]) -> None:
    with pytest.raises(MeterError, match=r"no command was given|/nowhere/at/all: cannot be run"):
        measure_command(argv)


LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how a command is started elsewhere differs")


@LINUX
def test_a_commands_peak_memory_is_its_own_and_not_the_callers() -> None:
    block = bytearray(b"x" * 200_000_000)
    peak = measure_command(["true"]).cost.peak_rss_bytes
    assert len(block) == 200_000_000
    assert peak is not None
    assert peak < 8_000_000


@LINUX
def test_a_command_that_must_be_started_from_here_does_not_tell_our_peak_as_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no.name.for.a.shell", "1")
    with launch(["true"]) as command:
        command.go()
        assert command.wait() == (0, None)


def shown(program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "out"
    assert measure_command([PYTHON, "-c", program, str(out), "a b", "$HOME", "*"]).returncode == 0
    return out.read_text()


@pytest.mark.parametrize("name", ["PLAIN", "no.name.for.a.shell", "etude_go"])
def test_the_command_has_our_environment_and_its_arguments_as_they_are(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = f"import os, sys; open(sys.argv[1], 'w').write(os.environ.get({name!r}, '-') + repr(sys.argv[2:]))"
    assert shown(program, monkeypatch, tmp_path, **{name: "v"}) == "v['a b', '$HOME', '*']"


def test_the_command_can_be_interrupted_and_has_no_files_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = (
        "import os, signal, sys; fds = sorted(map(int, os.listdir('/proc/self/fd')))[:-1]; "
        "open(sys.argv[1], 'w').write(f'{signal.getsignal(signal.SIGINT) is signal.default_int_handler} {fds}')"
    )
    assert shown(program, monkeypatch, tmp_path) == "True [0, 1, 2]"


def test_the_command_reads_our_standard_input(tmp_path: Path) -> None:
    program = f"from etude.meter.command import measure_command as m; m([{PYTHON!r}, '-c', 'print(input()[::-1])'])"
    ran = subprocess.run([PYTHON, "-c", program], input="abc\n", capture_output=True, text=True, check=True)
    assert ran.stdout == "cba\n"


@LINUX
def test_nothing_of_the_start_is_left_running(tmp_path: Path) -> None:
    measure_command(["true"])
    assert not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
