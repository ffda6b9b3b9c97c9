"""Trials of a search as variants of its study: their nodes join the run, and their values come from the store."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from etude.errors import ConfigError, EtudeError, StoreError, nearest
from etude.execute.backend import Progress
from etude.execute.record_table import row_values
from etude.execute.run_events import Event, EventKind
from etude.execute.runner import Runner
from etude.execute.task import Outcome as NodeOutcome
from etude.execute.task import Status, ref_row
from etude.graph.node import Node, Row
from etude.graph.plan import State, plan
from etude.identity.observed import Present
from etude.search.evaluation import Ending, Listen, Report, Underway
from etude.search.trials import Goal, Trial, TrialOutcome
from etude.store.store import Store
from etude.study.expand import VariantGrowth
from etude.study.study import Study
from etude.study.variants import Variant

_MEMORY = ("MemoryError", "OutOfMemoryError", "out of memory")
_OWN_FAULT = ("exit code", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")
"""What a worker's end says where the step itself brought it about."""
_WALLTIME = "ran longer than its walltime"


@dataclass(slots=True, eq=False, kw_only=True)
class _Underway:
    """A trial whose nodes are in the run."""

    trial: Trial
    future: Future[Ending]
    listen: Listen
    rows: list[tuple[Variant, Mapping[str, Node]]]
    targets: set[str]
    """Ends of the pipeline that are still to come."""
    nodes: set[str]
    """All nodes that were not there yet."""
    reports: dict[float, dict[str, float]] = field(default_factory=dict)
    """Step → node → value, where replicates report."""


