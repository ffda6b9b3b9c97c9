"""Charts of a search: what stands on them, on paper and in the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.search.results import Dimension, SearchResults, read_results
from etude.report.charts.drawing import images
from etude.report.charts.plot import (
    Box,
    Boxes,
    Dot,
    Dots,
    Line,
    Panel,
    Plot,
    Rule,
    Scale,
    Words,
    scale,
    short_number,
    stairs,
    tick_texts,
)
from etude.report.charts.search.charts import SearchCharts, charts_of_study, search_charts
from etude.report.charts.search.parallel import parallels
from etude.report.charts.search.params import _shares
from etude.report.charts.search.trajectories import trajectories
from etude.report.charts.search.wording import option_texts
from etude.report.export import export_results
from etude.report.page.figures import figure, plot_json
from etude.report.page.findings import findings
from etude.report.page.report_page import document
from etude.report.page.search_section import search_section, story
from etude.search.dimensions import Float
from etude.search.space import Space
from etude.search.spec import Search
from etude.search.trials import Goal
from etude.study.execution import Result
from etude.study.prepare import prepare
from etude.study.study import Vary
from projects import Project
from searches import Point, frnn_auc, made_search, table_of

CONDITIONAL: dict[str, Any] = {
    "lr": {"float": [1e-5, 1e-1], "log": True},
    "kind": {"choice": ["<b>x</b>", "y"]},
    "momentum": {"float": [0, 1], "when": {"kind": ["y"]}},
    "size": {"ordinal": [16, 64, 256]},
}


def both(point: Point, rng: Any) -> tuple[float, float]:
    return frnn_auc(point, rng), point["rnn_size"] * point["num_epochs"] * (1 + 0.1 * rng.random())


@pytest.fixture(scope="module")
def frnn() -> SearchCharts:
    return search_charts(read_results(made_search()))


@pytest.fixture(scope="module")
def conditional() -> SearchCharts:
    made = made_search(CONDITIONAL, lambda x, _: x["lr"] + x.get("momentum", 0), baseline=None, trials=80, workers=3)
    return search_charts(read_results(made))


@pytest.fixture(scope="module")
def two() -> SearchCharts:
    metrics = {"quality.auc": "maximize", "fit.cost.energy_j": "minimize"}
    return search_charts(read_results(made_search(objective=both, metrics=metrics, trials=60)))


def named(found: SearchCharts, name: str) -> Plot:
    return next(plot for plot in found.plots if plot.name == name)


def marks(plot: Plot, kind: type) -> list[Any]:
    return [mark for panel in plot.panels for mark in panel.marks if isinstance(mark, kind)]


def test_a_search_gives_every_chart(frnn: SearchCharts) -> None:
    assert [plot.name for plot in frnn.plots] == [
        "trajectory",
        "better_than_baseline",
        "importances",
        "influence",
        "slices",
        "parallel_all",
        "parallel_better",
        "parallel_top_20",
        "workers",
        "outcomes",
    ]


def test_the_baseline_is_drawn_wherever_values_or_trials_are(frnn: SearchCharts) -> None:
    value = frnn.results.baseline.values[0]  # type: ignore[union-attr,index]
    assert {rule.value for rule in marks(named(frnn, "trajectory"), Rule)} == {value}
    assert {rule.value for rule in marks(named(frnn, "slices"), Rule)} == {value}
    for name in ("parallel_all", "parallel_better", "parallel_top_20"):
        assert [line.dash for line in marks(named(frnn, name), Line) if line.name == "baseline"] == [1]
    assert [len(dots.dots) for dots in marks(named(frnn, "workers"), Dots) if dots.name == "baseline"] == [1]


def test_a_caption_explains_the_mark_of_the_baseline_where_there_is_one(frnn: SearchCharts) -> None:
    assert "square and dashed: baseline" in named(frnn, "slices").caption


def test_the_best_so_far_ends_at_the_best_trial(frnn: SearchCharts) -> None:
    best = max(trial.values[0] for trial in frnn.results.known() if trial.values)
    assert [line.points[-1][1] for line in marks(named(frnn, "trajectory"), Line)] == [best, best]


def test_every_trial_is_a_bar_on_the_line_of_its_worker(frnn: SearchCharts) -> None:
    boxes = [box for each in named(frnn, "workers").panels[1].marks if isinstance(each, Boxes) for box in each.boxes]
    assert len(boxes) == 200
    assert {int(box.low) for box in boxes} == set(range(8))
    assert sum(box.right - box.left for box in boxes) * 3600 == pytest.approx(
        sum(trial.ended_s - trial.started_s for trial in frnn.results.trials)  # type: ignore[operator]
    )


def test_parallel_lines_are_those_of_the_chosen_trials(frnn: SearchCharts) -> None:
    def told(name: str) -> int:
        return sum(bool(line.tip) and line.name != "baseline" for line in marks(named(frnn, name), Line))

    assert told("parallel_all") == len(list(frnn.results.known()))
    assert told("parallel_top_20") == 20
    value = frnn.results.baseline.values[0]  # type: ignore[union-attr,index]
    assert told("parallel_better") == sum(trial.values[0] > value for trial in frnn.results.known() if trial.values)


@pytest.mark.parametrize(("trials", "hidden"), [(300, ""), (301, "; 300 of 301 lines drawn")])
def test_of_more_lines_than_can_be_told_apart_some_are_drawn_and_the_caption_says_so(trials: int, hidden: str) -> None:
    rows = [row(number, number / trials, float(number + 1)) for number in range(trials)]
    plot = parallels(results_of(rows))[0]
    assert sum(bool(line.tip) for line in marks(plot, Line)) == 300
    assert ("lines drawn" in plot.caption) == bool(hidden)
    assert hidden in plot.caption


@pytest.mark.parametrize(("trials", "charts"), [(5, ["parallel_all"]), (6, ["parallel_all", "parallel_top_5"])])
def test_the_best_have_a_chart_of_their_own_where_there_are_more(trials: int, charts: list[str]) -> None:
    rows = [row(number, number / trials, float(number + 1)) for number in range(trials)]
    assert [plot.name for plot in parallels(results_of(rows), k=5)] == charts


def test_the_story_tells_of_a_front_where_there_are_several_objectives_alone(
    frnn: SearchCharts, two: SearchCharts
) -> None:
    assert not any("on the front" in sentence for sentence in story(frnn))
    assert sum("on the front" in sentence for sentence in story(two)) == 1


def test_the_story_names_the_best_trial_the_failures_and_the_dead_params(frnn: SearchCharts) -> None:
    told = " ".join(story(frnn))
    assert re.search(r"Best auc: 0\.94\d+, trial \d+; the baseline has 0\.9193 and was beaten after", told)
    assert "10 of 200 trials failed" in told
    assert re.search(r"No effect is seen of .*momentum", told)


def test_a_search_without_a_baseline_says_so(conditional: SearchCharts) -> None:
    assert "no baseline" in named(conditional, "trajectory").caption
    assert "the search has no baseline" in named(conditional, "slices").caption
    assert not any(plot.name == "better_than_baseline" for plot in conditional.plots)


def test_a_param_that_is_not_active_is_passed_below_its_axis(conditional: SearchCharts) -> None:
    plot = named(conditional, "parallel_all")
    lows = [min(y for _, y in line.points) for line in marks(plot, Line) if line.tip]
    assert min(lows) < 0 <= max(lows)
    assert "not active" in plot.caption


def test_two_objectives_give_a_front_and_charts_of_each(two: SearchCharts) -> None:
    names = [plot.name for plot in two.plots]
    assert names[0] == "front"
    assert {"trajectory_quality.auc", "trajectory_fit.cost.energy_j"} <= set(names)
    assert len(names) == len(set(names))
    stair = marks(two.plots[0], Line)[0].points
    assert list(stair) == sorted(stair)


@pytest.mark.parametrize("which", ["frnn", "conditional", "two"])
def test_every_chart_is_drawn_for_print_and_for_the_page(which: str, request: pytest.FixtureRequest) -> None:
    found: SearchCharts = request.getfixturevalue(which)
    page = search_section(found, "s0")
    ElementTree.fromstring("<div>" + re.sub("<input([^>]*)>", "", page) + "</div>")
    assert not re.search(r"\bnan\b", page)
    assert "<b>x" not in page
    for name in ("trajectory", "parallel_all", "front"):
        for plot in found.plots:
            if plot.name == name:
                assert images(plot).png.startswith(b"\x89PNG")


def test_the_same_search_gives_the_same_pictures(conditional: SearchCharts) -> None:
    plot = named(conditional, "slices")
    assert images(plot) == images(plot)
    assert figure(plot, "a") == figure(plot, "a")


def results_of(rows: list[dict[str, Any]]) -> SearchResults:
    return read_results(table_of(rows, {"x": {"float": [0, 1]}}, {"score": "maximize"}))


def row(number: int, value: float | None, end: float | None) -> dict[str, Any]:
    known = {"number": number, "origin": "sampler", "outcome": "crash" if value is None else "ok", "worker": 0}
    times = {"submitted_s": 0.0, "started_s": None if end is None else end - 1.0, "ended_s": end}
    return {**known, **times, "param.x": 0.5, "value.score": value, "error": None}


@pytest.mark.parametrize(
    "rows",
    [
        [row(0, 0.5, 1.0)],
        [row(0, None, 1.0), row(1, None, 2.0)],
        [row(0, 0.5, 1.0), row(1, 0.5, 2.0)],
        [row(0, 1, None)],
    ],
    ids=["one", "all failed", "all equal", "no times"],
)
def test_a_search_that_says_little_is_charted_all_the_same(rows: list[dict[str, Any]]) -> None:
    found = search_charts(results_of(rows))
    assert search_section(found, "s0")
    for plot in found.plots:
        if plot.name in ("trajectory", "slices"):
            assert images(plot).png


def test_several_searches_are_drawn_with_the_interval_of_their_mean() -> None:
    groups = {
        name: [read_results(made_search(trials=60, adaptive=adaptive, seed=seed)) for seed in range(4)]
        for name, adaptive in (("adaptive", True), ("random", False))
    }
    plot = trajectories(groups)
    assert plot.legend == ("adaptive", "random")
    assert "n = 4" in plot.caption
    assert images(plot).svg


@given(st.lists(st.tuples(st.floats(0, 9), st.sampled_from([1.0, 2.0, 3.0])), min_size=1, max_size=20))
def test_a_stair_goes_level_or_upright_and_keeps_its_corners(points: list[tuple[float, float]]) -> None:
    ordered = sorted(dict(points).items())
    found = stairs(ordered)
    assert found[0] == ordered[0]
    assert found[-1] == ordered[-1]
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(found))


@given(st.lists(st.floats(-1e6, 1e6), max_size=10))
def test_a_scale_holds_its_values_and_its_ticks(values: list[float]) -> None:
    made = scale(values)
    assert all(0 <= made.at(value) <= 1 for value in values)
    assert all(made.low <= tick <= made.high for tick, _ in made.ticks())


def test_far_powers_of_ten_are_written_with_a_raised_exponent() -> None:
    assert [short_number(value) for value in (1e-7, 0.01, 2e-5, 1e6, 0.0)] == ["10⁻⁷", "0.01", "2·10⁻⁵", "10⁶", "0"]


def test_ticks_that_differ_are_told_apart() -> None:
    assert tick_texts([0.9999991, 0.9999992]) == ["0.9999991", "0.9999992"]
    assert tick_texts([1e9 + 1, 1e9 + 2]) == ["1.000000001·10⁹", "1.000000002·10⁹"]


def test_a_plot_as_json_has_what_its_marks_tell_and_leaves_out_what_is_as_it_is_left_out() -> None:
    panel = named(search_charts(results_of([row(0, 0.5, 1.0)])), "outcomes").panels[0]
    marks = (Boxes((Box(2, 4, 0, 5, "told"),), "#000000"), Words(5, 5, "said"), Rule(5, "rule"))
    made = plot_json(Plot("x", "x", "x", (panel._replace(x=Scale(0, 10), y=Scale(0, 10), marks=marks),)))
    assert made["panels"][0]["marks"] == [
        {"kind": "boxes", "boxes": [[2, 4, 0, 5, "told", ""]], "ink": "#000000"},
        {"kind": "words", "x": 5, "y": 5, "text": "said"},
        {"kind": "rule", "value": 5, "text": "rule"},
    ]
    assert made["panels"][0]["x"]["ticks"][0] == (0, "0")


def test_a_mark_nowhere_breaks_no_page() -> None:
    marks = (Line(((0.0, 1.0), (1.0, float("nan"))), "#000000"),)
    made = Plot("x", "x", "x", (Panel(Scale(0, 1), Scale(0, 1), marks),))
    assert plot_json(made)["panels"][0]["marks"][0]["points"] == [[0.0, 1.0], [1.0, None]]


def test_numbers_along_a_side_have_as_many_decimals_each() -> None:
    assert [text for _, text in Scale(0.69, 0.72).ticks()] == [
        f"0.{at}" for at in ("690", "695", "700", "705", "710", "715", "720")
    ]
    assert [text for _, text in Scale(0.1, 100.0, logarithmic=True).ticks()] == ["0.1", "1", "10", "100"]
    assert [text for _, text in Scale(81_819.0, 100_001.0).ticks()][-2:] == ["95000", "10⁵"]


SEARCHED = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Scores:
    auc: float

@step
def train(*, lr: float, dead: float) -> Scores:
    if lr > 0.9:
        raise ValueError("exploded")
    return Scores(1 - (lr - 0.5) ** 2)
"""


