"""What a Gaussian process says after some observations, kept so that one more point costs n² and not n³."""

from __future__ import annotations

import numpy as np

from etude.search.samplers.matern import Array, KernelScale, covariance


class Posterior:
    """The process given points and values. Points can be appended and values changed, one at a time.

    It keeps the inverse of the Cholesky factor, so that predictions are one matrix product and a new point one new row,
    and for a fixed set of m watched points their whitened covariances, so that these follow each change at little cost.
    """

    def __init__(
        self, points: Array, values: Array, scale: KernelScale, room: int, doubts: Array | None = None
    ) -> None:
        """Condition on n observations and on b points that are believed to be as expected.

        Args:
            points: Features, shape (n + b, f), those observed first.
            values: Observations, shape (n,).
            scale: Hyper-parameters.
            room: How many points may be appended.
            doubts: Of the first believed points, which failed: how surely others would fail there, 0 to 1. They are
                believed to be worse than expected, by one deviation or by that share of the way to the worst observed.
        """
        observed, count, width = len(values), int(points.shape[0]), int(points.shape[1])
        self.scale = scale
        self.count = count
        self._room = count + room
        self._points = np.empty((count + room, width))
        self._points[:count] = points * scale.roots
        self._values = np.empty(count + room)
        self._values[:observed] = values
        self._top = float(values.max(initial=0.0))
        self._inverse = np.zeros((count + room, count + room))
        self._solved = np.empty(count + room)
        self.smoothed: Array = np.empty(0)
        """The expected values without noise at the n observations, by these alone, shape (n,)."""
        if count:
            kernel = covariance(self._points[:count], self._points[:count], scale.signal)
            kernel[np.diag_indices(count)] += scale.noise
            self._inverse[:count, :count] = _inverse_factor(kernel)
            inverse = self._inverse[
                :observed, :observed
            ]  # the first rows of a lower factor are those of its first part
            solved = inverse @ values
            half = inverse @ kernel[:observed, observed:]
            self._values[observed:count] = expected = solved @ half
            if doubts is not None and len(doubts):
                expected, half = expected[: len(doubts)], half[:, : len(doubts)]
                left = np.sqrt(np.maximum(scale.signal - np.einsum("ij,ij->j", half, half), 0.0))
                lift = np.maximum(left, doubts * (values.max() - expected))
                self._values[observed : observed + len(doubts)] += lift
            self.smoothed = np.asarray(values - scale.noise * (solved @ inverse))
        self._watched = np.empty((0, width))
        self._half = np.empty((count + room, 0))
        self._spread = np.empty(0)
        self._solve()

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Expected values and variances (without noise), shape (m,) each, at features (m, f)."""
        half = self._whitened(points * self.scale.roots)
        spread = self.scale.signal - np.einsum("ij,ij->j", half, half)
        return self._solved[: self.count] @ half, np.maximum(spread, 1e-12)

    def slope(self, point: Array) -> tuple[float, float, Array, Array]:
        """The expected value and the variance at one point (f,), each with its gradient (f,)."""
        count, place = self.count, point * self.scale.roots
        apart = place - self._points[:count]
        distance = np.sqrt(np.einsum("ij,ij->i", apart, apart))
        decay = self.scale.signal * np.exp(-distance)
        cross = (1.0 + distance + distance**2 / 3.0) * decay
        by_place = (-(1.0 + distance) * decay / 3.0)[:, None] * apart
        inverse = self._inverse[:count, :count]
        half = inverse @ cross
        by_mean = (self._solved[:count] @ inverse) @ by_place
        by_variance = -2.0 * ((half @ inverse) @ by_place)
        variance = max(self.scale.signal - float(half @ half), 1e-12)
        return float(self._solved[:count] @ half), variance, by_mean * self.scale.roots, by_variance * self.scale.roots

    def watch(self, points: Array) -> None:
        """Follow the predictions at features (m, f) from now on."""
        self._watched = points * self.scale.roots
        self._half = np.empty((len(self._values), len(points)))
        self._half[: self.count] = self._whitened(self._watched)
        front = self._half[: self.count]
        self._spread = self.scale.signal - np.einsum("ij,ij->j", front, front)

    def watched(self) -> tuple[Array, Array]:
        """Expected values and variances, shape (m,) each, at the watched points."""
        return self._solved[: self.count] @ self._half[: self.count], np.maximum(self._spread, 1e-12)

    def left_out(self, first: int) -> Array:
        """What is expected at the observations from `first` on, each without itself, shape (n - first,).

        Source: Rasmussen and Williams (2006), equation 5.12.
        """
        inverse = self._inverse[: self.count, first : self.count]
        precision = np.einsum("ij,ij->j", inverse, inverse)
        return np.asarray(self._values[first : self.count] - (self._solved[: self.count] @ inverse) / precision)

    def append(self, point: Array, value: float | None = None, doubt: float | None = None) -> int:
        """Observe one more point (f,); returns its place among the observations.

        Args:
            point: Features.
            value: What was observed; None believes what is expected.
            doubt: How surely others would fail there, if the point failed: then it is believed to be worse.
        """
        count = self.count
        half = self._whitened((point * self.scale.roots)[None, :])[:, 0]
        left = self.scale.signal - float(half @ half)
        if value is None:
            value = float(self._solved[:count] @ half)
            if doubt is not None:
                value += max(float(np.sqrt(max(left, 0.0))), doubt * (self._top - value))
        root = float(np.sqrt(max(left, 0.0) + self.scale.noise))
        self._points[count] = point * self.scale.roots
        self._values[count] = value
        self._inverse[count, :count] = -(half @ self._inverse[:count, :count]) / root
        self._inverse[count, count] = 1.0 / root
        self._solved[count] = float(self._inverse[count, : count + 1] @ self._values[: count + 1])
        if self._half.shape[1]:
            cross = covariance(self._points[count : count + 1], self._watched, self.scale.signal)[0]
            row = (cross - half @ self._half[:count]) / root
            self._half[count] = row
            self._spread = self._spread - row * row
        self.count = count + 1
        return count

    def fail(self, place: int, doubt: float) -> None:
        """A believed point failed: believe it to be worse."""
        value = self.value(place)
        self.revalue(place, value + max(float(np.sqrt(self.scale.signal)), doubt * (self._top - value)))

    def revalue(self, place: int, value: float) -> None:
        """Put another value at an observation: a believed one has come true."""
        self._values[place] = value
        self._solve()

    def value(self, place: int) -> float:
        """The value at an observation, observed or believed."""
        return float(self._values[place])

    @property
    def full(self) -> bool:
        """Whether no further point can be appended."""
        return self.count == self._room

    def _whitened(self, places: Array) -> Array:
        cross = covariance(self._points[: self.count], places, self.scale.signal)
        return np.asarray(self._inverse[: self.count, : self.count] @ cross)

    def _solve(self) -> None:
        count = self.count
        self._solved[:count] = self._inverse[:count, :count] @ self._values[:count]


def _inverse_factor(kernel: Array) -> Array:
    """The inverse of the lower Cholesky factor."""
    from scipy.linalg import lapack

    factor, fault = lapack.dpotrf(kernel, lower=1, clean=1)
    if fault:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    inverse, _ = lapack.dtrtri(factor, lower=1)
    return np.asarray(inverse)
