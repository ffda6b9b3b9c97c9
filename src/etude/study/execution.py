"""Runs a prepared study: backend, rounds, events, snapshot, memory of what was done."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from etude.cluster.profile import Profile
from etude.errors import ConfigError, Fault, StoreError
from etude.execute.backend import Backend, Progress
from etude.execute.devices import machine
from etude.execute.node_metering import Metering
from etude.execute.project_sources import all_sources
from etude.execute.record_table import current_records
from etude.execute.run_events import Event, EventKind, EventLog, Tell, now
from etude.execute.runner import Policy, Runner, RunSummary
from etude.graph.importing import import_path
from etude.graph.node import Node
from etude.graph.pipeline import Needs
from etude.graph.plan import Action, Differences, State, plan
from etude.redaction import Redactor, with_marks
from etude.search.trials import TrialOutcome
from etude.store.files.manifest import Manifest
from etude.study.fault_places import locate
from etude.study.needed_results import register
from etude.study.ordering import order_seed, turns
from etude.study.prepare import DIGESTS, Options, PreparedStudy, meter_settings
from etude.study.provenance import Provenance
from etude.study.result_history import after, read_history, write_history
from etude.study.run_driver import drive, note_cluster
from etude.study.run_snapshot import take_snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from etude.execute.perform import Pause
    from etude.pilots.pilot_backend import PilotBackend
    from etude.search.driver import Observe
    from etude.study.search_run import SearchRun

MOST_ROUNDS = 5
"""How often a run starts over after it found stored results damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run of a study ended."""

    prepared: PreparedStudy
    summary: RunSummary
    run: str
    """The run's identifier; empty where nothing had to be done."""
    wall_s: float

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed; of a search, whether any trial succeeded."""
        return self.summary.succeeded and not in_vain(self.prepared)

    def records(self) -> pa.Table:
        """The table of records; of what there is, where the run did not finish."""
        prepared = self.prepared
        return current_records(prepared.store, prepared.expansion.records)

    def value(self, name: str) -> object:
        """The result of a collect node, or of a pipeline node that does not vary."""
        nodes = self.prepared.expansion.named(name)
        return self.prepared.store.read(nodes[0].fingerprint)


class PlanDriver(Protocol):
    """Has a plan computed where no backend of this process can: by batch jobs that run on their own."""

    def refuses(self, needs: Needs) -> str | None:
        """Why a node with these needs can never run there; None if it can."""
        ...

    def drive(self, prepared: PreparedStudy, run: str, folder: Path, tell: Tell, summary: RunSummary) -> None:
        """See the plan to its end, and write into the summary what became of each node."""
        ...

    def interrupt(self) -> None:
        """Start nothing more, and have what runs stop at its next checkpoint."""
        ...


@dataclass(slots=True)  # positional: users write Execution(prepared, options, tell).run()
class Execution:
    """One run of one study, from its first event to its last."""

    prepared: PreparedStudy
    options: Options
    tell: Tell
    batch_driver: PlanDriver | None = None
    """In place of a backend."""
    observe: Observe = field(default=lambda _event, _history: None)
    """Hears of everything that happens in a search."""
    runner: Runner | None = None
    stopping: bool = False
    summary: RunSummary = field(default_factory=RunSummary)
    searching: SearchRun | None = None
    redact: Redactor = field(init=False)
    """Knows the secrets of the environment; nothing is written or told without it."""

    def __post_init__(self) -> None:
        environment = with_marks(self.options.environment, self.prepared.study.secrets)
        self.options = replace(self.options, environment=environment)
        self.redact = Redactor.of(environment)

    def run(self) -> Result:
        """Run to the end. A KeyboardInterrupt stops everything at once and gets out."""
        start = time.perf_counter()
        self.prepared.files.save()
        if not self.prepared.plan.todo and not self.prepared.searches:
            with contextlib.suppress(OSError, StoreError):  # nothing was done, so nothing is lost
                self._remember(self.prepared.history.run)
            return Result(prepared=self.prepared, summary=RunSummary(), run="", wall_s=time.perf_counter() - start)
        self._refuse_impossible()
        self._refuse_search_by_jobs()
        run = new_run_id(now())
        folder = self.prepared.workplace.etude / "runs" / run
        with EventLog(folder / "events.jsonl") as log:
            take_snapshot(self.prepared, folder, self.redact, self._sources())
            self._register([action.node.fingerprint for action in self.prepared.plan.actions])
            self._say(log, Event(kind=EventKind.RUN_STARTED, time_s=now(), data=self._overview(run)))
            finished = False
            try:
                if self.options.cluster is not None:
                    note_cluster(folder, self.options.cluster.scheduler)
                with drive(folder, self.interrupt, self.options.job):
                    self._compute(run, folder, partial(self._say, log))
                finished = True
            finally:
                self._remember(run)
                succeeded = finished and self.summary.succeeded and not in_vain(self.prepared)
                data = {"succeeded": succeeded, "wall_s": time.perf_counter() - start}
                self._say(log, Event(kind=EventKind.RUN_ENDED, time_s=now(), data=data))
        return Result(prepared=self.prepared, summary=self.summary, run=run, wall_s=time.perf_counter() - start)

    def interrupt(self) -> None:
        """Ask the run to stop at the next checkpoints."""
        self.stopping = True
        if self.batch_driver is not None:
            self.batch_driver.interrupt()
        elif self.searching is not None:
            self.searching.interrupt()
        elif self.runner is not None:
            self.runner.interrupt()

    def _sources(self) -> Mapping[str, bytes]:
        """The project's files to keep: those that jobs may import, where there are jobs, else those that count."""
        reached = self.prepared.expansion.library.sources()
        folders = import_path(self.prepared.workplace.project)
        return reached if self.batch_driver is None else all_sources(folders, reached)

    def _compute(self, run: str, folder: Path, tell: Tell) -> None:
        if self.batch_driver is None:
            if self.prepared.searches:
                self._search(run, tell)
            if not self.summary.interrupted:
                self._rounds(run, tell)
        else:
            self.batch_driver.drive(self.prepared, run, folder, tell, self.summary)
            self._gather_observed()

    def _gather_observed(self) -> None:
        """What steps were seen to touch that ran in jobs of their own."""
        for fingerprint in self.summary.computed:
            action, manifest = self.prepared.plan.by_fingerprint[fingerprint], self.prepared.store.inspect(fingerprint)
            if isinstance(manifest, Manifest) and manifest.observed:
                self.summary.observed[fingerprint] = (action.node, manifest.observed)

    def _search(self, run: str, tell: Tell) -> None:
        """Search until that is complete; what the trials came to is then part of the plan."""
        # only a study that searches loads what searches
        from etude.study.search_run import SearchRun

        prepared = self.prepared
        state, again = prepared.search, prepared.again
        assert state is not None
        assert again is not None
        backend = self._backend(run)
        try:
            self.searching = SearchRun(
                prepared=prepared,
                state=state,
                other_study=prepared.other_study,
                backend=backend,
                workers=self._workers(),
                provenance=Provenance(
                    study=prepared.study.name, run=run, project=prepared.workplace.project, store=prepared.store
                ),
                policy=Policy(retries=prepared.study.place.retries, watch_walltime=self.options.cluster is None),
                tell=tell,
                redact=self.redact,
                observe=self.observe,
                first=self.options.first,
            )
            if self.stopping:
                self.searching.interrupt()
            _, summary = self.searching.run()
            self.summary.computed.update(summary.computed)
            self.summary.reused.update(summary.reused)
            self.summary.observed.update(summary.observed)
            self.summary.stopped = summary.stopped if summary.interrupted else []
            self.summary.interrupted = summary.interrupted
        finally:
            self.searching = None
            backend.close()
            self.prepared = again()

    def _workers(self) -> int:
        """How many trials a search has under way where it does not say."""
        place = self.prepared.study.place
        if place.backend == "inline" or self._pause() is not None:
            return 1
        return machine(self.options.environment, workers=place.workers).workers

    def _refuse_search_by_jobs(self) -> None:
        """A search needs somebody who proposes while trials run.

        Raises:
            ConfigError: It is to be run by batch jobs that nobody watches.
        """
        if self.batch_driver is not None and self.prepared.searches:
            mend = (
                "run it where a driver can stay: this machine, a login node or a job of its own, with a cluster profile"
            )
            fault = Fault("vary.search", "batch jobs on their own cannot search: nobody is there to propose", mend=mend)
            raise ConfigError(locate([fault], self.prepared.study))

    def _rounds(self, run: str, tell: Tell) -> None:
        """Run the plan; where stored results were found damaged, plan anew and go on."""
        prepared, total = self.prepared, self.summary
        current = prepared.plan
        backend = self._backend(run)
        try:
            provenance = Provenance(
                study=prepared.study.name, run=run, project=prepared.workplace.project, store=prepared.store
            )
            for _ in range(MOST_ROUNDS):
                policy = Policy(
                    retries=prepared.study.place.retries,
                    fail_fast=self.options.fail_fast,
                    watch_walltime=self.options.cluster is None,  # there the clock starts when a node does
                )
                failed = {failure.node.fingerprint for failure in total.failures}
                self.runner = Runner(
                    plan=current,
                    store=prepared.store,
                    backend=backend,
                    provenance=provenance,
                    policy=policy,
                    tell=tell,
                    barred=failed,
                    present=prepared.present,
                    redact=self.redact,
                    turns=turns(prepared.expansion, order_seed(run)),
                )
                if self.stopping:
                    self.runner.interrupt()
                try:
                    self.runner.run()
                finally:
                    summary = self.runner.summary
                    _add(total, summary)
                if not summary.damaged or summary.interrupted or (summary.failures and self.options.fail_fast):
                    break
                done = current.forced & total.computed.keys()
                targets = [action.node for action in current.actions]
                current = plan(
                    _ends(targets),
                    prepared.store.inspect,
                    force=current.forced - done,
                    differences=_differences(prepared),
                )
            else:
                total.damaged = summary.damaged
        finally:
            backend.close()

    def _backend(self, run: str = "") -> Backend:
        """The backend of this run. A run with nothing to do has none, and loads none."""
        study, workplace = self.prepared.study, self.prepared.workplace
        logs = self._logs()
        pause = self._pause()
        if self.options.cluster is not None and pause is None:
            return self._cluster(self.options.cluster, run)
        here = machine(
            self.options.environment,
            workers=study.place.workers,
            gpus=study.place.gpus,
            memory_bytes=study.place.memory_bytes,
        )
        if study.place.backend == "inline" or pause is not None:
            from etude.execute.inline_backend import InlineBackend  # a run with nothing to do needs no backend

            devices = tuple(f"cuda:{index}" for index in range(len(here.devices)))
            metering, digests = Metering(settings=meter_settings(self.prepared)), self.prepared.files
            return InlineBackend(
                store=self.prepared.store,
                logs=logs,
                tell=self._take_progress,
                devices=devices,
                pause=pause,
                metering=metering,
                digests=digests,
                redact=self.redact,
            )
        from etude.execute.process_backend import ProcessBackend  # likewise

        return ProcessBackend(
            machine=here,
            store=workplace.store,
            logs=logs,
            import_path=import_path(workplace.project),
            sources=self.prepared.expansion.library.sources(),
            tell=self._take_progress,
            environment=self.options.environment,
            meter=meter_settings(self.prepared),
            digests=workplace.etude / DIGESTS,
        )

    def _cluster(self, profile: Profile, run: str) -> PilotBackend:
        # heavy, and of clusters alone
        from etude.pilots.pilot_backend import PilotBackend

        prepared, workplace = self.prepared, self.prepared.workplace
        backend = PilotBackend(
            profile=profile,
            store=workplace.store,
            logs=self._logs(),
            folder=workplace.etude / "runs" / run / "cluster",
            study=prepared.study.name,
            import_path=import_path(workplace.project),
            sources=all_sources(import_path(workplace.project), prepared.expansion.library.sources()),
            tell=self._take_progress,
            environment=self.options.environment,
            worker_environment=with_marks({}, prepared.study.secrets),
            meter=meter_settings(prepared),
            digests=workplace.etude / DIGESTS,
        )
        for action in prepared.plan.actions:
            if action.manifest is not None:
                backend.durations.note(action.node.name, action.manifest.cost.get("wall_s"))
        return backend

    def _take_progress(self, progress: Progress) -> None:
        if self.searching is not None:
            self.searching.take_progress(progress)
        elif self.runner is not None:
            self.runner.take_progress(progress)

    def _pause(self) -> Pause | None:
        options = self.options
        if options.pause is None or not (options.break_before or options.break_after):
            return None
        open_debugger = options.pause

        def pause(moment: str, name: str, at_hand: Mapping[str, object]) -> None:
            if name == (options.break_before if moment == "before" else options.break_after):
                open_debugger(moment, name, at_hand)

        return pause

    def _refuse_impossible(self) -> None:
        """Say now, not in an hour, that a node to be run can never run here.

        Raises:
            ConfigError: Some node's needs exceed what there is.
        """
        backend = self._backend() if self.batch_driver is None else None
        judge = backend or self.batch_driver
        assert judge is not None
        faults = {}
        for node in self.prepared.plan.todo:
            reason = judge.refuses(node.needs)
            if reason is not None and node.name not in faults:
                path = f"{'collect' if node.name in self.prepared.study.collect else 'pipeline'}.{node.name}.on"
                mend = f"run it where there is that much, or lower what it asks for with --set {path}.…"
                faults[node.name] = Fault(path, f"node {node.name!r} cannot run here: {reason}", mend=mend)
        if backend is not None:
            backend.close()
        if faults:
            raise ConfigError(locate(faults.values(), self.prepared.study))

    def _register(self, fingerprints: Collection[str]) -> None:
        """Say in the store what this study needs of it, for the day on which another project sweeps it."""
        prepared = self.prepared
        register(prepared.store, prepared.workplace.project, prepared.study.title, fingerprints)

    def _overview(self, run: str) -> dict[str, object]:
        """What the display needs to tell how far the run is."""
        actions = self.prepared.plan.actions
        return {
            "study": self.prepared.study.name,
            "run": run,
            "order_seed": order_seed(run),
            "variants": len(self.prepared.expansion.variants),
            "cached": sum(action.state is State.CACHED for action in actions),
            "todo": _count(action.node.name for action in actions if action.state is State.RUN),
            "expected_s": _expected_s(actions),
            **({"search": self.prepared.search.left} if self.prepared.search is not None else {}),
        }

    def _say(self, log: EventLog, event: Event) -> None:
        redacted = replace(event, data=self.redact.within(event.data))
        log(redacted)
        self.tell(redacted)

    def _logs(self) -> Path:
        return self.prepared.workplace.etude / "logs" / self.prepared.study.name

    def _remember(self, run: str) -> None:
        prepared, summary = self.prepared, self.summary
        cached = {node.fingerprint: None for node in prepared.plan.cached}
        done = {**cached, **summary.computed, **summary.reused}
        nodes = [action.node for action in prepared.plan.actions]
        file = str(prepared.study.file or "")
        history = after(prepared.history, nodes, done, run, file, str(prepared.store.root))
        latest = read_history(prepared.workplace.etude, prepared.study.title)  # others may have added theirs
        if self.options.only or self.options.until:
            history = replace(history, results={**latest.results, **history.results})
        if history != latest:
            write_history(prepared.workplace.etude, history)
        if prepared.store.is_there():
            with contextlib.suppress(OSError, StoreError):  # what was planned is registered since the run began
                self._register(done)


