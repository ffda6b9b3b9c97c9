"""The nodes of one pool: waiting, sent to workers, come back; and the jobs that run them, as many as are needed."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from etude.cluster.profile import Profile
from etude.cluster.refusals import refusal
from etude.errors import BackendError
from etude.execute.task import Outcome, Status, Task
from etude.pilots.attempt import Attempt, Cut
from etude.pilots.durations import Durations
from etude.pilots.mailbox import append
from etude.pilots.node_pools import NodePool, blocks_to_ask_for, blocks_to_give_back
from etude.pilots.parsl_engine import SILENCE_S, BlockState, PilotMachine
from etude.pilots.retry_policy import Next, Setbacks, after_attempt, after_loss

MOST_BAD = 3
"""After so many jobs in a row that ended before a worker came up, the pool is given up."""


REST_S = 2.0
"""How long a node that was cut short waits: until then its job is known to take no more."""
IDLE = "given back: it had nothing to do"
LEAVE_S = 30.0
"""How long a job that was asked to end by itself may take before the scheduler ends it."""
REFUSED = "étude:"
"""Begins what a job says that cannot run the study's nodes, and will not on another try."""


class PilotEngine(Protocol):
    """What moves calls to workers and asks for jobs. See `etude.pilots.parsl_engine`."""

    def submit(self, buffer: bytes, done: Callable[[Future[Any]], None]) -> None: ...
    def ask_for(self, count: int) -> None: ...
    def blocks(self) -> dict[str, BlockState]: ...
    def machines(self) -> list[PilotMachine]: ...
    def hold(self, blocks: list[str]) -> None: ...
    def give_back(self, blocks: list[str]) -> None: ...
    def close(self, left: Collection[str] = ()) -> None: ...