@pytest.fixture(scope="module")
def searched_study(tmp_path_factory: pytest.TempPathFactory) -> Result:
    project = Project(tmp_path_factory.mktemp("searched")).write(SEARCHED)
    search = Search(
        space=Space({"lr": Float(0.0, 1.0), "dead": Float(0.0, 1.0)}),
        goal=Goal(metrics=("quality.auc",), directions=("maximize",)),
        trials=60,
        sampler="random",
        baseline={"lr": 0.2, "dead": 0.5},
    )
    study = project.study(
        {"quality": ("train", None, {"lr": "${lr}", "dead": "${dead}"})},
        params={"lr": 0.2, "dead": 0.5},
        vary=Vary(search=search),
    )
    return project.run(study)


def test_a_report_on_a_searched_study_has_a_section_on_its_search(searched_study: Result) -> None:
    found = findings(searched_study.prepared)
    assert found.search is not None
    assert len(found.search.results.trials) == 60
    page = document([found])
    assert 'href="#study0-search-head"' in page
    assert "Params that matter" in page
    assert "ValueError: exploded" in page


def test_a_run_writes_the_table_and_the_charts_of_its_search(searched_study: Result) -> None:
    export_results(searched_study)
    folder = searched_study.prepared.workplace.results / "search"
    assert {"trajectory.png", "trajectory.svg", "workers.png"} <= {path.name for path in (folder / "charts").iterdir()}
    table = pq.read_table(folder / "trials.parquet")
    assert read_results(table) == read_results(searched_study.prepared.search.table())  # type: ignore[union-attr]


