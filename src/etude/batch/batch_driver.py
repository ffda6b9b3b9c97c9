"""Sees a study through as batch jobs: submits them at the pace that the site allows, follows them, and submits again
where the cluster has cost one.

Everything that is known is in the run's folder and the store, so the driver may be killed at any moment: the next one
takes over the jobs that are queued or run, and what is done is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etude.batch import run_folder
from etude.batch.accounts import tell_accounts
from etude.batch.batch_job import End
from etude.batch.login_run import LoginRun
from etude.batch.part_job import PartJob, Stage
from etude.batch.run_outcome import summarise
from etude.batch.study_parts import parts_of
from etude.batch.submission import Submitter
from etude.batch.take_over import take_over
from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import JobState, Phase, Scheduler
from etude.errors import BackendError, JobRefused, SchedulerAway, StoreError
from etude.execute.logs import tail
from etude.execute.run_events import Event, EventKind, Tell, now
from etude.execute.runner import ELSEWHERE, RunSummary
from etude.graph.pipeline import Needs
from etude.store.files.manifest import Manifest
from etude.study.prepare import PreparedStudy, meter_settings
from etude.study.run_driver import note_cluster

MISSING = 3
"""Answers in a row without a job after which the scheduler has forgotten it."""
SETTLE = 2
"""Looks in a row at a job that is over and has said nothing: shared file systems show a file late."""
MOST_AGAIN = 100
"""How often a part goes on in another job after it came to a checkpoint."""
HOLD_S = 60.0
"""How long to wait when the scheduler takes no more jobs for now."""
BACKOFF_S = 5.0

_FORWARDED = frozenset(
    {
        EventKind.STARTED,
        EventKind.PROGRESS,
        EventKind.DONE,
        EventKind.REUSED,
        EventKind.FAILED,
        EventKind.RETRY,
        EventKind.BLOCKED,
        EventKind.STOPPED,
    }
)


@dataclass(slots=True, kw_only=True)
class BatchDriver:
    """Drives one study as batch jobs. See `etude.study.execution.PlanDriver`."""

    profile: Profile
    scheduler: Scheduler
    fail_fast: bool = False
    poll_s: float = 30.0
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the processes that compute nodes where the driver runs."""
    clock: Callable[[], float] = now
    tracks: list[PartJob] = field(default_factory=list)
    submitter: Submitter | None = None
    _beforehand: LoginRun | None = None
    _tell: Tell = field(default=lambda _event: None)
    _summary: RunSummary = field(default_factory=RunSummary)
    _stopping: bool = False
    _told_stopping: bool = False
    _wake: threading.Event = field(default_factory=threading.Event)
    _away: bool = False
    _held_s: float = 0.0
    """Until when no more is submitted."""
    _finished: set[str] = field(default_factory=set)
    """Nodes whose end was told: several jobs may tell of one that they share."""

    def refuses(self, needs: Needs) -> str | None:
        if needs.nodes > 1 or needs.processes > 1:
            return "it spans machines or processes, which takes pilot jobs: run without --one-job-per"
        own = self.profile.for_gpus(self.profile.gpus if needs.gpus else 0)
        if needs.gpus > own.gpus:
            return f"it needs {needs.gpus} GPU(s) of one machine and profile {own.name!r} asks for {own.gpus}"
        if needs.walltime_s is not None and needs.walltime_s > own.walltime_s:
            return f"it may take {needs.walltime_s:g} s and a job of profile {own.name!r} lasts {own.walltime_s:g} s"
        return None

    def drive(self, prepared: PreparedStudy, run: str, folder: Path, tell: Tell, summary: RunSummary) -> None:
        """See the plan to its end.

        Raises:
            BackendError: The scheduler is not installed or takes no job, or jobs cannot run étude; all that was
                submitted is cancelled.
        """
        self._tell, self._summary = tell, summary
        meter = meter_settings(prepared)
        submitter = Submitter(
            prepared=prepared,
            run=run,
            folder=folder.absolute(),
            profile=self.profile,
            scheduler=self.scheduler,
            meter=meter,
            fail_fast=self.fail_fast,
        )
        self.submitter = submitter
        if not self._computed_here(
            LoginRun(prepared=prepared, run=run, environment=self.environment, meter=meter, tell=tell), summary
        ):
            return
        parts = parts_of(prepared.expansion, prepared.plan, prepared.study.name)
        self.tracks = [PartJob(part=part, folder=run_folder.job_folder(submitter.folder, part.name)) for part in parts]
        for old in take_over(self.tracks, submitter, prepared.study.name, self.clock()):
            self._say_job(old, "taken over")
        submitter.lay_out(parts)
        note_cluster(submitter.folder, self.profile.scheduler)
        try:
            self._loop()
        except BaseException:
            self._cancel([track for track in self.tracks if track.lives])
            raise
        finally:
            tell_accounts(self.tracks, self.scheduler, submitter, tell)
            summarise(prepared, self.tracks, summary, stopped=self._stopping)

    def _computed_here(self, beforehand: LoginRun, summary: RunSummary) -> bool:
        """Compute what is placed on the login node; whether the rest can follow."""
        if not beforehand.nodes():
            return True
        self._beforehand = beforehand
        made = beforehand.compute()
        if made.succeeded:
            return True
        summary.failures += made.failures
        summary.stopped += made.stopped
        summary.computed.update(made.computed)
        summary.interrupted = made.interrupted
        return False

    def interrupt(self) -> None:
        """Start nothing more, and have what runs stop at its next checkpoint."""
        self._stopping = True
        self._wake.set()
        if self._beforehand is not None and self._beforehand.runner is not None:
            self._beforehand.runner.interrupt()

    # The loop.

    def _loop(self) -> None:
        while True:
            if self._stopping:
                self._stop()
            else:
                self._submit()
            self._look()
            self._listen()
            self._judge()
            if all(track.stage is Stage.OVER for track in self.tracks):
                return
            self._wake.wait(self.poll_s)
            self._wake.clear()

    def _stop(self) -> None:
        """Have every job stop: those that wait at once, those that run at their next checkpoints."""
        if not self._told_stopping:
            self._told_stopping = True
            self._tell(Event(kind=EventKind.STOPPING, time_s=self.clock()))
            assert self.submitter is not None
            for run in {self.submitter.folder, *(run_folder.run_of(track.folder) for track in self.tracks)}:
                (run / run_folder.CANCEL).touch()
        self._cancel([track for track in self.tracks if track.stage is Stage.QUEUED])
        for track in self.tracks:
            if track.stage in (Stage.WAITING, Stage.QUEUED):
                self._over(track, End.CANCELLED, "")

    # Submitting.

    def _submit(self) -> None:
        """Submit what may be submitted now: no more in the queue than allowed, and one by one where paced."""
        assert self.submitter is not None
        now_s = self.clock()
        if now_s < self._held_s:
            return
        ready = [track for track in self.tracks if track.stage is Stage.WAITING and track.not_before_s <= now_s]
        first = [track for track in ready if track.attempt == 0 and not track.part.collects and not track.part.after]
        try:
            if self.profile.array and len(first) > 1 and len(first) == len(self._variants()):
                self.submitter.submit_array(first, now_s)
                for track in first:
                    self._say_job(track, "submitted")
                return
            for track in ready:
                if not self._may_submit():
                    return
                after = self._dependencies(track)
                if after is not None:
                    self.submitter.submit(track, after, now_s)
                    self._say_job(track, "submitted")
        except SchedulerAway as error:
            self._told_away(error)
        except JobRefused as error:
            if not any(track.lives for track in self.tracks):
                raise _refused(error, self.profile) from error
            self._held_s = now_s + max(HOLD_S, self.poll_s)
            self._tell(Event(kind=EventKind.JOB, time_s=now_s, data={"state": "held back", "reason": str(error)}))

    def _variants(self) -> list[PartJob]:
        return [track for track in self.tracks if not track.part.collects]

    def _may_submit(self) -> bool:
        queued = sum(track.stage is Stage.QUEUED for track in self.tracks)
        return queued == 0 if self.profile.paced else queued < self.profile.queued

    def _dependencies(self, track: PartJob) -> Sequence[str] | None:
        """Ids of the jobs that must end before this one starts; None if it cannot be submitted yet.

        What collects may stand in the queue while the last variants run, where the scheduler knows of dependencies and
        every variant has a job. A job that has to be submitted once more would not be waited for, so then, and for
        parts that compute something again, the driver waits itself.
        """
        before = self._before(track)
        if all(other.stage is Stage.OVER for other in before):
            return ()
        ordered = track.part.collects and track.attempt == 0 and self.profile.scheduler in ("slurm", "pbs")
        if ordered and all(other.lives or other.stage is Stage.OVER for other in before):
            return [other.id for other in before if other.lives]
        return None

    def _withdraw_readers(self, track: PartJob) -> None:
        """Take back the jobs that wait for a part which has to be submitted again: they would start without it."""
        readers = [other for other in self.tracks if track.part.name in other.part.after and other.lives]
        self._cancel(readers)
        for reader in readers:
            self._note_over(reader, "withdrawn")
            reader.stage = Stage.WAITING

    # Looking and listening.

    def _look(self) -> None:
        """Ask the scheduler about all jobs at once."""
        lively = [track for track in self.tracks if track.lives]
        if not lively:
            return
        try:
            states = self.scheduler.look([track.id for track in lively])
        except SchedulerAway as error:
            self._told_away(error)
            return
        if self._away:
            self._away = False
            self._tell(Event(kind=EventKind.JOB, time_s=self.clock(), data={"state": "scheduler is back"}))
        for track in lively:
            self._take_state(track, states.get(track.id))

    def _take_state(self, track: PartJob, state: JobState | None) -> None:
        if state is None:
            track.missing += 1
            return
        track.missing = 0
        before, track.state = track.state, state
        if state.phase is Phase.RUNNING and track.stage is Stage.QUEUED:
            track.stage = Stage.RUNNING
            self._say_job(track, "started")
        elif state.phase is Phase.QUEUED and track.stage is Stage.RUNNING:
            track.stage, track.submitted_s = Stage.QUEUED, self.clock()
            self._say_job(track, "requeued", state.reason)
        elif state.phase is Phase.QUEUED and (before is None or before.reason != state.reason) and state.reason:
            self._say_job(track, "queued", state.reason)

    def _told_away(self, error: SchedulerAway) -> None:
        if not self._away:
            self._away = True
            self._tell(
                Event(
                    kind=EventKind.JOB, time_s=self.clock(), data={"state": "scheduler is away", "reason": str(error)}
                )
            )

    def _listen(self) -> None:
        """Tell on what the jobs tell, each node's end once."""
        for track in self.tracks:
            for event in track.events():
                if event.kind is EventKind.RUN_STARTED and track.stage is Stage.QUEUED:
                    track.stage = Stage.RUNNING
                    self._say_job(track, "started")
                self._tell_on(event)

    def _tell_on(self, event: Event) -> None:
        if event.kind in (EventKind.DONE, EventKind.REUSED, EventKind.FAILED, EventKind.BLOCKED):
            if event.fingerprint in self._finished or (event.kind is EventKind.REUSED and self._is_ours(event)):
                return
            self._finished.add(event.fingerprint)
        if event.kind in _FORWARDED:
            self._tell(event)

    def _is_ours(self, event: Event) -> bool:
        """Whether a job of this run computed what another of them found done: then that one tells of it."""
        assert self.submitter is not None
        try:
            found = self.submitter.prepared.store.inspect(event.fingerprint)
        except StoreError:  # it is out of reach: then who computed it is not known
            return False
        runs = {run_folder.run_of(track.folder).name for track in self.tracks}
        return (event.data or {}).get("how") == ELSEWHERE and (
            isinstance(found, Manifest) and found.provenance.get("run") in runs
        )

    # Judging.

    def _judge(self) -> None:
        """See which jobs are over, and what becomes of their parts."""
        for track in self.tracks:
            if not track.lives:
                continue
            waits_s = self.profile.start_timeout_s
            if (
                track.stage is Stage.QUEUED
                and waits_s is not None
                and self.clock() - track.submitted_s > waits_s
                and track.queue_phase() is Phase.QUEUED
                and not self._waits_for_others(track)
            ):
                raise self._never_started(track, waits_s)
            if self._is_over(track):
                self._settle(track)

    def _waits_for_others(self, track: PartJob) -> bool:
        return any(other.lives for other in self._before(track))

    def _before(self, track: PartJob) -> list[PartJob]:
        return [other for other in self.tracks if other.part.name in track.part.after]

    def _is_over(self, track: PartJob) -> bool:
        state = track.state
        if state is not None and state.phase is Phase.ENDED and not track.missing:
            return True
        if track.missing >= MISSING:
            return True
        return track.said() is not None and track.missing > 0

    def _settle(self, track: PartJob) -> None:
        """What becomes of a part whose job is over."""
        said = track.said()
        if said is None:
            track.unexplained += 1
            if track.unexplained <= SETTLE:
                return
            self._unexplained(track)
            return
        for event in track.events():
            self._tell_on(event)
        end, reason = said
        if end is End.UNFIT:
            raise _unfit(reason, track, self.profile)
        if end is End.STOPPED and not self._stopping and track.again < MOST_AGAIN:
            track.again += 1
            self._again(track, "stopped at a checkpoint", "", 0.0)
            return
        if end is End.FAILED and any(other.stage is not Stage.OVER for other in self._before(track)):
            self._again(track, "began too early", reason, 0.0)
            return
        self._over(track, end, reason)

    def _unexplained(self, track: PartJob) -> None:
        """A job that ended without a word: the cluster has cost it, or it could not even begin."""
        word = track.state.word if track.state is not None and not track.missing else "forgotten by the scheduler"
        why = f"job {track.id} ended without a word: {word}"
        if track.state is not None and track.state.reason:
            why += f" ({track.state.reason})"
        if not track.began() and word in _BROKE:
            raise _unfit(tail(track.folder / run_folder.OUTPUT) or why, track, self.profile)
        if track.state is not None and track.state.word == "held":
            self._cancel([track])
        assert self.submitter is not None
        if self._stopping:
            self._over(track, End.CANCELLED, why)
        elif track.lost < self.submitter.prepared.study.place.retries:
            track.lost += 1
            self._again(track, "lost", why, BACKOFF_S * 2 ** (track.lost - 1))
        else:
            self._over(track, End.FAILED, why)

    def _again(self, track: PartJob, state: str, reason: str, wait_s: float) -> None:
        """Have a part submitted once more."""
        self._note_over(track, state, reason)
        track.stage, track.not_before_s = Stage.WAITING, self.clock() + wait_s
        self._withdraw_readers(track)

    def _over(self, track: PartJob, end: End, reason: str) -> None:
        track.end, track.reason = end, reason
        if track.id:
            self._note_over(track, str(end), reason)
        track.stage = Stage.OVER
        if end is End.FAILED and self.fail_fast:
            self.interrupt()

    def _note_over(self, track: PartJob, state: str, reason: str = "") -> None:
        assert self.submitter is not None
        self.submitter.over(track)
        self._say_job(track, state, reason)

    def _never_started(self, track: PartJob, waits_s: float) -> BackendError:
        state = track.state
        reason = f"the scheduler says {state.reason or state.word}" if state is not None else "no reason is given"
        return BackendError(
            f"job {track.id} ({track.part.label}) did not start in {waits_s:g} s: {reason}. All jobs were cancelled.\n"
            "    Mend: ask for less in the cluster profile (walltime, gpus, partition), or raise its start_timeout."
        )

    def _cancel(self, tracks: Sequence[PartJob]) -> None:
        ids = [track.id for track in tracks if track.id]
        if ids:
            try:
                self.scheduler.cancel(ids)
            except SchedulerAway as error:
                self._told_away(error)

    def _say_job(self, track: PartJob, state: str, reason: str = "") -> None:
        data: dict[str, object] = {
            "part": track.part.name,
            "variant": track.part.label,
            "id": track.id,
            "state": state,
            "attempt": track.attempt,
        }
        self._tell(Event(kind=EventKind.JOB, time_s=self.clock(), data=data | ({"reason": reason} if reason else {})))


_BROKE = frozenset({"FAILED", "F", "completed", "COMPLETED"})
"""What schedulers call a job whose script ended of itself, whatever its exit code."""


def _refused(error: JobRefused, profile: Profile) -> BackendError:
    return BackendError(
        f"the scheduler takes no job of profile {profile.name!r}: {error}\n"
        "    Mend: see what is submitted with `etude cluster render`, and set right the profile's partition, queue, "
        "account or limits."
    )


def _unfit(reason: str, track: PartJob, profile: Profile) -> BackendError:
    text = f"job {track.id} ({track.part.label}) could not run étude, so all jobs were cancelled. It said: {reason}"
    if "Mend: " not in reason:
        text += (
            f"\n    Mend: make étude importable for jobs with `setup` or `python` in profile {profile.name!r}, "
            "and try it with `etude cluster check`."
        )
    return BackendError(f"{text}\n    What it printed: {track.folder / run_folder.OUTPUT}")