@dataclass(slots=True, kw_only=True, eq=False)
class QueuedNode:
    """One node that was handed to the cluster."""

    call: Task
    future: Future[Outcome]
    record: Setbacks = field(default_factory=Setbacks)
    ticket: str = ""
    """Names the attempt under way, for orders and news."""
    block: str | None = None
    """The job it runs in, once it is known to have begun."""
    alone: bool = False
    """Whether it goes to a worker without others."""

    def settle(self, outcome: Outcome) -> None:
        """Tell the run what became of the node; what is told first counts."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_result(outcome)


@dataclass(slots=True, kw_only=True)
class _Block:
    asked_s: float
    state: BlockState
    connected_s: float | None = None
    took: bool = False
    """Whether it has run a node, or begun to."""
    leaving_s: float | None = None
    """Since when it is asked to end by itself."""
    gone_s: float | None = None
    """Since when none of its machines has been connected, after one was."""
    ended: bool = False

    @property
    def is_up(self) -> bool:
        """Whether it takes nodes."""
        return self.connected_s is not None and self.leaving_s is None and not self.ended

    def is_late(self, now: float) -> bool:
        """Whether it was asked to end and has not."""
        return not self.ended and self.leaving_s is not None and now - self.leaving_s > LEAVE_S


@dataclass(slots=True, kw_only=True, eq=False)
class PoolQueue:
    """One pool at work. All of it may be called from any thread."""

    pool: NodePool
    profile: Profile
    engine: PilotEngine
    journal: Path
    """File in which the jobs are noted: others find them there to ask after them or to cancel them."""
    wait_for: Callable[[QueuedNode], None]
    """Takes a node that another worker computes."""
    moved: Callable[[QueuedNode, str], None]
    """Told when a node goes on in another job, and why."""
    ask_to_leave: Callable[[str], None]
    """Asks one job to end by itself, so that the scheduler's accounting shows a job that was completed."""
    durations: Durations = field(default_factory=Durations)
    clock: Callable[[], float] = time.monotonic
    waiting: deque[QueuedNode] = field(default_factory=deque)
    sent: dict[str, QueuedNode] = field(default_factory=dict)
    broken: str = ""
    """Why nothing can run here any more."""
    _blocks: dict[str, _Block] = field(default_factory=dict)
    _resting: list[tuple[float, QueuedNode]] = field(default_factory=list)
    """Nodes that were cut short, and when to try them again."""
    _slots: int = 0
    _messages: int = 0
    """Messages to workers that were not answered yet."""
    _together: int = 1
    """How many nodes could go in the latest of them."""
    _bad: int = 0
    _asked_s: float = float("-inf")
    _idle_since: float | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _tickets: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def load(self) -> int:
        """Nodes that are here."""
        return len(self.waiting) + len(self._resting) + len(self.sent)

    @property
    def room(self) -> int:
        """Nodes that it makes sense to have here at a time."""
        return 2 * self.profile.blocks.most * self.pool.per_block * self._together + 8

    @property
    def has_workers(self) -> bool:
        """Whether a job is up that takes nodes."""
        return self._slots > 0

    def put(self, entry: QueuedNode) -> None:
        """Take a node."""
        with self._lock:
            if self.broken:
                entry.settle(Outcome(status=Status.LOST, error=self.broken, again=False))
                return
            self.waiting.append(entry)
            self._feed()

    def _feed(self) -> None:
        """Send nodes to the engine, no more than its workers can soon take: the rest can still be called off."""
        while self.waiting and self._messages < 2 * self._slots:
            entries = self._next_together()
            for entry in entries:
                entry.ticket = f"{entry.call.fingerprint[:16]}.{self.pool.name}.{next(self._tickets)}"
                entry.block = None
                self.sent[entry.ticket] = entry
            self._messages += 1
            try:
                calls = [(entry.ticket, entry.call) for entry in entries]
                self.engine.submit(pickle.dumps(calls), partial(self._take_answer, entries))
            except Exception as error:  # a node that was not sent would be waited for for ever
                self.give_up(f"the cluster engine takes no node: {type(error).__name__}: {error}")

    def _next_together(self) -> list[QueuedNode]:
        """The next node; with those behind it that are known to be as small, shared out evenly among the workers."""
        entries = [self.waiting.popleft()]
        most = self._together = self._most_together(entries[0])
        share = -(-(len(self.waiting) + 1) // (2 * self._slots - self._messages))
        while self.waiting and len(entries) < min(most, share):
            most = min(most, self._most_together(self.waiting[0]))
            if len(entries) >= most:
                break
            entries.append(self.waiting.popleft())
        return entries

    def _most_together(self, entry: QueuedNode) -> int:
        single = entry.alone or self.pool.processes > 1 or self.pool.nodes > 1
        return 1 if single else self.durations.together(entry.call.name)

    def _take_answer(self, entries: Sequence[QueuedNode], future: Future[Any]) -> None:
        """What a worker says of the nodes of one message; or that it is lost, with all of them."""
        error = future.exception()
        with self._lock:
            self._messages -= 1
        if error is None:
            self.take_attempts(future.result())
            return
        lost = [entry for entry in entries if self.sent.get(entry.ticket) is entry]
        for entry in lost:
            entry.alone = True  # whichever of them it was that took the worker down shows itself at the next try
            machine_gone = type(error).__name__ != "WorkerLost" or len(lost) > 1
            next_step = after_loss(error, entry.record, machine_gone=machine_gone)
            self._go_on(entry, next_step, f"{type(error).__name__}: {error}")
        with self._lock:
            self._feed()

    def take_attempts(self, attempts: Mapping[str, Attempt]) -> None:
        """Take what became of nodes, by the tickets of their attempts; what came before is passed over."""
        for ticket, attempt in attempts.items():
            with self._lock:
                entry = self.sent.get(ticket)
                if entry is None:
                    continue
                if attempt.cut not in (Cut.NO_TIME, Cut.NOT_BEGUN):
                    self._note_taken(attempt.block)
                if attempt.outcome.status is Status.DONE:
                    self.durations.note(entry.call.name, attempt.outcome.cost.get("wall_s"))
                next_step = after_attempt(attempt, entry.record)
            self._go_on(entry, next_step, attempt.outcome.error)
        with self._lock:
            self._feed()

    def _go_on(self, entry: QueuedNode, next_step: Outcome | Next, why: str) -> None:
        with self._lock:
            self.sent.pop(entry.ticket, None)
            if entry.future.done():
                return
            if next_step is Next.AGAIN:
                self.moved(entry, why)
                self._resting.append((self.clock() + REST_S, entry))
            elif next_step is Next.AT_ONCE:
                self.waiting.appendleft(entry)
        if next_step is Next.WAIT:
            self.wait_for(entry)
        elif isinstance(next_step, Outcome):
            entry.settle(next_step)

    def _wake_rested(self, now: float) -> None:
        """Put nodes that have rested back into the queue, before those that came later."""
        due = [entry for at, entry in self._resting if at <= now]
        self._resting = [(at, entry) for at, entry in self._resting if at > now]
        self.waiting.extendleft(reversed(due))

    # Jobs.

    def tick(self) -> None:
        """See to the jobs: take note of what became of them, ask for more, give back what idles."""
        with self._lock:
            if self.broken:
                return
            try:
                machines = self.engine.machines()
            except Exception as error:  # the engine's own process is gone: nothing can run any more
                self.give_up(f"the cluster engine is gone: {type(error).__name__}: {error}")
                return
            now = self.clock()
            self._wake_rested(now)
            self._note_machines(machines, now)
            if now - self._asked_s >= self._poll_s():
                self._asked_s = now
                self._note_blocks(now)
            late = [name for name, one in self._blocks.items() if one.is_late(now)]
            self._cancel(late, IDLE)
            self._scale(machines, now)
            self._feed()

    def _poll_s(self) -> float:
        return self.profile.poll_s or (1.0 if self.profile.scheduler == "local" else 30.0)

    def _note_machines(self, machines: list[PilotMachine], now: float) -> None:
        self._slots = sum(machine.workers for machine in machines if machine.taking)
        there = {machine.block for machine in machines}
        for machine in machines:
            if machine.tasks:
                self._note_taken(machine.block)
        for name, block in self._blocks.items():
            if name in there:
                if block.connected_s is None:
                    block.connected_s = now
                    self._write(name, block, "connected")
                block.gone_s = None
            elif block.connected_s is not None and not block.ended:
                block.gone_s = block.gone_s or now
                if block.leaving_s is not None:
                    self._end(name, block, IDLE)
                elif now - block.gone_s > SILENCE_S:  # whatever the scheduler says: it runs no nodes
                    self._end(name, block, "its workers are gone")

    def _note_blocks(self, now: float) -> None:
        try:
            told = self.engine.blocks()
        except BackendError:
            return
        for name, state in told.items():
            block = self._blocks.get(name)
            if block is None:
                block = self._blocks[name] = _Block(asked_s=now, state=state)
                self._write(name, block, "asked for")
            if block.ended:
                continue
            changed = block.state.state != state.state
            block.state = state
            if state.state == "ended":
                self._end(name, block, state.detail if block.leaving_s is None else IDLE)
            elif changed:
                self._write(name, block, state.state)
        self._check_start(now)

    def _end(self, name: str, block: _Block, why: str) -> None:
        block.ended = True
        self._write(name, block, "ended", why=why)
        if not block.took and "given back" not in why:
            self._bad += 1
            if self._bad >= MOST_BAD or not block.state.job or REFUSED in why:
                where = f"job {block.state.job}" if block.state.job else "a job"
                how = "before a worker came up" if block.connected_s is None else "without taking a node"
                self.give_up(f"{where} of profile {self.profile.name!r} ended {how}: {why}")

    def _note_taken(self, name: str) -> None:
        block = self._blocks.get(name)
        if block is not None:
            block.took = True
            self._bad = 0

    def _check_start(self, now: float) -> None:
        limit_s = self.profile.start_timeout_s
        if limit_s is None or not self.waiting or self._slots:
            return
        for block in self._blocks.values():
            if not block.ended and block.connected_s is None and now - block.asked_s > limit_s:
                because = f": its queue says {block.state.detail}" if block.state.detail else ""
                self.give_up(f"job {block.state.job} has not started within {limit_s:g} s{because}")
                return

    def _scale(self, machines: list[PilotMachine], now: float) -> None:
        alive = {name for name, block in self._blocks.items() if not block.ended}
        leaving = alive & {machine.block for machine in machines if not machine.taking}
        counts = self._counts(machines)
        most, least = self.profile.blocks.most - len(leaving), self.profile.blocks.least
        lacking = blocks_to_ask_for(alive=len(alive - leaving), least=least, most=max(0, most), **counts)
        if lacking and not self.broken:
            self.engine.ask_for(lacking)
            self._note_blocks(now)
        self._give_back(machines, alive - leaving, now)

    def _counts(self, machines: list[PilotMachine]) -> dict[str, int]:
        """What the jobs that take nodes have to do: what runs in one that takes no more needs no other."""
        leaving = sum(machine.tasks for machine in machines if not machine.taking)
        running = max(0, self._messages - leaving)
        return {"waiting": self.load - len(self.sent), "running": running, "per_block": self.pool.per_block}

    def _give_back(self, machines: list[PilotMachine], alive: set[str], now: float) -> None:
        counts = self._counts(machines)
        busy = {m.block for m in machines if m.tasks or m.idle_s < self.profile.blocks.idle_s}
        pending = {name for name in alive if self._blocks[name].connected_s is None}
        idle = alive - busy - pending
        needed = bool(self.load)
        self._idle_since = None if needed else (self._idle_since or now)
        if self._idle_since is not None and now - self._idle_since > self.profile.blocks.idle_s:
            idle |= pending
        count = blocks_to_give_back(idle=len(idle), alive=len(alive), least=self.profile.blocks.least, **counts)
        if count:
            chosen = sorted(idle)[:count]
            self._release(chosen, now)
            self._slots = sum(one.workers for one in machines if one.taking and one.block not in chosen)

    def _release(self, names: list[str], now: float) -> None:
        """Give jobs back: those that run end by themselves, those that wait are cancelled."""
        up = [name for name in names if self._blocks[name].connected_s is not None]
        if up:
            self.engine.hold(up)
            for name in up:
                self._blocks[name].leaving_s = now
                self.ask_to_leave(name)
        self._cancel([name for name in names if name not in up], IDLE)

    def _cancel(self, names: list[str], why: str) -> None:
        if names:
            self.engine.give_back(names)
            for name in names:
                self._end(name, self._blocks[name], why)

    def left(self, name: str) -> None:
        """A job says that it ends, as it was asked to."""
        with self._lock:
            block = self._blocks.get(name)
            if block is not None and not block.ended:
                self._end(name, block, IDLE)

    def give_up(self, why: str) -> None:
        """Run nothing more here; all that is here is lost, for this reason."""
        plain = refusal(why, self.profile.name)
        why = plain or f"{why}. Mend: try the profile with `etude cluster check {self.profile.name}`"
        self.broken = why
        for entry in (*self.waiting, *self.sent.values(), *(entry for _, entry in self._resting)):
            if not entry.future.done():
                entry.settle(Outcome(status=Status.LOST, error=why, again=False))
        self.waiting.clear()
        self._resting.clear()

    def _write(self, name: str, block: _Block, what: str, **more: object) -> None:
        line = {"time_s": time.time(), "pool": self.pool.name, "block": name, "job": block.state.job, "what": what}
        append(self.journal, {**line, **more})

    # Stopping.

    def drop_waiting(self, outcome: Outcome) -> None:
        """Give all nodes that were not sent this outcome."""
        with self._lock:
            dropped = [*self.waiting, *(entry for _, entry in self._resting)]
            self.waiting.clear()
            self._resting.clear()
        for entry in dropped:
            entry.settle(outcome)

    def drop_unbegun(self, outcome: Outcome) -> None:
        """Give all nodes that were sent and are not known to have begun this outcome."""
        with self._lock:
            entries = [entry for entry in self.sent.values() if entry.block is None and not entry.future.done()]
        for entry in entries:
            entry.settle(outcome)

    def call_off(self, fingerprint: str, outcome: Outcome) -> QueuedNode | None:
        """Drop a node that waits; or the one that was sent, which needs an order."""
        with self._lock:
            for entry in (*self.waiting, *(entry for _, entry in self._resting)):
                if entry.call.fingerprint == fingerprint:
                    self.waiting = deque(other for other in self.waiting if other is not entry)
                    self._resting = [(at, other) for at, other in self._resting if other is not entry]
                    entry.settle(outcome)
                    return None
            return next((entry for entry in self.sent.values() if entry.call.fingerprint == fingerprint), None)

    def release_all(self) -> None:
        """Have all jobs that are up end by themselves, as soon as nothing runs in them."""
        with self._lock, contextlib.suppress(BackendError, OSError):  # the scheduler ends what does not hear
            self._release([name for name, block in self._blocks.items() if block.is_up], self.clock())

    @property
    def is_leaving(self) -> bool:
        """Whether a job that was asked to end has not ended yet."""
        return any(block.leaving_s is not None and not block.ended for block in self._blocks.values())

    def close(self, outcome: Outcome) -> None:
        """End all jobs; what is left gets this outcome."""
        self.drop_waiting(outcome)
        self.engine.close({name for name, block in self._blocks.items() if block.ended and block.leaving_s is not None})
        with self._lock, contextlib.suppress(OSError):
            for name, block in self._blocks.items():
                if not block.ended:
                    block.ended = True
                    self._write(name, block, "ended", why="given back: the run is over")
        for entry in list(self.sent.values()):
            if not entry.future.done():
                entry.settle(outcome)
