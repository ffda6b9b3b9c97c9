"""Independent uniform points: what every other sampler has to beat."""

from __future__ import annotations

from etude.search.sampler import TrialResult
from etude.search.space import Point, Space
from etude.search.trials import Goal


class RandomSampler:
    """Draws every point uniformly from the active space; learns nothing."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self.space = space
        self.seed = seed

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Nothing is learnt."""

    def pend(self, number: int, point: Point) -> None:
        """Nothing is kept."""

    def ask(self, number: int) -> Point:
        """A point drawn from (seed, number)."""
        import numpy as np

        return self.space.sample(np.random.default_rng((self.seed, number)))
