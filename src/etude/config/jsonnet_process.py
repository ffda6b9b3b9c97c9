"""Jsonnet programs evaluated in a process of their own, with limits: what crashes the engine becomes an error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from etude.errors import EtudeError

MEMORY_BYTES: Final = 2 * 2**30
CPU_S: Final = 20.0
_OUT_OF_MEMORY: Final = 86
_CHILD: Final = Path(__file__).with_name("jsonnet_child.py")

Imported = Callable[[str, str], tuple[str, str]]
"""Folder of the importing file and name → path and text of the file."""


class JsonnetError(Exception):
    """The engine's own message of what is wrong with a program."""


class JsonnetCrash(Exception):
    """The engine was ended by a program; the reason, and what to do."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


class JsonnetProcess:
    """Evaluates programs one after the other; the process starts with the first and ends with this object."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, cpu_s: float = CPU_S) -> None:
        self._limits = {"memory_bytes": memory_bytes, "cpu_s": cpu_s}
        self._process: subprocess.Popen[str] | None = None

    def evaluate(self, program: str, imported: Imported) -> str:
        """The JSON text that a program gives.

        Args:
            program: Jsonnet.
            imported: Called for each file that the program imports; what it raises is raised here.

        Raises:
            JsonnetError: The program is faulty.
            JsonnetCrash: It crashed the engine, or reached a limit.
        """
        self._send({"program": program})
        refused: Exception | None = None
        while True:
            message = self._receive()
            if "import" in message:
                try:
                    path, text = imported(*message["import"])
                except (EtudeError, OSError) as error:  # raised below, when the engine has come back
                    refused = error
                    self._send({})
                else:
                    self._send({"path": path, "text": text})
            elif "error" in message:
                raise refused or JsonnetError(message["error"])
            else:
                return str(message["text"])

    def _send(self, message: object) -> None:
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def _receive(self) -> dict[str, list[str] | str]:
        process = self._started()
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.endswith("\n"):
            raise self._died()
        message: dict[str, list[str] | str] = json.loads(line)
        return message

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, "-P", str(_CHILD)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
            weakref.finalize(self, _end, self._process)
            self._send(self._limits)
        return self._process

    def _died(self) -> JsonnetCrash:
        process, self._process = self._process, None
        assert process is not None
        _end(process)
        code = process.returncode
        if code in (-signal.SIGABRT, -signal.SIGKILL, _OUT_OF_MEMORY):
            size = self._limits["memory_bytes"] / 2**30
            mend = "look for a list, a text or a nesting that grows without end (std.repeat, std.makeArray, s + s)"
            return JsonnetCrash(f"needs more than {size:g} GiB of memory to evaluate", mend)
        if code == -signal.SIGXCPU:
            mend = "look for a loop that does not end, or for a number written to very many digits"
            return JsonnetCrash(f"does not come to an end within {self._limits['cpu_s']:g} s of computing", mend)
        if code == -signal.SIGSEGV:
            mend = "look for a function that calls itself without end, or for text that nests without brackets"
            return JsonnetCrash("overflows the stack of the Jsonnet engine: it nests or recurses too deeply", mend)
        return JsonnetCrash(f"ends the Jsonnet engine (exit status {code})", "simplify the program")


def _end(process: subprocess.Popen[str]) -> None:
    """Let the process end: it does when it has nothing more to read."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
