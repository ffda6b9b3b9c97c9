"""A model of a search so far: objectives, constraints and failures as Gaussian processes, and what looks promising.

Shapes: n rows fitted on, m points looked at, d dimensions, f features, k objectives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from etude.search.samplers.acquisition import log_improvement, log_scalarisation, log_tail_and_slope, log_within
from etude.search.samplers.matern import QUIET, fit, natural_scale, start
from etude.search.samplers.observations import Fate, Observations, standardise
from etude.search.samplers.posterior import Posterior
from etude.search.samplers.unit_cube import Array, Encoding, as_rows

CLIP = 3.0
"""Objectives are cut at this many deviations above their mean: how bad the worst are teaches little."""

FEW_FAILURES = 3
"""With fewer, where trials fail is not modelled."""


@dataclass(slots=True, kw_only=True)
class Tuning:
    """Hyper-parameters of one process, fitted anew as rows come in.

    Which fit a request starts from depends on the requests alone: a request whose rows are twice those of the last
    anchor is an anchor itself, and every fit starts from the anchor before it. A sampler that was only told things can
    therefore come to the same hyper-parameters as one that was asked all along, after a handful of fits.
    """

    width: int
    quiet: float = QUIET
    """How much is taken against noise."""
    widening: bool = False
    """Whether lengths are expected to grow with the number of features."""
    anchors: list[tuple[int, Array, Array]] = field(default_factory=list)
    latest: tuple[Array, Array] | None = None
    _fitted: dict[int, Array] = field(default_factory=dict)
    _current: Array | None = None

    def request(self, points: Array, values: Array) -> None:
        """From now on use what fits these features (n, f) and standardised values (n,)."""
        if not self.anchors or len(values) >= 2 * self.anchors[-1][0]:
            self.anchors.append((len(values), points, values))
            self.latest = None
        else:
            self.latest = (points, values)
        self._current = None

    def theta(self) -> Array:
        """The hyper-parameters, shape (f + 2,)."""
        if self._current is None:
            found = start(self.width, widening=self.widening)
            for index, (_, points, values) in enumerate(self.anchors):
                if index not in self._fitted:
                    self._fitted[index] = fit(
                        points, values, found, ANCHOR_ITERATIONS, self.quiet, widening=self.widening
                    )
                found = self._fitted[index]
            if self.latest is not None:
                points, values = self.latest
                steps = ITERATIONS if len(values) < 256 else LEAN_ITERATIONS
                found = fit(points, values, found, steps, self.quiet, widening=self.widening)
            self._current = found
        return self._current


QUIET_FAILURES = 0.5
"""Of failures many may come by chance: little is taken against that."""
LEAST_SUCCESS = 0.01
"""No point is taken to be surer to fail: a few failures are no proof."""
ANCHOR_ITERATIONS = 40
ITERATIONS = 15
LEAN_ITERATIONS = 8
"""With many results their likelihood hardly moves from one fit to the next, and a step costs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What a model is built on: a moment in the sequence of calls."""

    index: int
    rows: tuple[int, ...]
    """Measured rows to fit on."""
    failed: tuple[int, ...]
    running: tuple[tuple[int, Array], ...]
    """Number and row of what was pending, the latest of them."""


class Surrogate:
    """Processes conditioned on an epoch, and on what was told and proposed since."""

    def __init__(
        self,
        encoding: Encoding,
        history: Observations,
        epoch: Epoch,
        tunings: Sequence[Tuning],
        room: int,
        *,
        counts_running: bool = False,
    ) -> None:
        """Args:
        tunings: Of the k objectives, then of the constraints, then of failing.
        room: How many rows may be added after the epoch.
        counts_running: Whether what running points are believed to bring lowers the best value.
        """
        self._counts_running = counts_running
        self.encoding = encoding
        self.epoch = epoch
        self._history = history
        units = as_rows([history.units[row] for row in epoch.rows], len(encoding.axes))
        points = encoding.features(units)
        values = np.array([history.values[row] for row in epoch.rows])
        excess = np.array([history.excess[row] for row in epoch.rows])
        self.objectives = values.shape[1]
        self._scales = [standardise(values[:, one], CLIP)[1:] for one in range(self.objectives)]
        self._ranges = [float(np.abs(excess[:, one]).max()) or 1.0 for one in range(excess.shape[1])]
        columns = [standardise(values[:, one], CLIP)[0] for one in range(self.objectives)]
        columns += [excess[:, one] / size for one, size in enumerate(self._ranges)]
        failed = encoding.features(as_rows([history.units[row] for row in epoch.failed], len(encoding.axes)))
        running = encoding.features(as_rows([unit for _, unit in epoch.running], len(encoding.axes)))
        self.failing = self._failures(points, failed, tunings[-1], room) if len(failed) >= FEW_FAILURES else None
        doubts = np.zeros(len(failed))
        if self.failing is not None:
            doubts = self._doubt(self.failing.left_out(self.failing.count - len(failed)))
        known = np.concatenate([points, failed, running])
        self.processes = [
            Posterior(known, column, natural_scale(tuning.theta()), room, doubts if index < self.objectives else None)
            for index, (column, tuning) in enumerate(zip(columns, tunings, strict=False))
        ]
        self._places = {number: len(points) + len(failed) + index for index, (number, _) in enumerate(epoch.running)}
        self._observed = np.array(columns[: self.objectives]).T
        self._feasible = (excess <= 0).all(1)
        smoothed = self.processes[0].smoothed
        self._measured_best = float(smoothed[self._feasible].min()) if self._feasible.any() else np.inf

    @property
    def best(self) -> float:
        """What an improvement is measured from; infinite where nothing feasible was measured.

        The best measured value without its noise, or what a running point is believed to bring, if that is less: the
        same improvement is then not looked for twice.
        """
        if not self._counts_running or not np.isfinite(self._measured_best) or len(self.processes) > 1:
            return self._measured_best
        return min([self._measured_best, *(self.processes[0].value(place) for place in self._places.values())])

    def predicted_share(self) -> float:
        """The share of the variance of the first objective that the others predict of each value, at most 1; below 0
        where their mean would do better.
        """
        values = self._observed[:, 0]
        errors = values - self.processes[0].left_out(0)[: len(values)]
        variance = float(((values - values.mean()) ** 2).sum())
        return 1.0 - float((errors**2).sum()) / variance if variance > 0 else 0.0

    def _failures(self, succeeded: Array, failed: Array, tuning: Tuning, more: int) -> Posterior:
        points = np.concatenate([succeeded[:MOST_SUCCESSES], failed])
        marks = np.concatenate([np.zeros(len(points) - len(failed)), np.ones(len(failed))])
        self._rate, self._rate_spread = float(marks.mean()), float(marks.std()) or 1.0
        return Posterior(points, (marks - self._rate) / self._rate_spread, natural_scale(tuning.theta()), more)

    def _share(self, mean: Array) -> Array:
        """The share of trials that fail, from what the process of failing expects, shape (m,)."""
        return np.clip(self._rate + self._rate_spread * mean, 0.0, 1.0)

    def _doubt(self, mean: Array) -> Array:
        """How far failing is beyond what happens by chance everywhere, 0 to 1, shape (m,)."""
        return np.maximum(self._share(mean) - self._rate, 0.0) / (1.0 - self._rate)

    # What happens after the epoch.

    def believe(self, number: int, unit: Array) -> None:
        """A point was proposed: believe what is expected of it, so that nothing like it is proposed again."""
        self._places[number] = self._append(self.encoding.features(unit[None, :])[0])

    def learn(self, number: int, row: int, fate: Fate) -> None:
        """A point was measured, or failed."""
        place = self._places.pop(number, None)
        point = self.encoding.features(self._history.units[row][None, :])[0]
        if fate is Fate.FAILED:
            doubt = 0.0 if self.failing is None else float(self._doubt(self.failing.predict(point[None, :])[0])[0])
            if place is None:
                self._append(point, doubt=doubt)
            else:
                for process in self.processes[: self.objectives]:
                    process.fail(place, doubt)
            if self.failing is not None and not self.failing.full:
                self.failing.append(point, (1.0 - self._rate) / self._rate_spread)
            return
        numbers = [
            min((value - centre) / spread, CLIP)
            for value, (centre, spread) in zip(self._history.values[row], self._scales, strict=True)
        ]
        numbers += [over / size for over, size in zip(self._history.excess[row], self._ranges, strict=True)]
        if place is None:
            self._append(point, values=numbers)
        else:
            for process, value in zip(self.processes, numbers, strict=True):
                process.revalue(place, value)
        if self.objectives == 1 and all(over <= 0 for over in self._history.excess[row]):
            self._measured_best = min(self._measured_best, numbers[0])
        if self.failing is not None and not self.failing.full:
            self.failing.append(point, -self._rate / self._rate_spread)

    def _append(self, point: Array, values: Sequence[float] | None = None, doubt: float | None = None) -> int:
        place = self.processes[0].count
        for index, process in enumerate(self.processes):
            value = None if values is None else values[index]
            process.append(point, value, doubt if index < self.objectives else None)
        return place

    # How promising points look.

    def watch(self, units: Array) -> None:
        """Follow these rows (m, d) from now on."""
        points = self.encoding.features(units)
        for process in [*self.processes, *([self.failing] if self.failing else [])]:
            process.watch(points)

    def watched(self, preference: Preference) -> Array:
        """The scores of the watched rows, shape (m,)."""
        return self._score([process.watched() for process in self.processes], Posterior.watched, preference)

    def score(self, units: Array, preference: Preference) -> Array:
        """The scores of rows (m, d), shape (m,): the higher, the more promising."""
        points = self.encoding.features(units)
        return self._score(
            [process.predict(points) for process in self.processes], lambda process: process.predict(points), preference
        )

    def _score(
        self,
        moments: list[tuple[Array, Array]],
        look: Callable[[Posterior], tuple[Array, Array]],
        preference: Preference,
    ) -> Array:
        total = np.zeros(len(moments[0][0]))
        for mean, variance in moments[self.objectives :]:
            total += log_within(mean, variance)
        if self.failing is not None:
            mean, variance = look(self.failing)
            total += np.log(np.maximum(1.0 - self._share(mean), LEAST_SUCCESS))
        if self.objectives == 1:
            total += preference.single(*moments[0], self.best)
        else:
            means, variances = (np.array(parts) for parts in zip(*moments[: self.objectives], strict=True))
            total += log_scalarisation(means, variances, preference.weights, self._front(), preference.draws)
        return total

    def _front(self) -> Array:
        return self._observed[self._feasible] if self._feasible.any() else self._observed

    def polished(self, unit: Array, preference: Preference, steps: int) -> Array:
        """A row (d,) after its continuous coordinates climbed the expected improvement of a single objective."""
        from scipy.optimize import minimize

        free = self.encoding.continuous & ~np.isnan(unit)
        if not free.any() or self.objectives > 1 or not np.isfinite(self.best) or preference.kappa is not None:
            return unit
        features = self.encoding.feature_of[free]
        point = self.encoding.features(unit[None, :])[0]
        process = self.processes[0]

        def loss(place: Array) -> tuple[float, Array]:
            point[features] = place
            mean, variance, by_mean, by_variance = process.slope(point)
            spread = math.sqrt(variance)
            z = (self.best - mean) / spread
            tail, by_z = log_tail_and_slope(z)
            by_spread = by_variance / (2.0 * spread)
            slope = by_spread / spread + by_z * (-by_mean / spread - z * by_spread / spread)
            return -(math.log(spread) + tail), -slope[features]

        found = minimize(
            loss,
            unit[free],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * int(free.sum()),
            options={"maxiter": steps},
        )
        moved = unit.copy()
        moved[free] = found.x
        return moved


MOST_SUCCESSES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What one proposal is after."""

    weights: Array
    """Of the objectives, shape (k,)."""
    draws: Array
    """Standard normal numbers for the expectation over several objectives, shape (s, k)."""
    kappa: float | None = None
    """Deviations of optimism; None for the expected improvement."""

    def single(self, mean: Array, variance: Array, best: float) -> Array:
        """The score of one objective."""
        if self.kappa is not None:
            return -(mean - self.kappa * np.sqrt(variance))
        return log_improvement(mean, variance, best) if np.isfinite(best) else np.zeros(len(mean))
