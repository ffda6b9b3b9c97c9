"""Spaces: the unit cube and back, conditions, forbidden combinations, and what can be wrong with one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import ConfigError
from etude.search.space import Choice, Condition, Dimension, Float, Forbidden, Int, Ordinal, Space
from search_spaces import CONDITIONAL, FINITE, MIXED, dimensions, spaces

seeds = st.integers(0, 2**32)


@given(dimensions(), st.floats(0, 1))
def test_every_place_of_the_unit_interval_is_a_value(dimension: Dimension, unit: float) -> None:
    assert not dimension.faults("d")
    value = dimension.from_unit(unit)
    assert dimension.contains(value)
    assert 0 <= dimension.to_unit(value) <= 1


@given(dimensions(), st.floats(0, 1))
def test_a_value_comes_back_from_its_place(dimension: Dimension, unit: float) -> None:
    value = dimension.from_unit(unit)
    again = dimension.from_unit(dimension.to_unit(value))
    if isinstance(dimension, Float) and dimension.step is None:
        assert again == pytest.approx(value, rel=1e-9, abs=1e-9 * (dimension.high - dimension.low))
    else:
        assert again == value


@given(dimensions())
def test_the_ends_of_the_unit_interval_are_the_bounds(dimension: Dimension) -> None:
    if isinstance(dimension, (Choice, Ordinal)):
        assert (dimension.from_unit(0.0), dimension.from_unit(1.0)) == (dimension.options[0], dimension.options[-1])
    else:
        assert dimension.from_unit(0.0) == dimension.low
        assert dimension.from_unit(1.0) <= dimension.high


@given(dimensions(), st.floats(0, 1), st.floats(0, 1))
def test_places_keep_the_order_of_numbers(dimension: Dimension, one: float, other: float) -> None:
    if isinstance(dimension, (Float, Int)):
        low, high = sorted((one, other))
        assert dimension.from_unit(low) <= dimension.from_unit(high)


@given(spaces(), seeds)
def test_a_drawn_point_lies_in_its_space(space: Space, seed: int) -> None:
    assert not space.check()
    assert space.contains(space.sample(np.random.default_rng(seed)))


@given(spaces(), seeds)
def test_a_point_comes_back_from_the_unit_cube(space: Space, seed: int) -> None:
    point = space.sample(np.random.default_rng(seed))
    unit = space.to_unit(point)
    assert {name for name, place in zip(space.columns, unit, strict=True) if not math.isnan(place)} == set(point)
    again = space.from_unit(unit)
    assert set(again) == set(point)
    np.testing.assert_allclose(space.to_unit(again), unit, atol=1e-9)


@given(spaces())
def test_a_space_comes_back_from_json(space: Space) -> None:
    import json

    again = Space.from_json(json.loads(json.dumps(space.as_json())))
    assert again.fingerprint == space.fingerprint
    assert space.difference(again) == ""


def test_whole_numbers_are_drawn_equally_often() -> None:
    space, rng = Space({"n": Int(1, 4)}), np.random.default_rng(0)
    drawn = [space.sample(rng)["n"] for _ in range(4000)]
    assert all(abs(drawn.count(value) - 1000) < 120 for value in (1, 2, 3, 4))


def test_a_stepped_float_has_the_decimals_of_its_step() -> None:
    drop = Float(0.0, 0.5, step=0.1)
    assert [drop.from_unit(unit) for unit in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_dimension_counts_only_under_its_conditions() -> None:
    assert CONDITIONAL.active({"kind": "net", "layers": 2}) == {"kind", "layers", "width2", "lr"}
    assert CONDITIONAL.active({"kind": "net", "layers": 1}) == {"kind", "layers", "lr"}
    assert CONDITIONAL.active({"kind": "forest", "layers": 2}) == {"kind", "depth"}


def test_forbidden_points_are_neither_drawn_nor_contained() -> None:
    rng = np.random.default_rng(0)
    drawn = [CONDITIONAL.sample(rng) for _ in range(300)]
    assert not any(point.get("kind") == "forest" and point["depth"] in (11, 12) for point in drawn)
    assert not CONDITIONAL.contains({"kind": "forest", "depth": 12})


def test_a_finite_space_has_all_its_points_once() -> None:
    points = list(FINITE.points())
    assert len(points) == FINITE.size == 18
    assert len({FINITE.canonical_point(point) for point in points}) == 18


def test_points_of_users_are_read_with_the_values_of_the_space() -> None:
    given = {"lr": 0.001, "width": 64.0, "drop": 0.30000000000000004, "layers": 2, "loss": "cross", "size": "small"}
    point = MIXED.read(given)
    assert point["width"] == 64
    assert type(point["width"]) is int
    assert point["drop"] == 0.3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lr": 1.0}, "1e-05 to 0.01"),
        ({"loss": "square"}, "hinge, cross, focal"),
        ({"laers": 2}, "layers"),
        ({"width": 33.5}, "whole number"),
    ],
)
def test_a_point_that_does_not_fit_is_told_with_what_would(change: dict[str, object], told: str) -> None:
    given = {"lr": 0.001, "width": 64, "drop": 0.3, "layers": 2, "loss": "cross", "size": "small"}
    with pytest.raises(ConfigError, match=told):
        MIXED.read({**given, **change})


@pytest.mark.parametrize(
    ("space", "path", "reason"),
    [
        (Space({"lr": Float(1.0, 0.1)}), "lr", "lower bound is above"),
        (Space({"lr": Float(0.0, 0.1, log=True)}), "lr", "no place for 0"),
        (Space({"n": Int(5, 5)}), "n", "one value"),
        (Space({"n": Int(1, 5, step=9)}), "n.step", "from 1 to 4"),
        (Space({"x": Float(0.0, 1.0, step=-0.1)}), "x.step", "above 0"),
        (Space({"x": Float(0.1, 1.0, log=True, step=0.1)}), "x", "no steps"),
        (Space({"x": Float(0.0, math.inf)}), "x", "finite"),
        (Space({"c": Choice(("a",))}), "c", "two options"),
        (Space({"c": Choice(("a", "a"))}), "c", "twice"),
        (Space({}), "", "no dimension"),
        (
            Space({"a": Int(0, 3), "c": Choice((0, 1))}, (Condition(dimension="c", on="b", values=(1,)),)),
            "c.when.b",
            "no dimension 'b'",
        ),
        (
            Space({"a": Int(0, 3), "c": Choice((0, 1))}, (Condition(dimension="c", on="a", values=(7,)),)),
            "c.when.a",
            "never has",
        ),
        (
            Space({"a": Float(0.0, 3.0), "c": Choice((0, 1))}, (Condition(dimension="c", on="a", values=(1.0,)),)),
            "c.when.a",
            "continuous",
        ),
        (
            Space(
                {"a": Int(0, 3), "c": Int(0, 1)},
                (Condition(dimension="c", on="a", values=(1,)), Condition(dimension="a", on="c", values=(1,))),
            ),
            "a.when",
            "circle",
        ),
        (
            Space(
                {"a": Choice(("x", "y")), "b": Int(0, 1), "c": Int(0, 1)},
                (
                    Condition(dimension="b", on="a", values=("x",)),
                    Condition(dimension="c", on="b", values=(1,)),
                    Condition(dimension="c", on="a", values=("y",)),
                ),
            ),
            "c.when",
            "never met together",
        ),
        (Space({"a": Int(0, 3)}, (), (Forbidden(values={"b": 1}),)), "forbidden.0", "no dimension 'b'"),
        (Space({"a": Int(0, 3)}, (), (Forbidden(values={"a": 9}),)), "forbidden.0.a", "never has"),
        (Space({"a": Int(0, 1)}, (), (Forbidden(values={"a": (0, 1)}),)), "forbidden", "leave no point"),
    ],
)
def test_what_is_wrong_with_a_space_is_told_in_its_place(space: Space, path: str, reason: str) -> None:
    faults = space.check()
    assert [fault.path for fault in faults] == [path]
    assert reason in faults[0].reason
    assert faults[0].mend


def test_a_changed_space_is_told_by_name() -> None:
    changed = Space({**MIXED.dimensions, "lr": Float(1e-5, 0.1, log=True), "heads": Int(1, 8)})
    told = changed.difference(MIXED)
    assert "lr: float from 1e-05 to 0.1 on a log axis (was float from 1e-05 to 0.01 on a log axis)" in told
    assert "heads: new" in told
    assert "width" not in told
