"""What étude asks of a batch system, whichever it is: submit, look, find, cancel, account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Phase(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What a scheduler says of one job."""

    phase: Phase
    word: str
    """The scheduler's own word: `PENDING`, `R`, `held`."""
    reason: str = ""
    """Why it waits, or why it ended, in the scheduler's words; empty where it gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccount:
    """What a scheduler's own accounting says of one job. None where it does not say."""

    word: str = ""
    """The state, in the scheduler's word."""
    exit_code: int | None = None
    wall_s: float | None = None
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None
    """Of the largest of its processes."""
    energy_j: float | None = None
    """Of the job's machines while it ran, as the site measures it."""
    nodes: str = ""
    """The machines it had."""


class Scheduler(Protocol):
    """A batch system. Every method raises `SchedulerAway` where it does not answer, and is then worth another try."""

    def submit(self, script: Path) -> str:
        """Hand in a batch script; the job's id.

        Raises:
            JobRefused: With the scheduler's own words.
        """
        ...

    def look(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        """The states of those jobs that the scheduler still knows, asked for all at once."""
        ...

    def find(self, name: str) -> Sequence[str]:
        """Ids of the user's jobs of this name that the scheduler still knows."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """End these jobs, whether they wait or run. One that is over is left as it is."""
        ...

    def account(self, ids: Sequence[str]) -> Mapping[str, JobAccount]:
        """What the accounting says of these jobs; a job that it does not know is left out."""
        ...


def task_id(scheduler: str, id_: str, index: int) -> str:
    """The id of one task of an array, as the scheduler writes it."""
    match scheduler:
        case "pbs":
            return id_.replace("[]", f"[{index}]", 1)
        case "htcondor":
            return f"{id_.partition('.')[0]}.{index}"
        case _:
            return f"{id_}_{index}"
