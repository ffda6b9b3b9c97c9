"""How much of the objective's variance over the space each param explains, alone and together with others.

Source: functional ANOVA on a forest, Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing
Hyperparameter Importance, 2014. Single effects are exact sums over the boxes of each tree; total effects are Jansen's
estimate (Analysis of variance designs for model output, 1999) on the same trees. Intervals are those of forests on
resampled trials: they tell what these trials leave open, not what the forest cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from etude.analysis.search.encoding import Floats, encode
from etude.analysis.search.results import SearchResults

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 20
"""Trials with values that a forest needs to say anything."""
MOST = 1_000
"""Trials that forests are fitted to."""
RESAMPLES = 24
TREES = 8
"""In each resample's forest."""
DRAWS = 256
"""Points of the space at which total effects are taken, in each resample."""
GRID = 41
"""Places of an effect's curve."""


class Effect(NamedTuple):
    """What the objective is expected to be along one param, everything else averaged out."""

    units: tuple[float, ...]
    """Places from 0 to 1; of options the middle of each."""
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """95 % of the resamples."""


class Importance(NamedTuple):
    """One param."""

    name: str
    alone: float
    """Share of the variance that it explains by itself, 0 to 1."""
    alone_interval: tuple[float, float]
    """95 % of the resamples."""
    total: float
    """The same with all that it explains together with others; at least `alone`."""
    total_interval: tuple[float, float]
    trials: int
    """That the forests saw; of a conditional param those where it is active."""
    conditional: bool
    effect: Effect


class Importances(NamedTuple):
    """All params, the most important first."""

    params: tuple[Importance, ...]
    fit: float | None
    """Share of the variance that the forests explain in trials that they have not seen (out of bag), at least 0."""
    notes: tuple[str, ...]


def importances(results: SearchResults, at: int = 0, seed: int = 0) -> Importances:
    """Reckon importances; none and a note where there are too few trials.

    Of a param that is active for some values of another only, variance is that among the trials where it is active.
    """
    data = encode(results, at, MOST, seed)
    if len(data.values) < FEWEST or np.ptp(data.values) == 0:
        why = f"{len(data.values)} trials have values, {FEWEST} are needed"
        if len(data.values) >= FEWEST:
            why = "all trials have the same value"
        return Importances((), None, (f"no importances: {why}",))
    notes = [f"{data.fenced} values far outside the others count as less far"] if data.fenced else []
    whole = _Resampled(data.units, data.values, results, seed)
    params = []
    for index, dimension in enumerate(results.dimensions):
        active = ~np.isnan(data.units[:, index])
        conditional = not active.all()
        if conditional and (active.sum() < FEWEST or np.ptp(data.values[active]) == 0):
            notes.append(f"{dimension.name}: active in {int(active.sum())} trials, too few")
            continue
        forests = _Resampled(data.units[active], data.values[active], results, seed) if conditional else whole
        params.append(forests.importance(index, conditional=conditional))
    params.sort(key=lambda each: (-each.total, -each.alone, each.name))
    return Importances(tuple(params), whole.fit, tuple(notes))


