"""CodeCarbon as a meter, to see its figures beside ours. Needs `codecarbon` 3.3 or later.

Its numbers are its own: where the machine has no counter they are models of load, and the memory's is a constant.
Starting it takes one to four seconds and a reading up to a tenth, so it is read once a second and never by default.
"""

from __future__ import annotations

import importlib
from typing import Any

from etude.errors import MeterError
from etude.meter.sources.meter import Traits, as_meter_error
from etude.meter.sources.quantity import Quality
from etude.units import joules

_UNIT_J = 1e-6
_EVERY_S = 1.0
_FIELDS = {"cpu": "cpu_energy", "dram": "ram_energy", "gpu": "gpu_energy"}


class _Logger:
    """Stands where CodeCarbon expects a logger, and keeps what it is told."""

    def __init__(self) -> None:
        self.totals: Any = None

    def out(self, total: Any, _delta: Any) -> None:
        self.totals = total

    def live_out(self, total: Any, _delta: Any) -> None:
        self.totals = total

    def task_out(self, *_arguments: Any) -> None:
        """Tasks are not used."""

    def exit(self) -> None:
        """Nothing is open."""


class CodeCarbonTracker:
    """One running tracker, read by the meters of its components."""

    def __init__(self, *, country: str, library: Any = None) -> None:
        """Start a tracker that writes nothing and asks no network.

        Args:
            country: ISO code of three letters; CodeCarbon does not run offline without one.
            library: The module `codecarbon`, or one like it; None to import it.

        Raises:
            MeterError: It is not installed, too old, or does not start.
        """
        library = library or _imported()
        self._logger = _Logger()
        try:
            with as_meter_error():
                self._tracker = library.OfflineEmissionsTracker(
                    country_iso_code=country,
                    output_methods="logger",
                    logging_logger=self._logger,
                    log_level="critical",
                    allow_multiple_runs=True,
                    measure_power_secs=_EVERY_S,
                )
                self._tracker.start()
        except MeterError as error:
            raise MeterError(f"codecarbon: does not start ({error})") from error

    def meters(self) -> list[CodeCarbonMeter]:
        """A meter for each component that it tells of."""
        return [CodeCarbonMeter(self, component) for component in _FIELDS if component != "gpu" or self._has_gpu()]

    def joules(self, component: str) -> float:
        """Joules since the start. MeterError where it does not tell."""
        try:
            with as_meter_error():
                self._tracker.flush()
                return joules(float(getattr(self._logger.totals, _FIELDS[component])))
        except MeterError as error:
            raise MeterError(f"codecarbon: cannot be read ({error})") from error

    def close(self) -> None:
        """Stop the tracker."""
        self._tracker.stop()

    def _has_gpu(self) -> bool:
        self.joules("gpu")
        return bool(getattr(self._logger.totals, "gpu_count", 0))


class CodeCarbonMeter:
    """One component as CodeCarbon tells it."""

    __slots__ = ("_traits", "tracker")

    def __init__(self, tracker: CodeCarbonTracker, component: str) -> None:
        self.tracker = tracker
        self._traits = Traits(
            component=component,
            source="codecarbon",
            device=f"codecarbon:{component}",
            method=f"CodeCarbon {_FIELDS[component]}",
            quality=Quality.ESTIMATED,
            unit_j=_UNIT_J,
            every_s=_EVERY_S,
            scope="device",
            may_rest=True,
        )

    @property
    def traits(self) -> Traits:
        return self._traits

    def read(self) -> int:
        return round(self.tracker.joules(self._traits.component) / _UNIT_J)

    def close(self) -> None:
        self.tracker.close()


def _imported() -> Any:
    try:
        return importlib.import_module("codecarbon")
    except ImportError as error:
        raise MeterError(f"codecarbon is not installed ({error}). Mend: pip install 'etude[carbon]'") from error
