"""The best weights and the end of a training are judged from the curve alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import ConfigError
from etude.nn.monitor import Milestones, Monitor, first_at_least, judge, window_until

VALUES = st.lists(st.floats(-10, 10), max_size=12)


def monitor(*, higher: bool = True, patience: int | None = None, threshold: float = 0.0) -> Monitor:
    return Monitor(metric="m", higher_is_better=higher, patience=patience, threshold=threshold)


@given(VALUES)
def test_the_best_is_the_first_of_the_highest(values: list[float]) -> None:
    assert judge(values, monitor()).best == (values.index(max(values)) if values else None)


@given(VALUES)
def test_the_lowest_is_best_where_less_is_better(values: list[float]) -> None:
    assert judge(values, monitor(higher=False)).best == (values.index(min(values)) if values else None)


@given(VALUES, st.integers(1, 4), st.floats(0, 3))
def test_patience_once_run_out_before_the_end_would_have_stopped_the_rest(
    values: list[float], patience: int, threshold: float
) -> None:
    """A slow reference: walk along, and count since the last betterment beyond the threshold."""
    mark, since, out = None, 0, False
    for value in values:
        bettered = mark is None or value > mark + threshold
        mark, since = (value, 0) if bettered else (mark, since + 1)
        out = since >= patience
    assert judge(values, monitor(patience=patience, threshold=threshold)).out_of_patience == out


def test_small_steps_are_the_best_but_do_not_renew_the_patience() -> None:
    rule = monitor(patience=2, threshold=0.1)
    assert judge([0.5, 0.55, 0.59], rule) == (2, True)
    assert judge([0.5, 0.55, 0.61], rule) == (2, False)


def test_what_is_not_a_number_is_never_the_best() -> None:
    assert judge([math.nan, 0.2, math.nan], monitor(patience=1)) == (1, True)
    assert judge([math.nan], monitor()).best is None


def test_without_patience_nothing_stops() -> None:
    assert not judge([1.0] + [0.0] * 50, monitor()).out_of_patience


def test_a_milestone_is_reached_by_the_first_value_that_is_no_less() -> None:
    assert first_at_least([0.1, 0.5, 0.4, 0.5], 0.5) == 1
    assert first_at_least([0.1, 0.5], 0.51) is None


def test_milestones_must_rise() -> None:
    with pytest.raises(ConfigError, match="milestones"):
        Milestones(metric="m", values=(0.9, 0.5))


@pytest.mark.parametrize(("patience", "threshold", "field"), [(0, 0.0, "patience"), (1, -0.1, "threshold")])
def test_senseless_rules_are_refused(patience: int, threshold: float, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        monitor(patience=patience, threshold=threshold)


def test_the_window_to_a_milestone_is_named_for_it() -> None:
    assert window_until("validation_accuracy", 0.9) == "until validation_accuracy 0.9"
