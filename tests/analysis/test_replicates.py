"""What counts as a replicate: a result of its own; groups that lack some are never the best."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from etude.analysis.steps import aggregate
from etude.analysis.summary import GroupEstimate
from etude.errors import StepError
from etude.report.tables.comma_separated import csv_text
from etude.report.tables.latex import latex_text
from etude.report.tables.markdown import markdown_text

ACCURACY = "q.accuracy"


def records(rows: Sequence[Mapping[str, Any]], params: Sequence[str], repeat: str | None = "seed") -> pa.Table:
    meaning = {"params": list(params), "repeat": repeat, "metrics": [ACCURACY], "costs": []}
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.table(columns).replace_schema_metadata({"etude": json.dumps(meaning)})


def models(values: Mapping[str, Sequence[float | None]], **more: Sequence[Any]) -> pa.Table:
    rows = [
        {"model": model, "seed": seed, ACCURACY: value, **{name: given[seed] for name, given in more.items()}}
        for model, found in values.items()
        for seed, value in enumerate(found)
    ]
    return records(rows, ["model", "seed"])


def only(table: pa.Table, **settings: Any) -> GroupEstimate:
    return aggregate(table, **settings).groups[0].estimates[ACCURACY]


def test_replicates_that_share_one_stored_result_are_one_value_without_spread() -> None:
    one = only(models({"a": [0.9, 0.9, 0.9]}, results=['{"q": "abc"}'] * 3))
    assert (one.n, one.mean, one.std, one.t_interval) == (1, 0.9, None, None)
    assert one.note == "3 replicates share 1 result; one value: no spread known"


def test_equal_values_of_different_results_are_replicates() -> None:
    one = only(models({"a": [0.9, 0.9, 0.9]}, results=['{"q": "a"}', '{"q": "b"}', '{"q": "c"}']))
    assert (one.n, one.std) == (3, 0.0)


def test_results_of_other_nodes_do_not_make_replicates() -> None:
    one = only(models({"a": [0.9, 0.9]}, results=['{"q": "a", "other": "b"}', '{"q": "a", "other": "c"}']))
    assert one.n == 1


def test_nothing_is_tested_of_results_that_replicates_share() -> None:
    values = {"a": [0.8, 0.8, 0.8], "b": [0.9, 0.91, 0.92]}
    rows = models(values).to_pylist()
    rows = [{**row, "results": json.dumps({"q": "a" if row["model"] == "a" else f"b{row['seed']}"})} for row in rows]
    (found,) = aggregate(records(rows, ["model", "seed"]), baseline={"model": "a"}).comparisons
    assert (found.pairs, found.p_t, found.claim) == (1, None, "not tested")


def crossed(values: Mapping[str, Sequence[Sequence[float]]], repeat: str | None = "seed") -> pa.Table:
    """By model, then by seed, then by learning rate."""
    rows = [
        {"model": model, "rate": rate, "seed": seed, ACCURACY: value}
        for model, seeds in values.items()
        for seed, rates in enumerate(seeds)
        for rate, value in enumerate(rates)
    ]
    return records(rows, ["model", "rate", "seed"], repeat)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=3, max_size=5),
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=3, max_size=5),
)
def test_a_param_that_is_left_out_is_averaged_over_before_anything_is_tested(
    one: list[list[float]], other: list[list[float]]
) -> None:
    n = min(len(one), len(other))
    summary = aggregate(crossed({"a": one[:n], "b": other[:n]}), by=["model"], baseline={"model": "a"})
    means = [np.mean(one[:n], axis=1), np.mean(other[:n], axis=1)]
    assert [group.estimates[ACCURACY].n for group in summary.groups] == [n, n]
    assert [group.estimates[ACCURACY].mean for group in summary.groups] == pytest.approx(
        [each.mean() for each in means]
    )
    (found,) = summary.comparisons
    assert found.pairs == n
    if found.p_t is not None and np.ptp(means[1] - means[0]) > 1e-6:
        assert found.p_t == pytest.approx(stats.ttest_rel(means[1], means[0]).pvalue, rel=1e-6)


def test_rows_that_no_param_makes_replicates_are_refused() -> None:
    with pytest.raises(StepError, match=r"by: rate varies within groups.*replicate: rate"):
        aggregate(crossed({"a": [[0.1, 0.2]], "b": [[0.3, 0.4]]}, repeat=None), by=["model"])


def test_means_over_unlike_things_are_refused() -> None:
    with pytest.raises(StepError, match="rate varies within groups, and not every replicate has the same values"):
        aggregate(crossed({"a": [[0.1, 0.2], [0.3]]}), by=["model"])


def test_a_param_that_follows_from_the_group_is_no_matter() -> None:
    rows = [{"model": m, "rate": ord(m), "seed": seed, ACCURACY: 0.1 * seed} for m in "ab" for seed in range(3)]
    assert [group.name for group in aggregate(records(rows, ["model", "rate", "seed"]), by=["model"]).groups] == [
        "model=a",
        "model=b",
    ]


SURVIVOR = {"good": [0.900, 0.901, 0.902], "bad": [0.93, float("nan"), None]}


def test_the_survivor_of_a_group_whose_others_failed_is_not_the_best() -> None:
    summary = aggregate(models(SURVIVOR, missing=[None, None, "q failed: ValueError: boom"]))
    assert summary.best(ACCURACY) == {"model=good"}
    assert summary.best(ACCURACY, short=True) == {"model=bad"}
    bad = summary.groups[1].estimates[ACCURACY]
    assert (bad.n, bad.missing, bad.counts) == (1, 2, "1 of 3")


def test_every_output_says_that_replicates_are_missing_and_why() -> None:
    summary = aggregate(models(SURVIVOR, missing=[None, None, "q failed: ValueError: boom"]))
    told = "model=bad has 1 of 3 replicates, so it is not called the best: 1 of 3 missing (q failed: ValueError: boom)"
    assert any(note.startswith(told) and note.endswith("1 of 3 not finite, left out") for note in summary.notes)
    for text in (markdown_text(summary), latex_text(summary)):
        assert "1 of 3" in text
        assert "ValueError" in text
    assert csv_text(summary).splitlines()[2].startswith("group,model=bad,,bad,1,2,0.93")


def test_minus_infinity_ranks_nowhere() -> None:
    summary = aggregate(
        models({"good": [0.1, 0.2, 0.3], "inf": [5.0, float("-inf"), 5.0]}), lower_is_better=(ACCURACY,)
    )
    assert summary.best(ACCURACY) == {"model=good"}


@given(
    st.lists(st.lists(st.none() | st.floats(allow_infinity=True, allow_nan=True), min_size=2, max_size=4), min_size=2)
)
def test_no_group_is_better_for_a_value_that_it_lacks(values: list[list[float | None]]) -> None:
    summary = aggregate(models({str(at): found for at, found in enumerate(values)}))
    whole = {f"model={at}" for at, found in enumerate(values) if all(v is not None and np.isfinite(v) for v in found)}
    assert summary.best(ACCURACY) <= (whole or {"all"})


def test_too_few_replicates_are_told_of_the_groups_and_metrics_that_have_too_few() -> None:
    rows = models({"a": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.5], "c": [0.5, None, None]}).to_pylist()
    rows = [{**row, "q.f1": 0.1 * row["seed"]} for row in rows]
    table = records(rows, ["model", "seed"])
    meaning = {"params": ["model", "seed"], "repeat": "seed", "metrics": [ACCURACY, "q.f1"], "costs": []}
    table = table.replace_schema_metadata({"etude": json.dumps(meaning)})
    few = [note for note in aggregate(table).notes if "too few" in note]
    assert few == ["fewer than 3 replicates in q.accuracy of model=c: too few to claim a difference"]
