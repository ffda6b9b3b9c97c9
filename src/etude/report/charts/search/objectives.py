"""Several objectives: every trial, the front that no other beats, and how the volume before it grew."""

from __future__ import annotations

from itertools import combinations

from etude.analysis.search.front import front, growth
from etude.analysis.search.results import SearchResults
from etude.digits import number_text
from etude.report.charts.palette import FAINT, SERIES
from etude.report.charts.plot import Dot, Dots, Line, Mark, Panel, Plot, Scale, scale, stairs
from etude.report.charts.search.wording import better_word, goal_label, no_baseline, shown_value, trial_tip

SPREAD_FROM = 20.0
"""Values above 0 whose largest is more than this many times the smallest stand on a logarithmic scale."""


def objectives(results: SearchResults) -> Plot | None:
    """A panel for each pair of objectives, and one for the hypervolume; None for a search with one objective."""
    known = list(results.known())
    if len(results.metrics) < 2 or not known:
        return None
    panels = [_pair(results, one, other) for one, other in combinations(range(len(results.metrics)), 2)]
    grown = growth(results)
    ends = [each.hypervolume for each in grown]
    line = Line(
        stairs([(float(each.evaluations), each.hypervolume) for each in grown]), SERIES[2], width=2.4,
        tip=f"hypervolume {number_text(ends[-1])} after {grown[-1].evaluations} evaluations" if grown else "",
    )  # fmt: skip
    panels.append(
        Panel(
            Scale(0.0, max((each.evaluations for each in grown), default=1) * 1.02, "evaluations"),
            scale(ends, "hypervolume", zero=True),
            (line,),
        )
    )
    count = len(front(results))
    caption = (
        f"{count} of {len(known)} trials are on the front (filled, joined): no other is at least as good in all "
        f"objectives and better in one. Hypervolume: the volume between the front and a point a tenth of the range "
        f"behind the worst trial{no_baseline(results)}"
    )
    title = " against ".join(goal_label(results, at) for at in range(len(results.metrics)))
    return Plot("front", title, caption, tuple(panels), height=3.6)


def _pair(results: SearchResults, one: int, other: int) -> Panel:
    """The second of two objectives across, the first up."""
    best = {trial.number for trial in front(results)}
    known = [trial for trial in results.known() if trial.values is not None]
    places = {
        trial.number: (shown_value(results, trial.values[other], other), shown_value(results, trial.values[one], one))
        for trial in known
        if trial.values is not None
    }
    dots = {
        held: tuple(
            Dot(*places[trial.number], SERIES[0] if held else FAINT, trial_tip(results, trial, 8))
            for trial in known
            if (trial.number in best) == held and trial.number != results.baseline_number
        )
        for held in (True, False)
    }
    marks: list[Mark] = [Dots(dots[False], 0, 4.5, "trial", hollow=True, opacity=0.6)]
    if len(results.metrics) == 2:
        stair = _stair(
            sorted(places[number] for number in best),
            more_across=results.maximise[other],
            more_up=results.maximise[one],
        )
        marks.append(Line(stair, SERIES[0], width=1.6))
    marks.append(Dots(dots[True], 0, 7.0, "on the front"))
    base = results.baseline
    if base is not None and base.number in places:
        square = Dot(*places[base.number], SERIES[1], trial_tip(results, base, 8))
        marks.append(Dots((square,), 1, 9.0, "baseline"))
    across = _side(results, other, [x for x, _ in places.values()])
    return Panel(across, _side(results, one, [y for _, y in places.values()]), tuple(marks))


def _side(results: SearchResults, at: int, values: list[float]) -> Scale:
    wide = min(values) > 0 and max(values) / min(values) > SPREAD_FROM
    return scale(values, f"{goal_label(results, at)}, {better_word(results, at)}", logarithmic=wide, pad=0.06)


def _stair(points: list[tuple[float, float]], *, more_across: bool, more_up: bool) -> tuple[tuple[float, float], ...]:
    """The border of what the front beats: from point to point by the corner that is worse in both."""
    found: list[tuple[float, float]] = []
    for x, y in points:
        if found:
            before = found[-1]
            found.append(((min if more_across else max)(before[0], x), (min if more_up else max)(before[1], y)))
        found.append((x, y))
    return tuple(found)
