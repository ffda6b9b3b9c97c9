"""Meters without hardware: an exact one that follows a known power trace, and one that replays recorded readings."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etude.errors import MeterError
from etude.meter.sources.clock import Clock
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTrace:
    """Power over time, linear between its points, with the exact energy up to any moment.

    Before the first point and after the last the power is 0.
    """

    t_s: tuple[float, ...]
    """Seconds, rising; two equal ones make a step."""
    power_w: tuple[float, ...]
    _joules: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self.t_s, self.power_w)
        summed = [0.0]
        for index in range(len(self.t_s) - 1):
            mean = (self.power_w[index] + self.power_w[index + 1]) / 2
            summed.append(summed[-1] + mean * (self.t_s[index + 1] - self.t_s[index]))
        object.__setattr__(self, "_joules", tuple(summed))

    @staticmethod
    def steps(pieces: Sequence[tuple[float, float]], start_s: float = 0.0) -> PowerTrace:
        """A trace of steps: (seconds, watts) one after the other."""
        times, powers, at = [], [], start_s
        for seconds, watts in pieces:
            times += [at, at + seconds]
            powers += [watts, watts]
            at += seconds
        return PowerTrace(t_s=tuple(times), power_w=tuple(powers))

    def joules_until(self, t_s: float) -> float:
        """Joules from the beginning of the trace to this moment, exact."""
        after = bisect_right(self.t_s, t_s)
        if after == 0:
            return 0.0
        if after == len(self.t_s):
            return self._joules[-1]
        left, right = self.t_s[after - 1], self.t_s[after]
        passed = t_s - left
        power = self.power_w[after - 1] + passed / (right - left) * (self.power_w[after] - self.power_w[after - 1]) / 2
        return self._joules[after - 1] + passed * power

    def joules_between(self, start_s: float, end_s: float) -> float:
        """Joules between two moments, exact."""
        return self.joules_until(end_s) - self.joules_until(start_s)


@dataclass(slots=True, kw_only=True)
class SimulatedMeter:
    """A counter that follows a power trace exactly, as real ones do: in ticks, in counts, with a wrap.

    Use it to test code that measures, and to see what a counter's period does to a result.
    """

    trace: PowerTrace
    clock: Clock
    component: str = "cpu"
    period_s: float = 0.1
    """How often the counter moves; 0 for at every reading."""
    phase_s: float = 0.0
    """When, within a period, it moves."""
    unit_j: float = 1e-3
    modulus: int | None = None
    device: str = "simulated:0"
    start_ns: int = 0
    """The clock's time at the trace's 0."""

    @property
    def traits(self) -> Traits:
        return Traits(
            component=self.component,
            source="simulated",
            device=self.device,
            method=f"simulated counter, {self.period_s:g} s ticks",
            quality=Quality.MEASURED,
            unit_j=self.unit_j,
            modulus=self.modulus,
            max_power_w=max(self.trace.power_w, default=0.0) + 1.0,
            period_s=self.period_s,
            scope="device",
            may_rest=True,
        )

    def read(self) -> int:
        t_s = (self.clock.now_ns() - self.start_ns) / 1e9
        if self.period_s:
            t_s = math.floor((t_s - self.phase_s) / self.period_s + 1e-9) * self.period_s + self.phase_s
        count = int(self.trace.joules_until(t_s) / self.unit_j)
        return count if self.modulus is None else count % self.modulus

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(slots=True, kw_only=True)
class ReplayMeter:
    """Readings recorded elsewhere, played back by the clock: the last one at or before each moment.

    A reading of None is a failure, as it was.
    """

    t_s: tuple[float, ...]
    joules: tuple[float | None, ...]
    clock: Clock
    component: str = "cpu"
    period_s: float = 0.0
    unit_j: float = 1e-6
    device: str = "replay:0"
    method: str = "replayed readings"
    start_ns: int = 0

    def __post_init__(self) -> None:
        _check(self.t_s, tuple(0.0 if value is None else value for value in self.joules))

    @property
    def traits(self) -> Traits:
        return Traits(
            component=self.component,
            source="replay",
            device=self.device,
            method=self.method,
            quality=Quality.MEASURED,
            unit_j=self.unit_j,
            period_s=self.period_s,
            scope="device",
        )

    def read(self) -> int:
        index = bisect_right(self.t_s, (self.clock.now_ns() - self.start_ns) / 1e9) - 1
        joules = self.joules[index] if index >= 0 else None
        if joules is None:
            raise MeterError(f"{self.device}: nothing was recorded at this moment")
        return round(joules / self.unit_j)

    def close(self) -> None:
        """Nothing to let go of."""


def read_trace(path: Path) -> PowerTrace:
    """A power trace from a CSV file with the columns `t_s` and `power_w`.

    Raises:
        MeterError: The file is missing or unreadable, a column is missing, a value is no number, a power is negative,
            or the times do not rise; with the file, the line, the value and the mend.
    """
    times, powers = read_columns(path, ("t_s", "power_w"))
    try:
        return PowerTrace(t_s=times, power_w=powers)
    except MeterError as error:
        raise MeterError(f"{path}: {error}") from error


def read_columns(path: Path, names: tuple[str, str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Two columns of numbers from a CSV file. MeterError with file, line and value for what is none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MeterError(f"{path}: cannot be read ({error})") from error
    if not rows or not set(names) <= set(rows[0]):
        raise MeterError(f"{path}: expected a header with {', '.join(names)} and rows below it")
    columns: tuple[list[float], list[float]] = ([], [])
    for line, row in enumerate(rows, start=2):
        for name, column in zip(names, columns, strict=True):
            column.append(_finite(row[name], f"{path}:{line}: {name}"))
    return tuple(columns[0]), tuple(columns[1])


def _finite(text: str | None, place: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise MeterError(f"{place}: expected a finite number, got {text!r}")
    return value


def _check(times: Sequence[float], values: Sequence[float]) -> None:
    if len(times) != len(values) or not times:
        raise MeterError(f"a trace needs as many values as times, and some: got {len(values)} and {len(times)}")
    for index, (time, value) in enumerate(zip(times, values, strict=True)):
        if not (math.isfinite(time) and math.isfinite(value)) or value < 0:
            raise MeterError(f"point {index + 1}: expected finite numbers of 0 or more, got {value!r} at {time!r} s")
        if index and time < times[index - 1]:
            raise MeterError(
                f"point {index + 1}: its time {time!r} s lies before the one above, {times[index - 1]!r} s. "
                "Mend: sort the trace by time."
            )
