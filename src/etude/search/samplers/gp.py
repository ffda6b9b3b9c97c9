"""The native Gaussian-process sampler: expected improvement, running points believed, few points to fit on."""

from __future__ import annotations

import numpy as np

from etude.errors import require
from etude.search.sampler import TrialResult
from etude.search.samplers.blas import one_thread
from etude.search.samplers.candidates import anywhere, near
from etude.search.samplers.matern import QUIET
from etude.search.samplers.observations import Fate, Observations, standardise
from etude.search.samplers.quasirandom import SobolSequence, new_row
from etude.search.samplers.surrogate import CLIP, MOST_SUCCESSES, QUIET_FAILURES, Epoch, Preference, Surrogate, Tuning
from etude.search.samplers.unit_cube import Array, Encoding, as_rows, generator
from etude.search.space import Point, Space
from etude.search.trials import Goal

MOST_RUNNING = 64
"""Of the points that run, as many of the latest are believed."""
MOST_FAILED = 32
"""Of the points that failed, as many of the latest are modelled."""
POOL = 1_000
"""Candidates that are followed through an epoch."""
LEAN_POOL = 384
"""The same once there are more results than are fitted on: proposals then come often, and must be cheap."""
RICH = (4, 200, 2, 20)
"""How a proposal is refined: rounds of mutation, points in each, points that climb, steps of the climb."""
LEAN = (1, 96, 1, 3)
"""The same once there are more results than are fitted on."""


VERSION = 2
"""Of what is proposed. A search goes on with the version that it began with, and replays with it."""
TRUSTED = 0.6
"""Where the model predicts this share of the variance of unseen values, half as many proposals ignore it."""


