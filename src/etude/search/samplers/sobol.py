"""Points spread evenly, whatever they were worth: a scrambled Sobol sequence."""

from __future__ import annotations

from etude.search.sampler import TrialResult
from etude.search.samplers.observations import Observations
from etude.search.samplers.quasirandom import SobolSequence, new_row
from etude.search.samplers.unit_cube import Encoding, generator
from etude.search.space import Point, Space
from etude.search.trials import Goal


class SobolSampler:
    """Trial n is the n-th point of the sequence; where that is forbidden or was tried, a random one."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._encoding = Encoding(space)
        self._seed = seed
        self._history = Observations(encoding=self._encoding, seed=seed)
        self._spread = SobolSequence(len(self._encoding.axes), seed)

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Keep that the point was tried."""
        self._history.tell(number, point, result)

    def pend(self, number: int, point: Point) -> None:
        """Keep that the point is being tried."""
        self._history.pend(number, point)

    def ask(self, number: int) -> Point:
        """The point of this index."""
        rng = generator(self._seed, 1, number)
        return self._encoding.point(new_row(self._encoding, self._history, self._spread.row(number), rng))
