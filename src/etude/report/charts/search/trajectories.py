"""How searches went: best so far, and how many points beat the baseline, over time and over evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from etude.analysis.search.failures import failures
from etude.analysis.search.results import SearchResults, Trial
from etude.analysis.search.trajectory import Band as Held
from etude.analysis.search.trajectory import Moment, beaten_after, ended_trials, moments, together
from etude.digits import number_text
from etude.report.charts.palette import SERIES, colour
from etude.report.charts.plot import Area, Dot, Dots, Line, Mark, Panel, Plot, Rule, Scale, scale, stairs
from etude.report.charts.search.wording import (
    BETTER,
    baseline_rule,
    baseline_value,
    better_word,
    count_text,
    goal_label,
    no_baseline,
    shown_value,
    span_of,
    trial_tip,
)

LEAST_SHOWN = 0.1
"""The worst trials up to this share may lie below the panel, so that they do not press all others together."""
MOST_DOTS = 800


def trajectory(results: SearchResults, at: int = 0) -> Plot:
    """One search: every trial, the best so far, and the baseline."""
    path = moments(results, at)
    unit_s, unit = span_of([results])
    drawn = {moment.number: moment for moment in path}
    values = [shown_value(results, trial.values[at], at) for trial in ended_trials(results) if trial.values is not None]
    y = _focused(results, values, at)
    kept = _evenly([trial for trial in ended_trials(results) if trial.values is not None], MOST_DOTS)
    hidden = sum(not y.low <= value <= y.high for value in values)
    causes = {each.outcome: each.trials for each in failures(results)}
    panels = []
    for label, place in (
        (f"time ({unit})", lambda moment: moment.time_s / unit_s),
        ("evaluations", lambda moment: float(moment.evaluations)),
    ):
        dots = [
            Dot(
                place(drawn[trial.number]),
                shown_value(results, trial.values[at], at),
                SERIES[6],
                trial_tip(results, trial, 8),
            )
            for trial in kept
            if trial.values is not None and y.low <= shown_value(results, trial.values[at], at) <= y.high
        ]
        best = [(place(moment), shown_value(results, moment.best, at)) for moment in path if moment.best is not None]
        marks: list[Mark] = [
            *baseline_rule(results, at),
            Dots(tuple(dots), size=4.0, name="trial", opacity=0.55),
            Line(stairs(best), SERIES[0], "best so far", 2.4, tip=_best_text(results, path, at)),
        ]
        lost = [trial for trial in ended_trials(results) if trial.outcome in causes]
        crosses = [Dot(place(drawn[trial.number]), y.low, BETTER, trial_tip(results, trial, 8)) for trial in lost]
        if crosses:
            marks.append(Dots(tuple(crosses), 6, 5.5, "failed"))
        across = Scale(0.0, max((place(moment) for moment in path), default=1.0) * 1.02 or 1.0, label)
        panels.append(Panel(across, y, tuple(marks)))
    caption = f"{len(path)} trials, {sum(causes.values())} of them failed; {better_word(results, at)}"
    if hidden:
        caption += f"; {count_text(hidden, 'trial')} outside the panel"
    return Plot("trajectory", f"Best so far: {goal_label(results, at)}", caption + no_baseline(results), tuple(panels))


def beaten(results: SearchResults, at: int = 0) -> Plot:
    """One search: how many trials are better than the baseline."""
    path = moments(results, at)
    unit_s, unit = span_of([results])
    panels = []
    first = beaten_after(results, at)
    for label, place in (
        (f"time ({unit})", lambda moment: moment.time_s / unit_s),
        ("evaluations", lambda moment: float(moment.evaluations)),
    ):
        line = [(0.0, 0.0), *((place(moment), float(moment.better_than_baseline)) for moment in path)]
        end = max(x for x, _ in line) * 1.02 or 1.0
        high = max(1.0, max(y for _, y in line) * 1.08)
        counts = f"{path[-1].better_than_baseline if path else 0} of {len(path)} trials are better than the baseline"
        marks: list[Mark] = [Line(stairs(line), BETTER, "", 2.4, tip=counts)]
        if first is not None:
            marks.append(Rule(place(first), f"baseline beaten by trial {first.number}", level=False))
        panels.append(Panel(Scale(0.0, end, label), Scale(0.0, high, "better than baseline"), tuple(marks)))
    if first is None:
        said = "the baseline was not beaten"
    else:
        said = f"first beaten after {first.evaluations} evaluations, {number_text(first.time_s / unit_s)} {unit}"
        said += f"; in the end by {path[-1].better_than_baseline} of {len(path)} trials"
    base = baseline_value(results, at)
    told = f"the baseline has {goal_label(results, at)} {number_text(base)}; " if base is not None else ""
    return Plot("better_than_baseline", "Trials better than the baseline", f"{told}{said}", tuple(panels), height=3.0)


def trajectories(searches: Mapping[str, Sequence[SearchResults]], at: int = 0) -> Plot:
    """Several groups of searches with one goal: the mean of the best so far of each, with its 95 % interval.

    Args:
        searches: What a group is called (a sampler, say) → its searches, repeats of each other.
        at: Which metric.
    """
    everyone = [each for group in searches.values() for each in group]
    first = everyone[0]
    unit_s, unit = span_of(everyone)
    sides: tuple[tuple[str, Callable[[Moment], float]], ...] = (
        (f"time ({unit})", lambda moment: moment.time_s / unit_s),
        ("evaluations", lambda moment: float(moment.evaluations)),
    )
    bases = {value for each in everyone if (value := baseline_value(each, at)) is not None}
    panels = []
    for label, place in sides:
        held = {
            name: together([_curve(each, place, at) for each in group]) for name, group in searches.items() if group
        }
        marks: list[Mark] = [*baseline_rule(first, at)] if len(bases) == 1 else []
        for index, (name, bands) in enumerate(held.items()):
            marks += _group_marks(name, bands, colour(index), len(searches[name]))
        limits = [value for bands in held.values() for band in bands for value in (band.low or band.mean, band.high)]
        y = _focused(first, [value for value in limits if value is not None], at, share=0.02)
        end = max((band.at for bands in held.values() for band in bands), default=1.0)
        panels.append(Panel(Scale(0.0, end * 1.02, label), y, tuple(marks)))
    counts = sorted({len(group) for group in searches.values()})
    n = f"n = {counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "")
    caption = f"mean of the best so far, shaded: its 95 % interval, {n} searches each; {better_word(first, at)}"
    title = f"Best so far of several searches: {goal_label(first, at)}"
    return Plot("trajectories", title, caption, tuple(panels), height=3.6)


def _curve(results: SearchResults, place: Callable[[Moment], float], at: int) -> list[tuple[float, float | None]]:
    return [
        (place(moment), None if moment.best is None else shown_value(results, moment.best, at))
        for moment in moments(results, at)
    ]


def _group_marks(name: str, bands: Sequence[Held], ink: str, n: int) -> list[Mark]:
    area = tuple((band.at, band.low, band.high) for band in bands if band.low is not None and band.high is not None)
    last = f"{name}: {number_text(bands[-1].mean)} in the end, n = {n}" if bands else name
    line = Line(stairs([(band.at, band.mean) for band in bands]), ink, name, 2.2, tip=last)
    return [Area(area, ink), line] if area else [line]


def _best_text(results: SearchResults, path: Sequence[Moment], at: int) -> str:
    best = path[-1].best if path else None
    if best is None:
        return "no value yet"
    return f"best: {goal_label(results, at)} {number_text(shown_value(results, best, at))}"


def _focused(results: SearchResults, values: Sequence[float], at: int, share: float = LEAST_SHOWN) -> Scale:
    """A scale for all values but the worst few, the baseline always within."""
    base = baseline_value(results, at)
    always = [base] if base is not None else []
    label = goal_label(results, at)
    if len(values) < 10:
        return scale([*values, *always], label)
    worst, best = (share, 1.0) if results.maximise[at] else (0.0, 1.0 - share)
    low, high = (float(each) for each in np.quantile(values, [worst, best]))
    middle = [value for value in values if low <= value <= high]
    spread = max(middle) - min(middle)
    wide = [value for value in values if min(middle) - spread <= value <= max(middle) + spread]
    return scale([*wide, *always], label)


def _evenly(values: Sequence[Trial], most: int) -> Sequence[Trial]:
    if len(values) <= most:
        return values
    return [values[round(index * (len(values) - 1) / (most - 1))] for index in range(most)]
