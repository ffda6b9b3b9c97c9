"""Parallel coordinates: every param an axis, every trial a line across them, its shade what it came to."""

from __future__ import annotations

from collections.abc import Sequence

from etude.analysis.search.results import Dimension, SearchResults, Trial, better_than_baseline, top
from etude.digits import number_text
from etude.report.charts.chart_names import one_line
from etude.report.charts.palette import FAINT, SERIES, shade
from etude.report.charts.plot import Key, Line, Mark, Panel, Plot, Scale, Words, short_number
from etude.report.charts.search.wording import (
    BETTER,
    better_word,
    goal_label,
    no_baseline,
    option_texts,
    shown_value,
    trial_tip,
)

TOP = 20
MOST_LINES = 300
MOST_OPTIONS = 8
SPREAD = 0.12
"""Over which the lines through one option are spread."""
INACTIVE = -0.09
"""Where lines pass an axis whose param is not active."""


def parallels(results: SearchResults, order: Sequence[str] = (), at: int = 0, k: int = TOP) -> tuple[Plot, ...]:
    """Three charts: of all trials, of those better than the baseline, and of the k best.

    Args:
        results: The search.
        order: Names of params in the order of their axes; the space's order where they are left out.
        at: Which metric.
        k: How many are the best.
    """
    known = list(top(results, len(results.trials), at))
    beating = better_than_baseline(results, at)
    chosen: list[tuple[str, str, Sequence[Trial]]] = [("parallel_all", "all trials with a value", known)]
    if beating:
        chosen.append(("parallel_better", "trials better than the baseline", beating))
    if len(known) > k:
        chosen.append((f"parallel_top_{k}", f"the {k} best trials", known[:k]))
    return tuple(_chart(results, name, title, trials, order, at) for name, title, trials in chosen if len(trials) > 0)


def _chart(
    results: SearchResults, name: str, title: str, trials: Sequence[Trial], order: Sequence[str], at: int
) -> Plot:
    axes = _ordered(results, order)
    values = [shown_value(results, trial.values[at], at) for trial in trials if trial.values]
    worst, best = values[-1], values[0]
    drawn = _evenly(trials)
    marks: list[Mark] = []
    for trial in reversed(drawn):
        assert trial.values is not None
        value = shown_value(results, trial.values[at], at)
        share = 1.0 if best == worst else (value - worst) / (best - worst)
        few = len(drawn) <= 40
        marks.append(
            Line(
                _path(axes, trial, share),
                shade(_rank_share(values, value)),
                width=1.6 if few else 0.7 + 1.0 * share**3,
                opacity=0.9 if few else 0.35 + 0.5 * share,
                tip=trial_tip(results, trial),
            )
        )
    base = results.baseline
    if base is not None and base.values is not None:
        value = shown_value(results, base.values[at], at)
        share = 1.0 if best == worst else min(1.0, max(-0.04, (value - worst) / (best - worst)))
        tip = trial_tip(results, base)
        marks.append(Line(_path(axes, base, share), BETTER, "baseline", 2.4, dash=1, tip=tip))
    for place, dimension in enumerate(axes):
        marks += _axis_marks(float(place), dimension)
    marks += _goal_marks(float(len(axes)), goal_label(results, at), worst, best)
    x = Scale(-0.5, len(axes) + 0.75, bare=True)
    panel = Panel(x, Scale(-0.36, 1.06, bare=True), tuple(marks), grid="")
    hidden = f"; {len(drawn)} of {len(trials)} lines drawn" if len(drawn) < len(trials) else ""
    off = "; below an axis: not active" if any(dimension.conditional for dimension in axes) else ""
    caption = f"n = {len(trials)}; {goal_label(results, at)}: {better_word(results, at)}{hidden}{off}"
    key = Key(f"rank by {goal_label(results, at)}", "worst", "best")
    width = max(7.2, 0.72 * (len(axes) + 1) + 1.0)
    heading = f"Parallel coordinates: {title}"
    return Plot(name, heading, caption + no_baseline(results), (panel,), height=4.0, width=width, key=key)


def _ordered(results: SearchResults, order: Sequence[str]) -> list[Dimension]:
    by = {dimension.name: dimension for dimension in results.dimensions}
    return [by[name] for name in dict.fromkeys([*(name for name in order if name in by), *by])]


def _rank_share(values: Sequence[float], value: float) -> float:
    """1 for the best of values that are sorted from best to worst, 0 for the worst."""
    return 1.0 if len(values) < 2 else 1.0 - values.index(value) / (len(values) - 1)


def _path(axes: Sequence[Dimension], trial: Trial, share: float) -> tuple[tuple[float, float], ...]:
    found = [
        (float(place), _height(each, trial) if each.name in trial.point else INACTIVE)
        for place, each in enumerate(axes)
    ]
    return (*found, (float(len(axes)), share))


def _height(axis: Dimension, trial: Trial) -> float:
    """Where a trial crosses an axis; trials of one option side by side, in the order of their numbers."""
    if axis.numeric:
        return axis.unit(trial.point[axis.name])
    aside = (trial.number * 0.618) % 1.0 - 0.5
    return axis.unit(trial.point[axis.name]) + min(0.5 / len(axis.options), SPREAD) * aside


def _axis_marks(place: float, dimension: Dimension) -> list[Mark]:
    marks: list[Mark] = [Line(((place, 0.0), (place, 1.0)), FAINT, width=1.0)]
    if dimension.numeric:
        ends = ((0.0, dimension.low), (1.0, dimension.high))
        marks += [
            Words(
                place, unit, short_number(float(f"{value:.3g}")), "middle", faint=True, above=-9.0 if not unit else 9.0
            )
            for unit, value in ends
        ]
    else:
        texts = option_texts(dimension, 9)
        for row, text in enumerate(texts[:MOST_OPTIONS]):
            unit = (row + 0.5) / len(texts)
            marks.append(Words(place, unit, text, "start", faint=True, aside=4.0))
    marks.append(Words(place, -0.16, one_line(dimension.name, 20), "end", strong=True, turned=True))
    return marks


def _goal_marks(place: float, label: str, worst: float, best: float) -> list[Mark]:
    return [
        Line(((place, 0.0), (place, 1.0)), SERIES[5], width=1.8),
        Words(place, 1.0, number_text(best), "start", aside=5.0),
        Words(place, 0.0, number_text(worst), "start", aside=5.0),
        Words(place, -0.16, one_line(label, 20), "end", strong=True, turned=True),
    ]


def _evenly(trials: Sequence[Trial]) -> Sequence[Trial]:
    if len(trials) <= MOST_LINES:
        return trials
    return [trials[round(index * (len(trials) - 1) / (MOST_LINES - 1))] for index in range(MOST_LINES)]
