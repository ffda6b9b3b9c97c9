"""Zeus as a meter: its counters for AMD, Apple and Jetson devices, or beside ours. Needs `zeus` 0.11 or later."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from etude.errors import MeterError
from etude.meter.sources.meter import Traits, as_meter_error
from etude.meter.sources.quantity import Quality

_UNIT_J = 1e-3


class ZeusMeter:
    """One of Zeus' cumulative counters, which hold millijoules."""

    __slots__ = ("_ask", "_traits")

    def __init__(self, component: str, device: str, ask: Callable[[], Any], period_s: float) -> None:
        self._ask = ask
        self._traits = Traits(
            component=component,
            source="zeus",
            device=device,
            method=f"Zeus counter of {component}",
            quality=Quality.MEASURED,
            unit_j=_UNIT_J,
            period_s=period_s,
            scope="device" if component.startswith("gpu") else "machine",
        )

    @property
    def traits(self) -> Traits:
        return self._traits

    def read(self) -> int:
        try:
            with as_meter_error():
                return round(float(self._ask()))
        except MeterError as error:
            raise MeterError(f"zeus {self._traits.component}: {error}") from error

    def close(self) -> None:
        """Zeus keeps its own devices."""


class ZeusMeters(NamedTuple):
    """The counters that Zeus has on this machine."""

    meters: list[ZeusMeter]
    faults: dict[str, str]
    """`cpu`, `gpu` or a GPU's name → why Zeus counts nothing there."""


def zeus_meters(library: Any = None) -> ZeusMeters:
    """A meter for each counter that Zeus finds here, and why the others are missing.

    Args:
        library: The module `zeus.device`, or one like it; None to import it.

    Raises:
        MeterError: Zeus is not installed, or finds no counter on this machine; with what it says.
    """
    library = library or _imported()
    all_meters: list[ZeusMeter] = []
    faults: dict[str, str] = {}
    for side, devices, meters_of in (("gpu", library.get_gpus, _gpu_meters), ("cpu", library.get_cpus, _cpu_meters)):
        try:
            with as_meter_error():
                all_meters += meters_of(devices(), faults)
        except MeterError as error:
            faults[side] = str(error)
    if not all_meters:
        raise MeterError("zeus: no counter on this machine (" + "; ".join(faults.values()) + ")")
    return ZeusMeters(all_meters, faults)


def _gpu_meters(gpus: Any, faults: dict[str, str]) -> list[ZeusMeter]:
    meters = []
    for index in range(len(gpus)):
        if gpus.supports_get_total_energy_consumption(index):
            ask = _call(gpus.get_total_energy_consumption, index)
            meters.append(ZeusMeter(f"gpu{index}", f"zeus:gpu{index}", ask, 0.1))
        else:
            faults[f"gpu{index}"] = f"gpu{index} has no counter of energy that Zeus reads"
    return meters


def _cpu_meters(cpus: Any, _faults: dict[str, str]) -> list[ZeusMeter]:
    meters = []
    for index in range(len(cpus)):
        ask = _call(cpus.get_total_energy_consumption, index)
        meters.append(ZeusMeter("cpu", f"zeus:cpu{index}", _field(ask, "cpu_mj"), 0.001))
        if cpus.supports_get_dram_energy_consumption(index):
            meters.append(ZeusMeter("dram", f"zeus:dram{index}", _field(ask, "dram_mj"), 0.001))
    return meters


def _call(ask: Callable[[int], Any], index: int) -> Callable[[], Any]:
    return lambda: ask(index)


def _field(ask: Callable[[], Any], name: str) -> Callable[[], Any]:
    return lambda: getattr(ask(), name)


def _imported() -> Any:
    try:
        return importlib.import_module("zeus.device")
    except ImportError as error:
        raise MeterError(f"zeus is not installed ({error}). Mend: pip install 'etude[zeus]'") from error
