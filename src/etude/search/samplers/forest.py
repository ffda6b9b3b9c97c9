"""The native forest sampler: extremely randomised trees, for surfaces with steps and cliffs.

Shapes: n results fitted on, m points looked at, t trees, d dimensions, f features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from etude.search.samplers.acquisition import chebyshev
from etude.search.samplers.candidates import anywhere, near
from etude.search.samplers.encoding import Array, Encoding, as_rows, seeded
from etude.search.samplers.history import History
from etude.search.samplers.protocol import Told
from etude.search.samplers.quasirandom import Spread, fresh
from etude.search.space import Point, Space
from etude.search.trials import Goal

POOL = 600
"""Candidates looked at anew whenever the trees are."""
YOUNG = 64
"""Candidates near the best of those, looked at for each proposal."""
MOST_FAILED = 256


class ForestSampler:
    """Trees on a capped set of results; each proposal is optimistic by an amount of its own, as running ones ask for.

    The point of least `mean - kappa * deviation` over the trees is proposed, with kappa drawn for each proposal from an
    exponential distribution whose mean falls over `period` proposals and then rises again. Points near running
    ones count as less promising. The trees are grown anew after every few results, more the more there are.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        seed: int,
        *,
        initial: int = 12,
        trees: int = 48,
        fit_on: int = 600,
        kappa: float = 1.0,
        kappa_least: float = 0.05,
        period: int = 25,
    ) -> None:
        """Args:
        space: Where to look.
        goal: What to look for.
        seed: Of everything random.
        initial: Results to have before trees are trusted; until then points are spread evenly.
        trees: How many.
        fit_on: Greatest number of results to fit on: the best half and a random half.
        kappa: Mean optimism, in deviations, at the start of a period.
        kappa_least: The same at its end.
        period: Proposals in a period.
        """
        self._encoding = Encoding(space)
        self._goal = goal
        self._seed = seed
        self._initial = initial
        self._trees = trees
        self._fit_on = fit_on
        self._kappas = kappa * (kappa_least / kappa) ** (np.arange(period) / max(period - 1, 1))
        self._history = History(self._encoding, seed)
        self._spread = Spread(len(self._encoding.axes), seed)
        self._tells = self._told_at = 0
        self._rows: tuple[int, ...] = ()
        self._failed: tuple[int, ...] = ()
        self._fitted: _Fitted | None = None

    def pend(self, number: int, point: Point) -> None:
        """Take in that a point runs."""
        self._history.pend(number, point)

    def tell(self, number: int, point: Point, told: Told) -> None:
        """Take in what became of a point."""
        self._history.tell(number, point, told)
        self._tells += 1
        if self._tells - self._told_at >= self._length():
            self._told_at, self._fitted = self._tells, None
            self._rows = tuple(self._history.chosen(self._fit_on))
            self._failed = tuple(self._history.failed[-MOST_FAILED:])

    def _length(self) -> int:
        return 1 + self._tells // 50 if self._tells < 1_000 else 160

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`."""
        history, encoding, rng = self._history, self._encoding, seeded(self._seed, 1, number)
        if len(self._rows) < 4 or len(self._rows) + len(self._failed) < self._initial:
            return encoding.point(fresh(encoding, history, self._spread.row(number), rng))
        fitted = self._fitted = self._fitted or self._grown()
        kappa = float(rng.exponential(self._kappas[number % len(self._kappas)]))
        weights = rng.dirichlet(np.ones(len(self._goal.metrics)))
        scores = fitted.scores(weights, kappa)
        first = np.argsort(-scores, kind="stable")[:8]
        young = near(encoding, rng, fitted.pool[first], YOUNG)
        rows = np.concatenate([fitted.pool[np.argsort(-scores, kind="stable")[:YOUNG]], young])
        total = fitted.looked(encoding, rows).scores(weights, kappa) - self._crowding(rows)
        for index in np.argsort(-total, kind="stable"):
            if not history.tried(rows[index]) and encoding.allowed(rows[index]):
                return encoding.point(rows[index])
        return encoding.point(fresh(encoding, history, rows[0], rng))

    def _crowding(self, rows: Array) -> Array:
        """How much running points nearby take from rows (m, d)."""
        running = list(self._history.pending.values())[-64:]
        if not running:
            return np.zeros(len(rows))
        ours, theirs = self._encoding.features(rows), self._encoding.features(as_rows(running, rows.shape[1]))
        apart = np.abs(ours[:, None, :] - theirs[None, :, :]).mean(2)
        return np.asarray(np.exp(-apart / 0.02).sum(1))

    def _grown(self) -> _Fitted:
        history, encoding = self._history, self._encoding
        rows = list(self._rows)
        units = as_rows([history.units[row] for row in rows], len(encoding.axes))
        points = encoding.features(units)
        values = np.array([history.values[row] for row in rows])
        over = np.array([sum(max(one, 0.0) for one in history.excess[row]) for row in rows])
        rng = seeded(self._seed, 2, self._told_at)
        order = np.lexsort((values[:, 0], over)) if values.shape[1] == 1 else np.lexsort((values.sum(1), over))
        parents = units[order[:12]]
        pool = np.concatenate([anywhere(encoding, rng, POOL // 4), near(encoding, rng, parents, POOL - POOL // 4)])
        targets = [_normal_scores(np.lexsort((column, over))) for column in values.T]
        forests = [self._forest(points, target, rng) for target in targets]
        failing = None
        if len(self._failed) >= 3:
            lost = encoding.features(as_rows([history.units[row] for row in self._failed], len(encoding.axes)))
            marks = np.r_[np.zeros(len(points)), np.ones(len(lost))]
            failing = self._forest(np.concatenate([points, lost]), marks, rng)
        return _Fitted(forests, failing, pool, *_moments(encoding, forests, failing, pool))

    def _forest(self, points: Array, values: Array, rng: np.random.Generator) -> Forest:
        return grown(points, values, self._trees, int(rng.integers(2**31)))


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Trees, and what they say of a pool of rows."""

    forests: list[Forest]
    failing: Forest | None
    pool: Array
    means: Array
    deviations: Array
    succeeding: Array

    def scores(self, weights: Array, kappa: float) -> Array:
        """How promising the pool's rows are, shape (m,)."""
        low = self.means - kappa * self.deviations
        value = low[0] if len(low) == 1 else chebyshev(low - low.min(1, keepdims=True), weights)
        return np.asarray(-value + np.log(self.succeeding))

    def looked(self, encoding: Encoding, rows: Array) -> _Fitted:
        """The same trees on other rows."""
        return _Fitted(self.forests, self.failing, rows, *_moments(encoding, self.forests, self.failing, rows))


def _moments(
    encoding: Encoding, forests: list[Forest], failing: Forest | None, rows: Array
) -> tuple[Array, Array, Array]:
    points = encoding.features(rows)
    said = [forest.predict(points) for forest in forests]
    succeeding = np.ones(len(rows)) if failing is None else np.clip(1.0 - failing.predict(points)[0], 0.02, 1.0)
    return np.array([mean for mean, _ in said]), np.array([deviation for _, deviation in said]), succeeding


def _normal_scores(order: NDArray[np.intp]) -> Array:
    """Standard normal quantiles by rank: what matters is which is better, not by how much."""
    from scipy.special import ndtri

    scores = np.empty(len(order))
    scores[order] = ndtri((np.arange(len(order)) + 0.5) / len(order))
    return scores


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees in one set of arrays, so that a look at all of them is one walk down."""

    roots: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: Array
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    value: Array
    depth: int

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation over trees, shape (m,) each, at features (m, f)."""
        node = np.broadcast_to(self.roots[None, :], (len(points), len(self.roots))).copy()
        own = np.arange(len(points))[:, None]
        for _ in range(self.depth):
            down = points[own, self.feature[node]] <= self.threshold[node]
            node = np.where(down, self.left[node], self.right[node])
        said = self.value[node]
        return said.mean(1), said.std(1)


def grown(points: Array, values: Array, trees: int, seed: int) -> Forest:
    """Extremely randomised trees on features (n, f) and values (n,).

    Source: Geurts et al. (2006); grown by scikit-learn on one thread.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(trees, min_samples_split=4, random_state=seed, n_jobs=1)
    grown_trees: list[Any] = [one.tree_ for one in model.fit(points.astype(np.float32), values).estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in grown_trees[:-1])])
    leaf = np.concatenate([tree.children_left < 0 for tree in grown_trees])
    own = np.arange(len(leaf))
    shift = np.repeat(starts, [tree.node_count for tree in grown_trees])
    left = np.concatenate([tree.children_left for tree in grown_trees]) + shift
    right = np.concatenate([tree.children_right for tree in grown_trees]) + shift
    return Forest(
        starts,
        np.where(leaf, 0, np.concatenate([tree.feature for tree in grown_trees])),
        np.concatenate([tree.threshold for tree in grown_trees]),
        np.where(leaf, own, left),
        np.where(leaf, own, right),
        np.concatenate([tree.value[:, 0, 0] for tree in grown_trees]),
        max(int(tree.max_depth) for tree in grown_trees),
    )
