"""Which params matter: their importances with what the test says of each, and the objective against each of them."""

from __future__ import annotations

import numpy as np

from etude.analysis.search.importance import Importance, Importances
from etude.analysis.search.influence import NEGLIGIBLE, Influence
from etude.analysis.search.results import Dimension, SearchResults, top
from etude.digits import number_text
from etude.report.charts.chart_names import one_line, scale_of
from etude.report.charts.palette import SERIES, shade
from etude.report.charts.plot import (
    Area,
    Box,
    Boxes,
    Dot,
    Dots,
    Key,
    Line,
    Mark,
    Panel,
    Plot,
    Scale,
    Whisker,
    Words,
    scale,
)
from etude.report.charts.search.wording import (
    BETTER,
    baseline_rule,
    count_text,
    goal_label,
    no_baseline,
    option_texts,
    shown_value,
    value_text,
)

MOST_SLICES = 24
MOST_PLACES = 400
MOST_LETTERS = 26
"""That fit below a slice beside each other."""
JITTER = 0.32
"""Of the width of an option, over which its points are spread."""
LEAST_SHOWN = 0.05


def importance_chart(importances: Importances, tests: tuple[Influence, ...]) -> Plot | None:
    """Shares of the variance, alone and in total, each with its interval; None where nothing is known."""
    if not importances.params:
        return None
    by = {test.name: test for test in tests}
    alone, total, marks = [], [], list[Mark]()
    for row, each in enumerate(importances.params):
        tip = _importance_tip(each, by.get(each.name))
        total.append(Box(0.0, each.total, row - 0.36, row + 0.36, tip))
        alone.append(Box(0.0, each.alone, row - 0.36, row + 0.36, tip))
        low, high = each.total_interval
        marks.append(Whisker(low, min(1.0, high), float(row)))
        test = by.get(each.name)
        if test is not None:
            end = max(each.total, min(1.0, high))
            marks.append(Words(end, float(row), _verdict(test), faint=test.verdict != "matters", aside=6.0))
    names = tuple((float(row), _named(each)) for row, each in enumerate(importances.params))
    longest = max(min(1.0, max(each.total, each.total_interval[1])) for each in importances.params)
    panel = Panel(
        Scale(0.0, longest * 1.45, "share of the objective's variance over the space", marks=_shares(longest)),
        Scale(len(importances.params) - 0.4, -0.6, marks=names),
        (
            Boxes(tuple(total), SERIES[6], "with others", opacity=0.4, hatch=0),
            Boxes(tuple(alone), SERIES[0], "alone"),
            *marks,
        ),
        grid="x",
    )
    fit = f"the forests explain {importances.fit:.0%} of what they have not seen" if importances.fit is not None else ""
    notes = "".join(f"; {note}" for note in importances.notes)
    if any(each.conditional for each in importances.params):
        notes += "; *: among the trials where it is active"
    caption = (
        f"functional ANOVA, {importances.params[0].trials} trials, whiskers: 95 % of resamples (of the total); "
        f"{fit}{notes}. "
        f"Words: test of each param given all others; p is corrected for {len(tests)} params"
    )
    height = 0.7 + 0.31 * len(importances.params)
    return Plot("importances", "Importance of the params", caption, (panel,), height=height)


def influence_chart(tests: tuple[Influence, ...]) -> Plot | None:
    """How much each param may explain at most by itself, and which may be left out; None where nothing was tested."""
    tested = [test for test in tests if test.at_most is not None]
    if not tested:
        return None
    marks: list[Mark] = []
    inks = {"matters": SERIES[0], "undecided": SERIES[4], "no effect seen": SERIES[1]}
    for shape, (verdict, ink) in enumerate(inks.items()):
        dots = []
        for row, test in enumerate(tested):
            if test.verdict == verdict and test.at_most is not None:
                dots.append(Dot(test.at_most, float(row), ink, f"{test.name}: {_verdict(test)}"))
                marks.append(Line(((0.0, float(row)), (test.at_most, float(row))), ink, width=1.6))
                marks.append(Words(test.at_most, float(row), _p_text(test.p), faint=True, aside=8.0))
        if dots:
            marks.append(Dots(tuple(dots), shape, 8.0, verdict))
    names = tuple((float(row), one_line(test.name, 28)) for row, test in enumerate(tested))
    longest = max(test.at_most or 0.0 for test in tested)
    limit = Line(((NEGLIGIBLE, -0.6), (NEGLIGIBLE, len(tested) - 0.4)), SERIES[5], width=1.2, dash=1)
    panel = Panel(
        Scale(0.0, longest * 1.25, "explains at most, of what the other params leave open (95 %)"),
        Scale(len(tested) - 0.4, -0.6, marks=names),
        (limit, *marks),
        grid="x",
    )
    dead = [test.name for test in tested if test.verdict == "no effect seen"]
    said = f"no effect seen of {', '.join(dead)}" if dead else "every param matters or is undecided"
    caption = (
        f"{said}. Each param is tested given all others and the course of the search (generalised covariance measure); "
        f"dashed: {NEGLIGIBLE:.0%}, below which a param without a significant effect counts as without effect"
    )
    title = "Params that matter, and that do not"
    return Plot("influence", title, caption, (panel,), height=0.7 + 0.31 * len(tested))


