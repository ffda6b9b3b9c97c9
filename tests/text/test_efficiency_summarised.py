"""What accuracy costs goes on to the table of means, as any metric of the records does."""

from __future__ import annotations

import pyarrow as pa

from etude.analysis.aggregation import summarise
from etude.execute.record_table import as_table
from etude.text import steps


def records() -> pa.Table:
    rows = [
        {
            "variant": f"seed={seed}",
            "status": "done",
            "seed": seed,
            "scored.cost.wall_s": 1.0,
            "scored.cost.window.predicting.energy_j": 2.0 + seed,
            "scored.cost.window.predicting.wall_s": 0.5,
            "predicted.examples": 10,
            "predicted.flops_per_example": 100.0,
            "quality.accuracy": 0.5,
        }
        for seed in (0, 1)
    ]
    return as_table(rows, {"params": ["seed"], "varied": ["seed"], "repeat": "seed"})


def test_the_added_columns_are_metrics_that_can_be_summarised() -> None:
    costed = steps.efficiency(records())
    summary = summarise(costed, metrics=["efficiency.joules_per_1000", "efficiency.flops_per_example"])
    (group,) = summary.groups
    assert group.estimates["efficiency.joules_per_1000"].mean == 250.0
    assert group.estimates["efficiency.flops_per_example"].mean == 100.0
