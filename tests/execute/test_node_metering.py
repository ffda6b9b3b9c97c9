"""Every node that runs knows what it cost, and no meter ever stops one."""

from __future__ import annotations

import pytest

from etude.errors import ConfigError
from etude.execute.node_metering import Metering, MeterSettings, cost_columns
from projects import Project

STEPS = """
@step
def busy(*, ctx: Context) -> int:
    with ctx.window("warm-up"):
        sum(range(200_000))
    for _ in range(3):
        with ctx.window("batch"):
            sum(range(200_000))
    return 1
"""


def cost_of(project: Project, **place: object) -> dict[str, object]:
    result = project.run(project.write(STEPS).study({"n": ("busy",)}, **place))
    assert result.succeeded
    (node,) = result.prepared.expansion.named("n")
    return dict(result.prepared.store.inspect(node.fingerprint).cost)  # type: ignore[union-attr]


@pytest.mark.parametrize("backend", ["inline", "processes"])
def test_a_node_is_measured_without_a_line_of_the_users_code(project: Project, backend: str) -> None:
    cost = cost_columns(cost_of(project, backend=backend, workers=1))
    assert cost["wall_s"] > 0  # type: ignore[operator]
    assert cost["cpu_s"] > 0  # type: ignore[operator]
    assert cost["peak_rss_bytes"] > 10**6  # type: ignore[operator]


def test_windows_of_a_step_are_told_by_name(project: Project) -> None:
    windows = cost_of(project)["windows"]
    assert {name: spent["count"] for name, spent in windows.items()} == {"warm-up": 1, "batch": 3}  # type: ignore[attr-defined]


def test_carbon_is_unknown_without_a_place(project: Project) -> None:
    cost = cost_of(project)
    assert cost_columns(cost)["carbon_g"] is None
    assert "country" in cost["carbon"]["reason"]  # type: ignore[index]


def test_carbon_follows_from_energy_the_building_and_the_factor(project: Project) -> None:
    cost = cost_of(project, meter=MeterSettings(g_per_kwh=360.0, pue=1.5))
    joules, grams = cost_columns(cost)["energy_j"], cost_columns(cost)["carbon_g"]
    assert (joules is None) == (grams is None)
    if isinstance(joules, float):
        assert grams == pytest.approx(joules * 1.5 * 360 / 3.6e6)


def test_an_unknown_country_is_told_before_anything_runs(project: Project) -> None:
    with pytest.raises(ConfigError, match="XXX"):
        project.run(project.write(STEPS).study({"n": ("busy",)}, meter=MeterSettings(country="XXX")))


def test_where_something_runs_and_how_it_is_measured_is_not_identity(project: Project) -> None:
    study = project.write(STEPS).study({"n": ("busy",)})
    project.run(study)
    again = project.run(project.study({"n": ("busy",)}, meter=MeterSettings(country="DEU")))
    assert not again.run


def test_what_was_not_measured_is_none_and_never_zero() -> None:
    assert set(cost_columns({}).values()) == {None}
    assert cost_columns({"energy_covered": {"joules": None}})["energy_j"] is None


def test_gpus_are_named_as_the_meters_name_them() -> None:
    assert Metering(gpus=("0", "GPU-8f1c"))._devices() == ("gpu0", "GPU-8f1c")
    assert Metering()._devices() is None


def test_records_hold_the_costs_of_every_node(project: Project) -> None:
    row = project.run(project.write(STEPS).study({"n": ("busy",)})).records().to_pylist()[0]
    for column in ("wall_s", "cpu_s", "peak_rss_bytes", "energy_j", "energy_quality", "carbon_g"):
        assert f"n.cost.{column}" in row
