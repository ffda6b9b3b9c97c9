"""Carbon: energy × overhead of the building × how dirty a kilowatt-hour is, with the source of that factor beside it.

Without a country or a factor there is no number: a silent default (a large country's, the world's) would be off by a
factor of ten either way.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from etude.errors import MeterError, nearest
from etude.meter.quantity import Quantity
from etude.units import kwh

_COLUMNS = ("country", "g_per_kwh", "year", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """How many grams of CO2-equivalent one kilowatt-hour stands for."""

    g_per_kwh: float
    """0 or more."""
    source: str
    """Who says so."""
    year: int | None = None
    """The year the factor is for."""
    country: str | None = None
    """ISO 3166 code of three letters."""
    scope: str = "location"
    """`location`: the grid's mean. `market`: what the contract says."""

    def __post_init__(self) -> None:
        if not 0 <= self.g_per_kwh < 5000:
            raise MeterError(f"carbon factor: expected grams per kWh from 0 to 5000, got {self.g_per_kwh!r}")
        if self.scope not in ("location", "market"):
            raise MeterError(f"carbon scope: expected location or market, got {self.scope!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """How energy becomes carbon in one place."""

    factor: Factor
    pue: float = 1.0
    """Power usage effectiveness: the building's energy over the computers', 1 or more. 1 for what is at a desk."""

    def __post_init__(self) -> None:
        if not 1 <= self.pue < 10:
            raise MeterError(f"PUE: expected a number from 1 to 10, got {self.pue!r}")

    def of(self, energy: Quantity) -> Quantity:
        """Grams for joules, with the interval of the energy; the factor's own error is not in it."""
        return replace(energy.scaled(self.pue * self.factor.g_per_kwh * kwh(1.0), unit="grams"), method=self.method)

    @property
    def method(self) -> str:
        """One line for people."""
        place = f" {self.factor.country}" if self.factor.country else ""
        year = f" {self.factor.year}" if self.factor.year else ""
        return f"energy × PUE {self.pue:g} × {self.factor.g_per_kwh:g} g/kWh ({self.factor.source}{place}{year})"

    def as_json(self) -> dict[str, object]:
        """The factor and where it is from."""
        factor = self.factor
        return {
            "factor_g_per_kwh": factor.g_per_kwh,
            "country": factor.country,
            "year": factor.year,
            "source": factor.source,
            "scope": factor.scope,
            "pue": self.pue,
        }


def factor_for(country: str, *, table: Path | None = None) -> Factor:
    """The carbon factor of a country: from the user's table, else étude's own, else CodeCarbon's if it is installed.

    Args:
        country: ISO 3166 code of three letters.
        table: A CSV file with the columns country, g_per_kwh, year and source. It alone is asked if given.

    Raises:
        MeterError: No table has the country, or the table is faulty; with the place, the value and the mend.
    """
    code = country.strip().upper()
    known = _read(table) if table is not None else _own()
    if code in known:
        return known[code]
    further = {} if table is not None else _codecarbon()
    if code in further:
        return further[code]
    raise MeterError(
        f"no carbon factor for country {country!r}: {nearest(code, {*known, *further})} "
        "Mend: use the ISO code of three letters, state the factor in g/kWh, or name a table of your own."
    )


def stated(g_per_kwh: float, *, source: str = "stated by the user", scope: str = "location") -> Factor:
    """A factor that the user knows."""
    return Factor(g_per_kwh=g_per_kwh, source=source, scope=scope)


def _own() -> dict[str, Factor]:
    from importlib.resources import files

    with files("etude.meter").joinpath("carbon_intensity.csv").open(encoding="utf-8") as file:
        return _parsed(file, "carbon_intensity.csv")


def _read(path: Path) -> dict[str, Factor]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _parsed(file, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise MeterError(f"{path}: cannot be read ({error})") from error


def _parsed(lines: Iterable[str], place: str) -> dict[str, Factor]:
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        raise MeterError(f"{place}: expected the columns {', '.join(_COLUMNS)}, got {rows.fieldnames}")
    found = {}
    for row in rows:
        try:
            factor = Factor(
                g_per_kwh=float(row["g_per_kwh"]),
                source=row["source"],
                year=int(row["year"]),
                country=row["country"].upper(),
            )
        except (TypeError, ValueError) as error:
            raise MeterError(f"{place}: {dict(row)!r}: {error}") from error
        found[row["country"].upper()] = factor
    return found


def _codecarbon() -> Mapping[str, Factor]:
    """CodeCarbon's table of countries, read as a file; empty where it is not installed or has moved."""
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).parent / "data" / "private_infra" / "global_energy_mix.json"
    try:
        countries = json.loads(path.read_text(encoding="utf-8"))
        return {
            code: Factor(
                g_per_kwh=float(row["carbon_intensity"]),
                source="CodeCarbon's table, Our World in Data",
                year=int(row["year"]),
                country=code,
            )
            for code, row in countries.items()
            if row.get("carbon_intensity") is not None
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
