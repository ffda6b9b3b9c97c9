"""Windows: marked intervals that nest. Marking costs about a microsecond; everything else is worked out afterwards."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

RUN = -1
"""The window around all windows: the measured work itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch during which no window begins or ends."""

    start_ns: int
    end_ns: int
    owners: tuple[int, ...]
    """The innermost windows open at the time: one, or several where they overlap without nesting; never empty."""


@dataclass(slots=True, kw_only=True)
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
    thread_of: array[int] = field(default_factory=lambda: array("q"))
    """The thread that opened each."""
    thread_cpu_ns: array[int] = field(default_factory=lambda: array("q"))
    """CPU time of that thread while the window was open; negative while it is open, and -1 where it was not told."""
    events: array[int] = field(default_factory=lambda: array("q"))
    """The order of things: a window's index + 1 where it begins, the same negative where it ends."""
    _ids: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __len__(self) -> int:
        return len(self.name_of)

    def begin(self, name: str, parent: int, ns: int, cpu_ns: int, thread: int = 0, thread_cpu_ns: int = 0) -> int:
        """Mark the beginning of a window, in this thread and at its CPU time, and return its index."""
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
            self.thread_of.append(thread)
            self.thread_cpu_ns.append(-2 - thread_cpu_ns)
            self.events.append(index + 1)
            return index

    def end(self, index: int, ns: int, cpu_ns: int, thread: int = -1, thread_cpu_ns: int = 0) -> None:
        """Mark its end; in another thread than it began in, that one's CPU time is not known."""
        with self._lock:
            self.end_ns[index] = ns
            self.end_cpu_ns[index] = cpu_ns
            own = thread == self.thread_of[index]
            self.thread_cpu_ns[index] = thread_cpu_ns + self.thread_cpu_ns[index] + 2 if own else -1
            self.events.append(-(index + 1))

    def copy(self) -> Windows:
        """The windows as they are now."""
        with self._lock:
            return Windows(
                names=list(self.names),
                name_of=self.name_of[:],
                parent_of=self.parent_of[:],
                start_ns=self.start_ns[:],
                end_ns=self.end_ns[:],
                start_cpu_ns=self.start_cpu_ns[:],
                end_cpu_ns=self.end_cpu_ns[:],
                thread_of=self.thread_of[:],
                thread_cpu_ns=self.thread_cpu_ns[:],
                events=self.events[:],
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
        """CPU seconds of the process tree while it was open, whatever else ran beside it."""
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
            cut.append(Segment(start_ns=at_ns, end_ns=moment, owners=tuple(leaves)))
            at_ns = moment
        if event > 0:
            _open(windows, index, leaves, open_children)
        else:
            _close(windows, index, leaves, open_children)
    if end_ns > at_ns or not cut:
        cut.append(Segment(start_ns=at_ns, end_ns=end_ns, owners=tuple(leaves)))
    return cut


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """CPU time of one window."""

    seconds: float | None
    method: str = ""
    """How it was got where others ran beside it, or why it is not known."""


_BY_THREAD = "its own thread alone: windows of other threads were open beside it"
_MIXED = "not known: windows overlapped in its thread"


def cpu_times(windows: Windows, pieces: Sequence[Segment]) -> list[CpuTime]:
    """CPU time of each window: of all processes, unless others were open beside it, inside of neither.

    Then it is the time of the thread that opened it, and of the threads of the windows inside; what libraries' own
    threads computed for it is not in that. Where windows of one thread overlap (asynchronous tasks), nobody can tell.
    """
    beside, mixed = _overlaps(windows, pieces)
    whole: list[int | None] = [None if own < 0 else own for own in windows.thread_cpu_ns]
    for index in range(len(windows) - 1, -1, -1):
        parent, told, above = windows.parent_of[index], whole[index], None
        if parent == RUN:
            continue
        above = whole[parent]
        if windows.thread_of[parent] == windows.thread_of[index]:
            told = None if told is None else told - windows.thread_cpu_ns[index]
        whole[parent] = None if told is None or above is None else above + told
    found = []
    for index, own_ns in enumerate(whole):
        if index not in beside:
            found.append(CpuTime(seconds=windows.cpu_s(index)))
        elif index in mixed or own_ns is None:
            found.append(CpuTime(seconds=None, method=_MIXED))
        else:
            found.append(CpuTime(seconds=own_ns / 1e9, method=_BY_THREAD))
    return found


def _overlaps(windows: Windows, pieces: Sequence[Segment]) -> tuple[set[int], set[int]]:
    """Windows that were open beside others, inside of neither; and those of them that shared their thread."""
    beside: set[int] = set()
    mixed: set[int] = set()
    for piece in pieces:
        if len(piece.owners) == 1:
            continue
        threads = Counter(windows.thread_of[owner] for owner in piece.owners)
        under: dict[int, Counter[int]] = {}
        for owner in piece.owners:
            at = owner
            while at != RUN and windows.end_ns[at] > piece.start_ns:
                under.setdefault(at, Counter())[windows.thread_of[owner]] += 1
                at = windows.parent_of[at]
        for index, inside in under.items():
            if inside.total() < len(piece.owners):
                beside.add(index)
                if inside[windows.thread_of[index]] < threads[windows.thread_of[index]]:
                    mixed.add(index)
    return beside, mixed


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
