"""Points worth a look: drawn anywhere, and drawn near points that did well."""

from __future__ import annotations

import numpy as np

from etude.search.samplers.unit_cube import Array, Encoding

SCALES = (0.25, 0.1, 0.04, 0.015)
"""Standard deviations of steps in the unit cube, from a leap to a nudge."""


def anywhere(encoding: Encoding, rng: np.random.Generator, count: int) -> Array:
    """Snapped rows drawn uniformly, shape (count, d)."""
    return encoding.snap(rng.random((count, len(encoding.axes))))


def near(encoding: Encoding, rng: np.random.Generator, parents: Array, count: int, scale: float | None = None) -> Array:
    """Snapped rows a step away from parents (p, d), shape (count, d).

    About two or about half of a row's coordinates move away from its parent: ordered ones by a normal step (of one of
    `SCALES` where none is given), choices to any of their values.
    """
    width = len(encoding.axes)
    rows = parents[rng.integers(len(parents), size=count)].copy()
    lost = np.isnan(rows)
    rows[lost] = rng.random(int(lost.sum()))
    few = min(1.0, 2.0 / width)
    share = np.where(rng.random(count) < 0.5, few, max(0.5, few))
    moved = rng.random((count, width)) < share[:, None]
    still = ~moved.any(1)
    moved[still, rng.integers(width, size=int(still.sum()))] = True
    step = np.full(count, scale) if scale is not None else np.array(SCALES)[rng.integers(len(SCALES), size=count)]
    stepped = rows + step[:, None] * rng.standard_normal((count, width))
    stepped = np.abs(stepped)  # reflected at the walls, so that they do not gather points
    stepped = np.where(stepped > 1.0, np.maximum(2.0 - stepped, 0.0), stepped)
    leapt = rng.random((count, width))
    rows = np.where(moved, np.where(encoding.choice[None, :], leapt, stepped), rows)
    return encoding.snap(rows)
