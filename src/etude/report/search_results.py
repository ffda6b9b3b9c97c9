"""What a study's search came to, as far as it has come: read from its log, reckoned and laid out."""

from __future__ import annotations

from etude.analysis.search.results import read_results
from etude.report.charts.search.charts import SearchCharts, search_charts
from etude.study.prepare import PreparedStudy


def searched(prepared: PreparedStudy) -> SearchCharts | None:
    """The charts of a study's search; None where it has none, or no trial has ended yet."""
    table = prepared.search.table() if prepared.search is not None else None
    if table is None:
        return None
    results = read_results(table)
    if all(trial.ended_s is None for trial in results.trials):
        return None
    return search_charts(results)
