"""How long nodes take by their name, as far as is known: what is small is not worth a message, or a job, of its own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from etude.graph.node import RECORDS_STEP

TOGETHER_S = 0.5
"""Nodes that go to a worker in one message take no longer than this together: their results come back together too."""
MOST_TOGETHER = 64
"""Most nodes in one message."""
SMALL_S = 1.0
"""Nodes that take no longer are not worth the wait for a job of their own."""
SMALL_WALLTIME_S = 10.0
"""Nor are those of which the study says that they take no longer than this."""
SMALL_ROOMS = ("etude.analysis.",)
"""Nor are étude's own steps that make tables of records."""
RECENT = 16
"""How many of a node's latest results count."""


@dataclass(slots=True, kw_only=True)
class Durations:
    """Durations of the nodes of a run."""

    _recent_s: dict[str, deque[float]] = field(default_factory=dict)

    def note(self, name: str, wall_s: object) -> None:
        """Take in how long a node of this name took; nothing where that was not measured."""
        if isinstance(wall_s, (int, float)):
            self._recent_s.setdefault(name, deque(maxlen=RECENT)).append(float(wall_s))

    def expected_s(self, name: str) -> float | None:
        """The mean of the latest nodes of this name; None where none is known."""
        known = self._recent_s.get(name)
        return sum(known) / len(known) if known else None

    def together(self, name: str) -> int:
        """How many nodes of this name may go to a worker in one message."""
        expected_s = self.expected_s(name)
        if expected_s is None:
            return 1
        return max(1, int(TOGETHER_S / max(expected_s, TOGETHER_S / MOST_TOGETHER)))

    def is_small(self, name: str, step: str, walltime_s: float | None) -> bool:
        """Whether a node is known to take so little that it should not queue.

        Args:
            name: The node's.
            step: Its step's.
            walltime_s: The longest that it may take, as the study says; None where it does not.
        """
        if step == RECORDS_STEP or step.startswith(SMALL_ROOMS):
            return True
        if walltime_s is not None and walltime_s <= SMALL_WALLTIME_S:
            return True
        known = self._recent_s.get(name)
        return known is not None and max(known) <= SMALL_S