def slices(results: SearchResults, importances: Importances, at: int = 0) -> Plot | None:
    """The objective against each param, the most important first; None where no trial has a value."""
    values = [shown_value(results, trial.values[at], at) for trial in results.known() if trial.values]
    if not values:
        return None
    by = {dimension.name: dimension for dimension in results.dimensions}
    effects = {each.name: each for each in importances.params}
    order = [*effects, *(name for name in by if name not in effects)][:MOST_SLICES]
    low = float(np.quantile(values, LEAST_SHOWN if results.maximise[at] else 0.0))
    high = float(np.quantile(values, 1.0 if results.maximise[at] else 1.0 - LEAST_SHOWN))
    best = {trial.number for trial in top(results, 1, at)}
    base = results.baseline
    always = [] if base is None or base.values is None else [shown_value(results, base.values[at], at)]
    y = scale([*(value for value in values if low <= value <= high), *always], "")
    panels = [
        _slice(
            results,
            by[name],
            effects.get(name),
            y._replace(label=goal_label(results, at)) if not row % 3 else y,
            at,
            best,
        )
        for row, name in enumerate(order)
    ]
    hidden = sum(not y.low <= value <= y.high for value in values)
    caption = (
        "dots: trials, light early, dark late; line and shade: what a forest expects along the param with all others "
        "averaged out, 95 % of resamples; star: best trial"
    )
    caption += "; square and dashed: baseline" if base is not None else no_baseline(results)
    caption += f"; {count_text(hidden, 'trial')} outside the panels" if hidden else ""
    left_out = len(by) - len(order)
    caption += f"; {left_out} more params not shown" if left_out else ""
    key = Key("trial", "first", "last")
    return Plot("slices", f"Each param against {goal_label(results, at)}", caption, tuple(panels), 3, 1.75, key=key)


def _slice(
    results: SearchResults, dimension: Dimension, effect: Importance | None, y: Scale, at: int, best: set[int]
) -> Panel:
    x = _scale_of(dimension)
    marks: list[Mark] = []
    rng = np.random.default_rng(0)
    count = max(1, len(results.trials) - 1)
    dots, stars, squares = [], [], []
    for age, trial in enumerate(results.trials):
        if trial.values is None or dimension.name not in trial.point:
            continue
        value = shown_value(results, trial.values[at], at)
        if not y.low <= value <= y.high:
            continue
        place = _place(dimension, trial.point[dimension.name], rng)
        told = value_text(trial.point[dimension.name])
        tip = f"trial {trial.number}: {goal_label(results, at)} {number_text(value)}, {dimension.name} {told}"
        if trial.number == results.baseline_number:
            squares.append(Dot(place, value, SERIES[5], tip))
        elif trial.number in best:
            stars.append(Dot(place, value, BETTER, tip))
        else:
            dots.append(Dot(place, value, shade(age / count), tip))
    marks.append(Dots(tuple(dots[:: -(-len(dots) // MOST_PLACES) or 1]), size=3.4, opacity=0.85))
    if effect is not None:
        marks += _effect_marks(dimension, effect, scale_of(results.metrics[at]))
    marks += [rule._replace(text="") for rule in baseline_rule(results, at)]
    marks += [Dots(tuple(squares), 1, 6.5, hollow=True), Dots(tuple(stars), 7, 9.5)]
    return Panel(x, y, tuple(marks), dimension.name, "xy" if dimension.numeric else "y")


def _scale_of(dimension: Dimension) -> Scale:
    if dimension.numeric:
        return scale([dimension.low, dimension.high], logarithmic=dimension.log, pad=0.03)
    names = tuple((float(row), text) for row, text in enumerate(option_texts(dimension)))
    long = sum(len(text) + 2 for _, text in names) > MOST_LETTERS
    return Scale(-0.6, len(names) - 0.4, marks=names, turned=long)


def _place(dimension: Dimension, value: object, rng: np.random.Generator) -> float:
    if dimension.numeric:
        return float(value)  # type: ignore[arg-type]
    index = dimension.unit(value) * len(dimension.options) - 0.5
    return index + float(rng.uniform(-JITTER, JITTER))


def _effect_marks(dimension: Dimension, importance: Importance, factor: float) -> list[Mark]:
    effect = importance.effect
    if not dimension.numeric:
        return [
            Line(((row - 0.4, mean * factor), (row + 0.4, mean * factor)), SERIES[1], width=2.4)
            for row, mean in enumerate(effect.mean)
        ]
    places = [dimension.place_at(unit) for unit in effect.units]
    area = zip(places, effect.low, effect.high, strict=True)
    line = tuple((place, mean * factor) for place, mean in zip(places, effect.mean, strict=True))
    return [
        Area(tuple((place, low * factor, high * factor) for place, low, high in area), SERIES[1]),
        Line(line, SERIES[1], width=1.8),
    ]


def _importance_tip(each: Importance, test: Influence | None) -> str:
    words = f"{each.name}: alone {each.alone:.1%} ({each.alone_interval[0]:.1%} to {each.alone_interval[1]:.1%})"
    words += f", with others {each.total:.1%} ({each.total_interval[0]:.1%} to {each.total_interval[1]:.1%})"
    words += f", among {each.trials} trials where it is active" if each.conditional else ""
    return f"{words}; {_verdict(test)}" if test else words


def _verdict(test: Influence) -> str:
    if test.p_holm is None or test.at_most is None:
        return f"not tested: {test.note}"
    if test.verdict == "matters":
        return f"matters, {_p_text(test.p_holm)}"
    return f"{test.verdict}, at most {test.at_most:.1%}"


def _p_text(p: float | None) -> str:
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _named(each: Importance) -> str:
    return one_line(each.name, 28) + (" *" if each.conditional else "")


def _shares(longest: float) -> tuple[tuple[float, str], ...]:
    step = 0.2 if longest > 0.5 else 0.1 if longest > 0.2 else 0.05
    return tuple(
        (round(step * at, 2), f"{100 * step * at:.0f} %")
        for at in range(round(1 / step) + 1)
        if step * at <= longest * 1.05
    )
