"""Energy of NVIDIA boards from the driver's counter (NVML, by way of nvidia-ml-py, imported only when asked for).

The counter holds millijoules since the driver was loaded, for the whole board, and moves every 20 to 100 ms (Volta and
later). Older boards tell only power; that is added up here and labelled so. Under MIG the counter is the whole board's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etude.errors import MeterError
from etude.meter.sources.clock import Clock
from etude.meter.sources.meter import Meter, Traits
from etude.meter.sources.quantity import Quality

PERIOD_S = 0.1
_MOST_W = 2000.0
_OVER_LIMIT = 1.25
"""How far above its power limit a board may draw for a moment."""
_POWER_FACTOR = (0.8, 1.2)
"""Power read every 100 ms, added up over a second: within 20 % in nineteen of twenty cases, better for longer runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One NVIDIA board that was found, with its meter or why it has none."""

    component: str
    """`gpu0`, by NVML's index: all boards of the machine, whatever a process is allowed to see."""
    name: str
    uuid: str
    meter: Meter | None
    reason: str = ""


class NvmlMeter:
    """The energy counter of one board."""

    __slots__ = ("_handle", "_library", "_traits")

    def __init__(self, library: Any, handle: Any, component: str, uuid: str, name: str) -> None:
        self._library = library
        self._handle = handle
        self._traits = Traits(
            component=component,
            source="nvml",
            device=uuid,
            method=f"NVML energy counter of {name}" + _mig(library, handle),
            quality=Quality.MEASURED,
            unit_j=1e-3,
            max_power_w=_most_w(library, handle),
            period_s=PERIOD_S,
            scope="device",
        )

    @property
    def traits(self) -> Traits:
        return self._traits

    def read(self) -> int:
        return int(_asked(self._library, self._library.nvmlDeviceGetTotalEnergyConsumption, self._handle))

    def users(self) -> frozenset[int] | None:
        return _users(self._library, self._handle)

    def close(self) -> None:
        """The library stays loaded: other meters may use it."""


class NvmlPowerMeter:
    """Power of a board without an energy counter, added up between readings."""

    __slots__ = ("_clock", "_handle", "_joules", "_last", "_library", "_traits")

    def __init__(self, library: Any, handle: Any, component: str, uuid: str, name: str, clock: Clock) -> None:
        self._library = library
        self._handle = handle
        self._clock = clock
        self._joules = 0.0
        self._last: tuple[int, float] | None = None
        self._traits = Traits(
            component=component,
            source="nvml",
            device=uuid,
            method=f"NVML power of {name}, added up (it has no energy counter)",
            quality=Quality.INTEGRATED,
            unit_j=1e-6,
            max_power_w=_MOST_W,
            scope="device",
            factor=_POWER_FACTOR,
        )

    @property
    def traits(self) -> Traits:
        return self._traits

    def read(self) -> int:
        watts = _asked(self._library, self._library.nvmlDeviceGetPowerUsage, self._handle) / 1e3
        now = self._clock.now_ns()
        if self._last is not None:
            then, before = self._last
            self._joules += (watts + before) / 2 * (now - then) / 1e9
        self._last = now, watts
        return round(self._joules / self._traits.unit_j)

    def users(self) -> frozenset[int] | None:
        return _users(self._library, self._handle)

    def close(self) -> None:
        """The library stays loaded: other meters may use it."""


def is_driver_loaded(root: Path = Path("/")) -> bool:
    """Whether this machine shows an NVIDIA driver: a look at two files, so that nothing is loaded without need."""
    return any((root / path).exists() for path in ("proc/driver/nvidia", "dev/nvidiactl", "dev/dxg"))


def boards(clock: Clock, library: Any = None) -> list[Board]:
    """All NVIDIA boards of this machine.

    Args:
        clock: Times the readings of boards that tell only power.
        library: nvidia-ml-py's module `pynvml`, or one like it; None to import it.

    Raises:
        MeterError: The library is not installed or cannot start; the reason says which.
    """
    library = library or _imported()
    _asked(library, library.nvmlInit)
    count = _asked(library, library.nvmlDeviceGetCount)
    return [_board(library, index, clock) for index in range(count)]


def _board(library: Any, index: int, clock: Clock) -> Board:
    component = f"gpu{index}"
    try:
        handle = _asked(library, library.nvmlDeviceGetHandleByIndex, index)
        uuid = _text(_asked(library, library.nvmlDeviceGetUUID, handle))
        name = _text(_asked(library, library.nvmlDeviceGetName, handle))
    except MeterError as error:
        return Board(component=component, name="", uuid="", meter=None, reason=str(error))
    try:
        _asked(library, library.nvmlDeviceGetTotalEnergyConsumption, handle)
        return Board(component=component, name=name, uuid=uuid, meter=NvmlMeter(library, handle, component, uuid, name))
    except MeterError as no_counter:
        try:
            _asked(library, library.nvmlDeviceGetPowerUsage, handle)
        except MeterError:
            return Board(component=component, name=name, uuid=uuid, meter=None, reason=str(no_counter))
        return Board(
            component=component,
            name=name,
            uuid=uuid,
            meter=NvmlPowerMeter(library, handle, component, uuid, name, clock),
        )


def _imported() -> Any:
    try:
        return importlib.import_module("pynvml")
    except ImportError as error:
        raise MeterError(f"nvidia-ml-py is not installed ({error})") from error


def _asked(library: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """A call into the library, with its error told as ours."""
    try:
        return function(*arguments)
    except library.NVMLError as error:
        raise MeterError(f"nvml: {error}") from error


def _users(library: Any, handle: Any) -> frozenset[int] | None:
    try:
        return frozenset(process.pid for process in library.nvmlDeviceGetComputeRunningProcesses(handle))
    except library.NVMLError:
        return None


def _mig(library: Any, handle: Any) -> str:
    try:
        return ", whole board (MIG is on)" if library.nvmlDeviceGetMigMode(handle)[0] else ""
    except library.NVMLError:
        return ""


def _most_w(library: Any, handle: Any) -> float:
    """More than this a board cannot draw: from the highest limit that may be set, else what no board reaches."""
    try:
        _, most_mw = library.nvmlDeviceGetPowerManagementLimitConstraints(handle)
    except (library.NVMLError, AttributeError):
        return _MOST_W
    return _OVER_LIMIT * most_mw / 1e3 if most_mw > 0 else _MOST_W


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
