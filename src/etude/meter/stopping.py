"""When to stop measuring: as soon as the mean is known narrowly enough, and no later than allowed."""

from __future__ import annotations

from dataclasses import dataclass, field

from etude.errors import MeterError
from etude.meter.latency import LatencyEstimate, mean_interval

_GROWTH = 1.2
_AGREEING = 2
"""Looks in a row that must agree: a look that is narrow by luck does not stop the run."""


@dataclass(slots=True, kw_only=True)
class AdaptiveStop:
    """Collects observations and says when there are enough.

    Looking at an interval after each observation and stopping at the first that is narrow makes it too narrow. So this
    looks only when the sample has grown by a fifth, asks for two narrow looks in a row, and starts at a least size.
    """

    relative_half_width: float = 0.02
    """Half of the 95 % interval over the mean that is narrow enough, above 0."""
    least: int = 30
    most: int = 10_000
    sample: list[float] = field(default_factory=list)
    _next_look: int = 0
    _narrow: int = 0
    _estimate: LatencyEstimate | None = None

    def __post_init__(self) -> None:
        if not (self.relative_half_width > 0 and 4 <= self.least <= self.most):
            raise MeterError(
                f"adaptive stop: expected a width above 0 and 4 <= least <= most, got {self.relative_half_width}, "
                f"{self.least}, {self.most}"
            )
        self._next_look = self.least

    def add(self, observation: float) -> bool:
        """Take one observation. Returns whether there are enough."""
        self.sample.append(observation)
        if len(self.sample) >= min(self._next_look, self.most):
            self._estimate = mean_interval(self.sample)
            narrow = self._estimate.relative_half_width <= self.relative_half_width
            self._narrow = self._narrow + 1 if narrow else 0
            self._next_look = max(len(self.sample) + 1, round(len(self.sample) * _GROWTH))
        return self.done

    @property
    def done(self) -> bool:
        """Whether there are enough, or as many as are allowed."""
        return self._narrow >= _AGREEING or len(self.sample) >= self.most

    @property
    def converged(self) -> bool:
        """Whether the mean is known narrowly enough; False where the most allowed was reached first."""
        return self._narrow >= _AGREEING

    @property
    def estimate(self) -> LatencyEstimate:
        """The mean of all observations so far, with its interval."""
        return mean_interval(self.sample)
