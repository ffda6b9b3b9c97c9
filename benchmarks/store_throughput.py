"""What the store costs over plain files: throughput by size, and the small operations that a plan is made of.

    python benchmarks/store_throughput.py [--repeats 10] [--folder DIR]

A commit hashes while it writes, writes a manifest and renames; a read checks every byte before it maps the file. Plain
files are written and read as they are. Ours and plain are measured in turn, so that both see the same machine; given
are medians with the spread between quartiles, and processor time beside the wall clock, for the disk is often shared.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from etude.store import Header, Lease, Store
from etude.units import readable_bytes

SIZES = {1_000: 200, 1_000_000: 20, 100_000_000: 1}
"""Bytes of a value → how many are written in one measurement."""
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds per operation, one entry per measurement."""

    wall_s: list[float]
    cpu_s: list[float]


@dataclass(frozen=True)
class Quality:
    accuracy: float
    loss: float
    count: int


def fingerprint() -> str:
    return hashlib.sha256(str(next(_names)).encode()).hexdigest()


def header() -> Header:
    name = fingerprint()
    identity = {"step": "text.evaluate", "code": name, "settings": {"seed": 0, "rate": 1e-3}, "inputs": {"x": name}}
    return Header(trace=name, inputs={"x": name}, identity=identity, provenance={"study": "benchmark"})


def measured(act: Callable[[], object], count: int) -> tuple[float, float]:
    """Wall and processor seconds per call."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        act()
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def in_turn(acts: dict[str, Callable[[], object]], count: int, repeats: int) -> dict[str, Times]:
    """Each act by its name, measured by turns after one round that is dropped."""
    times = {name: Times([], []) for name in acts}
    for turn in range(repeats + 1):
        for name, act in acts.items():
            wall_s, cpu_s = measured(act, count)
            if turn:
                times[name].wall_s.append(wall_s)
                times[name].cpu_s.append(cpu_s)
    return times


def by_size(store: Store, plain: Path, size: int, count: int, repeats: int) -> dict[str, Times]:
    """Writing and reading values of one size, plainly and through the store."""
    value = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    data = value.tobytes()
    path = plain / "value"

    def write_plain() -> None:
        path.write_bytes(data)

    def write_synced() -> None:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    standing = [fingerprint() for _ in range(count)]
    for name in standing:
        store.commit(name, value, np.ndarray, header())
    turns = itertools.cycle(standing)

    def read_ours() -> None:
        # A process that read a large file before need not check it again: a fresh store each time does.
        Store(store.root).read(next(turns))[-1]

    acts: dict[str, Callable[[], object]] = {
        "write": write_synced if size >= 1_000_000 else write_plain,
        "commit": lambda: store.commit(fingerprint(), value, np.ndarray, header()),
        "read file": lambda: path.read_bytes()[-1],
        "read": read_ours,
    }
    return in_turn(acts, count, repeats)


def small_operations(store: Store, repeats: int) -> dict[str, Times]:
    """What a plan of small nodes is made of."""
    names = [fingerprint() for _ in range(500)]
    for name in names:
        store.commit(name, Quality(0.9, 0.1, 7), Quality, header())
    turns = itertools.cycle(names)

    def lease() -> None:
        taken = store.lease(next(turns))
        if isinstance(taken, Lease):
            taken.release()

    acts: dict[str, Callable[[], object]] = {
        "commit metrics": lambda: store.commit(fingerprint(), Quality(0.9, 0.1, 7), Quality, header()),
        "inspect": lambda: store.inspect(next(turns)),
        "inspect nothing": lambda: store.inspect(fingerprint()),
        "read metrics": lambda: store.read(next(turns), as_type=Quality),
        "take and release a lease": lease,
        "put a standing note": lambda: store.put_note("symbols", {"a": 1}),
        "adopt": lambda: store.adopt(fingerprint(), next(turns), header()),
    }
    return in_turn(acts, 500, repeats)


def told(seconds: list[float], unit_s: float) -> str:
    """Median and spread between quartiles, in some unit."""
    low, middle, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    return f"{middle / unit_s:,.1f} ± {(high - low) / 2 / unit_s:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=10, help="measurements of each, after one that is dropped")
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the temporary folder)")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store, plain = Store.open(Path(folder) / "store"), Path(folder)
        table = Table("size", "", "plain ms", "ours ms", "ratio", "plain CPU ms", "ours CPU ms", "CPU ratio", "MB/s")
        for size, count in SIZES.items():
            times = by_size(store, plain, size, count, arguments.repeats)
            for ours, theirs in (("commit", "write"), ("read", "read file")):
                one, other = times[ours], times[theirs]
                wall_s, cpu_s = statistics.median(one.wall_s), statistics.median(one.cpu_s)
                table.add_row(
                    readable_bytes(size),
                    f"{ours} / {theirs}",
                    told(other.wall_s, 1e-3),
                    told(one.wall_s, 1e-3),
                    f"{wall_s / statistics.median(other.wall_s):.2f}",
                    told(other.cpu_s, 1e-3),
                    told(one.cpu_s, 1e-3),
                    f"{cpu_s / max(statistics.median(other.cpu_s), 1e-9):.2f}",
                    f"{size / wall_s / 1e6:,.0f}",
                )
        console.print(table)
        small = Table("operation", "wall µs", "CPU µs")
        for name, each in small_operations(store, arguments.repeats).items():
            small.add_row(name, told(each.wall_s, 1e-6), told(each.cpu_s, 1e-6))
        console.print(small)


if __name__ == "__main__":
    main()
