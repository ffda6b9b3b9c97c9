"""The forest keeps the contract; its trees are scikit-learn's, and it learns where points fail."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from etude.search.samplers.forest import grown
from etude.search.samplers.protocol import Told
from etude.search.samplers.registry import make
from etude.search.space import Float, Space
from etude.search.trials import Outcome
from search.sampler_contract import SamplerContract
from search_spaces import MINIMISE


class TestForest(SamplerContract):
    name = "forest"


def test_the_trees_in_one_walk_say_what_each_says_alone() -> None:
    rng = np.random.default_rng(0)
    points, values = rng.random((80, 4)), rng.random(80)
    others = rng.random((30, 4)).astype(np.float32).astype(np.float64)
    mean, deviation = grown(points, values, 10, 5).predict(others)
    theirs = ExtraTreesRegressor(10, min_samples_split=4, random_state=5).fit(points.astype(np.float32), values)
    said = np.array([tree.predict(others) for tree in theirs.estimators_])
    assert mean == pytest.approx(said.mean(0))
    assert deviation == pytest.approx(said.std(0))


def test_a_half_of_the_space_that_fails_is_left() -> None:
    space = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
    sampler = make("forest", space, MINIMISE, 0)
    failures = []
    for number in range(50):
        point = sampler.ask(number)
        sampler.pend(number, point)
        x, y = space.to_unit(point)
        failures.append(x < 0.5)
        told = Told(None, Outcome.CRASH) if x < 0.5 else Told(((x - 0.5) ** 2 + (y - 0.3) ** 2,), Outcome.OK)
        sampler.tell(number, point, told)
    assert np.mean(failures[25:]) < 0.35
