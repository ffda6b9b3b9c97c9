"""How many texts per second of processor time noise is added to.

    python benchmarks/noise.py [--texts 50000] [--repeats 10] [--file data.csv --column text]

Without a file the texts are made up, 12 words each. One process, one thread; after one round that is dropped, medians
with the spread between quartiles.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from etude.text import steps
from etude.text.noise.perturbation import perturb
from etude.text.noise.pools import FamilyName
from etude.text.types import PerturbationKind, Splits

WORDS = ("the", "of", "to", "what", "when", "how", "can", "you", "please", "tell", "me", "about", "where", "statement")
SEVERITY = 0.1


def texts(count: int, file: Path | None, column: str) -> list[str]:
    """Texts of a file, over and over, or made-up ones."""
    if file is None:
        words = np.random.default_rng(0).choice(WORDS, (count, 12)).tolist()
        return [" ".join(row) for row in words]
    with file.open(encoding="utf-8", newline="") as rows:
        return list(islice(cycle([row[column] for row in csv.DictReader(rows)]), count))


def cpu_s(act: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of processor time of each call, after one that is dropped."""
    found = []
    for turn in range(repeats + 1):
        start = time.process_time()
        act()
        if turn:
            found.append(time.process_time() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--column", default="text")
    options = parser.parse_args()
    sample = texts(options.texts, options.file, options.column)
    ids = np.arange(len(sample))
    table = pa.table({"id": ids, "text": sample, "label": ["a"] * len(sample)})
    splits = Splits(train=table, validation=table.slice(len(table)), test=table.slice(len(table)))

    acts: dict[str, Callable[[], object]] = {}
    for family in get_args(FamilyName):
        acts[f"step add_noise, {family}"] = lambda family=family: steps.add_noise(splits, family=family, seed=0)
    for kind in get_args(PerturbationKind):
        acts[f"{kind}, {SEVERITY:.0%}"] = lambda kind=kind: perturb(sample, ids, kind, severity=SEVERITY, seed=0)

    shown = Table("noise", "texts per second", "quartiles", "of 50,000", title=f"{len(sample):,} texts")
    for name, act in acts.items():
        rates = sorted(len(sample) / second for second in cpu_s(act, options.repeats))
        low, middle, high = statistics.quantiles(rates, n=4)
        shown.add_row(name, f"{middle:,.0f}", f"{low:,.0f} to {high:,.0f}", f"{middle / 50_000:.1f} ×")
    Console().print(shown)


if __name__ == "__main__":
    main()
