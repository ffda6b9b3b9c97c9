"""What became of the runs of a project, read from their folders: on any machine that sees them, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from etude.batch import run_folder
from etude.batch.job_journal import JobJournal
from etude.execute.run_events import Event, EventKind, read_events
from etude.study.run_driver import RunDriver, driver_of, pilots_of


class RunStatus(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    ENDED = "ended"
    """It is over and did not succeed."""
    ABANDONED = "abandoned"
    """Its driver is gone; the same command again takes over what it left."""


@dataclass(slots=True, kw_only=True)
class JobView:
    """One batch job, from the events about it."""

    id: str
    variant: str
    state: str = ""
    reason: str = ""
    attempt: int = 1
    since_s: float = 0.0
    account: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class RunOverview:
    """One run."""

    run: str
    folder: Path
    study: str = ""
    state: RunStatus = RunStatus.RUNNING
    started_s: float = 0.0
    ended_s: float | None = None
    last_s: float = 0.0
    """When it was last heard of."""
    todo: int = 0
    """Nodes that were to be computed."""
    done: int = 0
    failed: int = 0
    running: list[str] = field(default_factory=list)
    """Labels of the nodes that run."""
    driver: RunDriver | None = None
    jobs: dict[str, JobView] = field(default_factory=dict)
    taken_over_by: str = ""

    @property
    def living_jobs(self) -> tuple[str, ...]:
        """Ids of the batch jobs that are not known to be over."""
        pilots = pilots_of(self.folder) if self.ended_s is None else ()
        return (*JobJournal(path=self.folder / run_folder.JOURNAL).ids(), *pilots)


def overview(folder: Path, now_s: float) -> RunOverview | None:
    """One run; None where the folder holds none."""
    try:
        events = read_events(folder / run_folder.EVENTS)
    except (OSError, ValueError):
        return None
    if not events:
        return None
    found = RunOverview(run=folder.name, folder=folder, driver=driver_of(folder))
    running: dict[str, str] = {}
    for event in events:
        _take(found, event, running)
        found.last_s = max(found.last_s, event.time_s)
    found.running = list(running.values())
    if found.ended_s is None and not (found.driver is not None and found.driver.lives(now_s)):
        found.state = RunStatus.ABANDONED
    return found


def overviews(runs: Path, now_s: float, study: str | None = None) -> list[RunOverview]:
    """The runs of a project, or of one study, the latest first."""
    found = (overview(folder, now_s) for folder in sorted(runs.glob("*"), reverse=True))
    return [run for run in found if run is not None and study in (None, run.study)]


def _take(found: RunOverview, event: Event, running: dict[str, str]) -> None:
    data = event.data or {}
    match event.kind:
        case EventKind.RUN_STARTED:
            todo = data.get("todo")
            found.study, found.started_s = str(data.get("study", "")), event.time_s
            found.todo = sum(todo.values()) if isinstance(todo, Mapping) else 0
        case EventKind.STARTED:
            running[event.fingerprint] = event.label
        case EventKind.QUEUED:
            running.pop(event.fingerprint, None)
        case EventKind.DONE | EventKind.REUSED:
            running.pop(event.fingerprint, None)
            found.done += 1
        case EventKind.FAILED:
            running.pop(event.fingerprint, None)
            found.failed += 1
        case EventKind.RETRY | EventKind.STOPPED:
            running.pop(event.fingerprint, None)
        case EventKind.STOPPING:
            found.state = RunStatus.STOPPING
        case EventKind.RUN_ENDED:
            found.ended_s = event.time_s
            found.state = RunStatus.DONE if data.get("succeeded") else RunStatus.ENDED
            found.taken_over_by = str(data.get("taken_over_by", ""))
            running.clear()
        case EventKind.JOB if "id" in data:
            _take_job(found, data, event.time_s)


def _take_job(found: RunOverview, data: Mapping[str, object], at_s: float) -> None:
    id_ = str(data["id"])
    job = found.jobs.setdefault(id_, JobView(id=id_, variant=str(data.get("variant", ""))))
    account = data.get("account")
    if isinstance(account, Mapping):
        job.account = account
        return
    job.state, job.reason, job.since_s = str(data.get("state", "")), str(data.get("reason", "")), at_s
    attempt = data.get("attempt")
    job.attempt = attempt if isinstance(attempt, int) else 1
