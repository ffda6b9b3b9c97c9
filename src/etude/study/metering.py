"""How the nodes of a study are measured, checked before the first one runs."""

from __future__ import annotations

from dataclasses import replace

from etude.errors import ConfigError, Fault, MeterError
from etude.execute.cost import MeterSettings, footprint_of
from etude.study.faults import located
from etude.study.prepare import Prepared


def metering_of(prepared: Prepared) -> MeterSettings:
    """What the study says of measuring.

    Raises:
        ConfigError: The country has no factor, or a number makes no sense.
    """
    settings = prepared.study.place.meter
    if settings.calibration is not None:
        settings = replace(settings, calibration=prepared.workplace.project / settings.calibration)
    try:
        footprint_of(settings)
    except MeterError as error:
        raise ConfigError(located([Fault("place.meter", str(error))], prepared.study)) from error
    return settings
