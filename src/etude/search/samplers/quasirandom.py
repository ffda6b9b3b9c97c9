"""Points spread evenly over a space: a scrambled Sobol sequence, snapped to values."""

from __future__ import annotations

import numpy as np

from etude.search.samplers.observations import Observations
from etude.search.samplers.unit_cube import Array, Encoding, generator

TRIES = 200
"""How many points are drawn to find one that is new."""


class SobolSequence:
    """A scrambled Sobol sequence over the unit cube, by index.

    Source: Sobol (1967); directions of Joe and Kuo (2008) and Owen's scrambling as in `scipy.stats.qmc`.
    """

    def __init__(self, width: int, seed: int) -> None:
        self._width = width
        self._seed = seed
        self._drawn: Array = np.empty((0, width))

    def row(self, index: int) -> Array:
        """The place of this index, shape (width,), strictly inside the cube."""
        if index >= len(self._drawn):
            from scipy.stats import qmc

            bits = max(6, int(index).bit_length())
            engine = qmc.Sobol(self._width, scramble=True, rng=generator(self._seed, 11))
            self._drawn = np.asarray(engine.random_base2(bits))
        return np.asarray(self._drawn[index])


def new_row(encoding: Encoding, history: Observations, unit: Array, rng: np.random.Generator) -> Array:
    """This row if it is allowed and neither told nor pending; else a random one that is, as far as there is one."""
    row: Array = encoding.snap(unit[None, :])[0]
    if encoding.allowed(row) and not history.tried(row):
        return row
    allowed: Array | None = None
    for _ in range(TRIES):
        row = encoding.snap(rng.random((1, len(encoding.axes))))[0]
        if encoding.allowed(row):
            if not history.tried(row):
                return row
            allowed = row
    return encoding.unit(encoding.space.sample(rng)) if allowed is None else allowed
