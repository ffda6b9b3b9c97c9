"""How things are measured here: each in a process of its own, in turns, the processor's time beside the clock's.

A shared machine makes wall-clock times wander; the processor's time wanders less, and a ratio to something measured in
the same turns less still. So everything is repeated in turns (A B C A B C, not A A B B C C) and told as a median with
the lowest and the highest value.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

T = TypeVar("T")

TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took, the children that it waited for included."""

    wall_s: float
    cpu_s: float
    """User and system time."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What it measured itself: the JSON object on the last line that it printed."""


class Started(NamedTuple):
    """A program under way."""

    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    start_s: float


def start(
    command: Sequence[str | Path], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Started:
    """Start a program, in a folder and with some variables added to the environment.

    Python keeps its compiled files, as it does for users: otherwise every start would measure the compiler.
    """
    words = tuple(str(word) for word in command)
    output = tempfile.TemporaryFile()  # noqa: SIM115  closed when the program has ended
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    given |= environment or {}
    start_s = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=folder, env=given, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    return Started(words, process, output, start_s)


def ended(started: Started, timeout_s: float = TIMEOUT_S) -> Usage:
    """Wait for a program's end.

    Raises:
        RuntimeError: It failed or took too long; with the end of what it printed.
    """
    process = started.process
    watchdog = threading.Timer(timeout_s, process.kill)
    watchdog.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started.start_s
    watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    with started.output as output:
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        raise RuntimeError(f"{' '.join(started.words)}: exit code {process.returncode}\n{text[-3000:]}")
    return Usage(wall_s, usage.ru_utime + usage.ru_stime, _told(text))


def used_by(
    command: Sequence[str | Path], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Usage:
    """Run a program to its end."""
    return ended(start(command, folder, environment))


def _told(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text.rstrip().rpartition("\n")[2])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def in_turns(cases: Mapping[str, Callable[[], T]], repeats: int | Mapping[str, int]) -> dict[str, list[T]]:
    """Each case as often as asked, one of each before the next round, so that all meet the same weather."""
    found: dict[str, list[T]] = {name: [] for name in cases}
    wanted = {name: repeats if isinstance(repeats, int) else repeats[name] for name in cases}
    for turn in range(max(wanted.values())):
        for name, case in cases.items():
            if turn < wanted[name]:
                found[name].append(case())
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some repeats, and how far they lie apart."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return Spread(statistics.median(values), min(values), max(values))

    def text(self, scale: float = 1.0) -> str:
        """`1.43 (1.30–1.80)`, in units that many times smaller."""
        if self.low == self.high:
            return number(self.median * scale)
        return f"{number(self.median * scale)} ({number(self.low * scale)}–{number(self.high * scale)})"


def slopes(small: Sequence[float], large: Sequence[float], more: int) -> Spread:
    """Cost of each further thing: large minus small, turn by turn, over the number of things that large has more."""
    return Spread.of([(high - low) / more for low, high in zip(small, large, strict=True)])


def number(value: float) -> str:
    """Three figures, no exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.01 else 4
    return f"{value:,.{places}f}"
