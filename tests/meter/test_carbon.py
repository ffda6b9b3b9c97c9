from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.carbon import Factor, Footprint, factor_for, stated
from etude.meter.quantity import Quality, Quantity
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
    told = Footprint(factor=stated(400.0), pue=1.2).of(ONE_KWH)
    assert told.value == pytest.approx(480.0)
    assert told.lo == pytest.approx(400.0)
    assert told.quality is Quality.MEASURED


def test_carbon_of_unknown_energy_is_unknown_for_the_same_reason() -> None:
    told = Footprint(factor=stated(400.0)).of(Quantity.absent("joules", "no sensor"))
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
        Footprint(factor=stated(1.0), pue=pue)


def test_a_scope_is_location_or_market() -> None:
    with pytest.raises(MeterError, match="location or market"):
        Factor(g_per_kwh=1.0, source="x", scope="both")


def test_carbon_has_the_interval_the_quality_and_the_reason_of_its_energy() -> None:
    at = Footprint(factor=stated(360.0), pue=2.0)
    energy = Quantity(value=10_000.0, unit="joules", quality=Quality.SHARED, method="m", lo=5_000.0, hi=20_000.0)
    told = at.of(energy)
    assert (told.value, told.lo, told.hi) == pytest.approx((2.0, 1.0, 4.0))
    assert told.quality is Quality.SHARED
    part = at.of(Quantity.absent("joules", "the counter stood still", lo=5_000.0))
    assert (part.value, part.reason) == (None, "the counter stood still")
    assert part.lo == pytest.approx(1.0)
