"""Measures the engine: planning, cost of a node, doing nothing, worker processes, sharing a store, payloads, start-up.

    python benchmarks/engine.py                      every section, quick: about two minutes
    python benchmarks/engine.py plan nodes --full    these sections, more repeats, larger sizes
    python benchmarks/engine.py --markdown           tables as documentation has them

Figures are medians with the lowest and the highest in brackets. On a machine that others use, trust CPU times and
ratios, not the clock. `--folder` chooses the disk that is written to.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sections import SECTIONS, Bench, warm_up
from tables import as_markdown, on_terminal


def machine() -> str:
    """What was measured, where and when, in one line."""
    import etude

    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"étude {etude.__version__}{commit()}, Python {platform.python_version()}, {platform.system()}, {model}, "
        f"{cores} cores, load {os.getloadavg()[0]:.1f}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )


def commit() -> str:
    """The commit that this stands on, where it stands in a repository."""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return f" ({done.stdout.strip()})" if done.returncode == 0 else ""


def main() -> None:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--full", action="store_true", help="more repeats and larger sizes")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--folder", type=Path, help="scratch space; a temporary folder if none")
    given = parser.parse_args()
    for name in given.sections:
        if name not in SECTIONS:
            parser.error(f"there is no section {name!r}: choose from {', '.join(SECTIONS)}")
    print(machine())
    chosen = given.sections or [*SECTIONS]
    for name in chosen:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="etude_bench_", dir=given.folder) as folder:
            bench = Bench(Path(folder), given.full)
            if name == chosen[0]:
                warm_up(bench)
            for table in SECTIONS[name](bench):
                (as_markdown if given.markdown else on_terminal)(table)
        print(f"({name}: {time.perf_counter() - begun:.0f} s)", file=sys.stderr)


if __name__ == "__main__":
    main()
