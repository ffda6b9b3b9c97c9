"""How the nodes of one process are measured: the meters that this machine has, and how energy becomes carbon."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

from etude.execute.cost_journal import EVERY_S, FIRST_S, write_cost
from etude.execute.start_up_marks import StartUp
from etude.keys import FileKey, ListOf, Numeric, SectionText, Text
from etude.meter.accounting.carbon import Footprint, custom_factor, factor_for
from etude.meter.accounting.cost import START_UP
from etude.meter.discovery import discover
from etude.meter.measure import Measurement, measure
from etude.meter.sampling.sampler import Sampler

RECORDED: Mapping[str, tuple[str, ...]] = {
    "wall_s": ("wall_s",),
    "cpu_s": ("cpu_s",),
    "peak_rss_bytes": ("peak_rss_bytes",),
    "energy_j": ("energy_covered", "joules"),
    "energy_low_j": ("energy_covered", "lo"),
    "energy_high_j": ("energy_covered", "hi"),
    "energy_quality": ("energy_covered", "quality"),
    "energy_method": ("energy_covered", "method"),
    "carbon_g": ("carbon", "grams"),
    "carbon_low_g": ("carbon", "lo"),
    "carbon_high_g": ("carbon", "hi"),
    "carbon_quality": ("carbon", "quality"),
    "carbon_method": ("carbon", "method"),
    "start_up_wall_s": ("start_up", "wall_s"),
    "start_up_cpu_s": ("start_up", "cpu_s"),
    "start_up_energy_j": ("start_up", "joules"),
    "attempts": ("attempts",),
    "processes": ("processes",),
    "first_in_process": ("first_in_process",),
    "order": ("order",),
    "others_cpus": ("others_cpus",),
}
"""Column of the records → where it stands in a cost."""

CONDITIONS = frozenset({"attempts", "processes", "first_in_process", "order", "others_cpus", "run"})
"""Those of them that tell under which conditions a cost came about; they are no costs themselves."""
TRUST: Mapping[str, Mapping[str, str]] = {
    f"{start_up}{kind}_{unit}": {
        "low": f"{start_up}{kind}_low_{unit}",
        "high": f"{start_up}{kind}_high_{unit}",
        "quality": f"{kind}_quality",
        "method": f"{kind}_method",
    }
    for start_up, kind, unit in (("", "energy", "j"), ("", "carbon", "g"), ("start_up_", "energy", "j"))
}
"""Column → the columns that say how far it can be trusted; for windows and start-up, quality and method of the node."""


BESIDE = ("cpu-time", "codecarbon", "zeus")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """What is known of the place where nodes run (`place.meter`). Never identity."""

    SECTION: ClassVar = SectionText(what="meter")

    country: Annotated[
        str | None,
        Text(expected="an ISO code of three letters", pattern=r"[A-Za-z]{3}"),
        FileKey("Where the energy comes from, for its carbon. Without it and g_per_kwh, carbon is not known.", "DEU"),
    ] = None
    g_per_kwh: Annotated[float | None, Numeric(least=0), FileKey("Carbon per energy, where you know it.", 35.0)] = None
    pue: Annotated[
        float, Numeric(least=1), FileKey("Power usage effectiveness of the building. Default {default}.", 1.2)
    ] = 1.0
    calibration: Annotated[
        Path | None,
        Text(expected="a file", pattern=r".+"),
        FileKey(
            "File of a calibrated processor, for the estimate where no counter can be read.",
            "processor.json",
            convert=Path,
        ),
    ] = None
    beside: Annotated[
        tuple[str, ...],
        ListOf(item=Text(choices=BESIDE)),
        FileKey(f"Further sources to read for comparison: {', '.join(BESIDE)}. They are in no sum.", ["codecarbon"]),
    ] = ()


@dataclass(slots=True, kw_only=True)
class Metering:
    """Measures the nodes of this process. The meters are looked for when the first node needs them."""

    settings: MeterSettings = field(default_factory=MeterSettings)
    gpus: tuple[str, ...] | None = None
    """The GPUs given to this process, by index or UUID; None for all of the machine."""
    first: bool = False
    """Whether the node under way is the first of this process."""
    _measured_by: int = 0
    _sampler: Sampler | None = None
    _footprint: Footprint | None = None
    _kept: tuple[Measurement, Path, float] | None = None
    """The attempt under way, its file, and when it is next to be written."""
    _keeper: threading.Thread | None = None
    _pid: int = 0

    def measured(self) -> Measurement:
        """A block to measure one node in."""
        self.first = self._measured_by != os.getpid()
        self._measured_by = os.getpid()
        if self._sampler is None:
            said = self.settings
            self._sampler = discover(calibration=said.calibration, beside=said.beside, country=said.country).sampler()
            self._footprint = footprint_of(self.settings)
        return measure(self._sampler, footprint=self._footprint, devices=self._devices())

    @contextmanager
    def kept(self, measurement: Measurement, file: Path, cpus: int) -> Iterator[None]:
        """Measure a node's attempt; what it has cost is in the file if it does not come to an end.

        Its process may be killed at any time: so it is written down while it runs, and once more where it is left with
        an error. What starts up meanwhile is marked.
        """
        self._keep(measurement, file)
        try:
            with StartUp(partial(measurement.window, START_UP), cpus).marked(), measurement:
                yield
        except BaseException:
            self._kept = None
            write_cost(file, measurement.cost(), ended=True)
            raise
        finally:
            self._kept = None

    def footprint(self) -> Footprint | None:
        """How energy becomes carbon here, once a node was measured."""
        return self._footprint

    def _keep(self, measurement: Measurement, file: Path) -> None:
        self._kept = (measurement, file, time.monotonic() + FIRST_S)
        if self._keeper is None or not self._keeper.is_alive() or self._pid != os.getpid():
            self._pid = os.getpid()
            self._keeper = threading.Thread(target=self._write_costs, name="etude-attempt-costs", daemon=True)
            self._keeper.start()

    def _write_costs(self) -> None:
        """Write down what the running attempt has cost so far, every few seconds."""
        while True:
            time.sleep(FIRST_S / 2)
            if (kept := self._kept) is None:
                continue
            measurement, file, due_s = kept
            if time.monotonic() >= due_s and (cost := measurement.cost_so_far()) is not None:
                write_cost(file, cost, ended=False)
                if self._kept is kept:
                    self._kept = (measurement, file, time.monotonic() + EVERY_S)

    def _devices(self) -> tuple[str, ...] | None:
        if self.gpus is None:
            return None
        return tuple(f"gpu{name}" if name.isdigit() else name for name in self.gpus)


def footprint_of(settings: MeterSettings) -> Footprint | None:
    """How energy becomes carbon in this place; None where nothing says it.

    Raises:
        MeterError: The country has no factor, or a number makes no sense.
    """
    if settings.country is None and settings.g_per_kwh is None:
        return None
    factor = custom_factor(settings.g_per_kwh) if settings.g_per_kwh is not None else factor_for(settings.country or "")
    return Footprint(factor=factor, pue=settings.pue)


MOST_WINDOWS = 100
"""Of more kinds of windows than this, the record has those that were open longest, and tells how many it lacks."""


def cost_columns(cost: Mapping[str, object]) -> dict[str, object]:
    """The part of a cost that goes into the record: column → value, None where it was not measured.

    Windows come as `window.<name>.wall_s`, `.cpu_s`, `.peak_rss_bytes` and `.energy_j`, by the last part of their path
    where no other window has the same; `windows_left_out` is the number of further kinds, where there are too many.
    """
    windows = cost.get("windows")
    found = {column: _at(cost, path) for column, path in RECORDED.items()}
    covered, parts = _at(cost, ("energy_covered", "covers")), _at(cost, ("start_up", "energy"))
    found |= {
        f"start_up_energy_{end}_j": _energy_of(parts, covered, part) for end, part in (("low", "lo"), ("high", "hi"))
    }
    return found | (_windows(windows, cost) if isinstance(windows, Mapping) else {})


def _windows(windows: Mapping[str, object], cost: Mapping[str, object]) -> dict[str, object]:
    names = Counter(path.rsplit("/", 1)[-1] for path in windows)
    covered = _at(cost, ("energy_covered", "covers"))
    left_out = len(windows) - MOST_WINDOWS
    found: dict[str, object] = {"windows_left_out": left_out} if left_out > 0 else {}
    kept = set(sorted(windows, key=lambda path: -_wall_s(windows[path]))[:MOST_WINDOWS])
    for path in [path for path in windows if path in kept]:
        name = path.rsplit("/", 1)[-1]
        place = f"window.{name if names[name] == 1 else path}"
        spent = windows[path] if isinstance(windows[path], Mapping) else {}
        assert isinstance(spent, Mapping)
        found |= {f"{place}.{column}": spent.get(column) for column in ("wall_s", "cpu_s", "peak_rss_bytes")}
        for column, part in (("energy_j", "joules"), ("energy_low_j", "lo"), ("energy_high_j", "hi")):
            found[f"{place}.{column}"] = _energy_of(spent.get("energy"), covered, part)
    return found


def _wall_s(spent: object) -> float:
    wall_s = spent.get("wall_s") if isinstance(spent, Mapping) else None
    return wall_s if isinstance(wall_s, int | float) else 0.0


def trust_of(columns: Collection[str]) -> dict[str, dict[str, str]]:
    """The cost columns of records that have columns to say how far they can be trusted, and which these are."""
    found = {}
    for column in columns:
        place, _, last = column.rpartition(".")
        if ".cost." in column and last in TRUST:
            node = f"{place.partition('.cost')[0]}.cost"
            places = {part: place if part in ("low", "high") else node for part in TRUST[last]}
            found[column] = {part: f"{places[part]}.{name}" for part, name in TRUST[last].items()}
    return found


def _energy_of(parts: object, covered: object, part: str) -> float | None:
    """A window's energy of all components that are covered, or an end of it; None where one of them is not known."""
    if not isinstance(parts, Mapping) or not isinstance(covered, list) or not covered:
        return None
    joules = [_at(parts, (component, part)) for component in covered]
    known = [value for value in joules if isinstance(value, int | float)]
    return math.fsum(known) if len(known) == len(joules) else None


def _at(cost: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = cost
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
