"""Energy of processor packages and memory from the kernel's RAPL counters (Linux powercap, Intel and AMD).

Zones overlap, so which of them may be added up matters: a *package* holds its cores and uncore but not the memory;
*dram* is the memory; *psys* is the whole platform, packages and memory included. A package that two interfaces show
(`intel-rapl` and `intel-rapl-mmio`) is one package.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from etude.errors import MeterError
from etude.meter.sources.meter import Traits
from etude.meter.sources.quantity import Quality

POWERCAP = Path("/sys/class/powercap")
PERIOD_S = 0.001
_MOST_W = {"cpu": 1000.0, "dram": 300.0, "platform": 4000.0}
"""More than any package, memory zone or platform draws: tells a wrap from a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One RAPL zone that stands for a component of its own."""

    folder: Path
    name: str
    """`package-0`, `dram`, `psys`; a die's or a socket's memory is told apart by its parent's name."""
    component: str


def zones(root: Path = POWERCAP) -> list[Zone]:
    """The zones that may be counted, each physical one once. Empty where the machine shows none.

    Args:
        root: The folder that holds `intel-rapl:0` and the like.
    """
    found: dict[str, Zone] = {}
    for folder in sorted(root.glob("intel-rapl*:*"), key=_by_interface):
        name = _text(folder / "name")
        component = _component(name)
        if component is None:
            continue
        if component == "dram":
            name = f"{_text(_parent(folder) / 'name')}/dram"
        found.setdefault(name, Zone(folder=folder, name=name, component=component))
    return list(found.values())


class RaplMeter:
    """The energy counter of one RAPL zone."""

    __slots__ = ("_file", "_traits", "zone")

    def __init__(self, zone: Zone, machine: str) -> None:
        """Open the zone's counter.

        Args:
            zone: One of `zones()`.
            machine: A text that names this machine since its boot.

        Raises:
            MeterError: The counter or its range cannot be read; the cause says whether a permission is missing.
        """
        self.zone = zone
        try:
            span = int((zone.folder / "max_energy_range_uj").read_text())
            self._file: int | None = os.open(zone.folder / "energy_uj", os.O_RDONLY)
        except (OSError, ValueError) as error:
            raise MeterError(f"rapl {zone.name}: {error}") from error
        self._traits = Traits(
            component=zone.component,
            source="rapl",
            device=f"rapl:{machine}:{zone.name}",
            method=f"RAPL {zone.name} energy counter",
            quality=Quality.MEASURED,
            unit_j=1e-6,
            modulus=span + 1,
            max_power_w=_MOST_W[zone.component],
            period_s=PERIOD_S,
            scope="machine",
        )

    @property
    def traits(self) -> Traits:
        return self._traits

    def read(self) -> int:
        if self._file is None:
            raise MeterError(f"rapl {self.zone.name}: closed")
        try:
            text = os.pread(self._file, 32, 0)
            gone = os.fstat(self._file).st_nlink == 0
        except OSError as error:
            raise MeterError(f"rapl {self.zone.name}: {error.strerror or error}") from error
        if gone:
            raise MeterError(f"rapl {self.zone.name}: {self.zone.folder / 'energy_uj'} has vanished")
        try:
            return int(text)
        except ValueError as error:
            raise MeterError(f"rapl {self.zone.name}: energy_uj holds no number: {text!r}") from error

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _component(name: str) -> str | None:
    """What a zone stands for; None for the parts of a package (core, uncore) and for what is not known."""
    if name.startswith("package"):
        return "cpu"
    return {"dram": "dram", "psys": "platform"}.get(name)


def _by_interface(folder: Path) -> tuple[bool, str]:
    return ("mmio" in folder.name, folder.name)


def _parent(folder: Path) -> Path:
    return folder.with_name(folder.name.rpartition(":")[0])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
