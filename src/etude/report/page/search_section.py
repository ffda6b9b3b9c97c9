"""What a search came to, in a report: the story in sentences, the charts, and tables to look things up in."""

from __future__ import annotations

from collections.abc import Iterator

from etude.analysis.search.failures import failures
from etude.analysis.search.front import front
from etude.analysis.search.influence import Influence
from etude.analysis.search.results import SearchResults, Trial, better_than_baseline, top
from etude.analysis.search.trajectory import beaten_after
from etude.analysis.search.utilisation import utilisation
from etude.digits import OF_P, number_text
from etude.report.charts.search.charts import SearchCharts
from etude.report.charts.search.wording import (
    baseline_value,
    goal_label,
    recommendation_text,
    shown_value,
    span_of,
    value_text,
)
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.figures import FigureChoice, choosable, figure
from etude.report.page.markup import Markup, join, tag

MOST_FAILED = 200
BEST = 20
"""Trials in the table of the best."""


def search_section(search: SearchCharts, prefix: str) -> Markup:
    """All that is told of a search, under a heading of the third level."""
    results = search.results
    return join(
        tag("h3", "Search", id=f"{prefix}-search-head"),
        tag("ul", *(tag("li", sentence) for sentence in story(search))),
        *_charts(search, prefix),
        _best(results, prefix),
        *(_params(results, tests, at, prefix) for at, tests in enumerate(search.influences)),
        _failures(results, prefix),
    )


def story(search: SearchCharts) -> Iterator[str]:
    """What came of a search, in sentences."""
    results = search.results
    unit_s, unit = span_of([results])
    for at, metric in enumerate(results.metrics):
        best = top(results, 1, at)
        if not best or best[0].values is None:
            yield f"No trial has a value of {metric}."
            continue
        value = number_text(shown_value(results, best[0].values[at], at))
        yield f"Best {goal_label(results, at)}: {value}, trial {best[0].number}{_against(results, at, unit_s, unit)}."
    if search.recommended is not None:
        yield recommendation_text(search.recommended, results)
    if len(results.metrics) > 1:
        yield f"{len(front(results))} trials are on the front, where no other is better in every objective."
    busy = utilisation(results)
    if busy.overall is not None:
        end = number_text((busy.end_s - busy.start_s) / unit_s)
        yield f"{len(results.trials)} trials in {end} {unit} on {busy.workers} workers, busy {busy.overall:.1%} of it."
    lost = failures(results)
    if lost:
        causes = ", ".join(f"{each.trials} {each.outcome.replace('_', ' ')}" for each in lost)
        yield f"{sum(each.trials for each in lost)} of {len(results.trials)} trials failed: {causes}."
    for at, tests in enumerate(search.influences):
        named = f" for {results.metrics[at]}" if len(results.metrics) > 1 else ""
        dead = [test.name for test in tests if test.verdict == "no effect seen"]
        live = [test.name for test in tests if test.verdict == "matters"]
        if live:
            yield f"Params that matter{named}: {', '.join(live)}."
        if dead:
            yield f"No effect is seen{named} of {', '.join(dead)}: check that they reach the result, or leave them out."


def _against(results: SearchResults, at: int, unit_s: float, unit: str) -> str:
    base = baseline_value(results, at)
    if base is None:
        return ""
    first = beaten_after(results, at)
    told = f"; the baseline has {number_text(base)}"
    if first is None:
        return f"{told} and was not beaten"
    count = len(better_than_baseline(results, at))
    when = f"{first.evaluations} evaluations ({number_text(first.time_s / unit_s)} {unit})"
    return f"{told} and was beaten after {when}, in the end by {count} trials"


def _charts(search: SearchCharts, prefix: str) -> Iterator[Markup]:
    """Charts of one kind together, to be chosen from: of parallel coordinates all, the better and the best."""
    kinds: dict[str, list[FigureChoice]] = {}
    for at, plot in enumerate(search.plots):
        kind = "Parallel coordinates" if plot.name.startswith("parallel") else plot.title
        name = plot.title.removeprefix("Parallel coordinates: ")
        kinds.setdefault(kind, []).append(FigureChoice(name, figure(plot, f"{prefix}-plot{at}")))
    for place, (kind, choices) in enumerate(kinds.items()):
        yield tag("h4", kind)
        yield choosable("Trials", f"{prefix}-plots{place}", choices)


def _best(results: SearchResults, prefix: str) -> Markup | None:
    several = len(results.metrics) > 1
    trials = front(results) if several else top(results, BEST)
    if not trials:
        return None
    base = results.baseline
    if base is not None and base not in trials:
        trials = (*trials, base)
    columns = (
        Column("trial", numeric=True),
        Column("origin"),
        *(Column(goal_label(results, at), numeric=True) for at in range(len(results.metrics))),
        *(Column(each.name, numeric=each.numeric) for each in results.dimensions),
    )
    rows = [_best_row(results, trial) for trial in trials]
    name = "Trials on the front" if several else f"The {min(BEST, len(trials))} best trials"
    name += ", and the baseline" if base is not None and trials[-1] is base else ""
    return join(tag("h4", name), data_table(name, f"{prefix}-best", columns, rows))


def _best_row(results: SearchResults, trial: Trial) -> list[Cell]:
    values = [shown_value(results, value, at) for at, value in enumerate(trial.values or ())]
    cells = [Cell(str(trial.number), float(trial.number)), Cell(trial.origin)]
    cells += [Cell(number_text(value), value) for value in values]
    for each in results.dimensions:
        value = trial.point.get(each.name)
        key = float(value) if each.numeric and isinstance(value, int | float) else None
        cells.append(Cell("–" if value is None else value_text(value), key))
    return cells


def _params(results: SearchResults, tests: tuple[Influence, ...], at: int, prefix: str) -> Markup | None:
    if not tests:
        return None
    columns = (
        Column("param"),
        Column("verdict"),
        Column("trials", numeric=True),
        Column("p", numeric=True),
        Column("p, corrected", numeric=True),
        Column("explains at most", numeric=True),
        Column("note"),
    )
    rows = [
        [
            Cell(test.name),
            Cell(test.verdict),
            Cell(str(test.trials), float(test.trials)),
            Cell(number_text(test.p, digits=OF_P), test.p),
            Cell(number_text(test.p_holm, digits=OF_P), test.p_holm),
            Cell("–" if test.at_most is None else f"{test.at_most:.1%}", test.at_most),
            Cell(test.note or "–"),
        ]
        for test in tests
    ]
    table = data_table(f"Params and {goal_label(results, at)}", f"{prefix}-params{at}", columns, rows)
    return tag("details", tag("summary", f"Test of each param ({results.metrics[at]})"), table)


def _failures(results: SearchResults, prefix: str) -> Markup | None:
    causes = {each.outcome for each in failures(results)}
    lost = [trial for trial in results.trials if trial.outcome in causes][:MOST_FAILED]
    if not lost:
        return None
    columns = (Column("trial", numeric=True), Column("outcome"), Column("error"), Column("point"))
    rows = [
        [
            Cell(str(trial.number), float(trial.number)),
            Cell(trial.outcome.replace("_", " ")),
            Cell(trial.error or "–", css="long"),
            Cell(", ".join(f"{name}={value_text(value)}" for name, value in trial.point.items()), css="long"),
        ]
        for trial in lost
    ]
    table = data_table("Trials that failed", f"{prefix}-failed", columns, rows)
    count = sum(trial.outcome in causes for trial in results.trials)
    name = f"All {count} trials that failed" if count == len(lost) else f"{len(lost)} of {count} trials that failed"
    return tag("details", tag("summary", name), table)
