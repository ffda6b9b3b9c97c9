"""A study of a few variants, and a scheduler whose every move a test decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etude.batch import run_folder
from etude.batch.batch_driver import BatchDriver
from etude.batch.batch_job import BatchJob, End
from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import JobAccount, JobState, Phase
from etude.errors import JobRefused, SchedulerAway
from etude.execute.run_events import Event, EventKind
from etude.study.execution import Execution, Result
from etude.study.prepare import Options, PreparedStudy
from etude.study.study import Vary
from projects import CALLED, Project, environment

STEPS = (
    CALLED
    + """
@step
def base(*, value: int) -> int:
    called("base")
    return value

@step
def fit(base: int, *, k: int) -> dict[str, float]:
    called(f"fit{k}")
    return {"score": base + k / 10}
"""
)


@dataclass
class FakeJob:
    """A job that was handed to the fake scheduler."""

    id: str
    folder: Path
    state: JobState = field(default_factory=lambda: JobState(phase=Phase.QUEUED, word="PENDING", reason="Resources"))


Plot = Callable[["FakeScheduler"], Iterator[None]]
"""What happens on the cluster: it goes on to the next `yield` whenever the driver looks."""


@dataclass
class FakeScheduler:
    """A scheduler in memory. Jobs start, end and vanish as a plot says; a job that ends well has really computed."""

    plot: Plot
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    refusal: str = ""
    away: str = ""
    at_s: float = 1000.0
    most_queued: int = 0
    _course: Iterator[None] | None = None

    def submit(self, script: Path) -> str:
        if self.refusal:
            raise JobRefused(self.refusal)
        if self.away:
            raise SchedulerAway(self.away)
        id_ = str(len(self.jobs) + 1)
        self.jobs[id_] = FakeJob(id_, script.parent)
        self.most_queued = max(self.most_queued, sum(j.state.phase is Phase.QUEUED for j in self.jobs.values()))
        return id_

    def look(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        self._course = self._course or self.plot(self)
        if next(self._course, "over") == "over" and not self.away:
            self.run_all()
        if self.away:
            raise SchedulerAway(self.away)
        return {id_: self.jobs[id_].state for id_ in ids if id_ in self.jobs}

    def find(self, name: str) -> Sequence[str]:
        return [job.id for job in self.jobs.values() if f"--job-name={name}\n" in (job.folder / "job.sh").read_text()]

    def cancel(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self.cancelled.append(id_)
            self.ends(id_, "CANCELLED")

    def account(self, ids: Sequence[str]) -> Mapping[str, JobAccount]:
        return {
            id_: JobAccount(word=self.jobs[id_].state.word, wall_s=7.0, energy_j=42.0)
            for id_ in ids
            if id_ in self.jobs
        }

    def clock(self) -> float:
        """A second goes by each time that somebody asks."""
        self.at_s += 1
        return self.at_s

    # What a plot says.

    def start(self, id_: str) -> None:
        self.jobs[id_].state = JobState(phase=Phase.RUNNING, word="RUNNING")

    def ends(self, id_: str, word: str = "COMPLETED", reason: str = "") -> None:
        self.jobs[id_].state = JobState(phase=Phase.ENDED, word=word, reason=reason)

    def requeue(self, id_: str) -> None:
        self.jobs[id_].state = JobState(phase=Phase.QUEUED, word="PENDING", reason="BeginTime")

    def forget(self, id_: str) -> None:
        del self.jobs[id_]

    def run(self, id_: str, stop: End | None = None) -> None:
        """Have a job compute its part here and now; or say that it stopped at a checkpoint."""
        folder = self.jobs[id_].folder
        if stop is None:
            BatchJob(folder=folder, environment=environment()).run()
        else:
            (folder / run_folder.ENDED).write_text(json.dumps({"end": stop, "reason": ""}))
        self.ends(id_)

    def run_all(self) -> None:
        """Every job runs, one after the other."""
        for id_ in [job.id for job in self.jobs.values() if job.state.phase is not Phase.ENDED]:
            self.run(id_)


@dataclass
class Batch:
    """A study and the cluster that it is run on as batch jobs."""

    project: Project
    profile: Profile = field(default_factory=lambda: Profile(name="site", scheduler="slurm"))
    events: list[Event] = field(default_factory=list)
    ks: tuple[int, ...] = (1, 2, 3)
    base_on: dict[str, object] = field(default_factory=dict)

    def prepare(self, **options: object) -> PreparedStudy:
        nodes = {"base": ("base", None, {"value": 3}, self.base_on), "fit": ("fit", "base", {"k": "${k}"})}
        collect = {"table": ("analysis.aggregate", "records", {})}
        vary = Vary(grid={"k": self.ks})
        study = self.project.study(nodes, collect=collect, params={"k": 1}, vary=vary, backend="inline", retries=2)
        return self.project.prepare(study, **options)

    def run(
        self, plot: Plot, scheduler: FakeScheduler | None = None, **options: object
    ) -> tuple[Result, FakeScheduler]:
        scheduler = scheduler or FakeScheduler(plot)
        fail_fast = bool(options.get("fail_fast"))
        batch_driver = BatchDriver(
            profile=self.profile,
            scheduler=scheduler,
            fail_fast=fail_fast,
            poll_s=0.0,
            environment=environment(),
            clock=scheduler.clock,
        )
        prepared = self.prepare(**options)
        chosen = Options(environment=environment(), **options)  # type: ignore[arg-type]
        self.events.clear()
        return Execution(prepared, chosen, self.events.append, batch_driver).run(), scheduler

    def told(self) -> list[str]:
        """What was told of jobs: `1 submitted`."""
        jobs = [event.data or {} for event in self.events if event.kind is EventKind.JOB]
        return [f"{data.get('id', '-')} {data['state']}" for data in jobs if data["state"] != "accounted"]
