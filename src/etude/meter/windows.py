"""Windows: marked intervals that nest. Marking costs about a microsecond; everything else is worked out afterwards."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

RUN = -1
"""The window around all windows: the measured work itself."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch during which no window begins or ends."""

    start_ns: int
    end_ns: int
    owners: tuple[int, ...]
    """The innermost windows open at the time: one, or several where they overlap without nesting; never empty."""


@dataclass(slots=True)
class Windows:
    """All windows of one measured piece of work, as columns: a window is its index."""

    names: list[str] = field(default_factory=list)
    """The distinct names, in the order of their first use."""
    name_of: array[int] = field(default_factory=lambda: array("l"))
    parent_of: array[int] = field(default_factory=lambda: array("q"))
    start_ns: array[int] = field(default_factory=lambda: array("q"))
    end_ns: array[int] = field(default_factory=lambda: array("q"))
    """0 while the window is open."""
    start_cpu_ns: array[int] = field(default_factory=lambda: array("q"))
    end_cpu_ns: array[int] = field(default_factory=lambda: array("q"))
    events: array[int] = field(default_factory=lambda: array("q"))
    """The order of things: a window's index + 1 where it begins, the same negative where it ends."""
    _ids: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __len__(self) -> int:
        return len(self.name_of)

    def begin(self, name: str, parent: int, ns: int, cpu_ns: int) -> int:
        """Mark the beginning of a window and return its index."""
        with self._lock:
            name_id = self._ids.get(name)
            if name_id is None:
                name_id = self._ids[name] = len(self.names)
                self.names.append(name)
            index = len(self.name_of)
            self.name_of.append(name_id)
            self.parent_of.append(parent)
            self.start_ns.append(ns)
            self.end_ns.append(0)
            self.start_cpu_ns.append(cpu_ns)
            self.end_cpu_ns.append(0)
            self.events.append(index + 1)
            return index

    def end(self, index: int, ns: int, cpu_ns: int) -> None:
        """Mark its end."""
        with self._lock:
            self.end_ns[index] = ns
            self.end_cpu_ns[index] = cpu_ns
            self.events.append(-(index + 1))

    def copied(self) -> Windows:
        """The windows as they are now."""
        with self._lock:
            return Windows(
                list(self.names),
                self.name_of[:],
                self.parent_of[:],
                self.start_ns[:],
                self.end_ns[:],
                self.start_cpu_ns[:],
                self.end_cpu_ns[:],
                self.events[:],
            )

    def close_all(self, ns: int, cpu_ns: int) -> int:
        """End the windows that are still open, innermost first, and return how many there were."""
        still_open = [index for index in range(len(self) - 1, -1, -1) if self.end_ns[index] == 0]
        for index in still_open:
            self.end(index, ns, cpu_ns)
        return len(still_open)

    def name(self, index: int) -> str:
        """The name of a window."""
        return self.names[self.name_of[index]]

    def wall_s(self, index: int) -> float:
        """How long a window was open."""
        return (self.end_ns[index] - self.start_ns[index]) / 1e9

    def cpu_s(self, index: int) -> float:
        """CPU seconds of the process tree while it was open."""
        return (self.end_cpu_ns[index] - self.start_cpu_ns[index]) / 1e9

    def marks(self) -> Iterator[tuple[int, int]]:
        """Each mark's time and CPU time, in nanoseconds, in order."""
        for event in self.events:
            index = abs(event) - 1
            if event > 0:
                yield self.start_ns[index], self.start_cpu_ns[index]
            else:
                yield self.end_ns[index], self.end_cpu_ns[index]

    def paths(self) -> tuple[list[str], list[int]]:
        """The distinct paths (`batch/prefill`), and for each window the index of its path.

        A window stands after its parent, so one pass is enough.
        """
        paths: list[str] = []
        known: dict[tuple[int, int], int] = {}
        path_of: list[int] = []
        for index in range(len(self)):
            parent = self.parent_of[index]
            above = RUN if parent == RUN else path_of[parent]
            key = (above, self.name_of[index])
            if key not in known:
                known[key] = len(paths)
                name = self.name(index)
                paths.append(name if above == RUN else f"{paths[above]}/{name}")
            path_of.append(known[key])
        return paths, path_of


def segments(windows: Windows, start_ns: int, end_ns: int) -> list[Segment]:
    """Cut the run at every mark and say which windows are innermost in each piece.

    The pieces tile the run: none is missing, none overlaps, so what is shared out over them adds up to the run.
    """
    leaves: dict[int, None] = {RUN: None}
    open_children: dict[int, int] = {RUN: 0}
    cut: list[Segment] = []
    at_ns = start_ns
    for event in windows.events:
        index = abs(event) - 1
        moment = windows.start_ns[index] if event > 0 else windows.end_ns[index]
        moment = min(max(moment, at_ns), end_ns)
        if moment > at_ns:
            cut.append(Segment(at_ns, moment, tuple(leaves)))
            at_ns = moment
        if event > 0:
            _open(windows, index, leaves, open_children)
        else:
            _close(windows, index, leaves, open_children)
    if end_ns > at_ns or not cut:
        cut.append(Segment(at_ns, end_ns, tuple(leaves)))
    return cut


def _open(windows: Windows, index: int, leaves: dict[int, None], open_children: dict[int, int]) -> None:
    parent = windows.parent_of[index]
    if parent in open_children:
        open_children[parent] += 1
        leaves.pop(parent, None)
    open_children[index] = 0
    leaves.pop(RUN, None)
    leaves[index] = None


def _close(windows: Windows, index: int, leaves: dict[int, None], open_children: dict[int, int]) -> None:
    leaves.pop(index, None)
    open_children.pop(index, None)
    parent = windows.parent_of[index]
    if parent in open_children:
        open_children[parent] -= 1
        if open_children[parent] == 0 and parent != RUN:
            leaves[parent] = None
    if not leaves:
        leaves[RUN] = None
