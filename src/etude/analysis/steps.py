"""Records to statistics, as a step."""

from __future__ import annotations

import pyarrow as pa

from etude import step
from etude.analysis.summary import Scalar, StudySummary


@step
def aggregate(
    records: pa.Table,
    *,
    metrics: list[str] | None = None,
    by: list[str] | None = None,
    replicate: str | None = None,
    baseline: dict[str, Scalar] | None = None,
    references: dict[str, str] | None = None,
    lower_is_better: tuple[str, ...] = (),
    higher_is_better: tuple[str, ...] = (),
) -> StudySummary:
    """Mean, spread, intervals and paired tests of every metric over the replicates of each group.

    Args:
        records: One row per variant (`from: records`).
        metrics: Metrics to summarise, dotted (`quality.accuracy`); all, unless said.
        by: Params that make a group; all but the replicated one, unless said.
        replicate: The replicated param; the study's `repeat`, unless said.
        baseline: Params of the group that others are tested against: `{pooling: mean}`.
        references: Nodes outside of what varies, with a title: `{majority: commonest label}`.
        lower_is_better: Metrics whose smallest value is the best, where neither their step nor their name says so.
        higher_is_better: Metrics whose largest value is the best, likewise.
    """
    # Here, for it loads SciPy, and a plan only reads the step.
    from etude.analysis.aggregation import summarise

    return summarise(
        records,
        metrics=metrics,
        by=by,
        replicate=replicate,
        baseline=baseline,
        references=references,
        lower_is_better=lower_is_better,
        higher_is_better=higher_is_better,
    )
