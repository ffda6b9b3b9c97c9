"""What is known of the nodes of a run: which wait, may start, run or have ended, and how they pass from one to another.

It knows no clock, no store and no backend, and decides nothing that needs one: the runner asks, acts and tells it.

    laid out ──▶ waiting ──▶ ready ──▶ entered ──▶ running ──▶ finished
        │           │                     │           │  └───▶ to be tried again ──▶ ready
        └───────────┴──▶ blocked          │           └──────▶ ended badly; what reads it is blocked
                                          └──▶ elsewhere: another run computes it
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum

from etude.execute.task import Outcome
from etude.graph.node import Made, Node, input_contents
from etude.graph.pipeline import Needs
from etude.graph.plan import Action, State
from etude.store.lease import Lease

Admits = Callable[[Needs], bool]
BadEnd = tuple[Node, Outcome]
"""The node at fault, and its outcome."""


@dataclass(slots=True, kw_only=True)
class ReadyNodes:
    """The nodes that could start now, in the order of the plan.

    They wait by their needs, so that a thousand that find no room do not hide the one that would.
    """

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


class LaidOut(Enum):
    """What became of a node that was laid out."""

    KNOWN = "known"
    """It had been laid out before."""
    PENDING = "pending"
    """It is to be run, or looked at again once what it reads is done."""
    FINISHED = "finished"
    """Its result is there."""
    BLOCKED = "blocked"
    """It reads what has ended badly."""
    UNNEEDED = "unneeded"


@dataclass(slots=True, kw_only=True)
class RunState:
    """The nodes of one run, by fingerprint."""

    actions: dict[str, Action] = field(default_factory=dict)
    """All that were laid out."""
    pending: set[str] = field(default_factory=set)
    """Laid out, and not ended in one way or another."""
    made: dict[str, Made] = field(default_factory=dict)
    ended_badly: dict[str, BadEnd] = field(default_factory=dict)
    """Failed, stopped or blocked."""
    blocked: set[str] = field(default_factory=set)
    waiting: dict[str, int] = field(default_factory=dict)
    """How many of the nodes that each reads are still to come."""
    readers: dict[str, list[str]] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    """Turn among those that could start."""
    ready: ReadyNodes = field(default_factory=ReadyNodes)
    contents: dict[str, dict[str, str]] = field(default_factory=dict)
    """Digests of what each reads, once it was entered."""
    running: dict[str, Lease] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    """Those of the running nodes whose attempt has begun."""
    attempts: dict[str, int] = field(default_factory=dict)
    deadlines_s: dict[str, float] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Who holds the lease of a node that another run computes."""
    retries: list[tuple[float, str]] = field(default_factory=list)
    """A heap: when each is to be tried again, in seconds of the runner's clock."""

    @property
    def in_hand(self) -> bool:
        """Whether anything runs, or will go on by itself."""
        return bool(self.running or self.elsewhere or self.retries)

    def node(self, fingerprint: str) -> Node:
        """A node that was laid out."""
        return self.actions[fingerprint].node

    # Laid out.

    def lay_out(self, action: Action, turn: int, again: Collection[str] = ()) -> LaidOut:
        """Take a planned node in.

        Args:
            action: The node, and what the plan says of it.
            turn: Its turn among those that could start, if it was not laid out before.
            again: Nodes that are laid out once more if they have ended.
        """
        fingerprint = action.node.fingerprint
        if fingerprint in self.actions and not self._renew(action, again):
            return LaidOut.KNOWN
        self.actions[fingerprint] = action
        self.positions.setdefault(fingerprint, turn)
        above = [other.fingerprint for other in action.node.upstream() if other.fingerprint in self.pending]
        at_fault = next(
            (bad for other in action.node.upstream() if (bad := self.ended_badly.get(other.fingerprint))), None
        )
        if at_fault is not None and action.state is State.RUN:
            self._block(fingerprint, at_fault)
            return LaidOut.BLOCKED
        if action.state is State.RUN or (action.state is State.CACHED and above):
            self.pending.add(fingerprint)
            self.waiting[fingerprint] = len(above)
            for other in above:
                self.readers.setdefault(other, []).append(fingerprint)
            if not above:
                self.make_ready(fingerprint)
            return LaidOut.PENDING
        if action.manifest is not None:
            self.made[fingerprint] = Made.of(action.manifest)
            return LaidOut.FINISHED
        return LaidOut.UNNEEDED

    def _renew(self, action: Action, again: Collection[str]) -> bool:
        """Forget how a node that was laid out before has ended, if it is to be laid out anew."""
        fingerprint = action.node.fingerprint
        if fingerprint in self.pending:
            return False
        if fingerprint in self.ended_badly or fingerprint in self.made:
            renewed = fingerprint in again and action.state is State.RUN
        else:
            renewed = action.state is not State.UNNEEDED
        if renewed:
            self.ended_badly.pop(fingerprint, None)
            self.made.pop(fingerprint, None)
            self.blocked.discard(fingerprint)
            self.attempts.pop(fingerprint, None)
            self.readers.pop(fingerprint, None)
        return renewed

    def bar(self, fingerprints: Collection[str], outcome: Outcome) -> list[str]:
        """Never start these. Gives what reads them, which is blocked."""
        blocked = []
        for fingerprint in self.waiting.keys() & set(fingerprints):
            self.blocked.add(fingerprint)
            blocked += self._block_readers(fingerprint, outcome)
        return blocked

    def withdraw(self, fingerprints: Collection[str]) -> list[str]:
        """Forget those of these that do not run, so that they may end. Gives which they are."""
        idle = (self.pending & set(fingerprints)) - self.running.keys()
        for fingerprint in idle:
            self.elsewhere.pop(fingerprint, None)
        self.retries = [entry for entry in self.retries if entry[1] not in idle]
        heapq.heapify(self.retries)
        return list(idle)

    def give_up(self) -> None:
        """Start nothing more; what runs goes on."""
        self.ready.clear()
        self.retries.clear()
        self.elsewhere.clear()
        self.blocked.update(self.waiting)

    # Started.

    def make_ready(self, fingerprint: str) -> None:
        """It may start as soon as it fits."""
        self.ready.push(self.node(fingerprint).needs, self.positions[fingerprint], fingerprint)

    def next_ready(self, admits: Admits) -> str | None:
        """The next that fits and is still to be started; one that does not fit does not hold up the others."""
        while (fingerprint := self.ready.pop(admits)) is not None:
            if fingerprint in self.pending and fingerprint not in self.blocked and fingerprint not in self.running:
                return fingerprint
        return None

    def enter(self, fingerprint: str) -> dict[str, str]:
        """Its turn has come: the digests of what it reads."""
        contents = input_contents(self.node(fingerprint), self.made)
        assert contents is not None, f"{self.node(fingerprint).label()} started before what it reads"
        self.contents[fingerprint] = contents
        return contents

    def wait_elsewhere(self, fingerprint: str, holder: str) -> bool:
        """Another run computes it. Gives whether that is news."""
        is_news = fingerprint not in self.elsewhere
        self.elsewhere[fingerprint] = holder
        return is_news

    def start(self, fingerprint: str, lease: Lease, deadline_s: float | None) -> int:
        """An attempt is made from now on. Gives its number."""
        attempt = self.attempts[fingerprint] = self.attempts.get(fingerprint, 0) + 1
        self.running[fingerprint] = lease
        if deadline_s is not None:
            self.deadlines_s[fingerprint] = deadline_s
        self.begun.discard(fingerprint)
        return attempt

    def begin(self, fingerprint: str) -> bool:
        """The attempt runs. Gives whether that is news."""
        is_news = fingerprint not in self.begun
        self.begun.add(fingerprint)
        return is_news

    # Ended.

    def end_attempt(self, fingerprint: str) -> Lease:
        """It no longer runs. Gives its lease, to be released when what follows is settled."""
        self.deadlines_s.pop(fingerprint, None)
        return self.running.pop(fingerprint)

    def finish(self, fingerprint: str, made: Made) -> None:
        """Its result is there: what waited for it alone may start."""
        self.made[fingerprint] = made
        self.pending.discard(fingerprint)
        for reader in self.readers.pop(fingerprint, ()):
            self.waiting[reader] -= 1
            if self.waiting[reader] == 0 and reader not in self.blocked:
                self.make_ready(reader)

    def end_badly(self, fingerprint: str, outcome: Outcome) -> list[str]:
        """It has no result and will have none. Gives what reads it, near or far, which is blocked."""
        self.pending.discard(fingerprint)
        self.ended_badly[fingerprint] = (self.node(fingerprint), outcome)
        return self._block_readers(fingerprint, outcome)

    def try_again(self, fingerprint: str, due_s: float) -> None:
        """Another attempt is to be made at this time."""
        heapq.heappush(self.retries, (due_s, fingerprint))

    def make_due_ready(self, now_s: float) -> None:
        """Those whose time to be tried again has come may start."""
        while self.retries and self.retries[0][0] <= now_s:
            _, fingerprint = heapq.heappop(self.retries)
            self.make_ready(fingerprint)

    def pop_overdue(self, now_s: float) -> list[str]:
        """Those that have run longer than they may, each once."""
        overdue = [fingerprint for fingerprint, deadline_s in self.deadlines_s.items() if now_s >= deadline_s]
        for fingerprint in overdue:
            del self.deadlines_s[fingerprint]
        return overdue

    def _block_readers(self, because: str, outcome: Outcome) -> list[str]:
        blocked = []
        stack = [because]
        while stack:
            for reader in self.readers.get(stack.pop(), ()):
                if reader in self.pending and reader not in self.blocked:
                    self._block(reader, (self.node(because), outcome))
                    blocked.append(reader)
                    stack.append(reader)
        return blocked

    def _block(self, fingerprint: str, at_fault: BadEnd) -> None:
        self.blocked.add(fingerprint)
        self.pending.discard(fingerprint)
        self.ended_badly[fingerprint] = at_fault
