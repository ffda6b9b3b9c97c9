"""The default sampler: the one that the benchmark of search quality speaks for, given the space and how trials fare."""

from __future__ import annotations

from etude.search.samplers.encoding import Encoding
from etude.search.samplers.forest import ForestSampler
from etude.search.samplers.gp import GaussianProcessSampler
from etude.search.samplers.protocol import Sampler, Told
from etude.search.space import Point, Space
from etude.search.trials import Goal

MOST_FEATURES = 80
"""With more features (a choice has one for each option) there are too many lengths to fit from some hundred results."""


class AutoSampler:
    """A Gaussian process where the space has up to `MOST_FEATURES` features, else a forest."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        wide = Encoding(space).width > MOST_FEATURES
        self._chosen: Sampler = (ForestSampler if wide else GaussianProcessSampler)(space, goal, seed)

    def tell(self, number: int, point: Point, told: Told) -> None:
        """Take in what became of a trial."""
        self._chosen.tell(number, point, told)

    def pend(self, number: int, point: Point) -> None:
        """Take in that a point runs."""
        self._chosen.pend(number, point)

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`."""
        return self._chosen.ask(number)
