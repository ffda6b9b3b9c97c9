"""One meter that is sampled: when to read it, and what it said.

A counter with a slow tick is looked at often only around the moment when it will move: the tick is then known to a
millisecond or two for a handful of readings, and the work is not disturbed in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from etude.errors import MeterError
from etude.meter.sampling.log import Log
from etude.meter.sources.clock import Clock
from etude.meter.sources.meter import Meter, Traits, as_meter_error

LOOK_S = 0.0015
"""Between two looks while waiting for a tick."""
_LOOK_NS = round(LOOK_S * 1e9)
_EARLY_S = 0.003
_LATE_S = 0.003
"""How long before and after an expected tick to look for it."""
_TRUST_S = 5.0
"""How long the last tick that was caught tells where the next ones fall."""
_SLOW_TICK_S = 0.01
_JITTER = 0.3
_LEARNS = 0.2
"""The period is followed slowly, and a tick that was caught very late or early teaches nothing."""
_PATIENCE = 5
"""Failures in a row after which a meter is asked less often."""
_TRY_AGAIN_S = 10.0


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """A meter, its log, and the times of its ticks as far as they were caught."""

    meter: Meter
    traits: Traits
    beside: bool = False
    """Read for comparison only."""
    log: Log = field(default_factory=Log)
    due_ns: int = 0
    """When it wants to be read next."""
    lock: Lock = field(default_factory=Lock)
    period_s: float | None = None
    """The period as observed, once two ticks in a row were caught."""
    clean: int = 0
    """Ticks caught between two looks that were close together."""
    _raw: int | None = None
    _seen_ns: int = 0
    _clean_ns: int = 0
    _looking_ns: int = 0
    _expected_ns: int = 0
    _failures: int = 0

    @property
    def ticks_slowly(self) -> bool:
        """Whether the moments of its ticks matter."""
        return self.traits.period_s >= _SLOW_TICK_S

    @property
    def failing(self) -> bool:
        """Whether the last reading failed."""
        return self._failures > 0

    def read(self, clock: Clock) -> None:
        """Read the meter now and note what it said. Never raises: a failure is noted with its reason."""
        with self.lock:
            try:
                with as_meter_error():
                    raw = self.meter.read()
            except MeterError as error:
                own = isinstance(error.__cause__, MeterError)
                self._fail(clock.now_ns(), str(error.__cause__ if own else f"{self.traits.device}: {error}"))
                return
            now_ns = clock.now_ns()
            self._failures = 0
            if self.ticks_slowly and self._raw is not None and raw != self._raw and now_ns > self._clean_ns:
                self._moved(now_ns)
            self.log.add(now_ns, raw)
            self._raw, self._seen_ns = raw, now_ns

    def read_and_plan(self, clock: Clock, *, every_s: float, closely: bool) -> None:
        """Read, and settle when to read next.

        Args:
            clock: Tells the time.
            every_s: How often a counter is read that needs no more.
            closely: Whether to look for the ticks of a slow counter.
        """
        caught = self.clean
        self.read(clock)
        now_ns = clock.now_ns()
        if self._failures >= _PATIENCE:
            self.due_ns = now_ns + round(_TRY_AGAIN_S * 1e9)
        elif closely and self.ticks_slowly and not self._failures:
            self._plan_closely(now_ns, self.clean > caught, round(every_s * 1e9))
        else:
            self.due_ns = now_ns + round(max(every_s, self.traits.every_s) * 1e9)

    def _plan_closely(self, now_ns: int, caught: bool, every_ns: int) -> None:
        if self.period_s is None or now_ns - self._clean_ns > _TRUST_S * 1e9:
            self._search(now_ns, caught)
        elif caught or now_ns > self._expected_ns + round(_LATE_S * 1e9):
            # Caught, or missed because something kept us: go to the next one, rather than look until then.
            self._looking_ns = 0
            period_ns = self.period_s * 1e9
            ticks = max(1, round(every_ns / period_ns), int((now_ns - self._clean_ns) / period_ns) + 1)
            self._expected_ns = self._clean_ns + round(ticks * period_ns)
            self.due_ns = max(now_ns + _LOOK_NS, self._expected_ns - round(_EARLY_S * 1e9))
        else:
            self.due_ns = now_ns + _LOOK_NS

    def _search(self, now_ns: int, caught: bool) -> None:
        """Look without pause until two ticks are caught, or for so long that there can be none."""
        if caught or not self._looking_ns:
            self._looking_ns = now_ns
        in_vain = now_ns - self._looking_ns > 1.5e9 * self.traits.period_s
        self.due_ns = now_ns + (round(self.traits.period_s * 1e9) if in_vain else _LOOK_NS)

    def _moved(self, now_ns: int) -> None:
        """The counter moved between two looks; note when, if they were close together."""
        if now_ns - self._seen_ns > 3e9 * LOOK_S:
            return
        self.clean += 1
        since_s = (now_ns - self._clean_ns) / 1e9
        if self.period_s is None:
            if self._clean_ns and since_s <= 1.5 * self.traits.period_s:
                self.period_s = since_s
        else:
            period_s = since_s / max(1, round(since_s / self.period_s))
            if abs(period_s - self.period_s) < _JITTER * self.period_s:
                self.period_s += _LEARNS * (period_s - self.period_s)
        self._clean_ns = now_ns

    def _fail(self, now_ns: int, reason: str) -> None:
        self._failures += 1
        self.log.add(now_ns, None, reason)
