from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.accounting.carbon import Factor, Footprint, custom_factor, factor_for
from etude.meter.sources.quantity import Quality, Quantity
from etude.units import joules

ONE_KWH = Quantity(value=joules(1.0), unit="joules", quality=Quality.MEASURED, method="counter", lo=3e6, hi=4e6)


def test_a_country_has_its_factor_with_year_and_source() -> None:
    factor = factor_for("FRA")
    assert (factor.g_per_kwh, factor.year, factor.country) == (56.0, 2023, "FRA")
    assert "Our World in Data" in factor.source


@pytest.mark.parametrize(("code", "g"), [("USA", 369), ("DEU", 381), ("GBR", 238), ("CHN", 582), ("IND", 713)])
def test_large_grids_have_the_published_factor(code: str, g: float) -> None:
    assert factor_for(code).g_per_kwh == g


def test_a_country_may_be_written_in_small_letters() -> None:
    assert factor_for(" fra ").country == "FRA"


def test_an_unknown_country_is_refused_with_the_nearest_one_and_is_no_default() -> None:
    with pytest.raises(MeterError, match=r"'FRX'.*did you mean 'FRA'"):
        factor_for("FRX")


def test_carbon_is_energy_times_overhead_times_factor() -> None:
    told = Footprint(factor=custom_factor(400.0), pue=1.2).of(ONE_KWH)
    assert told.value == pytest.approx(480.0)
    assert told.lo == pytest.approx(400.0)
    assert told.quality is Quality.MEASURED


def test_carbon_of_unknown_energy_is_unknown_for_the_same_reason() -> None:
    told = Footprint(factor=custom_factor(400.0)).of(Quantity.absent("joules", "no sensor"))
    assert (told.value, told.reason) == (None, "no sensor")


def test_a_users_table_is_the_only_one_asked(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("# ours\ncountry,g_per_kwh,year,source\nXKX,900,2024,grid operator\n")
    assert factor_for("XKX", table=path).source == "grid operator"
    with pytest.raises(MeterError, match="FRA"):
        factor_for("FRA", table=path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("country,grams\nFRA,1\n", "expected the columns"),
        ("country,g_per_kwh,year,source\nFRA,lots,2024,x\n", "lots"),
        ("country,g_per_kwh,year,source\nFRA,-5,2024,x\n", "from 0 to 5000"),
    ],
)
def test_a_faulty_table_is_refused_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(MeterError, match=reason):
        factor_for("FRA", table=path)


def test_codecarbons_table_serves_countries_that_ours_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "codecarbon"
    (package / "data" / "private_infra").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    table = {"ISL": {"carbon_intensity": 27.7, "year": 2022}, "XXX": {"year": 2022}}
    (package / "data" / "private_infra" / "global_energy_mix.json").write_text(json.dumps(table))
    monkeypatch.syspath_prepend(tmp_path)
    assert factor_for("ISL").g_per_kwh == 27.7
    assert "CodeCarbon" in factor_for("ISL").source
    assert "codecarbon" not in sys.modules


@pytest.mark.parametrize("pue", [0.9, float("nan"), 100.0])
def test_an_impossible_overhead_is_refused(pue: float) -> None:
    with pytest.raises(MeterError, match="PUE"):
        Footprint(factor=custom_factor(1.0), pue=pue)


def test_a_scope_is_location_or_market() -> None:
    with pytest.raises(MeterError, match="location or market"):
        Factor(g_per_kwh=1.0, source="x", scope="both")


def test_carbon_has_the_interval_the_quality_and_the_reason_of_its_energy() -> None:
    at = Footprint(factor=custom_factor(360.0), pue=2.0)
    energy = Quantity(value=10_000.0, unit="joules", quality=Quality.SHARED, method="m", lo=5_000.0, hi=20_000.0)
    told = at.of(energy)
    assert (told.value, told.lo, told.hi) == pytest.approx((2.0, 1.0, 4.0))
    assert told.quality is Quality.SHARED
    part = at.of(Quantity.absent("joules", "the counter stood still", lo=5_000.0))
    assert (part.value, part.reason) == (None, "the counter stood still")
    assert part.lo == pytest.approx(1.0)


def codecarbon_with(table: str | None, folder: Path) -> None:
    package = folder / "codecarbon"
    (package / "data" / "private_infra").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    if table is not None:
        (package / "data" / "private_infra" / "global_energy_mix.json").write_text(table)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (None, "not where it was.*global_energy_mix.json"),
        ("{", "cannot be read.*JSONDecodeError"),
        ('{"ISL": {"carbon_intensity": "much", "year": 2022}}', "cannot be read.*ValueError"),
        ('{"ISL": {"carbon_intensity": -1, "year": 2022}}', "cannot be read.*from 0 to 5000"),
    ],
)
def test_a_table_of_codecarbon_that_is_gone_is_told_apart_from_one_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str | None, reason: str
) -> None:
    codecarbon_with(table, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MeterError, match=f"'ISL'.*CodeCarbon is installed.*{reason}"):
        factor_for("ISL")


def test_without_codecarbon_nothing_is_said_of_it() -> None:
    with pytest.raises(MeterError, match="'ISL'") as refused:
        factor_for("ISL")
    assert "CodeCarbon" not in str(refused.value)


def test_the_factors_own_interval_is_in_the_carbons() -> None:
    told = Footprint(factor=custom_factor(400.0, low=300.0, high=600.0), pue=1.5).of(ONE_KWH)
    assert told.value == pytest.approx(600.0)
    assert (told.lo, told.hi) == pytest.approx((1.5 * 300 * 3.0 / 3.6, 1.5 * 600 * 4.0 / 3.6))
    assert "300 to 600" in told.method


def test_energy_without_an_interval_has_that_of_the_factor() -> None:
    energy = Quantity(value=joules(1.0), unit="joules", quality=Quality.MEASURED, method="counter")
    told = Footprint(factor=custom_factor(400.0, low=300.0, high=600.0)).of(energy)
    assert (told.lo, told.hi) == pytest.approx((300.0, 600.0))
    unknown = Footprint(factor=custom_factor(400.0, low=300.0, high=600.0)).of(Quantity.absent("joules", "no sensor"))
    assert (unknown.value, unknown.lo, unknown.hi) == (None, None, None)


def test_a_factor_without_an_error_says_that_the_interval_lacks_it() -> None:
    assert "its own error is not told and not in the interval" in Footprint(factor=factor_for("FRA")).method


def test_a_users_table_may_tell_the_error_of_some_factors(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    header = "country,g_per_kwh,g_per_kwh_low,g_per_kwh_high,year,source"
    path.write_text(f"{header}\nXKX,900,850,1000,2024,grid\nFRA,56,,,2024,grid\n")
    assert factor_for("XKX", table=path).interval_g_per_kwh == (850.0, 1000.0)
    assert factor_for("FRA", table=path).low_g_per_kwh is None


@pytest.mark.parametrize(("low", "high"), [(450.0, 500.0), (300.0, 350.0), (300.0, None), (None, 500.0), (-1.0, 500.0)])
def test_an_interval_that_is_none_of_the_factor_is_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(MeterError, match="interval around 400"):
        custom_factor(400.0, low=low, high=high)
