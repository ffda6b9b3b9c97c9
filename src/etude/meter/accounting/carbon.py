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
from etude.meter.sources.quantity import Quantity
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
    low_g_per_kwh: float | None = None
    """The lower end of its interval, as its source tells; None, as for the other end, where it tells none."""
    high_g_per_kwh: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.g_per_kwh < 5000:
            raise MeterError(f"carbon factor: expected grams per kWh from 0 to 5000, got {self.g_per_kwh!r}")
        low, high = self.interval_g_per_kwh
        if (self.low_g_per_kwh is None) != (self.high_g_per_kwh is None) or not 0 <= low <= self.g_per_kwh <= high:
            raise MeterError(
                f"carbon factor: expected an interval around {self.g_per_kwh:g} g/kWh, "
                f"got {self.low_g_per_kwh!r} to {self.high_g_per_kwh!r}"
            )
        if self.scope not in ("location", "market"):
            raise MeterError(f"carbon scope: expected location or market, got {self.scope!r}")

    @property
    def interval_g_per_kwh(self) -> tuple[float, float]:
        """Its interval; the factor itself, twice, where its source tells none."""
        if self.low_g_per_kwh is None or self.high_g_per_kwh is None:
            return self.g_per_kwh, self.g_per_kwh
        return self.low_g_per_kwh, self.high_g_per_kwh


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
        """Grams for joules, with the interval of the energy times that of the factor where its source tells one.

        Ends are multiplied, as if both erred the same way: the widest that can be. Energy without an interval has
        that of the factor.
        """
        grams = energy.scaled(self.pue * self.factor.g_per_kwh * kwh(1.0), unit="grams")
        if self.factor.low_g_per_kwh is not None:
            low, high = (self.pue * end * kwh(1.0) for end in self.factor.interval_g_per_kwh)
            lowest = energy.value if energy.lo is None else energy.lo
            highest = energy.value if energy.hi is None else energy.hi
            grams = replace(
                grams,
                lo=None if lowest is None else lowest * low,
                hi=None if highest is None else highest * high,
            )
        return replace(grams, method=self.method)

    @property
    def method(self) -> str:
        """One line for people."""
        place = f" {self.factor.country}" if self.factor.country else ""
        year = f" {self.factor.year}" if self.factor.year else ""
        low, high = self.factor.interval_g_per_kwh
        told = self.factor.low_g_per_kwh is not None
        error = f"{low:g} to {high:g}" if told else "its own error is not told and not in the interval"
        factor = f"{self.factor.g_per_kwh:g} g/kWh"
        return f"energy × PUE {self.pue:g} × {factor} ({self.factor.source}{place}{year}; {error})"

    def as_json(self) -> dict[str, object]:
        """The factor and where it is from."""
        factor = self.factor
        return {
            "factor_g_per_kwh": factor.g_per_kwh,
            "factor_low_g_per_kwh": factor.low_g_per_kwh,
            "factor_high_g_per_kwh": factor.high_g_per_kwh,
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
        table: A CSV file with the columns country, g_per_kwh, year and source, and where they are known g_per_kwh_low
            and g_per_kwh_high. It alone is asked if given.

    Raises:
        MeterError: No table has the country, or the table is faulty; with the place, the value and the mend.
    """
    code = country.strip().upper()
    known = _read(table) if table is not None else _own()
    if code in known:
        return known[code]
    further, fault = ({}, "") if table is not None else _codecarbon()
    if code in further:
        return further[code]
    raise MeterError(
        f"no carbon factor for country {country!r}: {nearest(code, {*known, *further})} {fault}"
        "Mend: use the ISO code of three letters, state the factor in g/kWh, or name a table of your own."
    )


def custom_factor(
    g_per_kwh: float,
    *,
    source: str = "stated by the user",
    scope: str = "location",
    low: float | None = None,
    high: float | None = None,
) -> Factor:
    """A factor that the user knows, with the ends of its interval where they are known."""
    return Factor(g_per_kwh=g_per_kwh, source=source, scope=scope, low_g_per_kwh=low, high_g_per_kwh=high)


def _own() -> dict[str, Factor]:
    from importlib.resources import files

    with files("etude.meter.accounting").joinpath("carbon_intensity.csv").open(encoding="utf-8") as file:
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
                low_g_per_kwh=_end(row, "g_per_kwh_low"),
                high_g_per_kwh=_end(row, "g_per_kwh_high"),
            )
        except (TypeError, ValueError, MeterError) as error:
            raise MeterError(f"{place}: {dict(row)!r}: {error}") from error
        found[row["country"].upper()] = factor
    return found


def _end(row: Mapping[str, str | None], column: str) -> float | None:
    text = (row.get(column) or "").strip()
    return float(text) if text else None


def _codecarbon() -> tuple[Mapping[str, Factor], str]:
    """CodeCarbon's table of countries, read as a file; and why it is not to be had although CodeCarbon is installed."""
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        return {}, ""
    path = Path(spec.origin).parent / "data" / "private_infra" / "global_energy_mix.json"
    try:
        countries = json.loads(path.read_text(encoding="utf-8"))
        factors = {
            code: Factor(
                g_per_kwh=float(row["carbon_intensity"]),
                source="CodeCarbon's table, Our World in Data",
                year=int(row["year"]),
                country=code,
            )
            for code, row in countries.items()
            if row.get("carbon_intensity") is not None
        }
    except FileNotFoundError:
        return {}, f"CodeCarbon is installed, and its table is not where it was: {path}. "
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MeterError) as error:
        return {}, f"CodeCarbon is installed, and its table {path} cannot be read ({type(error).__name__}: {error}). "
    return factors, ""
