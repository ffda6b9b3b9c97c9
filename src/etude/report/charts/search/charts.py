"""All charts of one search, as far as it has come, made once for files and pages alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etude.analysis.search.importance import Importances, importances
from etude.analysis.search.influence import Influence, influences
from etude.analysis.search.recommendation import Recommendation, recommendation
from etude.analysis.search.results import SearchResults, read_results
from etude.report.charts.plot import Plot
from etude.report.charts.search.objectives import objectives
from etude.report.charts.search.parallel import parallels
from etude.report.charts.search.params import importance_chart, influence_chart, slices
from etude.report.charts.search.trajectories import beaten, trajectory
from etude.report.charts.search.workers import outcome_chart, workers
from etude.study.prepare import PreparedStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCharts:
    """What a search came to, in numbers and in charts."""

    results: SearchResults
    importances: tuple[Importances, ...]
    """One for each metric."""
    influences: tuple[tuple[Influence, ...], ...]
    """One for each metric."""
    plots: tuple[Plot, ...]
    """In the order in which they are read."""
    recommended: Recommendation | None = None
    """Of a search with one metric: which trial to take, where its values say enough."""


def charts_of_study(prepared: PreparedStudy) -> SearchCharts | None:
    """The charts of a study's search; None where it has none, or no trial has ended yet."""
    table = prepared.search.table() if prepared.search is not None else None
    if table is None:
        return None
    results = read_results(table)
    if all(trial.ended_s is None for trial in results.trials):
        return None
    return search_charts(results)


def search_charts(results: SearchResults) -> SearchCharts:
    """Reckon and lay out all charts of a search. Those that its trials say nothing for are left out."""
    known = [importances(results, at) for at in range(len(results.metrics))]
    tests = [influences(results, at) for at in range(len(results.metrics))]
    plots = tuple(plot for plot in _plots(results, known, tests) if plot is not None)
    recommended = recommendation(results) if len(results.metrics) == 1 else None
    return SearchCharts(
        results=results,
        importances=tuple(known),
        influences=tuple(tests),
        plots=plots,
        recommended=recommended,
    )


def _plots(
    results: SearchResults, known: list[Importances], tests: list[tuple[Influence, ...]]
) -> Iterator[Plot | None]:
    valued = any(True for _ in results.known())
    several = len(results.metrics) > 1
    yield objectives(results)
    for at, metric in enumerate(results.metrics) if valued else ():
        for plot in (
            trajectory(results, at),
            beaten(results, at) if results.baseline is not None else None,
            importance_chart(known[at], tests[at]),
            influence_chart(tests[at]),
            slices(results, known[at], at),
            *parallels(results, [each.name for each in known[at].params], at),
        ):
            if plot is not None and several:
                yield plot._replace(name=f"{plot.name}_{metric}", title=f"{plot.title} ({metric})")
            else:
                yield plot
    yield workers(results)
    yield outcome_chart(results)
