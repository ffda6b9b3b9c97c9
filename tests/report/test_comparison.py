"""Groups of several studies are paired by their params, whatever each study varies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etude.analysis.estimates import estimate
from etude.analysis.summary import Group, StudySummary
from etude.report.charts.plot import Boxes
from etude.report.page.comparison import comparison_charts

ACCURACY = "q.accuracy"


def study(varied: tuple[str, ...], *groups: tuple[Mapping[str, Any], float]) -> StudySummary:
    return StudySummary(
        metrics=(ACCURACY,),
        costs=(),
        varied=varied,
        repeat="seed",
        lower_is_better=(),
        higher_is_better=(ACCURACY,),
        groups=tuple(
            Group(
                name=", ".join(f"{name}={params[name]}" for name in varied) or "all",
                params=params,
                replicates=1,
                estimates={ACCURACY: estimate([value])},
            )
            for params, value in groups
        ),
        comparisons=(),
        references=(),
    )


def pairs(one: StudySummary, other: StudySummary) -> dict[str, tuple[float | None, ...]]:
    (chart,) = comparison_charts({"one": one, "other": other})
    (panel,) = chart.panels
    rows = [
        {round((box.low + box.high) / 2): box.right for box in mark.boxes}
        for mark in panel.marks
        if isinstance(mark, Boxes)
    ]
    return {group: tuple(row.get(round(at)) for row in rows) for at, group in panel.y.marks}


def test_a_group_meets_the_one_with_its_params_though_the_studies_vary_others() -> None:
    one = study(("pooling",), ({"pooling": "max", "rate": 0.1}, 0.5), ({"pooling": "mean", "rate": 0.1}, 0.6))
    other = study(("pooling", "rate"), ({"pooling": "max", "rate": 0.1}, 0.7), ({"pooling": "max", "rate": 0.2}, 0.8))
    assert pairs(one, other) == {
        "pooling=max, rate=0.1": (0.5, 0.7),
        "pooling=mean, rate=0.1": (0.6, None),
        "pooling=max, rate=0.2": (None, 0.8),
    }


def test_groups_of_the_same_name_and_other_params_do_not_meet() -> None:
    one = study(("rate",), ({"rate": 0.1, "pooling": "max"}, 0.5), ({"rate": 0.2, "pooling": "max"}, 0.6))
    other = study(("pooling",), ({"rate": 0.1, "pooling": "mean"}, 0.7), ({"rate": 0.1, "pooling": "max"}, 0.8))
    assert pairs(one, other)["rate=0.1, pooling=max"] == (0.5, 0.8)
    assert pairs(one, other)["rate=0.1, pooling=mean"] == (None, 0.7)


def test_whole_and_broken_numbers_are_the_same_value() -> None:
    one = study(("k",), ({"k": 1}, 0.5), ({"k": 2}, 0.6))
    other = study(("k",), ({"k": 1.0}, 0.7), ({"k": 2.5}, 0.8))
    assert pairs(one, other)["k=1"] == (0.5, 0.7)


def test_what_each_study_holds_sets_the_studies_apart_and_not_their_groups() -> None:
    one = study(("pooling",), ({"pooling": "max", "noisy": False}, 0.5), ({"pooling": "mean", "noisy": False}, 0.6))
    other = study(("pooling",), ({"pooling": "max", "noisy": True}, 0.4), ({"pooling": "mean", "noisy": True}, 0.3))
    assert pairs(one, other) == {"pooling=max": (0.5, 0.4), "pooling=mean": (0.6, 0.3)}
