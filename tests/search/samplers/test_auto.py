"""The default keeps the contract, and is the Gaussian process but for spaces too wide for it."""

from __future__ import annotations

import numpy as np

from etude.search.samplers.registry import DEFAULT, make
from etude.search.space import Float, Space
from search.sampler_contract import SamplerContract, walk
from search_spaces import CONDITIONAL, MINIMISE, MIXED


class TestAuto(SamplerContract):
    name = "auto"


def test_the_default_is_auto() -> None:
    assert DEFAULT == "auto"


def test_ordinary_spaces_are_searched_by_the_gaussian_process() -> None:
    for space in (MIXED, CONDITIONAL):
        ours, theirs = (walk(make(name, space, MINIMISE, 3), space, 20) for name in ("auto", "gp"))
        assert ours == theirs


def test_a_space_of_a_hundred_dimensions_is_searched_by_the_forest() -> None:
    wide = Space({f"x{index}": Float(0.0, 1.0) for index in range(100)})
    ours, theirs = (walk(make(name, wide, MINIMISE, 3), wide, 20) for name in ("auto", "forest"))
    assert np.allclose(wide.to_unit(ours[-1]), wide.to_unit(theirs[-1]))
