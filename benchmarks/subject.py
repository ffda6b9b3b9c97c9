"""The program that is measured: reads a study, plans it and, if asked to, runs it. Tells what each part took.

    python subject.py STUDY plan
    python subject.py STUDY run BACKEND [NODE]

It prints one JSON object: wall and CPU seconds of each part (children that were waited for included), the number of
nodes in the plan and of those computed, the value of NODE in each variant, and its own peak memory.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def timed(told: dict[str, Any], part: str) -> Iterator[None]:
    """Put what a block took into `told`, as `PART_s` and `PART_cpu_s`."""
    wall, cpu = time.perf_counter(), _cpu_s()
    yield
    told[f"{part}_cpu_s"] = _cpu_s() - cpu
    told[f"{part}_s"] = time.perf_counter() - wall


def _cpu_s() -> float:
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _peak_mb() -> float | None:
    """The largest resident size of this process, in MB; None where the system does not tell it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Do what the command line asks for."""
    study_file, act, *more = sys.argv[1:]
    told: dict[str, Any] = {}
    with timed(told, "import"):
        from etude.config.load import load_study
        from etude.study.execution import Execution
        from etude.study.prepare import Options, prepare
    with timed(told, "read"):
        study = load_study(Path(study_file), project=Path(study_file).absolute().parent)
    with timed(told, "plan"):
        prepared = prepare(study)
    told["nodes"], told["todo"] = len(prepared.plan.actions), len(prepared.plan.todo)
    if act == "run":
        backend, *wanted = more
        place = dataclasses.replace(study.place, backend=backend)
        prepared = dataclasses.replace(prepared, study=dataclasses.replace(study, place=place))
        options = Options(environment=dict(os.environ))
        with timed(told, "run"):
            result = Execution(prepared, options, lambda _event: None).run()
        assert result.succeeded, [failure.outcome.error for failure in result.summary.failures[:3]]
        told["computed"] = len(result.summary.computed)
        for name in wanted:
            told["values"] = [prepared.store.read(node.fingerprint) for node in prepared.expansion.named(name)]
    print(json.dumps({**told, "peak_mb": _peak_mb()}))


if __name__ == "__main__":
    main()
