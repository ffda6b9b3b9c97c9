"""Hands parts to a cluster: writes orders and batch scripts into the run's folder, and submits them."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from etude import __version__
from etude.batch import run_folder
from etude.batch.batch_job import own_code
from etude.batch.job_journal import JobJournal, JournalEntry, JournalStep
from etude.batch.job_spec import BEACON, JobSpec, metering_fields
from etude.batch.node_packing import pack_nodes
from etude.batch.part_job import PartJob
from etude.batch.study_parts import StudyPart, job_request
from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import Scheduler, task_id
from etude.cluster.scripts import render_job
from etude.cluster.scripts.htcondor_script import dag
from etude.errors import SchedulerAway
from etude.execute.node_metering import MeterSettings
from etude.study.prepare import DIGESTS, PreparedStudy

TOKEN = 4
"""Characters of the run's id that tell its jobs from those of other runs."""


@dataclass(slots=True, kw_only=True)
class Submitter:
    """Submits the parts of one run."""

    prepared: PreparedStudy
    run: str
    folder: Path
    profile: Profile
    scheduler: Scheduler
    meter: MeterSettings
    fail_fast: bool = False
    journal: JobJournal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = JobJournal(path=self.folder / run_folder.JOURNAL)

    def lay_out(self, parts: Sequence[StudyPart]) -> None:
        """Write what all jobs read, and every part's order and script, so that they can be looked at."""
        nodes = [action.node for action in self.prepared.plan.actions]
        beacon = self.prepared.store.put_note(BEACON, {"run": self.run})
        (self.folder / run_folder.JOBS).mkdir(exist_ok=True)
        (self.folder / run_folder.NODES).write_bytes(pack_nodes(nodes))
        (self.folder / run_folder.OWN).write_text(json.dumps(own_code(nodes), indent=1), encoding="utf-8")
        for part in parts:
            self._order(part, beacon).write(run_folder.job_folder(self.folder, part.name))
            self.write_script(part, ())
        if self.profile.scheduler == "htcondor":
            jobs = {
                part.name: str(run_folder.job_folder(self.folder, part.name) / run_folder.DESCRIPTION) for part in parts
            }
            graph = dag(jobs, {part.name: part.after for part in parts}, self.prepared.study.place.retries)
            (self.folder / run_folder.GRAPH).write_text(graph, encoding="utf-8")

    def submit(self, track: PartJob, after: Sequence[str], now_s: float) -> None:
        """Submit the job of one part.

        Raises:
            JobRefused: The scheduler does not take it.
            SchedulerAway: It does not answer; if the job got through all the same, it is found by its name.
        """
        part, name = track.part, self._name(track.part)
        track.folder = folder = run_folder.job_folder(self.folder, part.name)
        (folder / run_folder.ENDED).unlink(missing_ok=True)
        script = self.write_script(part, after)
        self._note(track, JournalStep.INTENT, "")
        try:
            id_ = self.scheduler.submit(script)
        except SchedulerAway:
            found = [one for one in self.scheduler.find(name) if one not in track.ids]
            if not found:
                raise
            id_ = found[-1]
        track.submitted(id_, now_s)
        self._note(track, JournalStep.SUBMITTED, id_)

    def submit_array(self, tracks: Sequence[PartJob], now_s: float) -> None:
        """Submit the jobs of several parts at once, as an array. All are asked for what the most demanding needs."""
        names = [track.part.name for track in tracks]
        (self.folder / run_folder.TASKS).write_text(json.dumps(names), encoding="utf-8")
        largest = _largest([track.part for track in tracks])
        own, job = job_request(largest, self.profile)
        output = str(self.folder / run_folder.JOBS / "{task}.txt")
        array = replace(
            job,
            name=self._name(replace(largest, name=f"{self.prepared.study.name}-variants")),
            command=self._command('--task "$ETUDE_TASK"'),
            stdout=output,
            stderr=output,
            array=len(tracks),
            at_once=self.profile.blocks.most if self.profile.blocks.most > 1 else None,
        )
        script = self._written(own, array, self.folder / run_folder.JOBS)
        for track in tracks:
            (track.folder / run_folder.ENDED).unlink(missing_ok=True)
            self._note(track, JournalStep.INTENT, "")
        id_ = self.scheduler.submit(script)
        for index, track in enumerate(tracks):
            track.submitted(task_id(self.profile.scheduler, id_, index), now_s)
            self._note(track, JournalStep.SUBMITTED, track.id)

    def over(self, track: PartJob) -> None:
        """Note that a part's job is over."""
        self._note(track, JournalStep.OVER, track.id)

    def adopted(self, track: PartJob) -> None:
        """Note that an earlier run's job computes a part."""
        self._note(track, JournalStep.SUBMITTED, track.id)

    def write_script(self, part: StudyPart, after: Sequence[str]) -> Path:
        """Write the batch script of a part; the path of what is submitted."""
        folder = run_folder.job_folder(self.folder, part.name)
        own, job = job_request(part, self.profile)
        output = str(folder / run_folder.OUTPUT)
        whole = replace(
            job,
            name=self._name(part),
            command=self._command(f"--part {shlex.quote(part.name)}"),
            stdout=output,
            stderr=output,
            after=tuple(after),
        )
        return self._written(own, whole, folder)

    def _written(self, profile: Profile, job: Job, folder: Path) -> Path:
        script = folder / run_folder.SCRIPT
        text = render_job(profile, job, str(script))
        script.write_text(text.script, encoding="utf-8")
        if text.description is None:
            return script
        (folder / run_folder.DESCRIPTION).write_text(text.description, encoding="utf-8")
        return folder / run_folder.DESCRIPTION

    def _command(self, which: str) -> str:
        """The shell takes itself away, so that the scheduler's signals reach étude."""
        python = self.profile.python or sys.executable
        run = shlex.quote(str(self.folder))
        return f'exec {python} -P -m etude.batch.batch_job {run} {which} --until "$ETUDE_BLOCK_END"'

    def _name(self, part: StudyPart) -> str:
        return f"{part.name}.{self.run[-TOKEN:]}"

    def _note(self, track: PartJob, step: JournalStep, id_: str) -> None:
        attempt = track.attempt + (step is JournalStep.INTENT)
        self.journal.write(
            JournalEntry(
                part=track.part.name,
                step=step,
                folder=str(track.folder),
                name=self._name(track.part),
                id=id_,
                attempt=attempt,
            )
        )

    def _order(self, part: StudyPart, beacon: str) -> JobSpec:
        prepared = self.prepared
        place, workplace = prepared.study.place, prepared.workplace
        _, job = job_request(part, self.profile)
        return JobSpec(
            etude=__version__,
            name=part.name,
            label=part.label,
            study=prepared.study.name,
            run=self.run,
            project=str(workplace.project),
            store=str(workplace.store),
            logs=str(workplace.etude / "logs" / prepared.study.name),
            digests=str(workplace.etude / DIGESTS),
            beacon=beacon,
            targets=part.targets,
            nodes=part.nodes if part.collects else (),
            force=tuple(sorted(part.force)),
            collects=part.collects,
            backend=place.backend,
            workers=place.workers or job.cpus or 1,
            cpus=job.cpus,
            gpus=job.gpus,
            memory_bytes=job.memory_bytes,
            retries=place.retries,
            fail_fast=self.fail_fast,
            grace_s=grace_s(self.profile, job),
            meter=metering_fields(self.meter),
            secrets=prepared.study.secrets,
        )


def grace_s(profile: Profile, job: Job) -> float:
    """How long before its end a job asks its steps to stop: as the profile says, but at most a quarter of its time."""
    return min(profile.grace_s, job.walltime_s / 4)


def _largest(parts: Sequence[StudyPart]) -> StudyPart:
    times = [part.walltime_s for part in parts]
    said = [time for time in times if time is not None]
    return replace(
        parts[0],
        gpus=max(part.gpus for part in parts),
        cpus=max(part.cpus for part in parts),
        memory_bytes=max((part.memory_bytes or 0 for part in parts), default=0) or None,
        walltime_s=max(said) if len(said) == len(times) else None,
    )


def accounted_ids(tracks: Sequence[PartJob]) -> Mapping[str, PartJob]:
    """Job id → the part that it belonged to, of every job that there was."""
    return {id_: track for track in tracks for id_ in track.ids}
