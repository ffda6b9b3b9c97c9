"""Takes over what an earlier driver of the same study left queued or running: nothing is submitted twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etude.batch import run_folder
from etude.batch.job_journal import JobJournal, JournalEntry, JournalStep
from etude.batch.job_spec import JobSpec
from etude.batch.part_job import PartJob
from etude.batch.submission import Submitter
from etude.cluster.schedulers.scheduler import Phase
from etude.errors import BackendError
from etude.execute.run_events import Event, EventKind, EventLog, first_event, has_ended
from etude.study.run_driver import driver_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """A job that an earlier driver left."""

    id: str
    folder: Path
    attempt: int


def take_over(tracks: Sequence[PartJob], submitter: Submitter, study: str, now_s: float) -> Iterator[PartJob]:
    """Let jobs of earlier runs that do the same work count for these parts; gives the parts that have one.

    Raises:
        BackendError: Another driver is at it.
    """
    wanted = {track.part.targets: track for track in tracks}
    refuse_if_driven(submitter.folder.parent, study, now_s, but=submitter.folder)
    for run in unfinished_runs(submitter.folder.parent, study, but=submitter.folder):
        for left in _left_by(run, submitter):
            try:
                targets = JobSpec.read(left.folder).targets
            except BackendError:
                continue
            track = wanted.get(targets)
            if track is not None and not track.lives:
                track.adopted(left.folder, left.id, left.attempt, now_s)
                submitter.adopted(track)
                yield track
        with EventLog(run / run_folder.EVENTS) as log:
            log(
                Event(kind=EventKind.RUN_ENDED, time_s=now_s, data={"succeeded": False, "taken_over_by": submitter.run})
            )


def refuse_if_driven(runs: Path, study: str, now_s: float, but: Path | None = None) -> None:
    """See that nobody else drives batch jobs of a study: two drivers would submit each job twice.

    Raises:
        BackendError: Somebody does.
    """
    for run in unfinished_runs(runs, study, but):
        driver = driver_of(run)
        if driver is not None and driver.lives(now_s):
            raise BackendError(
                f"study {study!r} is being run already, by {driver} (run {run.name}).\n"
                "    Mend: follow it with `etude watch`, or stop it with `etude cancel`."
            )


def unfinished_runs(runs: Path, study: str, but: Path | None = None) -> list[Path]:
    """Runs of a study that have batch jobs and have not ended, the latest first."""
    found = []
    for folder in sorted(runs.glob("*"), reverse=True):
        log = folder / run_folder.EVENTS
        if folder == but or not (folder / run_folder.JOURNAL).exists() or not log.exists() or has_ended(log):
            continue
        first = first_event(log)
        if first is not None and (first.data or {}).get("study") == study:
            found.append(folder)
    return found


def _left_by(run: Path, submitter: Submitter) -> list[_Left]:
    """The jobs of a run that are queued or run still."""
    entries = JobJournal(path=run / run_folder.JOURNAL).latest().values()
    known = {entry: id_ for entry in entries if (id_ := _id_of(entry, submitter))}
    states = submitter.scheduler.look(list(known.values())) if known else {}
    return [
        _Left(id=id_, folder=Path(entry.folder), attempt=entry.attempt)
        for entry, id_ in known.items()
        if id_ in states and states[id_].phase is not Phase.ENDED
    ]


def _id_of(entry: JournalEntry, submitter: Submitter) -> str:
    """The id of a part's job; found by its name where the driver died while it submitted it."""
    match entry.step:
        case JournalStep.SUBMITTED:
            return entry.id
        case JournalStep.INTENT:
            return next(iter(submitter.scheduler.find(entry.name)), "")
        case JournalStep.OVER:
            return ""
