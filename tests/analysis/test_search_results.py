"""What is read from a search's results table, and what it comes to."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.search.failures import failures, outcomes
from etude.analysis.search.front import front, growth, hypervolume, nondominated_mask
from etude.analysis.search.results import SearchResults, better_than_baseline, read_results, top
from etude.analysis.search.trajectory import beaten_after, moments, together, value_at
from etude.analysis.search.utilisation import utilisation, windows
from etude.errors import StepError
from searches import FRNN, made_search, table_of


def row(number: int, value: float | None, worker: int | None, start: float, end: float, **more: Any) -> dict[str, Any]:
    found = {"number": number, "origin": "sampler", "outcome": "ok" if value is not None else "crash"}
    found |= {"worker": worker, "submitted_s": start, "started_s": start, "ended_s": end}
    return {**found, "param.x": 0.5, "value.score": value, "error": None, **more}


def results_of(*rows: dict[str, Any], direction: str = "maximize", **more: Any) -> SearchResults:
    return read_results(table_of(list(rows), {"x": {"float": [0, 1]}}, {"score": direction}, **more))


def test_a_table_gives_its_space_its_goal_and_its_trials() -> None:
    results = read_results(made_search(trials=60))
    assert results.metrics == ("quality.auc",)
    assert results.maximise == (True,)
    assert [each.name for each in results.dimensions] == list(FRNN)
    assert results.dimensions[6].log
    assert len(results.trials) == 60
    assert results.baseline is not None
    assert results.workers == 8


def test_a_dimension_puts_values_on_its_scale_and_back() -> None:
    by = {each.name: each for each in read_results(made_search(trials=5)).dimensions}
    assert by["lr"].unit(1e-7) == 0.0
    assert by["lr"].unit(math.sqrt(1e-9)) == pytest.approx(0.5)
    assert by["lr"].value_at(0.5) == pytest.approx(math.sqrt(1e-9))
    assert by["loss"].unit("hinge") == pytest.approx(1 / 12)
    assert [by["loss"].value_at(by["loss"].unit(each)) for each in by["loss"].options] == list(by["loss"].options)
    assert by["rnn_layers"].value_at(by["rnn_layers"].unit(3)) == 3


def test_options_of_different_types_are_told_apart() -> None:
    table = table_of([row(0, 1.0, 0, 0, 1)], {"x": {"choice": [1, True, 1.0]}}, {"score": "maximize"})
    (dimension,) = read_results(table).dimensions
    assert len({dimension.unit(each) for each in (1, True, 1.0)}) == 3


def test_a_space_that_is_not_told_is_read_from_the_values() -> None:
    rows = [row(at, 1.0, 0, at, at + 1, **{"param.x": 10.0**-at}) for at in range(5)]
    (dimension,) = read_results(table_of(rows, {}, {"score": "maximize"})).dimensions
    assert (dimension.kind, dimension.low, dimension.high, dimension.log) == ("float", 1e-4, 1.0, True)


def test_values_that_are_not_finite_are_no_values() -> None:
    results = results_of(row(0, math.nan, 0, 0, 1), row(1, math.inf, 0, 1, 2), row(2, 0.5, 0, 2, 3))
    assert [trial.number for trial in results.known()] == [2]


@pytest.mark.parametrize("column", ["number", "ended_s", "value.score"])
def test_a_table_without_a_column_is_refused_by_its_name(column: str) -> None:
    table = table_of([row(0, 1.0, 0, 0, 1)], {}, {"score": "maximize"}).drop_columns([column])
    with pytest.raises(StepError, match=column):
        read_results(table)


def test_a_table_that_tells_no_goal_is_refused() -> None:
    with pytest.raises(StepError, match="goal"):
        read_results(pa.Table.from_pylist([row(0, 1.0, 0, 0, 1)]))


def test_the_best_so_far_never_gets_worse_and_ends_at_the_best() -> None:
    results = read_results(made_search())
    path = [moment.best for moment in moments(results) if moment.best is not None]
    assert path == sorted(path)
    assert path[-1] == max(trial.values[0] for trial in results.known() if trial.values)
    assert [moment.evaluations for moment in moments(results)] == list(range(1, 201))


def test_less_is_better_where_the_goal_is_to_minimise() -> None:
    results = results_of(row(0, 3.0, 0, 0, 1), row(1, 5.0, 0, 1, 2), row(2, 2.0, 0, 2, 3), direction="minimize")
    assert [moment.best for moment in moments(results)] == [3.0, 3.0, 2.0]
    assert [trial.number for trial in top(results, 2)] == [2, 0]


def test_moments_follow_the_order_of_ends_not_of_numbers() -> None:
    results = results_of(row(0, 1.0, 0, 0, 9), row(1, 2.0, 1, 0, 1))
    assert [(moment.number, moment.best) for moment in moments(results)] == [(1, 2.0), (0, 2.0)]


def test_points_better_than_the_baseline_are_counted_without_it() -> None:
    rows = [
        row(0, 0.5, 0, 0, 1),
        row(1, 0.4, 0, 1, 2),
        row(2, 0.6, 0, 2, 3),
        row(3, 0.5, 0, 3, 4),
        row(4, 0.9, 0, 4, 5),
    ]
    results = results_of(*rows, baseline=0)
    assert [moment.better_than_baseline for moment in moments(results)] == [0, 0, 1, 1, 2]
    assert [trial.number for trial in better_than_baseline(results)] == [4, 2]
    first = beaten_after(results)
    assert first is not None
    assert (first.number, first.time_s) == (2, 3.0)


def test_a_point_that_breaks_a_constraint_is_never_the_best() -> None:
    rows = [row(0, 0.5, 0, 0, 1, **{"constraint.energy": -1.0}), row(1, 0.9, 0, 1, 2, **{"constraint.energy": 3.0})]
    results = results_of(*rows)
    assert [moment.best for moment in moments(results)] == [0.5, 0.5]
    assert [trial.number for trial in top(results, 5)] == [0]


def test_several_searches_have_the_mean_and_the_interval_of_what_each_holds() -> None:
    bands = together([[(1, None), (2, 1.0), (4, 3.0)], [(1, 2.0), (3, 4.0), (5, 9.0)]])
    assert [(band.at, band.mean) for band in bands] == [(2, 1.5), (3, 2.5), (4, 3.5)]
    assert bands[0].low is not None
    assert bands[0].low < 1.5 < (bands[0].high or 0)
    assert together([[(1, None)]]) == ()


def test_a_stepped_curve_holds_its_last_value() -> None:
    curve = [(1.0, None), (2.0, 5.0), (4.0, 7.0)]
    assert [value_at(curve, at) for at in (0.5, 1, 3.9, 4, 10)] == [None, None, 5.0, 7.0, 7.0]


def test_the_use_of_workers_is_exact() -> None:
    # worker 0: 0-4 and 6-10; worker 1: 0-10; worker 2: 5-6.  19 busy seconds of 30.
    rows = [row(0, 1.0, 0, 0, 4), row(1, 1.0, 1, 0, 10), row(2, None, 2, 5, 6), row(3, 1.0, 0, 6, 10)]
    found = utilisation(results_of(*rows))
    assert found.workers == 3
    assert found.busy_s == 19.0
    assert found.overall == pytest.approx(19 / 30)
    assert found.until_drain == pytest.approx((4 + 6 + 1) / 18)
    assert [(each.time_s, each.workers) for each in found.steps] == [(0, 2), (4, 1), (5, 2), (6, 2), (10, 0)]
    assert [share for *_, share in windows(found, 2)] == pytest.approx([9 / 15, 10 / 15])
    assert [(span.lane, span.number) for span in found.spans] == [(0, 0), (1, 1), (2, 2), (0, 3)]


def test_workers_that_were_asked_for_and_never_ran_count_as_idle() -> None:
    assert utilisation(results_of(row(0, 1.0, 0, 0, 4), workers=4)).overall == pytest.approx(1 / 4)


def test_trials_of_unknown_workers_are_laid_into_as_few_lanes_as_hold_them() -> None:
    found = utilisation(results_of(*(row(at, 1.0, None, 2 * at, 2 * at + 3) for at in range(6))))
    assert not found.lanes_known
    assert found.workers == 2
    assert all(
        one.end_s <= other.start_s or other.end_s <= one.start_s
        for one, other in itertools.combinations(found.spans, 2)
        if one.lane == other.lane
    )


def test_workers_of_two_drivers_with_the_same_number_are_kept_apart() -> None:
    found = utilisation(results_of(row(0, 1.0, 0, 0, 4), row(1, 1.0, 0, 2, 6)))
    assert (found.workers, found.lanes_known) == (2, False)
    assert found.overall == pytest.approx(8 / 12)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 20)), min_size=1, max_size=30), st.integers(1, 40))
def test_windows_hold_all_the_busy_time(spans: list[tuple[float, float]], count: int) -> None:
    rows = [row(at, 1.0, None, start, start + length) for at, (start, length) in enumerate(spans)]
    found = utilisation(results_of(*rows))
    parts = windows(found, count)
    assert all(-1e-9 <= share <= 1 + 1e-9 for *_, share in parts)
    total = sum((end - start) * share * found.workers for start, end, share in parts)
    assert total == pytest.approx(found.busy_s, rel=1e-9)


def test_failures_are_counted_by_cause_with_their_commonest_reason_and_what_they_cost() -> None:
    rows = [row(at, 1.0, 0, at, at + 1) for at in range(6)]
    rows += [row(6 + at, None, 0, 6 + at, 8 + at, error=f"ValueError: {word}\n more") for at, word in enumerate("aab")]
    rows += [row(9, None, 0, 9, 10, outcome="timeout")]
    found = {each.outcome: each for each in outcomes(results_of(*rows))}
    assert list(found) == ["ok", "crash", "timeout"]
    assert (found["crash"].trials, found["crash"].share, found["crash"].lost_s) == (3, 0.3, 6.0)
    assert (found["crash"].reason, found["crash"].reasons) == ("ValueError: a", 2)
    assert [each.outcome for each in failures(results_of(*rows))] == ["crash", "timeout"]


losses = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 6).map(float)] * width), min_size=1, max_size=12)
)


@given(losses)
def test_the_front_is_what_no_other_point_beats(points: list[tuple[float, ...]]) -> None:
    def beaten(one: tuple[float, ...]) -> bool:
        return any(other != one and all(a <= b for a, b in zip(other, one)) for other in points)

    assert nondominated_mask(points) == tuple(not beaten(point) for point in points)


@given(losses)
def test_hypervolume_equals_the_count_of_covered_cells(points: list[tuple[float, ...]]) -> None:
    width = len(points[0])
    cells = np.array(list(itertools.product(range(7), repeat=width)))
    covered = np.zeros(len(cells), dtype=bool)
    for point in points:
        covered |= (cells >= np.array(point)).all(axis=1)
    assert hypervolume(points, (7.0,) * width) == pytest.approx(covered.sum())


def test_the_front_of_a_search_and_its_growth() -> None:
    rows = []
    for at, (quality, energy) in enumerate([(0.5, 10.0), (0.7, 20.0), (0.6, 30.0), (0.8, 40.0)]):
        rows.append({**row(at, 1.0, 0, at, at + 1), "value.auc": quality, "value.joules": energy})
    results = read_results(table_of(rows, {}, {"auc": "maximize", "joules": "minimize"}))
    assert [trial.number for trial in front(results)] == [3, 1, 0]
    volumes = [each.hypervolume for each in growth(results)]
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[0]


def test_options_of_several_types_are_read_back_from_their_text() -> None:
    texts = ["1", '"1"', "true", '"a"', "a", "gone", None]
    rows = [row(at, 1.0, 0, at, at + 1, **{"param.x": text}) for at, text in enumerate(texts)]
    results = read_results(table_of(rows, {"x": {"choice": [1, "1", True, "a"]}}, {"score": "maximize"}))
    found = [trial.point.get("x") for trial in results.trials]
    assert [*map(repr, found)] == ["1", "'1'", "True", "'a'", "'a'", "'gone'", "None"]


def test_texts_that_are_options_themselves_stay_texts() -> None:
    rows = [row(at, 1.0, 0, at, at + 1, **{"param.x": text}) for at, text in enumerate(["1", "a"])]
    results = read_results(table_of(rows, {"x": {"choice": [1, "1", True, "a"]}}, {"score": "maximize"}))
    assert [trial.point["x"] for trial in results.trials] == ["1", "a"]


@pytest.mark.parametrize(("high", "log"), [(100.0, False), (101.0, True), (20.0, False)])
def test_a_space_read_from_values_is_logarithmic_beyond_two_decades(high: float, log: bool) -> None:
    rows = [row(at, 1.0, 0, at, at + 1, **{"param.x": value}) for at, value in enumerate([1.0, 5.0, high])]
    (dimension,) = read_results(table_of(rows, {}, {"score": "maximize"})).dimensions
    assert dimension.log == log


def test_a_space_read_from_values_tells_whole_numbers_choices_and_conditions() -> None:
    def dimension(*values: Any) -> Any:
        rows = [row(at, 1.0, 0, at, at + 1, **{"param.x": value}) for at, value in enumerate(values)]
        return read_results(table_of(rows, {}, {"score": "maximize"})).dimensions[0]

    assert (dimension(1, 2).kind, dimension(1.0, 2.5).kind, dimension("b", "a", "b").options) == (
        "int",
        "float",
        ("b", "a"),
    )
    assert [dimension(1, None).conditional, dimension(1, 2).conditional] == [True, False]
    assert dimension(False, True).kind == "choice"


@pytest.mark.parametrize(("direction", "better"), [("maximize", 2.0), ("minimize", 0.0)])
def test_of_two_values_the_better_one_is_by_direction_and_of_equal_ones_neither(direction: str, better: float) -> None:
    results = results_of(row(0, 1.0, 0, 0.0, 1.0), direction=direction)
    assert results.better(better, 1.0)
    assert not results.better(1.0, better)
    assert not results.better(1.0, 1.0)
