"""What it costs to see what steps touch: paired, in CPU time, with and without.

    python benchmarks/observation.py

Per node where nothing unusual is touched (the block around the call, and what is sorted after it); per event that the
audit hook passes on or leaves; of a step that computes, that opens files, that copies deeply (`id` raises an event for
each call), and of a warm plan whose results have things to compare.
"""

from __future__ import annotations

import copy
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

PAIRS = 21


def paired(one: Callable[[], object], other: Callable[[], object], pairs: int = PAIRS) -> tuple[float, float]:
    """Median CPU seconds of the first, and the median of how much longer the second takes, in turns."""
    firsts, more = [], []
    for turn in range(pairs):
        times = {}
        for act in (one, other) if turn % 2 else (other, one):
            began = time.process_time()
            act()
            times[act] = time.process_time() - began
        firsts.append(times[one])
        more.append(times[other] - times[one])
    return statistics.median(firsts), statistics.median(more)


def per_node() -> None:
    """The cost of an observation that finds nothing, for a step seen before."""
    from etude.execute.observe.observation import Observation
    from etude.identity.files import FileDigests

    digests = FileDigests()
    symbols = {f"module_{i % 10}:name_{i}": "x" for i in range(100)}

    def nodes(project: str) -> Callable[[], object]:
        def act() -> None:
            for _ in range(1000):
                observation = Observation(project, "/tmp/no-store", "code", opaque=False)
                with observation:
                    pass
                observation.observed(symbols, (), "run", digests)

        return act

    for packages in ("", "numpy.random", "torch"):
        if packages:
            __import__(packages)
        _, more = paired(nodes(""), nodes(tempfile.gettempdir()))
        print(f"per node, {packages or 'nothing'} imported: {more / 1000 * 1e6:.1f} µs")


EVENTS = """
import sys, time, copy, statistics
from pathlib import Path
project = Path(sys.argv[1])
work = {{
    "arithmetic": lambda: sum(i * i for i in range(300_000)),
    "opens of a file that does not count": lambda: [open("/etc/hostname").close() for _ in range(3000)],
    "opens of one project file": lambda: [open(project / "a.txt").close() for _ in range(3000)],
    "variables read": lambda: [os.environ.get("MY_WORD") for _ in range(10_000)],
    "deep copies": lambda: copy.deepcopy([[i, [i], {{"a": i}}] for i in range(3000)]),
}}
import os
from etude.execute.observe.observation import Observation
if {watched}:
    observation = Observation(str(project), "/tmp/no-store", "code", opaque=False)
    observation.__enter__()
    observation._tracer.stop()
for name, act in work.items():
    times = []
    for _ in range(15):
        began = time.process_time()
        act()
        times.append(time.process_time() - began)
    print(name, statistics.median(times), sep="=")
"""
COUNTS = {
    "opens of a file that does not count": 3000,
    "opens of one project file": 3000,
    "variables read": 10_000,
}


def of_events(pairs: int = 5) -> None:
    """Processes with and without the hook, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.txt").write_text("x")
        found: dict[bool, dict[str, list[float]]] = {False: {}, True: {}}
        for _ in range(pairs):
            for watched in (False, True):
                code = textwrap.dedent(EVENTS).format(watched=watched)
                lines = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
                for line in lines.stdout.splitlines():
                    name, _, value = line.partition("=")
                    found[watched].setdefault(name, []).append(float(value))
    for name, without in found[False].items():
        base, seen = statistics.median(without), statistics.median(found[True][name])
        each = f", {(seen - base) / COUNTS[name] * 1e6:+.2f} µs each" if name in COUNTS else ""
        print(f"{name}: {base * 1e3:.1f} ms, {(seen / base - 1) * 100:+.1f} %{each}")


def first_look() -> None:
    """What counting calls adds to the first call of a step that does nothing but call functions, at most."""
    from etude.execute.observe import function_tracer

    def small() -> int:
        return 1

    def act() -> None:
        for _ in range(5_000_000):
            small()

    def watched() -> None:
        function_tracer._spent_s.clear()
        watch = function_tracer.FunctionTracer("code", opaque=False)
        watch.start()
        act()
        watch.stop()

    base, more = paired(act, watched, 7)
    print(
        f"first look at {5_000_000:,} calls in {base:.2f} s: {more * 1e3:+.0f} ms CPU, once for each code and process"
    )


def of_plan() -> None:
    """A warm plan of 1,000 nodes that each have ten files to compare, some shared."""
    from etude.identity.code import CodeIndex
    from etude.identity.files import FileDigests
    from etude.identity.observed import Present

    with tempfile.TemporaryDirectory() as folder:
        names = [f"data/{number}.txt" for number in range(100)]
        Path(folder, "data").mkdir()
        for name in names:
            Path(folder, name).write_text(name)
        time.sleep(2.1)  # digests are remembered of files that were left alone for two seconds
        files = FileDigests()
        present = Present(project=folder, files=files, index=CodeIndex, environment={})
        kept = [
            {f"file {name}": present.digest(f"file {name}") for name in (names[number % 90 : number % 90 + 10])}
            for number in range(1000)
        ]

        def compare() -> None:
            differences = Present(project=folder, files=files, index=CodeIndex, environment={}).compare()
            assert not any(differences(copy.copy(observed)) for observed in kept)

        base, more = paired(lambda: None, compare)
        print(f"a plan of 1,000 nodes, ten of 100 files each: {(base + more) * 1e3:.1f} ms more")


if __name__ == "__main__":
    of_events()
    per_node()
    first_look()
    of_plan()
