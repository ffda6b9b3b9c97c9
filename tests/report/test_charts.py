"""Charts as records: what they show is right before anything is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.direction import is_cost
from etude.analysis.estimates import estimate
from etude.analysis.summary import Group, Reference, Summary
from etude.errors import StepError
from etude.report.charts.bars import bars, bars_of_studies
from etude.report.charts.confusion import confusion, folded
from etude.report.charts.curves import MOST_CURVES, MOST_POINTS, is_curve, learning_curves
from etude.report.charts.labels import file_stem, label_of, one_line
from etude.report.charts.pareto import costs_of_variants, on_front, pareto_points

ACCURACY = "quality.accuracy"


def study(values: dict[str, list[float]], costs: dict[str, list[float]] | None = None) -> Summary:
    groups = tuple(
        Group(
            name=f"k={name}",
            params={"k": name},
            replicates=len(found),
            estimates={
                ACCURACY: estimate(found),
                "fit.cost.energy_j": estimate((costs or {}).get(name, [])),
            },
        )
        for name, found in values.items()
    )
    return Summary(
        metrics=(ACCURACY,),
        costs=("fit.cost.energy_j",),
        varied=("k",),
        repeat="seed",
        lower_is_better=(),
        higher_is_better=(ACCURACY,),
        groups=groups,
        comparisons=(),
        references=(Reference(node="majority", title="commonest", values={ACCURACY: 0.1}),),
    )


@pytest.mark.parametrize(
    ("column", "label"),
    [
        (("quality.f1_macro", ""), "f1 macro"),
        (("quality.f1_w", ""), "f1 w"),
        (("quality.weight_g", ""), "weight g"),
        (("model.gflops", ""), "gflops"),
        (("model.gflops", "GFLOP"), "gflops (GFLOP)"),
        (("fit.cost.energy_j", ""), "energy (J)"),
        (("energy_j", ""), "energy (J)"),
        (("fit.cost.carbon_g", ""), "carbon (g CO₂eq)"),
        (("quality.latency_ms", ""), "latency ms"),
        (("quality.latency_ms", "ms"), "latency (ms)"),
        (("quality.flops", "FLOP"), "flops (FLOP)"),
        (("fit.cost.peak_rss_bytes", ""), "peak memory (MB)"),
        (("model.size_bytes", "bytes"), "size (MB)"),
        (("quality.wall_s", ""), "wall s"),
        (("quality.classes", ""), "classes"),
        (("latency.single.median_s", "s"), "latency single median (s)"),
        (("latency.batch.examples_per_s", "1/s"), "examples per s (1/s)"),
    ],
)
def test_an_axis_has_the_unit_that_is_declared_and_none_that_a_name_looks_like(
    column: tuple[str, str], label: str
) -> None:
    assert label_of(*column) == label


def test_costs_are_told_from_qualities_by_direction_and_unit() -> None:
    assert is_cost("quality.latency_ms", "", "lower")
    assert is_cost("fit.cost.cpu_s", "", None)
    assert is_cost("efficiency.training", "J", "lower")
    assert not is_cost("latency.single.examples_per_s", "1/s", "higher")
    assert not is_cost("quality.accuracy", "", "higher")
    assert not is_cost("quality.loss", "nats", "lower")
    assert not is_cost("quality.f1_w", "", "higher")
    assert not is_cost("quality.weight_g", "", None)


@given(st.text())
def test_a_file_s_name_holds_nothing_that_a_folder_could_mean(text: str) -> None:
    stem = file_stem(text)
    assert stem
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert not stem.startswith(".")


@given(st.text(), st.integers(5, 60))
def test_a_name_on_a_chart_is_one_line_and_no_longer_than_it_may_be(text: str, most: int) -> None:
    line = one_line(text, most)
    assert len(line) <= most
    assert not line or line.isprintable()


def test_bars_hold_mean_spread_and_count_of_each_group() -> None:
    made = bars(study({"a": [0.5, 0.7], "b": [0.9]}), ACCURACY)
    assert made.groups == ("k=a", "k=b")
    assert made.values[0][0].mean == pytest.approx(0.6)
    assert made.values[0][0].std == pytest.approx(0.1414, abs=1e-4)
    assert made.values[0][1].std is None
    assert made.counts == (1, 2)
    assert "n = 1 to 2" in made.caption


def test_one_value_each_is_said_to_have_no_spread() -> None:
    assert "no spread known" in bars(study({"a": [0.5]}), ACCURACY).caption


def test_bars_of_a_size_are_in_the_unit_that_the_axis_names() -> None:
    group = Group(name="all", params={}, replicates=1, estimates={"m.peak_bytes": estimate([2e6])})
    summary = replace(study({"a": [1.0]}), metrics=("m.peak_bytes",), groups=(group,), units={"m.peak_bytes": "bytes"})
    made = bars(summary, "m.peak_bytes")
    assert (made.label, made.values[0][0].mean) == ("peak (MB)", 2.0)


def test_studies_stand_side_by_side_by_the_names_given_to_them() -> None:
    made = bars_of_studies({"clean": study({"a": [0.9]}), "noisy": study({"a": [0.8], "b": [0.7]})}, ACCURACY)
    assert made.series == ("clean", "noisy")
    assert made.groups == ("k=a", "k=b")
    assert made.values[0][1].mean is None
    assert made.values[1][1].mean == 0.7


def test_a_baseline_that_studies_share_is_marked_once_and_others_name_their_study() -> None:
    one, other = study({"a": [0.9]}), study({"a": [0.8]})
    moved = replace(other, references=(replace(other.references[0], values={ACCURACY: 0.2}),))
    same = bars_of_studies({"one": one, "other": other}, ACCURACY).marks
    apart = bars_of_studies({"one": one, "other": moved}, ACCURACY).marks
    assert [mark.title for mark in same] == ["commonest"]
    assert [mark.title for mark in apart] == ["commonest (one)", "commonest (other)"]


def test_of_too_many_groups_the_best_are_shown_and_the_rest_is_counted() -> None:
    made = bars(study({f"{index}": [index / 10] for index in range(9)}), ACCURACY, most=3)
    assert made.groups == ("k=6", "k=7", "k=8")
    assert made.left_out == 6
    assert "6 more groups" in made.caption


def test_a_metric_that_no_study_has_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(StepError, match=r"accurcy.*quality\.accuracy"):
        bars(study({"a": [1.0]}), "quality.accurcy")


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one != other


@given(st.lists(st.tuples(st.integers(0, 6).map(float), st.integers(0, 6).map(float)), max_size=12))
def test_the_front_is_what_no_other_point_dominates(values: list[tuple[float, float]]) -> None:
    assert on_front(values) == tuple(not any(dominates(other, one) for other in values) for one in values)


def test_pareto_points_respect_the_direction_of_the_quality() -> None:
    summary = study({"a": [0.5], "b": [0.9]}, {"a": [1.0], "b": [2.0]})
    more = pareto_points(summary, ACCURACY, "fit.cost.energy_j")
    less = pareto_points(replace(summary, lower_is_better=(ACCURACY,)), ACCURACY, "fit.cost.energy_j")
    assert [point.name for point in more.front] == ["k=a", "k=b"]
    assert [point.name for point in less.front] == ["k=a"]


def test_what_was_not_measured_is_named_and_never_put_at_zero() -> None:
    made = pareto_points(study({"a": [0.5], "b": [0.9]}, {"a": [1.0]}), ACCURACY, "fit.cost.energy_j")
    assert [point.name for point in made.points] == ["k=a"]
    assert made.missing == ("k=b",)
    assert "not measured: k=b" in made.caption


@pytest.mark.parametrize(("values", "known"), [([0.5, 0.6], False), ([0.5, 0.6, 0.7], True)])
def test_intervals_are_drawn_from_three_values_on(values: list[float], known: bool) -> None:
    point = pareto_points(study({"a": values}, {"a": values}), ACCURACY, "fit.cost.energy_j").points[0]
    assert (point.quality_interval is not None) is known
    assert (point.cost_interval is not None) is known


def test_a_variant_costs_the_sum_of_its_nodes_and_nothing_is_known_where_one_was_not_measured() -> None:
    rows = [
        {"k": "a", "raw.cost.energy_j": 1.0, "fit.cost.energy_j": 2.0},
        {"k": "b", "raw.cost.energy_j": 1.0, "fit.cost.energy_j": None},
    ]
    found = costs_of_variants(rows, study({"a": [1.0], "b": [1.0]}), ("raw", "fit"), "energy_j")
    assert found["k=a"].mean == 3.0
    assert found["k=b"].mean is None


def test_a_learning_curve_keeps_each_replicate_and_averages_where_all_have_a_value() -> None:
    long = [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}]
    short = [{"epoch": 1, "loss": 3.0}]
    (made,) = learning_curves("fit", {"a": [long, short]})
    assert made.curves[0].mean == ((1.0, 2.0),)
    assert made.curves[0].runs == (((1.0, 1.0), (2.0, 0.5)), ((1.0, 3.0),))
    assert (made.x_label, made.y_label) == ("epoch", "loss")


def test_numbers_that_are_missing_or_not_finite_are_no_points() -> None:
    rows = [{"step": 1, "loss": None}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": 1.0}]
    (made,) = learning_curves("fit", {"a": [rows]})
    assert made.curves[0].mean == ((3.0, 1.0),)


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    rows = [{"step": at, "loss": float(at)} for at in range(5000)]
    (made,) = learning_curves("fit", {"a": [rows]})
    points = made.curves[0].mean
    assert len(points) == MOST_POINTS
    assert (points[0], points[-1]) == ((0.0, 0.0), (4999.0, 4999.0))


def test_more_groups_than_can_be_told_apart_are_counted() -> None:
    rows = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]
    (made,) = learning_curves("fit", {f"g{index}": [rows] for index in range(MOST_CURVES + 3)})
    assert (len(made.curves), made.left_out) == (MOST_CURVES, 3)


def test_a_table_is_a_curve_where_it_has_steps_and_something_beside_them() -> None:
    assert is_curve(["epoch", "loss"], 3)
    assert not is_curve(["epoch", "step"], 3)
    assert not is_curve(["text", "label"], 3)
    assert not is_curve(["epoch", "loss"], 1)


LABELS = st.sampled_from("abcdefgh")


@given(st.lists(st.lists(st.tuples(LABELS, LABELS), max_size=30), min_size=1, max_size=3), st.integers(2, 9))
def test_no_prediction_is_lost_in_a_matrix_nor_by_folding_it(pairs: list[list[tuple[str, str]]], most: int) -> None:
    made = confusion("scored", "all", pairs)
    assert made.examples == sum(map(len, pairs))
    small = folded(made, most)
    assert small.examples == made.examples
    assert len(small.labels) <= max(most, 0) or small is made


def test_folding_keeps_the_classes_that_are_mistaken_most() -> None:
    pairs = [("a", "a")] * 9 + [("b", "c")] * 5 + [("c", "b")] * 4 + [("d", "d")] * 9
    small = folded(confusion("scored", "all", [pairs]), 3)
    assert small.labels == ("b", "c", "all others (2)")
    assert small.counts[2] == (0, 0, 18)


def test_the_commonest_mistakes_come_first() -> None:
    made = confusion("scored", "all", [[("a", "b"), ("a", "b"), ("b", "a"), ("a", "a")]])
    assert made.worst() == (("a", "b", 2), ("b", "a", 1))


def test_of_many_points_only_those_on_the_front_are_named() -> None:
    few = {f"{index}": [0.5] for index in range(12)}
    costs = {f"{index}": [float(1 + index)] for index in range(13)}
    made = pareto_points(study(few, costs), ACCURACY, "fit.cost.energy_j")
    assert len(made.told) == 12
    many = pareto_points(study({**few, "12": [0.9]}, costs), ACCURACY, "fit.cost.energy_j")
    assert many.told == {"k=0", "k=12"}
    assert "13 groups in all" in many.caption


def test_a_long_name_keeps_both_its_ends() -> None:
    cut = one_line("width=1, " + "x" * 50 + ", seed=7", 20)
    assert cut.startswith("width=1, ")
    assert cut.endswith("seed=7")
    assert len(cut) == 20


def test_a_group_that_lacks_replicates_is_not_on_the_front_and_beats_none() -> None:
    summary = study({"whole": [0.8, 0.8], "short": [0.9, None]}, costs={"whole": [2.0, 2.0], "short": [1.0, 1.0]})  # type: ignore[dict-item]
    points = pareto_points(summary, ACCURACY, "fit.cost.energy_j").points
    assert [(point.name, point.on_front) for point in points] == [("k=whole", True), ("k=short", False)]