def test_a_study_that_was_not_searched_yet_has_no_section_on_it(searched_study: Result, tmp_path: Path) -> None:
    project = Project(tmp_path).write(SEARCHED)
    known = searched_study.prepared.study
    vary = replace(known.vary, points=(), failed={})
    study = replace(known, project=project.folder, vary=vary)
    assert charts_of_study(prepare(study)) is None


@pytest.mark.parametrize(
    ("longest", "shown"),
    [(1.0, "0 20 40 60 80 100"), (0.5, "0 10 20 30 40 50"), (0.3, "0 10 20 30"), (0.2, "0 5 10 15 20"), (0.01, "0")],
)
def test_an_axis_of_shares_has_round_steps_that_suit_its_length(longest: float, shown: str) -> None:
    ticks = _shares(longest)
    assert [text for _, text in ticks] == [f"{share} %" for share in shown.split()]
    assert [place for place, _ in ticks] == [int(share) / 100 for share in shown.split()]


@pytest.mark.parametrize("opacity", [1.0, 0.4])
def test_only_what_is_not_opaque_says_how_opaque_it_is(opacity: float) -> None:
    dots = Dots((Dot(0.5, 0.5, "#123456"),), opacity=opacity)
    chart = Plot("p", "t", "c", (Panel(Scale(0.0, 1.0, "x"), Scale(0.0, 1.0, "y"), (dots,)),))
    assert plot_json(chart)["panels"][0]["marks"][0].get("opacity", 1.0) == opacity
    assert ("opacity" in plot_json(chart)["panels"][0]["marks"][0]) == (opacity < 1)


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["adam", "sgd"], ["adam", "sgd"]),
        (["cosine_with_warmup", "linear_with_warmup"], ["cosine…", "linear…"]),
        (["learning_rate_warmup", "learning_rate_decay"], ["…warmup", "…decay"]),
        (["bert-base-uncased", "roberta-large"], ["bert-base…", "roberta…"]),
        (["deberta-v3-base", "deberta-v3-large", "bert-base-cased"], ["…v3-base", "…v3-large", "…base-cased"]),
        (["one_long_name_of_a_thing"], ["one_long…"]),
        (["a_b_long_word_here_c", "a_b_long_word_here_d", "a_c_long_word_here_c"], None),
        (["hinge", "cross", "balanced_hinge", "balanced_cross"], None),
        (["encyclopaedia", "encyclopaedic"], ["encyclopaedia", "encyclopaedic"]),
    ],
)
def test_an_option_is_told_in_whole_words_and_never_as_another(options: list[str], texts: list[str] | None) -> None:
    made = option_texts(Dimension(name="k", kind="choice", options=tuple(options)))
    assert made == (texts or options)
