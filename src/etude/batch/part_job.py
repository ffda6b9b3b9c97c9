"""One part's job as the driver follows it: what the scheduler says, what the job itself has written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from etude.batch import run_folder
from etude.batch.batch_job import End
from etude.batch.study_parts import StudyPart
from etude.cluster.schedulers.scheduler import JobAccount, JobState, Phase
from etude.execute.run_events import Event


class Stage(StrEnum):
    """How far a part is."""

    WAITING = "waiting"
    """Not submitted yet, or to be submitted again."""
    QUEUED = "queued"
    RUNNING = "running"
    OVER = "over"


@dataclass(slots=True, kw_only=True, eq=False)
class PartJob:
    """One part and its job."""

    part: StudyPart
    folder: Path
    stage: Stage = Stage.WAITING
    id: str = ""
    ids: list[str] = field(default_factory=list)
    """All jobs that it has had, this one included."""
    attempt: int = 0
    lost: int = 0
    """Attempts that the cluster has cost."""
    again: int = 0
    """Attempts that ended at a checkpoint, to go on in another job."""
    submitted_s: float = 0.0
    not_before_s: float = 0.0
    state: JobState | None = None
    missing: int = 0
    """Answers in a row in which the scheduler did not know it."""
    unexplained: int = 0
    """Looks in a row at a job that is over and has not said how it ended."""
    end: End | None = None
    reason: str = ""
    account: JobAccount | None = None
    _read: int = 0

    @property
    def lives(self) -> bool:
        """Whether a job of it is queued or runs."""
        return self.stage in (Stage.QUEUED, Stage.RUNNING)

    def submitted(self, id_: str, at_s: float) -> None:
        """Its job was handed in."""
        self.id, self.stage, self.submitted_s = id_, Stage.QUEUED, at_s
        self.ids.append(id_)
        self.attempt += 1
        self.state, self.missing, self.unexplained = None, 0, 0

    def adopted(self, folder: Path, id_: str, attempt: int, at_s: float) -> None:
        """An earlier driver's job computes it."""
        self.folder = folder
        self.submitted(id_, at_s)
        self.attempt = attempt

    def events(self) -> Iterator[Event]:
        """What the job has told since it was last asked."""
        try:
            with (self.folder / run_folder.EVENTS).open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:  # not there yet, or not now
            return
        whole, end, _ = data.rpartition(b"\n")
        self._read += len(whole) + len(end)
        for line in whole.decode("utf-8", "replace").split("\n"):
            if line.strip():
                yield Event.from_json(line)

    def began(self) -> bool:
        """Whether étude has begun in its job."""
        return (self.folder / run_folder.EVENTS).exists()

    def said(self) -> tuple[End, str] | None:
        """How the job says that it ended; None where it has not said."""
        try:
            fields = json.loads((self.folder / run_folder.ENDED).read_text(encoding="utf-8"))
            return End(fields["end"]), str(fields["reason"])
        except (OSError, ValueError, KeyError):
            return None

    def queue_phase(self) -> Phase | None:
        """How far the scheduler says that it is."""
        return self.state.phase if self.state is not None else None
