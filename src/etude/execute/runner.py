"""Walks a plan: starts what is ready, waits for what others compute, retries what was lost, and says what happened.

One thread decides everything; backends only report back through a queue. All truth is in the store, so a runner can be
killed at any moment and another can take over.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from etude.errors import StoreError
from etude.execute.backend import Backend, Progress
from etude.execute.node_metering import cost_columns
from etude.execute.run_events import Event, EventKind, Tell, now
from etude.execute.run_state import LaidOut, RunState
from etude.execute.task import Outcome, Status, task_of
from etude.graph.node import Made, Node
from etude.graph.plan import Action, Cause, Plan, State
from etude.identity.observed import Observed, Present
from etude.redaction import Redactor
from etude.store.files.manifest import Header, Manifest
from etude.store.lease import Holder, Lease
from etude.store.store import Store

POLL_S = 0.2
Inbox = queue.SimpleQueue[Any]
BACKOFF_S = 0.5
SAME = "same bytes as before above it"
ELSEWHERE = "computed by another run"
"""How a node was found done when its turn came."""
NO_RESULT = "its worker says that it is done and has stored no result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to do when things go wrong."""

    retries: int = 2
    """Further attempts after an infrastructure fault."""
    fail_fast: bool = False
    """Start nothing more once a node has failed."""
    watch_walltime: bool = True
    """Whether nodes that overrun their walltime are cancelled. Not where the backend sees to it: it knows when one has
    begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A node that failed."""

    node: Node
    outcome: Outcome
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _More:
    """A plan to be run as well."""

    plan: Plan
    again: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drop:
    """Nodes that nobody wants any more."""

    fingerprints: frozenset[str]


_FINISH = object()

OnEnd = Callable[[str, Outcome | None], None]
"""Takes a fingerprint and how that node ended: None where its result is there. Of one that was blocked, the outcome of
the node that it reads."""


@dataclass(slots=True, kw_only=True)
class RunSummary:
    """How a run ended."""

    computed: dict[str, Made] = field(default_factory=dict)
    reused: dict[str, Made] = field(default_factory=dict)
    """Cut off early, or computed by another run meanwhile."""
    failures: list[Failure] = field(default_factory=list)
    blocked: dict[str, Node] = field(default_factory=dict)
    """Not run, for a node that they read failed: fingerprint → the node that failed."""
    stopped: list[Node] = field(default_factory=list)
    """Running when the run was asked to stop; they go on from their checkpoints next time."""
    damaged: dict[str, str] = field(default_factory=dict)
    """Results found damaged while they were read, by fingerprint: quarantined, to be computed anew."""
    observed: dict[str, tuple[Node, Observed]] = field(default_factory=dict)
    """What steps touched when they ran and no plan knows: fingerprint → the node, and what that was."""
    interrupted: bool = False

    @property
    def succeeded(self) -> bool:
        return not (self.failures or self.interrupted or self.damaged or self.stopped)


