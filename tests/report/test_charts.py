"""Charts as records: what they show is right before anything is drawn."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.direction import is_cost
from etude.analysis.estimates import estimate
from etude.analysis.summary import Comparison, Group, Reference, StudySummary
from etude.errors import StepError
from etude.report.charts.bars import bars
from etude.report.charts.chart_names import file_stem, label_of, one_line
from etude.report.charts.confusion import confusion, confusion_chart, fold
from etude.report.charts.curves import MOST_CURVES, MOST_POINTS, is_curve, learning_curves
from etude.report.charts.pareto import costs_of_variants, pareto_chart, pareto_points
from etude.report.charts.plot import Boxes, Dots, Line, Plot, Whisker, Words

ACCURACY = "quality.accuracy"


def compared(group: str, baseline: str) -> Comparison:
    unknown = dict.fromkeys(("difference", "interval", "p_t", "p_t_holm", "p_sign", "p_sign_holm", "effect", "wins"))
    names = {"metric": ACCURACY, "group": group, "baseline": baseline, "pairs": 2, "claim": "not tested"}
    return Comparison(**{**unknown, **names})  # type: ignore[arg-type]


def study(values: dict[str, list[float]], costs: dict[str, list[float]] | None = None) -> StudySummary:
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
    return StudySummary(
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


def marks(plot: Plot, kind: type) -> list[Any]:
    return [mark for panel in plot.panels for mark in panel.marks if isinstance(mark, kind)]


def lengths(plot: Plot) -> list[list[float]]:
    """How long the bars of each study are."""
    return [[box.right for box in series.boxes] for series in marks(plot, Boxes)]


def names(plot: Plot) -> list[str]:
    """What stands beside the bars."""
    return [text for _, text in plot.panels[0].y.marks]


def alone(summary: StudySummary, **more: int) -> Plot:
    return bars({"": summary}, ACCURACY, **more)


def test_bars_are_the_means_of_the_groups_with_their_spread_and_their_n() -> None:
    made = alone(study({"a": [0.5, 0.7], "b": [0.9]}))
    assert names(made) == ["k=a", "k=b"]
    assert lengths(made) == [[pytest.approx(0.6), 0.9]]
    (whisker,) = marks(made, Whisker)
    assert whisker.high - whisker.low == pytest.approx(2 * 0.141421, abs=1e-5)
    assert [word.text for word in marks(made, Words)] == ["0.60", "0.9000"]
    assert made.tips[0][1].startswith("k=a: 0.60 ± 0.14, n = 2, 95 % interval")
    assert "n = 1 to 2" in made.caption


def test_one_value_each_is_said_to_have_no_spread() -> None:
    assert "no spread known" in alone(study({"a": [0.5]})).caption


def test_bars_of_a_size_are_in_the_unit_that_the_axis_names() -> None:
    group = Group(name="all", params={}, replicates=1, estimates={"m.peak_bytes": estimate([2e6])})
    summary = replace(study({"a": [1.0]}), metrics=("m.peak_bytes",), groups=(group,), units={"m.peak_bytes": "bytes"})
    made = bars({"": summary}, "m.peak_bytes")
    assert (made.panels[0].x.label, lengths(made)) == ("peak (MB)", [[2.0]])


def test_the_baseline_and_groups_short_of_replicates_are_marked_as_in_the_tables() -> None:
    summary = replace(study({"a": [0.5, 0.7], "b": [0.9, None]}), comparisons=(compared("k=b", "k=a"),))  # type: ignore[list-item]
    made = alone(summary)
    assert names(made) == ["k=a (baseline)", "k=b"]
    assert [word.text for word in marks(made, Words)] == ["0.60", "0.9000 †"]
    assert made.caption.endswith("† replicates are missing")
    assert "n = 1 of 2" in made.tips[1][1]


def test_a_group_that_is_the_baseline_of_one_study_alone_is_marked_in_that_one() -> None:
    one, other = study({"a": [0.5], "b": [0.6]}), study({"a": [0.7], "b": [0.8]})
    made = bars({"one": replace(one, comparisons=(compared("k=b", "k=a"),)), "other": other}, ACCURACY)
    assert names(made) == ["k=a", "k=b"]
    assert [word.text for word in marks(made, Words)] == ["0.5000 (baseline)", "0.6000", "0.7000", "0.8000"]


def test_bars_go_both_ways_from_zero_with_room_for_their_numbers() -> None:
    made = alone(study({"a": [-0.5, -0.7], "b": [0.9]}))
    (boxes,) = marks(made, Boxes)
    assert [(box.left, box.right) for box in boxes.boxes] == [(pytest.approx(-0.6), 0.0), (0.0, 0.9)]
    assert made.panels[0].x.low < -0.75
    assert made.panels[0].x.high > 1.0
    assert [word.anchor for word in marks(made, Words)] == ["end", "start"]


def test_studies_stand_side_by_side_by_the_names_given_to_them() -> None:
    made = bars({"clean": study({"a": [0.9]}), "noisy": study({"a": [0.8], "b": [0.7]})}, ACCURACY)
    assert [series.name for series in marks(made, Boxes)] == ["clean", "noisy"]
    assert made.legend[-2:] == ("clean", "noisy") or made.legend[:2] == ("clean", "noisy")
    assert names(made) == ["k=a", "k=b"]
    assert lengths(made) == [[0.9], [0.8, 0.7]]
    assert "–" in [word.text for word in marks(made, Words)]


def test_a_reference_that_studies_share_is_drawn_once_and_others_name_their_study() -> None:
    one, other = study({"a": [0.9]}), study({"a": [0.8]})
    moved = replace(other, references=(replace(other.references[0], values={ACCURACY: 0.2}),))
    same = bars({"one": one, "other": other}, ACCURACY)
    apart = bars({"one": one, "other": moved}, ACCURACY)
    assert [line.name for line in marks(same, Line) if line.name] == ["commonest: 0.1000"]
    assert [line.name for line in marks(apart, Line) if line.name] == [
        "commonest (one): 0.1000",
        "commonest (other): 0.2000",
    ]
    assert len({line.dash for line in marks(apart, Line)}) == 3


def test_of_too_many_groups_the_best_are_shown_and_the_rest_is_counted() -> None:
    made = alone(study({f"{index}": [index / 10] for index in range(9)}), most=3)
    assert names(made) == ["k=6", "k=7", "k=8"]
    assert "6 more groups" in made.caption


def test_a_metric_that_no_study_has_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(StepError, match=r"accurcy.*quality\.accuracy"):
        bars({"": study({"a": [1.0]})}, "quality.accurcy")


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
    assert "not measured: k=b" in pareto_chart(made).caption


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
    *thin, thick = marks(made, Line)
    assert thick.points == ((1.0, 2.0),)
    assert [line.points for line in thin] == [((1.0, 1.0), (2.0, 0.5)), ((1.0, 3.0),)]
    assert (made.panels[0].x.label, made.panels[0].y.label) == ("epoch", "loss")
    assert [text for _, text in made.panels[0].x.marks] == ["1", "2"], "no half an epoch"


def test_numbers_that_are_missing_or_not_finite_are_no_points() -> None:
    rows = [{"step": 1, "loss": None}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": 1.0}]
    (made,) = learning_curves("fit", {"a": [rows]})
    assert marks(made, Line)[-1].points == ((3.0, 1.0),)


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    rows = [{"step": at, "loss": float(at)} for at in range(5000)]
    (made,) = learning_curves("fit", {"a": [rows]})
    points = marks(made, Line)[-1].points
    assert len(points) == MOST_POINTS
    assert (points[0], points[-1]) == ((0.0, 0.0), (4999.0, 4999.0))


def test_more_groups_than_can_be_told_apart_are_counted() -> None:
    rows = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]
    (made,) = learning_curves("fit", {f"g{index}": [rows] for index in range(MOST_CURVES + 3)})
    assert len(made.legend) == MOST_CURVES
    assert "3 more groups not shown" in made.caption


def test_a_table_is_a_curve_where_it_has_steps_and_something_beside_them() -> None:
    assert is_curve(["epoch", "loss"], 3)
    assert not is_curve(["epoch", "step"], 3)
    assert not is_curve(["text", "label"], 3)
    assert not is_curve(["epoch", "loss"], 1)


LABELS = st.sampled_from("abcdefgh")


@given(st.lists(st.lists(st.tuples(LABELS, LABELS), max_size=30), min_size=1, max_size=3), st.integers(2, 9))
def test_no_prediction_is_lost_in_a_matrix_nor_by_folding_it(pairs: list[list[tuple[str, str]]], most: int) -> None:
    made = confusion(pairs)
    assert sum(map(sum, made.counts)) == sum(map(len, pairs))
    small = fold(made, most)
    assert sum(map(sum, small.counts)) == sum(map(sum, made.counts))
    assert len(small.labels) <= max(most, 0) or small is made


def test_folding_keeps_the_classes_that_are_mistaken_most() -> None:
    pairs = [("a", "a")] * 9 + [("b", "c")] * 5 + [("c", "b")] * 4 + [("d", "d")] * 9
    small = fold(confusion([pairs]), 3)
    assert small.labels == ("b", "c", "all others (2)")
    assert small.counts[2] == (0, 0, 18)


def test_the_commonest_mistakes_come_first() -> None:
    made = confusion([[("a", "b"), ("a", "b"), ("b", "a"), ("a", "a")]])
    assert made.worst() == (("a", "b", 2), ("b", "a", 1))


def test_a_matrix_shades_each_cell_by_its_share_of_the_true_class() -> None:
    made = confusion_chart("scored", "all", [[("a", "a"), ("a", "b"), ("b", "b")], [("a", "a"), ("a", "a")]])
    (cells,) = marks(made, Boxes)
    assert [box.tip.rpartition(": ")[2] for box in cells.boxes] == [
        "3 (75% of the true class)",
        "1 (25% of the true class)",
        "0 (0% of the true class)",
        "1 (100% of the true class)",
    ]
    assert len({box.ink for box in cells.boxes}) == 4
    assert [word.text for word in marks(made, Words)] == ["3", "1", "0", "1"]
    assert "n = 5" in made.caption
    assert "2 replicates" in made.caption
    assert made.table is not None
    assert made.table.rows == (("a", "b", "1"),)


def test_a_matrix_of_nothing_can_be_made() -> None:
    assert confusion_chart("scored", "all", [[]]).table is None


def test_the_front_is_joined_by_stairs_and_other_points_are_hollow() -> None:
    summary = study({"a": [0.5], "b": [0.9], "c": [0.4]}, {"a": [1.0], "b": [2.0], "c": [3.0]})
    made = pareto_chart(pareto_points(summary, ACCURACY, "fit.cost.energy_j"))
    (line,) = marks(made, Line)
    assert line.points == ((1.0, 0.5), (2.0, 0.5), (2.0, 0.9))
    assert [(dots.hollow, len(dots.dots)) for dots in marks(made, Dots)] == [(True, 1), (False, 2)]
    assert sorted(word.text for word in marks(made, Words)) == ["k=a", "k=b", "k=c"]
    assert not made.panels[0].x.logarithmic


def test_whiskers_of_a_cost_end_where_its_axis_does() -> None:
    costs = {"a": [1.0, 1.1, 0.2], "b": [90.0, 100.0, 80.0]}
    made = pareto_chart(pareto_points(study({"a": [0.5] * 3, "b": [0.9] * 3}, costs), ACCURACY, "fit.cost.energy_j"))
    across = made.panels[0].x
    assert across.logarithmic
    level = [whisker for whisker in marks(made, Whisker) if whisker.level]
    assert all(across.low <= whisker.low <= whisker.high <= across.high for whisker in level)


def test_names_of_points_on_one_spot_lie_on_different_lines() -> None:
    summary = study({f"{at}": [0.5] for at in range(5)}, {f"{at}": [1.0] for at in range(5)})
    made = marks(pareto_chart(pareto_points(summary, ACCURACY, "fit.cost.energy_j")), Words)
    heights = sorted(word.above for word in made)
    assert len(heights) == 5
    assert all(other - one >= 12 for one, other in pairwise(heights))


def test_of_many_points_only_those_on_the_front_are_named() -> None:
    few = {f"{index}": [0.5] for index in range(12)}
    costs = {f"{index}": [float(1 + index)] for index in range(13)}
    made = pareto_points(study(few, costs), ACCURACY, "fit.cost.energy_j")
    assert len(made.named) == 12
    many = pareto_points(study({**few, "12": [0.9]}, costs), ACCURACY, "fit.cost.energy_j")
    assert many.named == {"k=0", "k=12"}
    assert "13 groups in all" in pareto_chart(many).caption


def test_a_long_name_keeps_both_its_ends() -> None:
    cut = one_line("width=1, " + "x" * 50 + ", seed=7", 20)
    assert cut.startswith("width=1, ")
    assert cut.endswith("seed=7")
    assert len(cut) == 20


def test_a_group_that_lacks_replicates_is_not_on_the_front_and_beats_none() -> None:
    summary = study({"whole": [0.8, 0.8], "short": [0.9, None]}, costs={"whole": [2.0, 2.0], "short": [1.0, 1.0]})  # type: ignore[dict-item]
    points = pareto_points(summary, ACCURACY, "fit.cost.energy_j").points
    assert [(point.name, point.on_front) for point in points] == [("k=whole", True), ("k=short", False)]
