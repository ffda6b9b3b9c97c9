"""The process that evaluates Jsonnet: a program that makes the engine crash takes this process down, not the reader.

It is run as a file of its own and imports nothing of this package. On standard input it gets a line of JSON for each
program, on standard output it gives one back: the value's text, the engine's message, or the name of a file that it
needs first. The first line sets its limits.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import rjsonnet


def main() -> None:
    """Evaluate program after program until there are no more."""
    limits = _read()
    memory = int(limits["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (asked := _read()) is not None:
        _allow_s(float(limits["cpu_s"]))
        try:
            text = rjsonnet.evaluate_snippet(
                "<layers>", asked["program"], import_callback=_imported, preserve_order=True, max_trace=20
            )
        except RuntimeError as error:
            _write({"error": str(error)})
        except MemoryError:
            sys.exit(MEMORY)
        else:
            _write({"text": text})


MEMORY = 86
"""Exit status where Python itself found no more memory."""


def _imported(folder: str, name: str) -> tuple[str, str]:
    _write({"import": [folder, name]})
    answer = _read()
    if answer is None or "path" not in answer:
        raise RuntimeError(f"cannot import {name}")
    return answer["path"], answer["text"]


def _allow_s(cpu_s: float) -> None:
    """From now on so many seconds of computing; after them the system ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + cpu_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _read() -> Any:
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def _write(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
