"""Records become groups: by everything but the repeated param, with nothing claimed that is not known."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from etude.analysis.grouping import plain
from etude.analysis.steps import aggregate
from etude.analysis.summary import StudySummary
from etude.errors import StepError
from etude.graph.signature import signature_of
from etude.report.export import export_results
from etude.report.tables.summaries import summaries_of
from etude.study.study import Vary
from projects import Project

ACCURACY, COST = "quality.accuracy", "model.cost.wall_s"


def records(rows: Sequence[Mapping[str, Any]], params: Sequence[str] = ("pooling", "seed"), **said: Any) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    meaning = {
        "params": list(params),
        "repeat": "seed",
        "metrics": [name for name in names if "." in name and ".cost." not in name],
        "costs": [name for name in names if ".cost." in name],
        **said,
    }
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.table(columns).replace_schema_metadata({"etude": json.dumps(meaning)})


def grid(values: Mapping[str, Sequence[float | None]], **more: Any) -> pa.Table:
    """One row per pooling and seed, with these accuracies."""
    rows = [
        {"variant": f"{pooling}-{seed}", "status": "done", "pooling": pooling, "seed": seed, ACCURACY: value, **more}
        for pooling, found in values.items()
        for seed, value in enumerate(found)
    ]
    return records(rows)


POOLINGS = {
    "mean": [0.70, 0.72, 0.71, 0.69, 0.73],
    "max": [0.75, 0.76, 0.77, 0.73, 0.78],
    "last": [0.70, 0.71, 0.73, 0.68, 0.73],
}


def test_groups_are_all_but_the_repeated_param_in_the_order_of_the_records() -> None:
    summary = aggregate(grid(POOLINGS))
    assert [group.name for group in summary.groups] == ["pooling=mean", "pooling=max", "pooling=last"]
    assert summary.varied == ("pooling",)
    assert summary.repeat == "seed"


def test_a_group_s_numbers_are_those_of_numpy_and_scipy() -> None:
    found = aggregate(grid(POOLINGS)).groups[0].estimates[ACCURACY]
    values = POOLINGS["mean"]
    assert (found.n, found.low, found.high) == (5, 0.69, 0.73)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values, ddof=1))
    assert found.median == pytest.approx(np.median(values))
    assert found.iqm == pytest.approx(stats.trim_mean(values, 0.25))
    assert found.t_interval is not None
    assert found.t_interval.low < found.mean < found.t_interval.high
    assert found.bootstrap is not None
    assert found.note == ""


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), st.randoms())
def test_the_order_of_the_records_changes_no_number(values: list[float], draw: Any) -> None:
    rows = grid({"mean": values, "max": values[::-1]}).to_pylist()
    shuffled = draw.sample(rows, len(rows))
    one, other = (
        {group.name: group.estimates[ACCURACY] for group in aggregate(records(order)).groups}
        for order in (rows, shuffled)
    )
    for name, found in one.items():
        assert (found.n, found.median, found.low, found.high) == (
            other[name].n, other[name].median, other[name].low, other[name].high,
        )  # fmt: skip
        assert other[name].mean == pytest.approx(found.mean)
        assert other[name].std == pytest.approx(found.std, abs=1e-9)


def test_one_replicate_has_a_mean_but_no_spread_and_says_so() -> None:
    summary = aggregate(grid({"mean": [0.7], "max": [0.8]}), baseline={"pooling": "mean"})
    found = summary.groups[0].estimates[ACCURACY]
    assert (found.mean, found.std, found.t_interval, found.bootstrap) == (0.7, None, None, None)
    assert found.note == "one value: no spread known"
    assert summary.notes == ("1 replicate in the smallest group: too few to claim a difference between groups",)


def test_where_one_group_alone_has_enough_replicates_no_difference_can_be_claimed_at_all() -> None:
    few = aggregate(grid({"mean": [0.7], "max": [0.8], "last": [0.7, 0.8, 0.9]}), baseline={"pooling": "mean"}).notes
    assert few == ("1 replicate in the smallest group: too few to claim a difference between groups",)
    two = {"mean": [0.7], "max": [0.8, 0.7, 0.6], "last": [0.7, 0.8, 0.9]}
    some = aggregate(grid(two), baseline={"pooling": "max"}).notes
    assert some == ("fewer than 3 replicates of pooling=mean: too few to claim a difference",)


def test_missing_and_infinite_values_are_left_out_and_counted() -> None:
    found = aggregate(grid({"mean": [0.7, None, float("nan"), 0.8]})).groups[0].estimates[ACCURACY]
    assert (found.n, found.mean) == (2, pytest.approx(0.75))
    assert found.note.startswith("1 of 4 missing; 1 of 4 not finite, left out")


def test_a_metric_that_nobody_measured_is_unknown_and_not_zero() -> None:
    found = aggregate(grid({"mean": [None, None]})).groups[0].estimates[ACCURACY]
    assert (found.n, found.mean, found.std, found.median, found.iqm) == (0, None, None, None, None)


def test_a_clear_difference_is_claimed_and_an_unclear_one_is_not() -> None:
    summary = aggregate(grid(POOLINGS), baseline={"pooling": "mean"})
    better, same = summary.comparisons
    assert (better.group, better.baseline, better.pairs, better.claim) == ("pooling=max", "pooling=mean", 5, "higher")
    assert same.claim == "none shown"


def test_comparisons_are_paired_by_replicate_and_corrected_for_each_other() -> None:
    first, second = aggregate(grid(POOLINGS), baseline={"pooling": "mean"}).comparisons
    p_values = [stats.ttest_rel(POOLINGS[name], POOLINGS["mean"]).pvalue for name in ("max", "last")]
    assert [first.p_t, second.p_t] == pytest.approx(p_values)
    assert [first.p_t_holm, second.p_t_holm] == pytest.approx([2 * p_values[0], p_values[1]])
    assert first.difference == pytest.approx(0.048)
    assert first.wins == 1.0


def test_two_replicates_are_too_few_for_any_claim() -> None:
    summary = aggregate(grid({"mean": [0.1, 0.1], "max": [0.9, 0.91]}), baseline={"pooling": "mean"})
    (found,) = summary.comparisons
    assert (found.p_t, found.p_t_holm, found.p_sign, found.claim) == (None, None, None, "not tested")
    assert found.note == "2 pairs: too few for a test (3 needed)"
    assert found.difference == pytest.approx(0.805)


def test_a_replicate_that_one_side_lacks_is_no_pair() -> None:
    values = {"mean": [0.70, None, 0.71, 0.69, 0.73], "max": [0.75, 0.76, 0.77, None, 0.78]}
    (found,) = aggregate(grid(values), baseline={"pooling": "mean"}).comparisons
    assert found.pairs == 3
    assert found.difference == pytest.approx(np.mean([0.05, 0.06, 0.05]))


def test_with_further_params_each_group_is_compared_with_the_baseline_of_its_own_kind() -> None:
    rows = [
        {"pooling": pooling, "depth": depth, "seed": seed, ACCURACY: depth + seed / 100 + (pooling == "max") / 10}
        for pooling in ("mean", "max")
        for depth in (1, 2)
        for seed in range(3)
    ]
    summary = aggregate(records(rows, ("pooling", "depth", "seed")), baseline={"pooling": "mean"})
    assert [(found.group, found.baseline) for found in summary.comparisons] == [
        ("pooling=max, depth=1", "pooling=mean, depth=1"),
        ("pooling=max, depth=2", "pooling=mean, depth=2"),
    ]


def test_grouping_by_fewer_params_takes_the_mean_over_the_rest_within_each_replicate() -> None:
    rows = [
        {"pooling": pooling, "depth": depth, "seed": seed, ACCURACY: depth + seed / 100 + bonus}
        for pooling, bonus in (("mean", 0.0), ("max", 0.1))
        for depth in (1, 2)
        for seed in range(2)
    ]
    summary = aggregate(records(rows, ("pooling", "depth", "seed")), by=["pooling"], baseline={"pooling": "mean"})
    assert [group.replicates for group in summary.groups] == [4, 4]
    assert [group.estimates[ACCURACY].n for group in summary.groups] == [2, 2]
    assert summary.comparisons[0].pairs == 2
    assert summary.notes[0] == "each value is the mean over depth of one seed: these are no replicates of each other"


def test_nodes_that_do_not_vary_are_references_beside_the_groups() -> None:
    table = grid(POOLINGS, **{"majority.accuracy": 0.11, "majority.f1": 0.02})
    summary = aggregate(table, references={"majority": "commonest label"})
    assert summary.metrics == (ACCURACY,)
    assert [(one.title, dict(one.values)) for one in summary.references] == [("commonest label", {ACCURACY: 0.11})]


def test_a_reference_that_varies_is_not_shown_as_one_number() -> None:
    rows = grid({"mean": [0.7, 0.8]}).to_pylist()
    rows[0]["majority.accuracy"], rows[1]["majority.accuracy"] = 0.1, 0.2
    (found,) = aggregate(records(rows), references={"majority": "commonest label"}).references
    assert found.values == {ACCURACY: None}
    assert "majority.accuracy is not the same in all variants" in found.note


def test_a_reference_is_not_set_against_two_nodes_of_one_metric() -> None:
    table = grid({"mean": [0.7, 0.8]}, **{"noisy.accuracy": 0.5, "majority.accuracy": 0.1})
    (found,) = aggregate(table, references={"majority": "commonest label"}).references
    assert set(found.values.values()) == {None}


def test_costs_are_summed_up_beside_the_metrics_and_text_is_not() -> None:
    summary = aggregate(grid({"mean": [0.7, 0.8]}, **{COST: 12.5, "quality.device": "cpu"}))
    assert summary.metrics == (ACCURACY,)
    assert summary.groups[0].estimates[COST].mean == 12.5


def test_without_the_schema_s_word_columns_are_told_by_their_names() -> None:
    table = grid(POOLINGS, **{COST: 1.0}).replace_schema_metadata(None)
    assert aggregate(table, replicate="seed").groups == aggregate(grid(POOLINGS, **{COST: 1.0})).groups


def test_variants_that_are_not_done_are_told() -> None:
    rows = grid({"mean": [0.7, 0.8, 0.9, None]}).to_pylist()
    rows[3]["status"] = "incomplete"
    first, second = aggregate(records(rows)).notes
    assert first == "incomplete: 1 of 4 variants are not done: mean-3 (incomplete)"
    assert second == "all has 3 of 4 replicates: 1 of 4 missing (incomplete)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ["quality.acuracy"]}, r"metrics: the records have no 'quality\.acuracy': did you mean"),
        ({"by": ["poling"]}, "by: the records have no 'poling': did you mean 'pooling'"),
        ({"baseline": {"pooling": "sum"}}, "no group has pooling=sum.*pooling=mean"),
        ({"baseline": {"depth": 1}}, "baseline: 'depth' is no param of the groups"),
        ({"references": {"majorty": "x"}}, "references: no node 'majorty'"),
        ({"lower_is_better": ("quality.loss",)}, "lower_is_better: the records have no"),
    ],
)
def test_a_name_that_is_not_there_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError, match=message):
        aggregate(grid(POOLINGS), **settings)


def test_no_records_are_an_error() -> None:
    with pytest.raises(StepError, match="no rows"):
        aggregate(grid(POOLINGS).slice(0, 0))


@pytest.mark.parametrize(("lower", "best"), [((), {"pooling=max"}), ((ACCURACY,), {"pooling=mean", "pooling=last"})])
def test_the_best_have_the_highest_mean_unless_lower_is_better(lower: tuple[str, ...], best: set[str]) -> None:
    assert aggregate(grid(POOLINGS), lower_is_better=lower).best(ACCURACY) == best


def test_a_summary_is_plain_json_and_comes_back_as_it_was() -> None:
    summary = aggregate(
        grid(POOLINGS, **{"majority.accuracy": 0.1}), baseline={"pooling": "mean"}, references={"majority": "x"}
    )
    text = json.dumps(asdict(summary), allow_nan=False)
    assert TypeAdapter(StudySummary).validate_json(text, strict=True) == summary


@pytest.mark.slow
def test_a_thousand_runs_of_fifty_metrics_are_compared_one_by_one() -> None:
    draw = np.random.default_rng(0)
    rows = [
        {"pooling": str(group), "seed": seed, **{f"quality.m{metric}": draw.random() for metric in range(50)}}
        for group in range(200)
        for seed in range(5)
    ]
    summary = aggregate(records(rows), baseline={"pooling": "0"})
    assert len(summary.comparisons) == 199 * 50


def test_the_records_are_the_one_input_and_all_else_is_a_setting() -> None:
    signature = signature_of("etude.analysis.steps:aggregate", aggregate)
    assert [given.name for given in signature.inputs] == ["records"]
    assert {"by", "metrics", "baseline", "replicate"} <= signature.settings.keys()


def test_a_param_that_is_a_list_is_kept_as_text_in_its_group() -> None:
    assert plain(["full", None]) == '["full", null]'
    assert (plain(None), plain(0.5), plain(True), plain("x")) == (None, 0.5, True, "x")


def test_a_list_that_varies_keeps_its_groups_apart_from_the_study_to_its_tables(tmp_path: Path) -> None:
    project = Project(tmp_path).write(
        """
        @step
        def score(*, layers: list[int | None], seed: int) -> dict[str, float]:
            return {"accuracy": sum(each or 0 for each in layers) / 10 + seed / 100}
        """
    )
    study = project.study(
        {"quality": ("score", None, {"layers": "${layers}", "seed": "${seed}"})},
        collect={"table": ("analysis.aggregate", "records", {"higher_is_better": [ACCURACY]})},
        params={"layers": [1], "seed": 0},
        vary=Vary(grid={"layers": ([1, 2], [3, None])}, repeat={"seed": (0, 1)}),
    )
    result = project.run(study)
    ((_, summary),) = summaries_of(result.prepared)
    assert [group.params for group in summary.groups] == [{"layers": "[1, 2]"}, {"layers": "[3, null]"}]
    assert [group.estimates[ACCURACY].n for group in summary.groups] == [2, 2]
    export_results(result)
    rows = [*csv.DictReader((result.prepared.workplace.results / "aggregated_metrics.csv").open(encoding="utf-8"))]
    assert [row["layers"] for row in rows] == ["[1, 2]", "[3, null]"]
    assert [json.loads(row["layers"]) for row in rows] == [[1, 2], [3, None]]
