"""The search of a study: a driver proposes trials, one runner computes their nodes, until the search is complete."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from etude.errors import EtudeError, SearchError
from etude.execute.backend import Backend, Progress
from etude.execute.run_events import Event as RunEvent
from etude.execute.run_events import Tell, now
from etude.execute.runner import Policy, Runner, RunSummary
from etude.graph.node import Node
from etude.graph.plan import Plan
from etude.redaction import Redactor
from etude.search.driver import Observe, SearchDriver
from etude.search.log_sampler import LogSampler
from etude.search.proposals import ThreadedProposals
from etude.search.samplers.factory import make_for_log, version_of
from etude.search.space import Point
from etude.search.trial_events import Begun, Warm
from etude.search.trial_history import TrialHistory
from etude.search.trial_log import FileLog
from etude.study.evaluator import StudyEvaluator
from etude.study.expand import LoadStudy, VariantGrowth
from etude.study.search_state import SearchState
from etude.study.warm_start import warm_results

if TYPE_CHECKING:
    from etude.study.prepare import PreparedStudy

EMPTY = Plan(actions=())


def no_observer(_event: object, _history: object) -> None:
    """Looks on and says nothing."""


@dataclass(slots=True, eq=False, kw_only=True)
class SearchRun:
    """One run of one search."""

    prepared: PreparedStudy
    state: SearchState
    other_study: LoadStudy
    backend: Backend
    workers: int
    """Nodes that the backend computes at once."""
    provenance: Callable[[Node], Mapping[str, object]]
    policy: Policy
    tell: Tell
    redact: Redactor
    observe: Observe = no_observer
    first: Sequence[Point] = ()
    """Points to try before the sampler is asked."""
    runner: Runner = field(init=False)
    evaluator: StudyEvaluator = field(init=False)
    driver: SearchDriver = field(init=False)
    _error: BaseException | None = None

    def __post_init__(self) -> None:
        study, store, search = self.prepared.study, self.prepared.store, self.state.search
        growth = VariantGrowth(study, self.prepared.files, self.other_study)
        self.evaluator = StudyEvaluator(
            study=study, growth=growth, store=store, goal=search.goal, present=self.prepared.present
        )
        self.runner = Runner(
            plan=EMPTY,
            store=store,
            backend=self.backend,
            provenance=self.provenance,
            policy=self.policy,
            tell=self._tell,
            growing=True,
            on_end=self.evaluator.ended,
            present=self.prepared.present,
            redact=self.redact,
        )
        self.evaluator.runner = self.runner
        begun = Begun(
            study=study.name,
            space=search.space.as_json(),
            goal=search.goal.as_json(),
            seed=search.seed,
            sampler=search.sampler,
            settings=dict(search.settings),
            at_s=now(),
            sampler_version=version_of(search.sampler, search.settings),
        )
        begun = self.state.history.begun or begun
        sampler = make_for_log(begun, search.space, search.goal)
        log_sampler = LogSampler(sampler=sampler, goal=search.goal)
        self.driver = SearchDriver(
            log=FileLog(self.state.folder),
            begun=begun,
            goal=search.goal,
            limits=search.limits(self.workers, tuple(self.first)),
            evaluator=self.evaluator,
            make_source=partial(ThreadedProposals, log_sampler),
            early_stop=search.early_stop(),
            warm=self._warm(),
            observe=self.observe,
            redact=self.redact,
        )

    def run(self) -> tuple[TrialHistory, RunSummary]:
        """Search until there is nothing more to do.

        Raises:
            SearchError: The sampler failed, or the log cannot be written.
        """
        thread = threading.Thread(target=self._drive, name="etude-search", daemon=True)
        thread.start()
        try:
            self.runner.run()
        finally:
            self.evaluator.close()
            self.driver.stop()
            thread.join(timeout=30.0)
        if self._error is not None:
            if isinstance(self._error, EtudeError):
                raise self._error
            raise SearchError(f"the search failed: {self._error!r}") from self._error
        return self.driver.history, self.runner.summary

    def interrupt(self) -> None:
        """Start nothing more, and let what runs come to a checkpoint."""
        self.driver.stop()
        self.runner.interrupt()

    def take_progress(self, progress: Progress) -> None:
        """Take what a running step tells. From any thread."""
        self.evaluator.take_progress(progress)
        self.runner.take_progress(progress)

    def _drive(self) -> None:
        try:
            self.driver.run()
        except BaseException as error:  # raised in the thread that waits for this one
            self._error = error
        finally:
            self.runner.finish()

    def _tell(self, event: RunEvent) -> None:
        self.evaluator.take_event(event)
        self.tell(event)

    def _warm(self) -> tuple[Warm, ...]:
        if self.state.history.begun is not None or self.state.search.warm_start is None:
            return ()
        return warm_results(self.prepared, self.state, self.other_study)
