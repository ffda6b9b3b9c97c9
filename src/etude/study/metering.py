"""How the nodes of a study are measured, checked before the first one runs."""

from __future__ import annotations

from etude.errors import ConfigError, Fault, MeterError
from etude.execute.cost import MeterSettings, footprint_of
from etude.study.faults import located
from etude.study.prepare import Prepared


def metering_of(prepared: Prepared) -> MeterSettings:
    """What the study says of measuring.

    Raises:
        ConfigError: The country has no factor, or a number makes no sense.
    """
    said, project = prepared.study.place.meter, prepared.workplace.project
    settings = MeterSettings(
        country=said.country,
        g_per_kwh=said.g_per_kwh,
        pue=said.pue,
        calibration=project / said.calibration if said.calibration else None,
        beside=said.beside,
    )
    try:
        footprint_of(settings)
    except MeterError as error:
        raise ConfigError(located([Fault("place.meter", str(error))], prepared.study)) from error
    return settings
