"""Energy below the tick: which phase of the work spent how much of each tick of a slow counter.

A counter that moves every 100 ms cannot tell a 40 ms prefill from the decoding around it by differences. But over many
ticks it can: with X[k, p] the seconds of phase p within tick k and E[k] the tick's energy, powers w >= 0 are fitted to
E = X w, and then each tick's *measured* energy is shared out in proportion to X w. The fit decides only the shares, so
the parts add up to the counter whatever the fit is worth.

Where two phases always fill the ticks in the same proportion, no fit can part them. The condition indices of the
column-scaled X tell (Belsley, Kuh & Welsch, Regression Diagnostics, 1980, section 3.2: above 30 the data are seriously
collinear); a sum of phases that depends on such a direction is refused, one that does not is fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONDITION_LIMIT = 30.0
_BLOCKS = 20
_LEANS = 0.05
"""A sum of phases leans on a badly known direction if its direction has more than this part along it."""
_BORDERS = 0.01
"""A phase's power at its borders is not quite its mean: this part of the energy in shared ticks is in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A stretch's energy shared out over its segments."""

    joules: Floats
    """Energy of each segment, shape (n_segments,). Sums to the stretch."""
    powers_w: Floats
    """Fitted power of each phase, shape (n_phases,)."""
    condition: float
    """The largest condition index of the fit."""
    leverage: Floats
    """How a sum of phases leans on each phase's scaled power, shape (n_phases,)."""
    vague: Floats
    """Directions of scaled powers that the ticks do not tell, shape (n_phases, n_vague)."""
    replicas: Floats
    """Energy of each phase with one block of ticks left out, shape (n_blocks, n_phases)."""
    spill: Floats
    """Squared joules of each phase left unexplained in ticks it shares with others, shape (n_phases,)."""
    shared: Floats
    """Joules of each phase in ticks it shares with others, shape (n_phases,)."""

    def known(self, phases: Sequence[int]) -> bool:
        """Whether the energy of these phases together can be told from the ticks."""
        lean = np.zeros_like(self.leverage)
        lean[list(phases)] = self.leverage[list(phases)]
        norm = float(np.linalg.norm(lean))
        return not self.vague.size or norm == 0 or float(np.abs(self.vague.T @ lean).max()) <= _LEANS * norm

    def half_width_j(self, phases: Sequence[int]) -> float:
        """Half of the 95 % interval of the energy of these phases together.

        From leaving out blocks of ticks in turn (jackknife) for the fitted powers, from what the fit leaves unexplained
        in the ticks that these phases share with others, and 1 % of their energy in those ticks, because no residual
        shows that a phase's power at its borders differs from its mean.
        """
        blocks = len(self.replicas)
        if blocks < 2:
            return float("inf")
        sums = self.replicas[:, list(phases)].sum(axis=1)
        fitted = (blocks - 1) / blocks * float(((sums - sums.mean()) ** 2).sum())
        chance = 1.96 * float(np.sqrt(fitted + float(self.spill[list(phases)].sum())))
        return chance + _BORDERS * float(self.shared[list(phases)].sum())


def split(
    tick_ns: Sequence[int], tick_joules: Sequence[float], cut_ns: Sequence[int], phase_of: Sequence[int]
) -> Split:
    """Share out ticks' energy over segments.

    Args:
        tick_ns: Ends of the ticks, n_ticks + 1 moments, increasing.
        tick_joules: Energy of each tick, n_ticks of them, 0 or more.
        cut_ns: Ends of the segments, n_segments + 1 moments, increasing, from the first tick's start to the last's end.
        phase_of: The phase of each segment, from 0.
    """
    ticks, cuts = np.asarray(tick_ns, np.int64), np.asarray(cut_ns, np.int64)
    joules, phases = np.asarray(tick_joules, np.float64), np.asarray(phase_of, np.int64)
    moments = np.union1d(ticks, cuts)
    seconds = np.diff(moments) / 1e9
    tick = np.searchsorted(ticks, moments[:-1], side="right") - 1
    segment = np.searchsorted(cuts, moments[:-1], side="right") - 1
    count = int(phases.max()) + 1
    shares = np.zeros((len(joules), count))
    np.add.at(shares, (tick, phases[segment]), seconds)
    powers, condition, vague = _fit(shares, joules)
    weight = seconds * powers[phases[segment]]
    whole = np.bincount(tick, weight, len(joules))
    plain = np.bincount(tick, seconds, len(joules))
    part = np.where(whole[tick] > 0, weight / np.where(whole > 0, whole, 1.0)[tick], seconds / plain[tick])
    length = np.linalg.norm(shares, axis=0)
    return Split(
        joules=np.bincount(segment, part * joules[tick], len(cuts) - 1).astype(np.float64),
        powers_w=powers,
        condition=condition,
        leverage=shares.sum(axis=0) / np.where(length > 0, length, 1.0),
        vague=vague,
        replicas=_replicas(shares, joules),
        spill=_spill(shares, joules, powers),
        shared=(_shared_out(shares, joules, powers) * ((shares > 0).sum(axis=1, keepdims=True) > 1)).sum(axis=0),
    )


