"""What a run has submitted, line by line: from it another driver takes over what the first one left running.

A line is written before a job is submitted and another one after, so a driver that dies between the two leaves a trace:
the job is then looked for by its name, which no other job has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from etude.execute.run_events import now


class JournalStep(StrEnum):
    """What a line tells of a part's job."""

    INTENT = "intent"
    SUBMITTED = "submitted"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """The latest that is known of one part's job."""

    part: str
    step: JournalStep
    folder: str
    name: str = ""
    """What the scheduler calls it."""
    id: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobJournal:
    """The journal in a file."""

    path: Path

    def write(self, entry: JournalEntry) -> None:
        """Add a line and see that it is on the disk."""
        fields = {name: getattr(entry, name) for name in JournalEntry.__slots__} | {"time_s": round(now(), 3)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def latest(self) -> Mapping[str, JournalEntry]:
        """Part → the last that was written of it. A half-written last line is left out."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        found: dict[str, JournalEntry] = {}
        for line in text.split("\n")[:-1]:
            fields = json.loads(line)
            fields.pop("time_s", None)
            fields["step"] = JournalStep(fields["step"])
            found[fields["part"]] = JournalEntry(**fields)
        return found

    def ids(self) -> tuple[str, ...]:
        """Ids of the jobs that are not known to be over."""
        return tuple(entry.id for entry in self.latest().values() if entry.step is JournalStep.SUBMITTED and entry.id)
