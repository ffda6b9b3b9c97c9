"""A search space as arrays: many points at once, snapped to values, masked by conditions, written as features.

Shapes: n points, d dimensions, f features. Points are rows of the unit cube (n, d); what does not count is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from etude.search.dimensions import Choice, Dimension, Int
from etude.search.space import Point, Space

Array = NDArray[np.float64]

MOST_LEVELS = 2_000
"""A dimension with more values is taken as continuous by models; its places are still those of its values."""

PLACES = 12
"""Decimals by which two places on an axis are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeAxis:
    """One coordinate of the unit cube."""

    grid: Array | None
    """Places of its values, increasing; None where it is continuous."""
    edges: Array | None
    """Where one value's cell ends and the next begins, one fewer than the values."""
    choice: bool
    """Whether its values have no order."""
    when: tuple[tuple[int, tuple[float, ...]], ...]
    """It counts where each of these other coordinates counts and is at one of these places."""


class Encoding:
    """Array views of one space. Nothing in it changes after it is made."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.axes = tuple(_axis(space, name) for name in space.columns)
        self.order = _parents_first(self.axes)
        self._discrete = [
            (index, axis.grid, axis.edges)
            for index, axis in enumerate(self.axes)
            if axis.grid is not None and axis.edges is not None
        ]
        self._fine = [
            (index, space.dimensions[name])
            for index, (name, axis) in enumerate(zip(space.columns, self.axes, strict=True))
            if axis.grid is None and space.dimensions[name].count is not None
        ]
        self._ordered = [index for index, axis in enumerate(self.axes) if not axis.choice]
        self._choices = [
            (index, axis.grid) for index, axis in enumerate(self.axes) if axis.choice and axis.grid is not None
        ]
        self.width = len(self._ordered) + sum(len(grid) for _, grid in self._choices)
        self.continuous = np.array([axis.grid is None for axis in self.axes])
        self.choice = np.array([axis.choice for axis in self.axes])
        self.conditional = any(axis.when for axis in self.axes)
        self.feature_of = np.full(len(self.axes), -1)
        self.feature_of[self._ordered] = np.arange(len(self._ordered))

    def unit(self, point: Point) -> Array:
        """A point as a row, shape (d,)."""
        return self.space.to_unit(point)

    def point(self, unit: Array) -> dict[str, object]:
        """The point of a row, shape (d,)."""
        return self.space.from_unit(unit)

    def snap(self, units: Array) -> Array:
        """Rows (n, d) without NaN moved to the middle of their values' cells, what does not count set to NaN."""
        snapped = np.clip(units, 0.0, 1.0)
        for index, grid, edges in self._discrete:
            snapped[:, index] = grid[np.searchsorted(edges, snapped[:, index], side="right")]
        for index, dimension in self._fine:
            snapped[:, index] = _snap_finely(dimension, snapped[:, index])
        if self.conditional:
            snapped[~self.active(snapped)] = np.nan
        return snapped

    def active(self, units: Array) -> NDArray[np.bool_]:
        """Which coordinates of snapped rows count, shape (n, d)."""
        counted = np.ones(units.shape, dtype=bool)
        for index in self.order:
            for on, places in self.axes[index].when:
                near = np.abs(units[:, on, None] - np.array(places)[None, :]) < 1e-9
                counted[:, index] &= counted[:, on] & near.any(1)
        return counted

    def features(self, units: Array) -> Array:
        """What models see of snapped rows, shape (n, f): one-hot choices, the middle for what does not count."""
        ordered = np.nan_to_num(units[:, self._ordered], nan=0.5)
        if not self._choices:
            return ordered
        hot = [np.abs(units[:, index, None] - grid[None, :]) < 1e-9 for index, grid in self._choices]
        return np.concatenate([ordered, *hot], axis=1).astype(np.float64)

    def allowed(self, unit: Array) -> bool:
        """Whether a snapped row is none of the forbidden combinations."""
        return not self.space.forbidden or self.space.allows(self.point(unit))


def key_of(unit: Array) -> bytes:
    """A row's bytes: equal for snapped rows that are equal but for the rounding of a way to a point and back."""
    return (np.nan_to_num(unit, nan=-1.0).round(PLACES) + 0.0).tobytes()  # + 0.0: no zero below zero


def _axis(space: Space, name: str) -> CubeAxis:
    dimension = space.dimensions[name]
    conditions = [condition for condition in space.conditions if condition.dimension == name]
    when = tuple(
        (
            space.columns.index(condition.on),
            tuple(space.dimensions[condition.on].to_unit(value) for value in condition.values),
        )
        for condition in conditions
    )
    choice = isinstance(dimension, Choice)
    count = dimension.count
    if count is None or (count > MOST_LEVELS and not choice):
        return CubeAxis(grid=None, edges=None, choice=choice, when=when)
    grid, edges = _cells(dimension, count)
    return CubeAxis(grid=grid, edges=edges, choice=choice, when=when)


def _cells(dimension: Dimension, count: int) -> tuple[Array, Array]:
    if isinstance(dimension, Int) and dimension.log:
        values = np.arange(dimension.low, dimension.high + 1)
        width = np.log((dimension.high + 0.5) / (dimension.low - 0.5))
        return np.array([dimension.to_unit(int(value)) for value in values]), np.log(
            (values[:-1] + 0.5) / (dimension.low - 0.5)
        ) / width
    return (np.arange(count) + 0.5) / count, np.arange(1, count) / count


def _snap_finely(dimension: Dimension, places: Array) -> Array:
    """Places moved to the middle of their values' cells, of a dimension with too many values to list them."""
    if isinstance(dimension, Int) and dimension.log:
        low, high = np.log(dimension.low - 0.5), np.log(dimension.high + 0.5)
        values = np.clip(np.round(np.exp(low + places * (high - low))), dimension.low, dimension.high)
        return np.asarray((np.log(values) - low) / (high - low))
    count = dimension.count or 1
    return np.asarray((np.minimum(np.floor(places * count), count - 1) + 0.5) / count)


def _parents_first(axes: Sequence[CubeAxis]) -> list[int]:
    order: list[int] = []
    waiting = list(range(len(axes)))
    while waiting:
        ready = [index for index in waiting if all(on in order for on, _ in axes[index].when)]
        if not ready:
            break
        order += ready
        waiting = [index for index in waiting if index not in ready]
    return order


def generator(*words: int) -> np.random.Generator:
    """Random numbers that depend on these words alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(words))))


def as_rows(units: Sequence[Any], width: int) -> Array:
    """Rows stacked, shape (n, d), also where there are none."""
    return np.array(units, dtype=np.float64).reshape(len(units), width)