class _Resampled:
    """Forests on resamples of some trials, each with its boxes."""

    def __init__(self, units: Floats, values: Floats, results: SearchResults, seed: int) -> None:
        self.results, self.trials = results, len(values)
        filled = np.where(np.isnan(units), 0.5, units)
        rng = np.random.default_rng(seed)
        self.forests = []
        seen, guessed = np.zeros(len(values)), np.zeros(len(values))
        for resample in range(RESAMPLES):
            chosen = rng.integers(0, len(values), len(values))
            forest = _forest(filled[chosen], values[chosen], seed + resample)
            self.forests.append((forest, [_boxes(tree.tree_, filled.shape[1]) for tree in forest.estimators_]))
            unseen = np.setdiff1d(np.arange(len(values)), chosen)
            if len(unseen):
                guessed[unseen] += forest.predict(filled[unseen])
                seen[unseen] += 1
        known = seen > 0
        errors = values[known] - guessed[known] / seen[known]
        spread = values[known].var()
        self.fit = max(0.0, float(1 - errors.var() / spread)) if spread > 0 else None
        self.totals = self._totals(filled.shape[1], seed)

    def _totals(self, width: int, seed: int) -> Floats:
        """For each resample and dimension the share of the variance that goes when all but it is known."""
        from scipy.stats import qmc

        drawn = qmc.Sobol(2 * width, seed=seed).random(DRAWS)
        here, other = drawn[:, :width], drawn[:, width:]
        moved = np.repeat(here[None], width, axis=0)
        for index in range(width):
            moved[index, :, index] = other[:, index]
        asked = np.concatenate([here[None], moved]).reshape(-1, width)
        shares = np.zeros((len(self.forests), width))
        for row, (forest, _) in enumerate(self.forests):
            told = forest.predict(asked).reshape(width + 1, DRAWS)
            spread = told.var()
            if spread > 0:
                shares[row] = ((told[1:] - told[0]) ** 2).mean(axis=1) / 2 / spread
        return shares

    def importance(self, index: int, *, conditional: bool) -> Importance:
        dimension = self.results.dimensions[index]
        if dimension.numeric:
            places = np.linspace(0, 1, GRID)
        else:
            places = (np.arange(len(dimension.options)) + 0.5) / len(dimension.options)
        alone, curves = [], []
        for _, trees in self.forests:
            parts = [_marginal(boxes, index, places) for boxes in trees]
            total = sum(boxes.variance for boxes in trees)
            alone.append(sum(part[0] for part in parts) / total if total > 0 else 0.0)
            curves.append(np.mean([part[1] for part in parts], axis=0))
        single = np.array(alone)
        both = np.maximum(self.totals[:, index], single)
        low, high = np.quantile(curves, [0.025, 0.975], axis=0)
        return Importance(
            name=dimension.name,
            alone=float(single.mean()),
            alone_interval=_interval(single),
            total=float(both.mean()),
            total_interval=_interval(both),
            trials=self.trials,
            conditional=conditional,
            effect=Effect(
                tuple(places.tolist()),
                tuple(np.mean(curves, axis=0).tolist()),
                tuple(low.tolist()),
                tuple(high.tolist()),
            ),
        )


class _Boxes(NamedTuple):
    """The leaves of one tree. L leaves, d dimensions."""

    low: Floats
    high: Floats
    """Shape (L, d)."""
    value: Floats
    volume: Floats
    mean: float
    variance: float


def _forest(units: Floats, values: Floats, seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(
        n_estimators=TREES,
        min_samples_leaf=max(2, len(values) // 250),
        bootstrap=False,
        random_state=seed,
        n_jobs=1,
    ).fit(units, values)


def _boxes(tree: Any, width: int) -> _Boxes:
    low, high = np.zeros((tree.node_count, width)), np.ones((tree.node_count, width))
    for node in range(tree.node_count):  # a parent always stands before its children
        left, right = tree.children_left[node], tree.children_right[node]
        if left != -1:
            low[left], high[left], low[right], high[right] = low[node], high[node], low[node], high[node]
            high[left, tree.feature[node]] = low[right, tree.feature[node]] = tree.threshold[node]
    leaf = tree.children_left == -1
    value, volume = tree.value[leaf, 0, 0], (high[leaf] - low[leaf]).prod(axis=1)
    mean = float((value * volume).sum())
    return _Boxes(low[leaf], high[leaf], value, volume, mean, float((volume * (value - mean) ** 2).sum()))


def _marginal(boxes: _Boxes, index: int, places: Floats) -> tuple[float, Floats]:
    """The variance of a tree along one dimension, all others averaged out, and the values at some places."""
    low, high = boxes.low[:, index], boxes.high[:, index]
    cuts = np.unique(np.concatenate([[0.0, 1.0], low, high]))
    parts = boxes.value * boxes.volume / (high - low)
    steps = np.zeros(len(cuts))
    np.add.at(steps, np.searchsorted(cuts, low), parts)
    np.subtract.at(steps, np.searchsorted(cuts, high), parts)
    levels = np.cumsum(steps)[:-1]
    variance = float((np.diff(cuts) * (levels - boxes.mean) ** 2).sum())
    at = np.clip(np.searchsorted(cuts, places, side="right") - 1, 0, len(levels) - 1)
    return variance, levels[at]


def _interval(values: Sequence[float] | Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
