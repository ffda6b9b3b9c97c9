"""Sobol points and grids keep the contract, and cover what they promise to cover."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import ConfigError
from etude.search.sampler import Exhausted, Sampler, TrialResult
from etude.search.samplers.factory import make
from etude.search.space import Choice, Condition, Float, Forbidden, Int, Space
from etude.search.trials import TrialOutcome
from search.sampler_contract import SamplerContract, told
from search_spaces import FINITE, MINIMISE


class TestSobol(SamplerContract):
    name = "sobol"


class TestGrid(SamplerContract):
    name = "grid"
    settings: ClassVar[Mapping[str, object]] = {"levels": 3}


def everything(sampler: Sampler, space: Space) -> list[str]:
    """All that a sampler proposes until it has no more."""
    texts: list[str] = []
    while True:
        try:
            point = sampler.ask(len(texts))
        except Exhausted:
            return texts
        sampler.pend(len(texts), point)
        sampler.tell(len(texts), point, told(space, point))
        texts.append(space.canonical_point(point))


def test_a_grid_proposes_every_point_of_a_finite_space_once() -> None:
    texts = everything(make("grid", FINITE, MINIMISE, 0), FINITE)
    assert sorted(texts) == sorted(FINITE.canonical_point(point) for point in FINITE.points())


def test_a_grid_of_a_conditional_space_holds_no_point_twice_and_none_that_is_forbidden() -> None:
    small = Space(
        {"kind": Choice(("linear", "net")), "layers": Int(1, 3), "rate": Float(0.1, 1.0, log=True)},
        (Condition(dimension="layers", on="kind", values=("net",)),),
        (Forbidden(values={"layers": 3}),),
    )
    texts = everything(make("grid", small, MINIMISE, 0, levels=4), small)
    assert len(texts) == len(set(texts)) == 4 + 2 * 4


def test_a_baseline_takes_no_point_away_from_a_grid() -> None:
    sampler = make("grid", FINITE, MINIMISE, 0)
    first = sampler.ask(0)
    sampler.pend(0, {"a": "x", "b": 0, "c": 0.0} if dict(first) != {"a": "x", "b": 0, "c": 0.0} else {"a": "y"})
    assert sampler.ask(1) == first


def test_a_cancelled_point_comes_back_in_a_grid() -> None:
    sampler = make("grid", FINITE, MINIMISE, 0)
    first = sampler.ask(0)
    sampler.pend(0, first)
    assert sampler.ask(1) != first
    sampler.tell(0, first, TrialResult(values=None, outcome=TrialOutcome.CANCELLED))
    assert sampler.ask(1) == first


def test_a_grid_too_large_to_walk_names_its_size_and_what_to_do() -> None:
    wide = Space({f"x{index}": Float(0.0, 1.0) for index in range(10)})
    with pytest.raises(ConfigError, match=r"9,765,625 points.*\n.*levels"):
        make("grid", wide, MINIMISE, 0)


def test_a_grid_of_one_level_is_refused() -> None:
    with pytest.raises(ConfigError, match="levels"):
        make("grid", FINITE, MINIMISE, 0, levels=1)


@pytest.mark.parametrize("count", [16, 64])
def test_every_stretch_of_each_axis_gets_its_share_of_a_sobol_sequence(count: int) -> None:
    space = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
    sampler = make("sobol", space, MINIMISE, 3)
    rows = np.array([space.to_unit(sampler.ask(number)) for number in range(count)])
    for axis in range(2):
        assert sorted((rows[:, axis] * count).astype(int)) == list(range(count))


def test_a_sobol_search_tries_no_point_twice_while_there_are_others() -> None:
    space = Space({"a": Int(0, 7), "b": Int(0, 7)})
    sampler = make("sobol", space, MINIMISE, 0)
    texts = set()
    for number in range(48):
        point = sampler.ask(number)
        sampler.pend(number, point)
        texts.add(space.canonical_point(point))
    assert len(texts) == 48


@given(
    low=st.floats(1e-6, 1.0, allow_subnormal=False),
    ratio=st.floats(1.5, 1e6),
    levels=st.integers(2, 7),
    log=st.booleans(),
)
def test_a_grid_of_any_continuous_axis_ends(low: float, ratio: float, levels: int, log: bool) -> None:
    space = Space({"rate": Float(low, low * ratio, log=log)})
    sampler = make("grid", space, MINIMISE, 0, levels=levels)
    for number in range(levels):
        point = sampler.ask(number)
        sampler.pend(number, point)
        sampler.tell(number, point, told(space, point))
    with pytest.raises(Exhausted):
        sampler.ask(levels)


@pytest.mark.parametrize("log", [False, True])
def test_a_grid_takes_a_few_levels_of_a_wide_whole_axis_and_ends(log: bool) -> None:
    wide = Space({"tokens": Int(1, 1_000_000, log=log)})
    texts = everything(make("grid", wide, MINIMISE, 0), wide)
    assert len(set(texts)) == len(texts) == 5
    assert {wide.canonical_point({"tokens": end}) for end in (1, 1_000_000)} <= set(texts)
