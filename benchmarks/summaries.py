"""How long a table of records takes to become statistics, by the number of groups, replicates and metrics.

python benchmarks/summaries.py
"""

from __future__ import annotations

import json
import time

import numpy as np
import pyarrow as pa
from tables import Table, on_terminal

from etude.analysis.aggregation import summarise

METRICS = 50
SHAPES = ((200, 5), (100, 10), (20, 50))


def records(groups: int, replicates: int) -> pa.Table:
    """So many groups of so many replicates with normal values."""
    rng, n = np.random.default_rng(0), groups * replicates
    metrics = [f"quality.m{at}" for at in range(METRICS)]
    columns: dict[str, list[object]] = {
        "group": [row // replicates for row in range(n)],
        "seed": [row % replicates for row in range(n)],
        **{metric: rng.normal(size=n).tolist() for metric in metrics},
    }
    said = {"params": ["group", "seed"], "repeat": "seed", "metrics": metrics, "costs": []}
    return pa.table(columns).replace_schema_metadata({"etude": json.dumps(said)})


def measured(groups: int, replicates: int, *, compared: bool) -> float:
    """CPU seconds, the least of three."""
    table, found = records(groups, replicates), []
    for _ in range(3):
        began = time.process_time()
        summarise(table, baseline={"group": 0} if compared else None)
        found.append(time.process_time() - began)
    return min(found)


def main() -> None:
    table = Table(f"Statistics of 1,000 runs × {METRICS} metrics", ("groups × replicates", "CPU s", "with a baseline"))
    for groups, replicates in SHAPES:
        alone, compared = (measured(groups, replicates, compared=each) for each in (False, True))
        table.row(f"{groups} × {replicates}", f"{alone:.2f}", f"{compared:.2f}")
    on_terminal(table)


if __name__ == "__main__":
    main()
