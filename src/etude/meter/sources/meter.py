"""The seam: a meter is a cumulative counter of one component's energy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from etude.errors import MeterError
from etude.meter.sources.quantity import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a meter counts, and how its counts are to be read."""

    component: str
    """What is metered: `cpu`, `dram`, `platform`, `gpu0`, …. Parts of one component (two packages) share the name."""
    source: str
    """Who counts: `rapl`, `nvml`, `cpu-time`, `simulated`, `codecarbon`, `zeus`."""
    device: str
    """The physical device: the same text for every process that reads it, another for every other device."""
    method: str
    """One line for people: where the number comes from."""
    quality: Quality
    unit_j: float
    """Joules in one count."""
    modulus: int | None = None
    """The counter falls back to 0 after this many counts; None where it never does."""
    max_power_w: float | None = None
    """More than this is impossible: tells a wrap from a reset. None: any rise is believed."""
    period_s: float = 0.0
    """How often the counter moves. 0: at every reading."""
    every_s: float = 0.0
    """Read no more often than this: for meters that are slow to read."""
    scope: Literal["process", "machine", "device"] = "machine"
    """Whose energy: this process tree's alone, the whole machine's (shared by CPU time), or one device's."""
    may_rest: bool = False
    """Whether standing still is normal (no work, no energy) rather than the sign of a dead counter."""
    at_marks: bool = False
    """Counts the CPU nanoseconds of the process tree, so that it is known exactly at every mark."""
    factor: tuple[float, float] = (1.0, 1.0)
    """True value over the told one: the interval of the method itself, 90 %, before any error of time."""
    idle_w: float | None = None
    """A model's power of the machine at rest, told beside the energy and never added to it."""


class Meter(Protocol):
    """A cumulative counter: the difference of two readings is the energy in between."""

    @property
    def traits(self) -> Traits:
        """What is counted; never changes."""
        ...

    def read(self) -> int:
        """The count now. MeterError where it cannot be read at this moment."""
        ...

    def close(self) -> None:
        """Let go of files and libraries. May be called twice."""
        ...


@contextmanager
def as_meter_error() -> Iterator[None]:
    """Turn whatever goes wrong in a library, or in a meter of the user's own, into a MeterError that names its kind."""
    try:
        yield
    except Exception as error:  # what is not étude's own may raise anything, and the measured work must not die of it
        raise MeterError(f"{type(error).__name__}: {error}") from error


@runtime_checkable
class Occupied(Protocol):
    """A meter of a device that can name its users."""

    def users(self) -> frozenset[int] | None:
        """Process ids on the device; None where they cannot be told."""
        ...
