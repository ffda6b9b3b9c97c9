"""Runs one command line: fills it in, follows what it prints, stops it when asked, and takes what it wrote."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from etude import Context, Stopped
from etude.command.number_files import numbers_of
from etude.environment import variables_copy
from etude.errors import StepError, nearest
from etude.graph.command_lines import with_values
from etude.graph.step import OUT

METRICS = "metrics"
"""The name of a written file whose numbers are the node's."""
UNDECLARED = "undeclared_writes"
_POLL_S = 0.1
_LAST_LINES = 12
_LONGEST_LINE = 1 << 16
"""Characters of a line that are held at once; what is longer is followed in parts."""
_SKIPPED = frozenset(
    {".git", ".etude", ".venv", "venv", "results", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache"}
)


@dataclass(slots=True, kw_only=True)
class CommandRun:
    """One command line, run once."""

    command: str
    writes: Mapping[str, str]
    patterns: Mapping[str, str]
    shell: bool
    stop_s: float
    inputs: Mapping[str, object]
    context: Context
    found: dict[str, float] = field(default_factory=dict)
    """Name → the last number that its pattern has matched."""
    last_lines: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """Run it; what it wrote by name, and its numbers.

        Raises:
            StepError: It failed, or what it should give is not there.
            Stopped: The run was asked to stop, and the command has ended.
        """
        patterns = {name: self._compiled(name, text) for name, text in self.patterns.items()}
        out = self.context.scratch / OUT
        out.mkdir(parents=True, exist_ok=True)
        for name, text in self.writes.items():
            self._within(out, name, text)
        stamp = self.context.scratch / "started"
        stamp.touch()
        code = self._follow(self._words(out), patterns, out)
        if self.context.stopping and code != 0:
            raise Stopped(f"the command was stopped (exit code {code})")
        if code != 0:
            told = "\n    ".join(["it printed last:", *self.last_lines]) if self.last_lines else "it printed nothing"
            raise StepError(f"the command {_shown(self.command)} ended with exit code {code}\n    {told}")
        return {**self._written(out), **self._numbers(out), **_told(_written_since(stamp, self.context.project))}

    def _compiled(self, name: str, text: str) -> re.Pattern[str]:
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise StepError(f"metrics.{name}: {text!r} is no regular expression: {error}") from error
        if pattern.groups < 1:
            raise StepError(f"metrics.{name}: {text!r} has no group\n    Mend: put the number in brackets: ([0-9.]+)")
        return pattern

    def _words(self, out: Path) -> list[str]:
        """The program and its arguments, with every place filled in."""
        values = {OUT: str(out), **{name: self._as_argument(name, value) for name, value in self.inputs.items()}}
        if self.shell:
            quoted = {name: shlex.quote(value) for name, value in values.items()}
            return ["/bin/bash", "-c", with_values(self.command, quoted)]
        try:
            words = [with_values(word, values) for word in shlex.split(self.command)]
        except ValueError as error:
            raise StepError(f"run: {_shown(self.command)} cannot be split into words: {error}") from error
        if not words:
            raise StepError("run: the command line is empty")
        return [sys.executable, *words[1:]] if words[0] in ("python", "python3") else words

    def _as_argument(self, name: str, value: object) -> str:
        """What stands for an input in the command line."""
        if isinstance(value, (str, Path)) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return str(value)
        folder = self.context.scratch / "inputs"
        folder.mkdir(exist_ok=True)
        kind = type(value).__module__.partition(".")[0]
        if kind == "pyarrow":
            import pyarrow.parquet

            pyarrow.parquet.write_table(value, folder / f"{name}.parquet")
            return str(folder / f"{name}.parquet")
        if kind == "pandas":
            value.to_parquet(folder / f"{name}.parquet")  # type: ignore[attr-defined]
            return str(folder / f"{name}.parquet")
        if kind == "numpy" and hasattr(value, "ndim"):
            import numpy as np

            np.save(folder / f"{name}.npy", np.asarray(value))
            return str(folder / f"{name}.npy")
        try:
            text = json.dumps(value, default=vars)
        except TypeError as error:
            raise StepError(
                f"the input {name!r} is a {type(value).__qualname__}, which a command cannot take: {error}\n"
                "    Mend: give it a file: a step that returns a Path under ctx.scratch"
            ) from error
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        return str(folder / f"{name}.json")

    def _follow(self, words: list[str], patterns: Mapping[str, re.Pattern[str]], out: Path) -> int:
        """Run the program to its end, passing on what it prints. Its exit code."""
        environment = {**variables_copy(), "ETUDE_OUT": str(out), "PYTHONUNBUFFERED": "1"}
        try:
            process = subprocess.Popen(
                words,
                cwd=self.context.project,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                errors="replace",
                text=True,
            )
        except OSError as error:
            reason = f"the command {_shown(self.command)} cannot be run: {error.strerror}: {words[0]}"
            raise StepError(reason) from error
        reader = threading.Thread(target=self._read, args=(process, patterns), daemon=True)
        reader.start()
        asked_s: float | None = None
        within: dict[int, psutil.Process] = {}
        while process.poll() is None:
            if self.context.stopping and asked_s is None:
                asked_s = time.monotonic()
                within = _descendants(process.pid)
                process.send_signal(signal.SIGTERM)
                for child in within.values() if self.shell else ():  # a shell does not pass it on
                    _end(child, signal.SIGTERM)
            elif asked_s is not None and time.monotonic() > asked_s + self.stop_s:
                within |= _descendants(process.pid)
                process.kill()
            time.sleep(_POLL_S)
        reader.join(timeout=self.stop_s)
        for child in within.values():  # else they would write on beside the next attempt
            _end(child, signal.SIGKILL)
        psutil.wait_procs([*within.values()], timeout=self.stop_s)
        return process.returncode

    def _read(self, process: subprocess.Popen[str], patterns: Mapping[str, re.Pattern[str]]) -> None:
        output = process.stdout
        assert output is not None
        for line in iter(lambda: output.readline(_LONGEST_LINE), ""):
            sys.stdout.write(line)
            self.last_lines = [*self.last_lines[1 - _LAST_LINES :], line.rstrip()[:500]]
            for name, pattern in patterns.items():
                for match in pattern.finditer(line):
                    try:
                        self.found[name] = float(match[1])
                    except (TypeError, ValueError):
                        continue
        sys.stdout.flush()

    def _written(self, out: Path) -> dict[str, Path]:
        there = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
        missing = {name: text for name, text in self.writes.items() if not (out / text).exists()}
        if missing:
            name, text = next(iter(missing.items()))
            wrote = f"it wrote {', '.join(there[:8])}" if there else "it wrote nothing to {out}"
            mend = nearest(text, there) if there else "write to the folder that {out}, or $ETUDE_OUT, names"
            raise StepError(f"writes.{name}: the command has not written {text!r}: {wrote}\n    Mend: {mend}")
        for name, text in self.writes.items():
            self._within(out, name, text)
        return {name: out / text for name, text in self.writes.items() if name != METRICS}

    def _within(self, out: Path, name: str, text: str) -> None:
        if not (out / text).resolve().is_relative_to(out.resolve()):
            mend = "write it there, or copy it there at the end"
            raise StepError(f"writes.{name}: {text!r} leads out of the folder {{out}}\n    Mend: {mend}")

    def _numbers(self, out: Path) -> dict[str, Any]:
        lost = [name for name in self.patterns if name not in self.found]
        if lost:
            pattern = self.patterns[lost[0]]
            raise StepError(f"metrics.{lost[0]}: nothing that the command printed matches {pattern!r}")
        numbers = numbers_of(out / self.writes[METRICS]) if METRICS in self.writes else {}
        taken = [name for name in numbers if name in self.writes or name in self.found]
        if taken:
            raise StepError(f"writes.metrics: {taken[0]!r} is the name of something else too\n    Mend: rename one")
        return {**numbers, **self.found}


def _descendants(pid: int) -> dict[int, psutil.Process]:
    """The processes that one has started, and those that they have."""
    try:
        return {child.pid: child for child in psutil.Process(pid).children(recursive=True)}
    except psutil.Error:
        return {}


def _end(process: psutil.Process, how: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):  # which has ended; a process of the same number later is told from it
        process.send_signal(how)


def _written_since(stamp: Path, project: Path) -> list[str]:
    """The files of a project that were written after a file was. Looked for in a process of
    its own, so that looking is nothing that the step has read."""
    skipped = [word for name in _SKIPPED for word in ("-name", name, "-o")][:-1]
    words = ["find", ".", "(", *skipped, ")", "-prune", "-o", "-type", "f", "-newer", str(stamp), "-print"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, errors="replace", cwd=project)
    return sorted(line.removeprefix("./") for line in done.stdout.splitlines())


def _told(undeclared: list[str]) -> dict[str, str]:
    """What was written beside `{out}`, as a text in the record."""
    if not undeclared:
        return {}
    listed = ", ".join(undeclared[:5]) + (f" and {len(undeclared) - 5} more" if len(undeclared) > 5 else "")
    sys.stdout.write(f"etude: written in the project and not declared: {listed}\n")
    return {UNDECLARED: listed[:200]}


def _shown(command: str) -> str:
    return repr(command if len(command) <= 200 else f"{command[:200]}…")
