"""Names in charts are short where that leaves them distinct."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from etude.analysis.estimates import estimate
from etude.analysis.summary import Comparison, Group, StudySummary
from etude.report.charts.chart_names import with_names_in_common, with_short_names
from etude.report.charts.pareto import pareto_points


def summary(*params: dict[str, Any]) -> StudySummary:
    groups = tuple(
        Group(
            name=", ".join(f"{name}={value}" for name, value in each.items()),
            params=each,
            replicates=3,
            estimates={"q.accuracy": estimate([0.5, 0.6, 0.7]), "q.time_s": estimate([0.1, 0.1, 9.0])},
        )
        for each in params
    )
    return StudySummary(
        metrics=("q.accuracy", "q.time_s"),
        costs=(),
        varied=tuple(params[0]),
        repeat="seed",
        lower_is_better=(),
        groups=groups,
        comparisons=(),
        references=(),
    )


def names(*params: dict[str, Any]) -> list[str]:
    (found,) = with_short_names([summary(*params)])
    return [group.name for group in found.groups]


def test_long_names_are_their_values() -> None:
    heads = (
        {"head": "default", "pooling": None, "spectral": None},
        {"head": "linear", "pooling": "max", "spectral": "low"},
    )
    assert names(*heads) == ["default", "linear, max, low"]


def test_numbers_keep_the_name_of_their_param_and_what_is_true_is_that_name() -> None:
    wide = (
        {"architecture": "transformer", "width": 128, "noisy": True},
        {"architecture": "transformer", "width": 64, "noisy": False},
    )
    assert names(*wide) == ["transformer, width=128, noisy", "transformer, width=64"]


def test_short_names_stay_and_so_do_those_whose_values_tell_nothing_apart() -> None:
    assert names({"pooling": "max"}, {"pooling": "mean"}) == ["pooling=max", "pooling=mean"]
    alike = {"first_activation": None, "second": "relu"}, {"first_activation": "relu", "second": None}
    assert names(*alike) == ["first_activation=None, second=relu", "first_activation=relu, second=None"]


def test_one_group_has_one_name_in_all_studies() -> None:
    one, other = summary({"head": "linear", "pooling": "attention"}), summary({"head": "linear", "pooling": "max"})
    assert [group.name for each in with_short_names([one, other]) for group in each.groups] == [
        "linear, attention",
        "linear, max",
    ]


def test_no_interval_of_a_cost_goes_below_nothing() -> None:
    (point,) = pareto_points(summary({"pooling": "max"}), "q.accuracy", "q.time_s").points
    assert point.cost_interval is not None
    assert point.cost_interval[0] == 0.0
    assert point.cost_interval[1] > 10


def test_comparisons_have_the_short_names_of_their_groups_too() -> None:
    made = summary(
        {"the_pooling": "mean of all", "spectral": None}, {"the_pooling": "max of all", "spectral": "lowpass"}
    )
    one, other = (group.name for group in made.groups)
    (found,) = with_short_names([replace(made, comparisons=(compared(other, one),))])
    assert [group.name for group in found.groups] == ["mean of all", "max of all, lowpass"]
    assert (found.comparisons[0].group, found.comparisons[0].baseline) == ("max of all, lowpass", "mean of all")


def test_comparisons_of_groups_that_are_with_names_in_common_follow_their_groups() -> None:
    wide, narrow = summary({"k": 1}, {"k": 2}), summary({"k": 1, "j": 3}, {"k": 2, "j": 4})
    wide = replace(wide, comparisons=(compared("k=2", "k=1"),))
    found, _ = with_names_in_common(
        [replace(wide, groups=tuple(replace(g, params={**g.params, "j": 3}) for g in wide.groups)), narrow]
    )
    assert {found.comparisons[0].group, found.comparisons[0].baseline} == {group.name for group in found.groups}


def compared(group: str, baseline: str) -> Comparison:
    return Comparison(
        metric="q.accuracy",
        group=group,
        baseline=baseline,
        pairs=3,
        difference=0.1,
        interval=None,
        p_t=None,
        p_t_holm=None,
        p_sign=None,
        p_sign_holm=None,
        effect=None,
        wins=None,
        claim="not tested",
    )