def _fit(seconds: Floats, joules: Floats) -> tuple[Floats, float, Floats]:
    """Powers >= 0 that explain the ticks best, the largest condition index, and the directions beyond the limit."""
    length = np.linalg.norm(seconds, axis=0)
    scaled = seconds / np.where(length > 0, length, 1.0)
    gram = scaled.T @ scaled
    values, vectors = np.linalg.eigh(gram)
    indices = np.sqrt(values[-1] / np.maximum(values, values[-1] * 1e-18))
    powers = nonnegative_fit(gram, scaled.T @ joules) / np.where(length > 0, length, 1.0)
    return powers, float(indices.max()), vectors[:, indices > CONDITION_LIMIT]


def nonnegative_fit(gram: Floats, moment: Floats) -> Floats:
    """x >= 0 that minimises |A x - b|, from gram = A'A, shape (n, n), and moment = A'b, shape (n,).

    Source: Bro & de Jong, A fast non-negativity-constrained least squares algorithm, J. Chemometrics 11 (1997).
    """
    x = np.zeros(len(moment))
    free = np.zeros(len(moment), dtype=bool)
    tolerance = 1e-12 * max(1.0, float(np.abs(moment).max(initial=0.0)))
    for _ in range(3 * len(moment) + 1):
        slope = np.where(free, -np.inf, moment - gram @ x)
        if slope.max(initial=-np.inf) <= tolerance:
            break
        free[int(slope.argmax())] = True
        trial = _solved(gram, moment, free)
        while trial[free].min(initial=0.0) < 0:
            falls = free & (trial < 0)
            step = float((x[falls] / (x[falls] - trial[falls])).min())
            x = x + step * (trial - x)
            free &= x > tolerance * 1e-3
            x[~free] = 0.0
            trial = _solved(gram, moment, free)
        x = trial
    return x


def _solved(gram: Floats, moment: Floats, free: npt.NDArray[np.bool_]) -> Floats:
    x = np.zeros(len(moment))
    chosen = np.flatnonzero(free)
    x[chosen] = np.linalg.lstsq(gram[np.ix_(chosen, chosen)], moment[chosen], rcond=None)[0]
    return x


def _shared_out(seconds: Floats, joules: Floats, powers: Floats) -> Floats:
    """Energy of each phase in each tick, shape (n_ticks, n_phases)."""
    weight = seconds * powers
    whole = weight.sum(axis=1, keepdims=True)
    plain = seconds / np.maximum(seconds.sum(axis=1, keepdims=True), 1e-30)
    return np.where(whole > 0, weight / np.where(whole > 0, whole, 1.0), plain) * joules[:, None]


def _replicas(seconds: Floats, joules: Floats) -> Floats:
    """Energy of each phase when the powers are fitted without one block of ticks."""
    blocks = np.array_split(np.arange(len(joules)), min(_BLOCKS, len(joules)))
    gram, moment = seconds.T @ seconds, seconds.T @ joules
    told = []
    for block in blocks if len(blocks) > 1 else []:
        rest = gram - seconds[block].T @ seconds[block]
        length = np.sqrt(np.maximum(np.diag(rest), 1e-30))
        scaled = rest / np.outer(length, length)
        powers = nonnegative_fit(scaled, (moment - seconds[block].T @ joules[block]) / length) / length
        told.append(_shared_out(seconds, joules, powers).sum(axis=0))
    return np.array(told).reshape(len(told), seconds.shape[1])


def _spill(seconds: Floats, joules: Floats, powers: Floats) -> Floats:
    """What the fit leaves unexplained in shared ticks, as the square of the joules that may have gone astray."""
    residual = joules - seconds @ powers
    share = seconds / np.maximum(seconds.sum(axis=1, keepdims=True), 1e-30)
    spilled: Floats = ((2 * share * (1 - share) * residual[:, None]) ** 2).sum(axis=0)
    return spilled