@dataclass(slots=True, kw_only=True, eq=False)
class Runner:
    """Runs one plan on one backend."""

    plan: Plan
    store: Store
    backend: Backend
    provenance: Callable[[Node], Mapping[str, object]]
    policy: Policy = field(default_factory=Policy)
    tell: Tell = field(default=lambda _event: None)
    barred: Collection[str] = frozenset()
    """Fingerprints of nodes that have failed in this run before, and are not run again."""
    clock: Callable[[], float] = time.monotonic
    inbox: Inbox = field(default_factory=queue.SimpleQueue)
    """Where news comes in and the runner waits for it. With a clock to match, a simulation passes hours in a blink."""
    growing: bool = False
    """Whether plans may be added while it runs; then it ends after `finish`."""
    on_end: OnEnd = field(default=lambda _fingerprint, _outcome: None)
    present: Present | None = None
    """Tells what is there now of what steps touch; without it, they are not watched."""
    redact: Redactor = field(default_factory=Redactor)
    """Takes the secrets out of what steps say when they fail."""
    turns: Mapping[str, int] = field(default_factory=dict)
    """Fingerprint → its turn among those that could start; nodes that have none come last, in the order of the plan."""
    summary: RunSummary = field(default_factory=RunSummary)
    _state: RunState = field(default_factory=RunState)
    _started: int = 0
    _stopping: bool = False
    _thread: int = 0
    """The thread that decides."""

    def run(self) -> RunSummary:
        """Run the plan to its end, or to where it cannot go on."""
        self._thread = threading.get_ident()
        state = self._state
        self._lay_out(self.plan)
        for fingerprint in state.bar(self.barred, Outcome(status=Status.FAILED)):
            self._report_blocked(fingerprint, told=True)
        last_poll = self.clock()
        try:
            while state.ready or state.in_hand or self.growing:
                self._start_ready()
                if self._stopping and not state.running:
                    break
                self._hear(block=(state.in_hand or self.growing) and not self._can_start())
                if self.clock() - last_poll >= POLL_S:
                    last_poll = self.clock()
                    self._look_around()
        finally:
            for lease in state.running.values():
                lease.release()
        self.summary.interrupted = self._stopping
        return self.summary

    def interrupt(self) -> None:
        """Start nothing more, and ask what runs to stop at its next checkpoint."""
        if not self._stopping:
            self._stopping = True
            self._say(EventKind.STOPPING)
            self.backend.interrupt()

    def take_progress(self, progress: Progress) -> None:
        """Take a running step's progress; may be called from any thread."""
        if progress.starts and threading.get_ident() == self._thread:
            self._progressed(progress)  # it starts, and perhaps ends, before this thread looks into the inbox
        else:
            self.inbox.put(progress)

    def extend(self, more: Plan, *, again: Collection[str] = ()) -> None:
        """Run another plan as well; may be called from any thread. Nodes that are known already are not run twice.

        Args:
            more: The plan.
            again: Nodes that are run once more if they have ended badly, or if their result has gone.
        """
        self.inbox.put(_More(plan=more, again=frozenset(again)))

    def drop(self, fingerprints: Collection[str], reason: str, *, now: bool) -> None:
        """Let go of nodes: one that runs is ended now, or at its next checkpoint. May be called from any thread."""
        for fingerprint in fingerprints:
            self.backend.cancel(fingerprint, reason, now=now)
        self.inbox.put(_Drop(fingerprints=frozenset(fingerprints)))

    def finish(self) -> None:
        """Nothing more will be added. May be called from any thread."""
        self.inbox.put(_FINISH)

    # What there is to do.

    def _lay_out(self, plan: Plan, again: Collection[str] = ()) -> None:
        """Find the nodes to run, and the cached ones below them that must be looked at again when those are done."""
        for action in plan.actions:
            fingerprint = action.node.fingerprint
            turn = self.turns.get(fingerprint, len(self.turns) + len(self._state.positions))
            match self._state.lay_out(action, turn, again):
                case LaidOut.BLOCKED:
                    self._report_blocked(fingerprint)
                case LaidOut.FINISHED:
                    self.on_end(fingerprint, None)
                case LaidOut.KNOWN if fingerprint in self._state.made:
                    self.on_end(fingerprint, None)
                case LaidOut.KNOWN if fingerprint in self._state.ended_badly:
                    self.on_end(fingerprint, self._state.ended_badly[fingerprint][1])

    def _let_go(self, fingerprints: Collection[str]) -> None:
        """Forget nodes that have not begun; those that run come back by themselves."""
        for fingerprint in self._state.withdraw(fingerprints):
            self._settle_badly(fingerprint, Outcome(status=Status.STOPPED, error="nobody wants it any more"))

    # Starting.

    def _can_start(self) -> bool:
        return not self._stopping and self._state.ready.any(self.backend.admits)

    def _start_ready(self) -> None:
        """Start everything that is ready and fits; a node that does not fit now does not hold up the others."""
        while not self._stopping and (fingerprint := self._state.next_ready(self.backend.admits)) is not None:
            if (lease := self._entered(fingerprint)) is not None:
                self._submit(fingerprint, lease)
            self._hear(block=False)
        if self._stopping:
            self._state.ready.clear()

    def _entered(self, fingerprint: str) -> Lease | None:
        """The lease of a node whose turn has come; None where nothing is to be computed, or another run does it."""
        action = self._state.actions[fingerprint]
        contents = self._state.enter(fingerprint)
        if action.state is State.CACHED and action.manifest is not None and action.manifest.inputs == contents:
            self._finish(fingerprint, Made.of(action.manifest), EventKind.REUSED, SAME)
            return None
        if not self._is_forced(action) and self._cut_off(action.node, contents):
            return None
        return self._lease(fingerprint)

    def _is_forced(self, action: Action) -> bool:
        return action.node.fingerprint in self.plan.forced

    def _replaces(self, action: Action) -> bool:
        """Whether a stored result of the same fingerprint must give way."""
        return (
            self._is_forced(action)
            or action.cause in (Cause.UPSTREAM, Cause.DAMAGED, Cause.OBSERVED)
            or action.state is State.CACHED
        )

    def _holds(self, manifest: Manifest) -> bool:
        """Whether all that a result's step touched beyond its plan is as it was then."""
        return not manifest.observed or self.present is None or not self.present.compare()(manifest.observed)

    def _cut_off(self, node: Node, contents: Mapping[str, str]) -> bool:
        """Adopt a result made from the same bytes by the same code with the same settings, if there is one."""
        trace = node.trace_key(contents)
        source = self.store.traced(trace)
        if source is None or source == node.fingerprint:
            return False
        earlier = self.store.inspect(source)
        if not isinstance(earlier, Manifest) or not self._holds(earlier):
            return False
        header = Header(
            trace=trace,
            inputs=contents,
            identity=node.identity(),
            provenance={**self.provenance(node), "adopted_from": source, "made_by": dict(earlier.provenance)},
            cost=earlier.cost,
            deterministic=earlier.deterministic,
            observed=earlier.observed,
        )
        try:
            if not isinstance(self.store.inspect(node.fingerprint), Manifest | None):
                self.store.quarantine(node.fingerprint, "damaged")
            manifest = self.store.adopt(node.fingerprint, source, header, replace=True)
        except StoreError:
            return False
        self._finish(node.fingerprint, Made.of(manifest), EventKind.REUSED, SAME)
        return True

    def _lease(self, fingerprint: str) -> Lease | None:
        """The right to compute a node; None where another run has it, or is done."""
        lease = self.store.lease(fingerprint)
        action = self._state.actions[fingerprint]
        if isinstance(lease, Holder):
            if self._state.wait_elsewhere(fingerprint, str(lease)):
                self._say(EventKind.WAITING, action.node, holder=str(lease))
            return None
        self._state.elsewhere.pop(fingerprint, None)
        if not self._is_forced(action) and self._done_meanwhile(fingerprint):
            lease.release()
            return None
        return lease

    def _done_meanwhile(self, fingerprint: str) -> bool:
        """Whether another run has stored a usable result since the plan was made."""
        manifest = self.store.inspect(fingerprint)
        if not isinstance(manifest, Manifest) or manifest.inputs != self._state.contents[fingerprint]:
            return False
        if not self._holds(manifest):
            return False
        self._finish(fingerprint, Made.of(manifest), EventKind.REUSED, ELSEWHERE)
        return True

    def _submit(self, fingerprint: str, lease: Lease) -> None:
        action = self._state.actions[fingerprint]
        walltime_s = action.node.needs.walltime_s if self.policy.watch_walltime else None
        attempt = self._state.start(fingerprint, lease, None if walltime_s is None else self.clock() + walltime_s)
        if action.cause is Cause.DAMAGED and attempt == 1:
            self.store.quarantine(fingerprint, action.detail)
        self._started += 1
        task = task_of(
            action.node,
            self._state.contents[fingerprint],
            self.provenance(action.node),
            replace=self._replaces(action),
            attempt=attempt,
            order=self._started,
            project=self.present.project if self.present is not None else "",
        )
        future = self.backend.submit(task)
        if fingerprint not in self._state.begun and not future.done():
            self._say(EventKind.QUEUED, action.node, attempt=attempt)
        future.add_done_callback(lambda done: self.inbox.put((fingerprint, _outcome_of(done))))

    # Hearing back.

    def _hear(self, *, block: bool) -> None:
        """Take what has come in; wait for the first of it if asked to, but no longer than POLL_S."""
        try:
            message = self.inbox.get(timeout=POLL_S) if block else self.inbox.get_nowait()
        except queue.Empty:
            return
        while True:
            match message:
                case Progress():
                    self._progressed(message)
                case _More():
                    self._lay_out(message.plan, message.again)
                case _Drop():
                    self._let_go(message.fingerprints)
                case (fingerprint, outcome):
                    self._ended(fingerprint, outcome)
                case _:
                    self.growing = False
            try:
                message = self.inbox.get_nowait()
            except queue.Empty:
                return

    def _progressed(self, progress: Progress) -> None:
        if progress.fingerprint in self._state.running:
            node = self._state.node(progress.fingerprint)
            if progress.starts:
                self._begins(node)
            elif progress.value is not None:
                self._say(EventKind.REPORTED, node, step=progress.done, value=progress.value)
            else:
                self._say(EventKind.PROGRESS, node, done=progress.done, total=progress.total, message=progress.message)

    def _begins(self, node: Node) -> None:
        """Say, once for each attempt, that it runs."""
        if self._state.begin(node.fingerprint):
            self._say(EventKind.STARTED, node, attempt=self._state.attempts[node.fingerprint])

    def _ended(self, fingerprint: str, outcome: Outcome) -> None:
        if outcome.error:
            outcome = replace(outcome, error=self.redact(outcome.error), traceback=self.redact(outcome.traceback))
        if outcome.status is Status.DONE and not outcome.content:  # a manifest has one
            outcome = replace(outcome, status=Status.LOST, error=NO_RESULT)
        node = self._state.node(fingerprint)
        if outcome.status in (Status.DONE, Status.FAILED, Status.DAMAGED):
            self._begins(node)  # its result has come before the news that it had begun
        lease = self._state.end_attempt(fingerprint)
        may_retry = outcome.again and self._state.attempts[fingerprint] <= self.policy.retries
        match outcome.status:
            case Status.DONE:
                if outcome.observed:
                    self.summary.observed[fingerprint] = (node, outcome.observed)
                made = Made(outcome.content, outcome.cost, classes=outcome.classes)
                self._finish(fingerprint, made, EventKind.DONE)
            case Status.STOPPED:
                self._stopped(node, outcome)
            case Status.DAMAGED:
                self._found_damage(node, outcome)
            case Status.LOST if may_retry and not self._stopping:
                self._try_again(node, outcome)
            case Status.LOST if outcome.again and self._stopping:
                self._stopped(node, outcome, error=outcome.error)
            case _:
                self._failed(node, outcome)
        lease.release()

    def _finish(self, fingerprint: str, made: Made, kind: EventKind, how: str = "") -> None:
        action = self._state.actions[fingerprint]
        (self.summary.computed if kind is EventKind.DONE else self.summary.reused)[fingerprint] = made
        self._state.finish(fingerprint, made)
        if kind is EventKind.DONE or action.state is State.RUN:
            self._say(kind, action.node, cost=cost_columns(made.cost), **({"how": how} if how else {}))
        self.on_end(fingerprint, None)

    def _try_again(self, node: Node, outcome: Outcome) -> None:
        attempt = self._state.attempts[node.fingerprint]
        wait_s = BACKOFF_S * 2 ** (attempt - 1)
        self._say(EventKind.RETRY, node, error=outcome.error, attempt=attempt, wait_s=wait_s)
        self._state.try_again(node.fingerprint, self.clock() + wait_s)

    def _stopped(self, node: Node, outcome: Outcome, **data: object) -> None:
        self.summary.stopped.append(node)
        self._say(EventKind.STOPPED, node, **data)
        self._settle_badly(node.fingerprint, outcome)

    def _found_damage(self, node: Node, outcome: Outcome) -> None:
        """A result that this node reads is damaged or gone: set it aside; a new plan will have it computed."""
        self.summary.damaged[outcome.damaged] = outcome.error
        if self.store.inspect(outcome.damaged) is not None:
            self.store.quarantine(outcome.damaged, outcome.error)
        self._settle_badly(node.fingerprint, outcome)

    def _failed(self, node: Node, outcome: Outcome) -> None:
        attempts = self._state.attempts[node.fingerprint]
        self.summary.failures.append(Failure(node=node, outcome=outcome, attempts=attempts))
        self.store.record_failure(
            node.fingerprint,
            {"label": node.label(), "error": outcome.error, "traceback": outcome.traceback, "log": outcome.log},
        )
        self._say(EventKind.FAILED, node, error=outcome.error, log=outcome.log)
        self._settle_badly(node.fingerprint, outcome)
        if self.policy.fail_fast:
            self._state.give_up()

    def _settle_badly(self, fingerprint: str, outcome: Outcome) -> None:
        """A node has no result and will have none: neither will what reads it."""
        blocked = self._state.end_badly(fingerprint, outcome)
        self.on_end(fingerprint, outcome)
        for reader in blocked:
            self._report_blocked(reader)

    def _report_blocked(self, fingerprint: str, *, told: bool = False) -> None:
        because, outcome = self._state.ended_badly[fingerprint]
        self.summary.blocked[fingerprint] = because
        if not told:
            self._say(EventKind.BLOCKED, self._state.node(fingerprint), because=because.label())
        self.on_end(fingerprint, outcome)

    # Looking around.

    def _look_around(self) -> None:
        """See to what no message tells: retries that are due, nodes other runs compute, walltimes."""
        self._state.make_due_ready(self.clock())
        for fingerprint in list(self._state.elsewhere):
            if self._stopping or self._done_meanwhile(fingerprint):
                self._state.elsewhere.pop(fingerprint, None)
            elif self.backend.admits(self._state.node(fingerprint).needs) and (lease := self._lease(fingerprint)):
                self._submit(fingerprint, lease)
        for fingerprint in self._state.pop_overdue(self.clock()):
            walltime_s = self._state.node(fingerprint).needs.walltime_s
            self.backend.cancel(fingerprint, f"it ran longer than its walltime of {walltime_s:g} s")

    def _say(self, kind: EventKind, node: Node | None = None, **data: object) -> None:
        if node is None:
            self.tell(Event(kind=kind, time_s=now(), data=data))
        else:
            self.tell(
                Event(
                    kind=kind, time_s=now(), label=node.label(), name=node.name, fingerprint=node.fingerprint, data=data
                )
            )


def _outcome_of(future: Future[Outcome]) -> Outcome:
    error = future.exception()
    if error is not None:
        return Outcome(status=Status.LOST, error=f"{type(error).__name__}: {error}")
    return future.result()
