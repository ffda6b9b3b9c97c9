"""What can go wrong, and how it is told: the place, the value, the reason and the mend.

EtudeError
├── ConfigError      a study file is faulty (carries every fault found, not only the first)
├── IdentityError    a value or a piece of code has no fixed written form
├── StoreError       the store cannot be used
│   └── DamagedArtifact   a stored result does not match its checksums
├── StepError        a step failed, or returned what cannot be stored
│   └── Stopped      a step left early because the run was asked to stop; its scratch folder holds the rest
├── BackendError     a place to run nodes cannot be used
│   ├── WorkerLost   a worker process died while it ran a node
│   ├── JobRefused   a batch system does not take a job
│   └── SchedulerAway   a batch system does not answer now, and may later
├── MeterError       a meter cannot be read
└── SearchError      a search cannot go on, or its log is not what it should be
    └── Exhausted    a sampler has nothing more to propose
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 200


class EtudeError(Exception):
    """The root of all errors that étude raises on purpose."""


class IdentityError(EtudeError):
    """A value or a piece of code has no fixed written form, so no fingerprint."""


class StoreError(EtudeError):
    """The store cannot be used: unreadable, full, or of a newer version."""


class DamagedArtifact(StoreError):
    """A stored result does not match what its manifest says of it."""

    def __init__(self, fingerprint: str, reason: str) -> None:
        super().__init__(f"artifact {fingerprint[:12]}: {reason}")
        self.fingerprint = fingerprint
        self.reason = reason


class StepError(EtudeError):
    """A step failed, or returned what cannot be stored."""


class Stopped(StepError):
    """A step left early because the run was asked to stop."""


class BackendError(EtudeError):
    """A place to run nodes cannot be used."""


class WorkerLost(BackendError):
    """A worker process died while it ran a node: an infrastructure fault, worth another try."""


class JobRefused(BackendError):
    """A batch system does not take a job: a wrong partition, an account without time, a limit."""


class SchedulerAway(BackendError):
    """A batch system does not answer now, and may later: worth another try."""


class MeterError(EtudeError):
    """A meter cannot be read."""


class SearchError(EtudeError):
    """A search cannot go on, or its log is not what it should be."""


class Exhausted(SearchError):
    """A sampler has nothing more to propose: every point of its space has been."""


@dataclass(frozen=True, slots=True)  # positional: it reads as it is told: where, what, which value, what to do
class Fault:
    """One thing that is wrong with a study."""

    path: str
    """Where in the study, dotted: `pipeline.model.with.epochs`. Empty for the file as a whole."""
    reason: str
    """What is wrong, with what was expected."""
    value: object = None
    """What stands there now; None where nothing does."""
    mend: str = ""
    """What to do about it."""
    file: str = ""
    """The file; filled in by the reader of files."""
    line: int | None = None
    """The line in that file, from 1, where the format tells it."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        head = ": ".join(part for part in (place, self.path, self.reason) if part)
        if self.value is not None:
            head += f" (got {value_text(self.value)})"
        return head + (f"\n    Mend: {self.mend}" if self.mend else "")


class ConfigError(EtudeError):
    """A study file is faulty. Carries every fault that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def require(holds: bool, field: str, value: object, expected: str) -> None:
    """Raise a ConfigError that names the field and its value unless the condition holds."""
    if not holds:
        raise ConfigError([Fault(path=field, value=value, reason=f"expected {expected}")])


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the known name closest to a wrong one, or lists what there is."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not choices:
        return "nothing is known here"
    listed = ", ".join(choices[:12]) + (", …" if len(choices) > 12 else "")
    return f"known: {listed}"


def value_text(value: object) -> str:
    """A value as an error message shows it: its literal, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
