"""Time as the meters see it, and a clock that moves by hand for tests and replays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Monotonic time for durations, UTC for the record."""

    def now_ns(self) -> int:
        """Nanoseconds of a clock that never steps; the same in all processes of one machine."""
        ...

    def utc_s(self) -> float:
        """Seconds since 1970, for the record only."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def utc_s(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


@dataclass(slots=True, kw_only=True)
class ManualClock:
    """A clock that moves when told. `sleep` moves it, and runs what is attached at the moments it asks for."""

    ns: int = 0
    utc: float = 1.7e9
    _timers: list[_Timer] = field(default_factory=list)

    def now_ns(self) -> int:
        return self.ns

    def utc_s(self) -> float:
        return self.utc + self.ns / 1e9

    def attach(self, step: Callable[[], float]) -> None:
        """Call `step` as soon as time moves, and again whenever the seconds that it returned have passed."""
        self._timers.append(_Timer(due=self.ns, step=step))

    def sleep(self, seconds: float) -> None:
        """Move on by this many seconds."""
        self.move_to(self.ns + round(seconds * 1e9))

    def move_to(self, ns: int) -> None:
        """Move on to this moment, running what is attached on the way, in order."""
        while self._timers:
            timer = min(self._timers, key=lambda each: each.due)
            if timer.due > ns:
                break
            self.ns = max(self.ns, timer.due)
            timer.due = self.ns + max(1, round(timer.step() * 1e9))
        self.ns = max(self.ns, ns)


@dataclass(slots=True, kw_only=True)
class _Timer:
    due: int
    step: Callable[[], float]