def in_vain(prepared: PreparedStudy) -> bool:
    """Whether the study has a search of which trials ended and not one succeeded."""
    if prepared.search is None:
        return False
    trials = [prepared.search.history.trials[number] for number in prepared.search.history.ended]
    return bool(trials) and not any(trial.outcome in (TrialOutcome.OK, TrialOutcome.PRUNED) for trial in trials)


def new_run_id(at_s: float) -> str:
    """A name for a run that sorts by time: UTC to the microsecond, and a few random digits."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def _differences(prepared: PreparedStudy) -> Differences | None:
    return None if prepared.present is None else prepared.present.compare()


def _ends(nodes: Sequence[Node]) -> list[Node]:
    read = {other.fingerprint for node in nodes for other in node.upstream()}
    return [node for node in nodes if node.fingerprint not in read]


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _expected_s(actions: Sequence[Action]) -> dict[str, float]:
    """Node name → mean seconds that its stored results took, where there are any."""
    times: dict[str, list[float]] = {}
    for action in actions:
        wall_s = action.manifest.cost.get("wall_s") if action.manifest else None
        if isinstance(wall_s, (int, float)):
            times.setdefault(action.node.name, []).append(float(wall_s))
    return {name: sum(values) / len(values) for name, values in times.items()}


def _add(total: RunSummary, part: RunSummary) -> None:
    total.computed.update(part.computed)
    total.reused.update(part.reused)
    failed = {failure.node.fingerprint for failure in part.failures}
    total.observed.update(part.observed)
    total.failures = [old for old in total.failures if old.node.fingerprint not in failed] + part.failures
    total.blocked = {**part.blocked}
    total.stopped = part.stopped
    total.interrupted = part.interrupted
    total.damaged = {}