@dataclass(slots=True, eq=False, kw_only=True)
class StudyEvaluator:
    """Evaluates trials by running the pipeline at their points, for each replicate; values are means over those."""

    study: Study
    growth: VariantGrowth
    store: Store
    goal: Goal
    present: Present | None = None
    runner: Runner | None = None
    _underway: dict[int, _Underway] = field(default_factory=dict)
    _wanted: dict[str, set[int]] = field(default_factory=dict)
    """Node → the trials that wait for it."""
    _running: set[str] = field(default_factory=set)
    """Nodes that run now, for one trial or for several."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _closed: bool = False

    def submit(self, trial: Trial, listen: Listen) -> Future[Ending]:
        """Lay the trial out and have its nodes run. See `etude.search.evaluation.Evaluator`."""
        future: Future[Ending] = Future()
        try:
            rows = self.growth.rows(self._replicates(trial.point))
        except EtudeError as error:  # the values do not fit a step: that is what became of this point
            future.set_result(Ending(outcome=TrialOutcome.CRASH, error=_first_line(error)))
            return future
        nodes = {node.fingerprint: node for _, row in rows for node in row.values()}  # all of them make up its record
        differences = None if self.present is None else self.present.compare()
        made = plan(list(nodes.values()), self.store.inspect, differences=differences)
        todo = {action.node.fingerprint for action in made.actions if action.state is State.RUN}
        again = {action.node.fingerprint for action in made.actions} if trial.attempts > 1 or trial.outcome else set()
        with self._lock:
            if self._closed:
                future.set_result(Ending(outcome=TrialOutcome.CANCELLED))
                return future
            targets = set(nodes)
            self._underway[trial.number] = _Underway(
                trial=trial, future=future, listen=listen, rows=rows, targets=targets, nodes=todo
            )
            for fingerprint in targets | todo:
                self._wanted.setdefault(fingerprint, set()).add(trial.number)
            assert self.runner is not None
            self.runner.extend(made, again=again)
            runs = bool(todo & self._running)
        if runs:
            listen(Underway(trial.number))
        return future

    def cancel(self, number: int, *, now: bool) -> None:
        """Let go of the nodes that this trial alone wants."""
        with self._lock:
            underway = self._underway.get(number)
            if underway is None or self.runner is None:
                return
            alone = {node for node in underway.nodes if self._wanted.get(node, set()) == {number}}
            if now or not alone:
                self._forget(number)
        self.runner.drop(alone, "its trial was ended", now=now)
        if now or not alone:
            underway.future.set_result(Ending(outcome=TrialOutcome.CANCELLED))

    def close(self) -> None:
        """The run is over: what is still under way was cancelled."""
        with self._lock:
            self._closed = True
            left = [self._underway[number] for number in list(self._underway)]
            for underway in left:
                self._forget(underway.trial.number)
        for underway in left:
            underway.future.set_result(Ending(outcome=TrialOutcome.CANCELLED))

    # What the run tells.

    def ended(self, fingerprint: str, outcome: NodeOutcome | None) -> None:
        """A node has ended: None where its result is there."""
        with self._lock:
            numbers = sorted(self._wanted.pop(fingerprint, ()))
            done = [self._underway[number] for number in numbers if self._take(number, fingerprint, outcome)]
            for underway in done:
                self._forget(underway.trial.number)
        for underway in done:
            if outcome is None:
                underway.future.set_result(self._read(underway.rows))
            else:
                self._let_go(underway, now=outcome.status is not Status.STOPPED)
                underway.future.set_result(_failed(outcome))

    def _take(self, number: int, fingerprint: str, outcome: NodeOutcome | None) -> bool:
        """Whether the trial is at its end by what became of this node."""
        underway = self._underway.get(number)
        if underway is None:
            return False
        underway.targets.discard(fingerprint)
        underway.nodes.discard(fingerprint)
        return outcome is not None or not underway.targets

    def take_event(self, event: Event) -> None:
        """An event of the run: the first node of a trial that runs starts the trial."""
        if event.kind is EventKind.STARTED:
            with self._lock:
                self._running.add(event.fingerprint)
            for underway in self._waiting_for(event.fingerprint):
                underway.listen(Underway(underway.trial.number))
        elif event.fingerprint and event.kind not in (EventKind.PROGRESS, EventKind.REPORTED):
            with self._lock:
                self._running.discard(event.fingerprint)

    def take_progress(self, progress: Progress) -> None:
        """A running step reports; of replicates, the mean once all have reported a step."""
        if progress.value is None:
            return
        for underway in self._waiting_for(progress.fingerprint):
            by_node = underway.reports.setdefault(progress.done, {})
            by_node[progress.fingerprint] = progress.value
            if len(by_node) >= len(underway.rows):
                mean = math.fsum(by_node.values()) / len(by_node)
                underway.listen(Report(underway.trial.number, progress.done, mean))

    def _waiting_for(self, fingerprint: str) -> list[_Underway]:
        with self._lock:
            return [self._underway[number] for number in self._wanted.get(fingerprint, ()) if number in self._underway]

    # Inside.

    def _replicates(self, point: Mapping[str, object]) -> list[dict[str, object]]:
        axes = self.study.vary.repeat
        return [{**point, **dict(zip(axes, values, strict=True))} for values in itertools.product(*axes.values())]

    def _forget(self, number: int) -> None:
        underway = self._underway.pop(number)
        for fingerprint in underway.targets | underway.nodes:
            wanting = self._wanted.get(fingerprint)
            if wanting is not None:
                wanting.discard(number)
                if not wanting:
                    del self._wanted[fingerprint]

    def _let_go(self, underway: _Underway, *, now: bool) -> None:
        """One replicate has failed: the others are of no use."""
        with self._lock:
            alone = {node for node in underway.nodes if node not in self._wanted}
        if alone and self.runner is not None:
            self.runner.drop(alone, "another replicate of its trial failed", now=now)

    def _read(self, rows: Sequence[tuple[Variant, Mapping[str, Node]]]) -> Ending:
        read: dict[str, dict[str, object]] = {}
        try:
            found = [self._row(variant, nodes, read) for variant, nodes in rows]
        except StoreError as error:
            return Ending(outcome=TrialOutcome.PREEMPTED, error=str(error))
        values = tuple(_mean([_number(row.get(metric)) for row in found]) for metric in self.goal.metrics)
        limits = [(bound, _mean([_number(row.get(bound.metric)) for row in found])) for bound in self.goal.constraints]
        node = self.goal.metrics[0].partition(".")[0]
        fingerprint = rows[0][1][node].fingerprint if node in rows[0][1] else ""
        missing = next((bound.metric for bound, value in limits if value is None), None)
        if missing is not None and None not in values:
            reason = f"constraint {missing} is missing: {_known(missing, found[0])}"
            return Ending(outcome=TrialOutcome.INVALID, error=reason, fingerprint=fingerprint)
        unknown = next((name for name, value in zip(self.goal.metrics, values, strict=True) if value is None), "")
        return Ending(
            outcome=TrialOutcome.OK,
            values=values,
            constraints=tuple(bound.excess(value) for bound, value in limits if value is not None),
            error=_known(unknown, found[0]) if unknown else "",
            fingerprint=fingerprint,
        )

    def _row(self, variant: Variant, nodes: Mapping[str, Node], read: dict[str, dict[str, object]]) -> dict[str, Any]:
        row = row_values(self.store, ref_row(Row(variant.label, variant.params, tuple(nodes.values()))), read)
        if row["status"] != "done":
            raise StoreError("a result of the trial is gone from the store")
        for metric in (*self.goal.metrics, *(bound.metric for bound in self.goal.constraints)):
            whole, _, cost = metric.partition(".")
            if whole == "cost":
                row[metric] = _sum([_number(row.get(f"{name}.cost.{cost}")) for name in nodes])
        return row


def _failed(outcome: NodeOutcome) -> Ending:
    """What a node's outcome says of its trial."""
    error = outcome.error
    match outcome.status:
        case Status.STOPPED:
            return Ending(outcome=TrialOutcome.CANCELLED, error=error)
        case Status.DAMAGED:
            return Ending(outcome=TrialOutcome.PREEMPTED, error=error)
        case Status.LOST if "SIGKILL" in error:
            return Ending(outcome=TrialOutcome.OUT_OF_MEMORY, error=error)
        case Status.LOST if _WALLTIME in error:
            return Ending(outcome=TrialOutcome.TIMEOUT, error=error)
        case Status.LOST if not any(word in error for word in _OWN_FAULT):
            return Ending(outcome=TrialOutcome.PREEMPTED, error=error)
        case _ if any(word in error for word in _MEMORY):
            return Ending(outcome=TrialOutcome.OUT_OF_MEMORY, error=error)
        case _:
            return Ending(outcome=TrialOutcome.CRASH, error=error)


def _known(metric: str, row: Mapping[str, object]) -> str:
    if metric in row:
        return ""
    names = [name for name, value in row.items() if "." in name and _number(value) is not None]
    return nearest(metric, names)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (bool, int, float)) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None


def _first_line(error: EtudeError) -> str:
    if isinstance(error, ConfigError) and error.faults:
        return f"{error.faults[0].path}: {error.faults[0].reason}"
    return str(error).splitlines()[0]