class GaussianProcessSampler:
    """Bayesian optimisation that costs milliseconds and minds what is still running.

    The sequence of calls is cut into *epochs*. As one begins, the rows to fit on are chosen and a pool of candidates is
    drawn; within it each call changes the model by one row. An epoch is one result long while there are few, so that
    every proposal has a model and candidates of its own, and longer later. All of this depends on the calls alone;
    `ask` computes what it needs of it, and keeps it.

    Proposals are exact to 2⁻²⁰ of an axis and hyper-parameters to 2⁻⁸, so that a last digit that another machine's BLAS
    rounds differently rarely matters; on one machine, equal calls give equal points.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        seed: int,
        *,
        initial: int = 10,
        step: int = 5,
        explore: int = 10,
        fit_on: int = 256,
        version: int = VERSION,
    ) -> None:
        """Args:
        space: Where to look.
        goal: What to look for.
        seed: Of everything random.
        initial: Results to have before a model is trusted; until then points are spread evenly.
        step: Every so many proposals one is a step away from one of the best results, whatever the model thinks; 0 for
            none. Where the surface is rougher than the model takes it for, this leads out of a false bottom.
        explore: Every so many proposals one is spread evenly, whatever the model thinks; 0 for none.
        fit_on: Greatest number of results to fit on: the best half and a random half.
        version: 1 is that of the first logs: `step` and `explore` hold however well the model predicts, lengths are
            expected near 1 in spaces of any width, and running points do not lower the best value.

        Raises:
            ConfigError: There is no such version.
        """
        require(version in (1, VERSION), "sampler.version", version, f"1 or {VERSION}")
        self._follows = version > 1
        self._encoding = Encoding(space)
        self._goal = goal
        self._seed = seed
        self._initial = initial
        self._step = step
        self._explore = explore
        self._fit_on = fit_on
        self._history = Observations(encoding=self._encoding, seed=seed)
        self._spread = SobolSequence(len(self._encoding.axes), seed)
        quiets = [QUIET for _ in (*goal.metrics, *goal.constraints)]
        self._tunings = [
            Tuning(width=self._encoding.width, quiet=quiet, widening=self._follows)
            for quiet in (*quiets, QUIET_FAILURES)
        ]
        self._shares: tuple[int, int, int] | None = None
        self._tells = self._told_at = self._pends = self._tune_at = 0
        self._epoch = Epoch(index=0, rows=(), failed=(), running=())
        self._tail: list[tuple[int, Array] | tuple[int, int, Fate]] = []
        self._model: Surrogate | None = None
        self._pool: Array = np.empty((0, 0))
        self._applied = 0

    # What is told.

    def pend(self, number: int, point: Point) -> None:
        """Take in that a point runs."""
        self._tail.append((number, self._history.pend(number, point)))
        self._pends += 1
        if self._pends >= MOST_RUNNING:
            self._open()

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Take in what became of a point."""
        kept = self._history.tell(number, point, result)
        self._tells += 1
        if kept is not None:
            self._tail.append((number, *kept))
        if self._tells - self._told_at >= self._length():
            self._open()

    def _length(self) -> int:
        """How many results an epoch lasts."""
        return 1 if self._tells < self._fit_on else min(self._tells // 32, 64)

    def _open(self) -> None:
        history = self._history
        self._told_at, self._pends, self._tail, self._model = self._tells, 0, [], None
        rows = history.chosen(self._fit_on)
        self._epoch = Epoch(
            index=self._epoch.index + 1,
            rows=tuple(rows),
            failed=tuple(history.failed[-MOST_FAILED:]),
            running=tuple(list(history.pending.items())[-MOST_RUNNING:]),
        )
        if history.measured >= self._tune_at and history.measured >= 4:
            self._tune_at = history.measured + max(
                2, history.measured // 16 if history.measured < 256 else history.measured // 6
            )
            self._tune(rows, self._epoch.failed)

    def _tune(self, rows: list[int], failed: tuple[int, ...]) -> None:
        history, encoding = self._history, self._encoding
        points = encoding.features(as_rows([history.units[row] for row in rows], len(encoding.axes)))
        columns = [
            standardise(np.array([history.values[row][one] for row in rows]), CLIP)[0]
            for one in range(len(self._goal.metrics))
        ]
        columns += [
            standardise(np.array([history.excess[row][one] for row in rows]), CLIP)[0]
            for one in range(len(self._goal.constraints))
        ]
        for tuning, column in zip(self._tunings, columns, strict=False):
            tuning.request(points, column)
        if failed:
            marks = np.r_[np.zeros(len(points[:MOST_SUCCESSES])), np.ones(len(failed))]
            lost = encoding.features(as_rows([history.units[row] for row in failed], len(encoding.axes)))
            self._tunings[-1].request(np.concatenate([points[:MOST_SUCCESSES], lost]), standardise(marks, np.inf)[0])

    # What is proposed.

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`."""
        history, rng = self._history, generator(self._seed, 1, number)
        begun = len(self._epoch.rows) >= 4 and len(self._epoch.rows) + len(history.failed) >= self._initial
        explore, step = self._model_free() if begun and self._follows else (self._explore, self._step)
        if not begun or (explore and number % explore == explore - 1):
            return self._encoding.point(new_row(self._encoding, history, self._spread.row(number), rng))
        if step and number % step == step // 2:
            parents = as_rows([history.units[row] for row in self._leaders(5)], len(self._encoding.axes))
            row = np.nan_to_num(near(self._encoding, rng, parents, 1)[0], nan=0.5)
            return self._encoding.point(new_row(self._encoding, history, row, rng))
        with one_thread():
            model = self._followed()
            return self._encoding.point(self._proposed(model, rng))

    def _model_free(self) -> tuple[int, int]:
        """Every so many proposals are spread evenly, and taken a step away: half as many where the model is trusted."""
        if self._shares is None or self._shares[0] != self._epoch.index:
            with one_thread():
                share = self._surrogate(1).predicted_share()
            times = 2 if share >= TRUSTED else 1
            self._shares = (self._epoch.index, times * self._explore, times * self._step)
        return self._shares[1:]

    def _surrogate(self, room: int) -> Surrogate:
        """The model of this epoch as it began."""
        return Surrogate(self._encoding, self._history, self._epoch, self._tunings, room, counts_running=self._follows)

    def _followed(self) -> Surrogate:
        """The model of this epoch, with all that was told since."""
        if self._model is None:
            self._model = self._surrogate(3 * MOST_RUNNING)
            self._pool = self._candidates()
            self._model.watch(self._pool)
            self._applied = 0
        for event in self._tail[self._applied :]:
            if len(event) == 2:
                self._model.believe(*event)
            else:
                self._model.learn(*event)
        self._applied = len(self._tail)
        return self._model

    def _candidates(self) -> Array:
        rng, half = generator(self._seed, 2, self._epoch.index), (POOL if self._rich else LEAN_POOL) // 2
        best = [self._history.units[row] for row in self._leaders(10)]
        parents = as_rows(best, len(self._encoding.axes))
        return np.concatenate([anywhere(self._encoding, rng, half), near(self._encoding, rng, parents, half)])

    @property
    def _rich(self) -> bool:
        return len(self._epoch.rows) < self._fit_on

    def _leaders(self, count: int) -> list[int]:
        rows = list(self._epoch.rows)
        values = np.array([self._history.values[row] for row in rows])
        over = np.array([sum(max(one, 0.0) for one in self._history.excess[row]) for row in rows])
        leaders: list[int] = []
        for objective in range(values.shape[1]):
            order = np.lexsort((values[:, objective], over))
            leaders += [rows[index] for index in order[: max(1, count // values.shape[1])]]
        return leaders

    def _proposed(self, model: Surrogate, rng: np.random.Generator) -> Array:
        encoding, preference = self._encoding, self._taste(rng)
        scores = _rounded(model.watched(preference))
        first = np.argsort(-scores, kind="stable")[:20]
        rows, scores = self._pool[first], scores[first]
        rounds, brood, climbs, steps = RICH if self._rich else LEAN
        scale = 0.08
        for _ in range(rounds):
            young = near(encoding, rng, rows, brood, scale)
            rows = np.concatenate([rows, young])
            scores = np.concatenate([scores, _rounded(model.score(young, preference))])
            kept = np.argsort(-scores, kind="stable")[:20]
            rows, scores, scale = rows[kept], scores[kept], scale / 2
        polished = [model.polished(row, preference, steps) for row in rows[:climbs]]
        fine = encoding.snap(np.round(np.nan_to_num(np.array(polished), nan=0.5) * 2**20) / 2**20)
        rows = np.concatenate([rows, fine])
        scores = np.concatenate([scores, _rounded(model.score(fine, preference))])
        for index in np.argsort(-scores, kind="stable"):
            if not self._history.tried(rows[index]) and encoding.allowed(rows[index]):
                return np.asarray(rows[index])
        return new_row(encoding, self._history, rows[0], rng)

    def _taste(self, rng: np.random.Generator) -> Preference:
        count = len(self._goal.metrics)
        weights = rng.dirichlet(np.ones(count))
        draws = rng.standard_normal((24, count))
        return Preference(weights=weights, draws=draws)


def _rounded(scores: Array) -> Array:
    """Scores to nine digits after the point: nearer ones are equal, and the first of them is taken."""
    return np.round(scores, 9)
