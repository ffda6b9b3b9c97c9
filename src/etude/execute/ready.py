"""The nodes that could start now, in the order of the plan, those of equal needs together."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from etude.graph.pipeline import Needs

Admits = Callable[[Needs], bool]


@dataclass(slots=True, kw_only=True)
class ReadyNodes:
    """Nodes wait by their needs, so that a thousand that find no room do not hide the one that would."""

    _heaps: dict[Needs, list[tuple[int, str]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._heaps)

    def push(self, needs: Needs, position: int, fingerprint: str) -> None:
        """Add a node."""
        heapq.heappush(self._heaps.setdefault(needs, []), (position, fingerprint))

    def pop(self, admits: Admits) -> str | None:
        """The first node of those whose needs are admitted now; None where there is none."""
        admitted = [(heap[0], needs) for needs, heap in self._heaps.items() if admits(needs)]
        if not admitted:
            return None
        _, needs = min(admitted, key=lambda entry: entry[0])
        heap = self._heaps[needs]
        _, fingerprint = heapq.heappop(heap)
        if not heap:
            del self._heaps[needs]
        return fingerprint

    def any(self, admits: Admits) -> bool:
        """Whether a node could start now."""
        return any(admits(needs) for needs in self._heaps)

    def clear(self) -> None:
        """Forget all."""
        self._heaps.clear()
