"""The default keeps the contract, and is the Gaussian process."""

from __future__ import annotations

import pytest

from etude.errors import ConfigError
from etude.search.samplers.factory import DEFAULT, check, make
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


def test_a_space_of_a_hundred_dimensions_is_searched_by_it_too() -> None:
    wide = Space({f"x{index}": Float(0.0, 1.0) for index in range(100)})
    assert all(wide.contains(point) for point in walk(make("auto", wide, MINIMISE, 3), wide, 20))


def test_the_forest_of_earlier_versions_is_refused_with_what_to_write_instead() -> None:
    (fault,) = check("forest", {})
    assert "write gp" in fault.mend
    with pytest.raises(ConfigError, match="write gp"):
        make("forest", MIXED, MINIMISE, 0)
