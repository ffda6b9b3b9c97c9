"""What a driver and its worker processes say to one another, besides calls and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etude.execute.node_metering import MeterSettings
from etude.execute.task import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The driver's first message."""

    store: str
    logs: str
    import_path: tuple[str, ...]
    sources: Mapping[str, bytes]
    """The project's files, by absolute path, as they were when the study was planned."""
    devices: tuple[str, ...]
    cpus: int
    meter: MeterSettings
    gpus: tuple[str, ...]
    """The GPUs that this worker may use, by index or UUID."""
    digests: str | None = None
    """File that remembers the digests of input files."""
    rank: int = 0
    """Which of a node's processes this is. Rank 0 alone stores the result."""
    heeds_term: bool = False
    """Whether SIGTERM asks the running step to stop at its next checkpoint, as it does where a scheduler sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """A running step's progress, or with a value what it reports."""

    done: float
    total: float | None
    message: str
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueReady:
    """From rank 0 of a node's several processes: it has the value, and stores it when it hears of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRanks:
    """To rank 0: all others are done, with what each of them cost and touched."""

    outcomes: tuple[Outcome, ...]


END = "end"
"""Asks one of a node's several processes to leave: it stops at the next checkpoint, cleans up and ends."""

STOP = "stop"
"""Asks the running step, and all that come after it, to stop at the next checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNode:
    """Asks one node to stop at its next checkpoint; says nothing of those that come after it."""

    fingerprint: str


WITHDRAW = "withdraw"
"""Asks a worker not to begin the nodes that it was sent and has not begun; it answers with those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The nodes that a worker will not begin."""

    fingerprints: tuple[str, ...]
