"""Logs hold what a step prints, without secrets, and no more than is allowed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.execute.log_process import LogProcess, start_log_process
from etude.execute.logs import LogFile, capture_output
from etude.redaction import HIDDEN, Redactor

SECRET = "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8bC0xR0123"


def log_of(path: Path, pieces: list[bytes], **limits: int) -> bytes:
    log = LogFile(path=path, redact=Redactor.of({"TOKEN": "hunter22"}), **limits)
    for piece in pieces:
        log.feed(piece)
    log.close()
    return path.read_bytes() if path.exists() else b""


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_a_log_is_what_was_printed(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    assert log_of(path, pieces) == b"".join(pieces)
    assert path.exists() == any(pieces)


@given(st.integers(1, 400), st.integers(50, 3000), st.integers(50, 3000))
def test_whatever_is_printed_the_beginning_and_the_end_are_kept_and_the_cut_is_told_in_bytes(
    tmp_path_factory: pytest.TempPathFactory, lines: int, first: int, last: int
) -> None:
    data = b"".join(b"line %d of the log\n" % n for n in range(lines)) * 40
    pieces = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    log = log_of(tmp_path_factory.mktemp("log") / "a.log", pieces, most_first=first, most_last=last)
    told = re.search(rb"\n\[.tude: ([\d,]+) bytes are left out here.*\]\n".replace(b".tude", "étude".encode()), log)
    if told is None:
        assert log == data
    else:
        begin, end = log[: told.start()], log[told.end() :]
        assert data.startswith(begin)
        assert data.endswith(end)
        assert len(begin) + len(end) + int(told[1].replace(b",", b"")) == len(data)
        assert len(end) <= last


@pytest.mark.parametrize("at", range(980, 1060, 7))
def test_no_part_of_a_secret_is_left_where_the_log_is_cut(tmp_path: Path, at: int) -> None:
    data = b"." * at + b" " + SECRET.encode() + b" hunter22\n" + b"and more\n" * 20_000 + SECRET.encode()
    log = log_of(tmp_path / "a.log", [data], most_first=1000, most_last=1000)
    assert not re.search(rb"ghp_|aB3dE|hunter", log)
    assert log.endswith(HIDDEN.encode())


def test_attempts_share_the_room_at_the_beginning(tmp_path: Path) -> None:
    for _ in range(5):
        log_of(tmp_path / "a.log", [b"a line\n" * 50_000], most_first=1000, most_last=1000)
    assert (tmp_path / "a.log").stat().st_size < 400_000  # of 1,750,000 that were printed


def test_where_no_log_can_be_written_what_is_printed_is_lost_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file, no folder")
    assert log_of(tmp_path / "a" / "b.log", [b"x\n"]) == b""


PRINTS = """
import os, sys
from pathlib import Path
from etude.execute.log_process import start_log_process
from etude.execute.logs import capture_output
from etude.redaction import Redactor

drain = start_log_process(Redactor.of({"TOKEN": "hunter22"}))
for number in range(2):
    with capture_output(Path(sys.argv[1]) / f"{number}.log", drain):
        print("from Python", number, "hunter22")
        os.write(2, b"from below\\n")
        os.system("echo from a child")
        print("no end", end="")
print("here again")
with capture_output(Path(sys.argv[1]) / "killed.log", drain):
    os.write(1, b"last words hunter22")
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("logs")
    done = subprocess.run([sys.executable, "-c", PRINTS, str(folder)], stdout=subprocess.PIPE, text=True, check=False)
    return folder, done.stdout


def test_what_a_worker_and_its_children_print_is_in_the_log_when_the_node_has_ended(printed: tuple[Path, str]) -> None:
    folder, told = printed
    for number in range(2):
        lines = (folder / f"{number}.log").read_text().splitlines()
        assert sorted(lines) == sorted([f"from Python {number} {HIDDEN}", "from below", "from a child", "no end"])
    assert told == "here again\n"


def test_the_last_words_of_a_worker_that_is_killed_are_kept(printed: tuple[Path, str], tmp_path: Path) -> None:
    path = printed[0] / "killed.log"
    subprocess.run(["timeout", "20", "sh", "-c", f"until [ -s {path} ]; do :; done"], check=True)
    assert path.read_text() == f"last words {HIDDEN}"


class Gone:
    """A writer that has ended."""

    def begin(self, source: int, path: Path) -> None:
        raise BrokenPipeError

    def end(self) -> None:
        raise BrokenPipeError


def test_a_step_goes_on_where_nobody_writes_its_log(tmp_path: Path) -> None:
    with capture_output(tmp_path / "a.log", Gone()):
        os.write(1, b"into nowhere" * 100_000)
    assert not list(tmp_path.iterdir())


def test_the_writer_is_no_child_of_the_worker() -> None:
    process = start_log_process(Redactor())
    assert isinstance(process, LogProcess)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    process.connection.close()
