"""Quality, method and interval of a physical number go with it from its meter to every output."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from etude.analysis.aggregation import summarise
from etude.analysis.estimates import estimate
from etude.analysis.summary import StudySummary
from etude.analysis.trust import Trusted, sum_of, with_shared_error
from etude.execute.node_metering import cost_columns
from etude.execute.record_table import as_table
from etude.meter.accounting.cost import Cost
from etude.meter.sources.quantity import Quality, Quantity
from etude.report.page.costs import costs_of
from etude.report.page.findings import NodeResult
from etude.report.page.means import table_of_costs, table_of_means
from etude.report.tables.comma_separated import csv_text
from etude.report.tables.latex import latex_text
from etude.report.tables.markdown import markdown_text
from etude.report.tables.table_files import statistics_text
from etude.report.tables.terminal import TerminalTable
from etude.report.tables.value_files import write_parquet
from projects import Project

ENERGY, CARBON = "fit.cost.energy_j", "fit.cost.carbon_g"
METHOD = "cpu-time × 12.5 W (data sheet)"
VALUES = (0.55, 0.60, 0.65)
KNOWN = [quality for quality in Quality if quality is not Quality.ABSENT]


def quantity(joules: float, unit: str, quality: Quality) -> Quantity:
    """As a power model that is off by a factor tells it: 0.60 lies in 0.14 to 1.53."""
    return Quantity(
        value=joules, unit=unit, quality=quality, method=METHOD, lo=joules * 0.14 / 0.6, hi=joules * 1.53 / 0.6
    )


def manifest_cost(joules: float, quality: Quality) -> dict[str, Any]:
    energy, carbon = quantity(joules, "joules", quality), quantity(joules / 10, "grams", quality)
    return Cost(wall_s=1.0, cpu_s=1.0, covered=energy, covers=("cpu",), carbon=carbon).as_json()


def records(quality: Quality) -> pa.Table:
    costs = [manifest_cost(joules, quality) for joules in VALUES]
    rows = [
        {"variant": f"{at}", "status": "done", "seed": at}
        | {f"fit.cost.{name}": value for name, value in cost_columns(cost).items()}
        for at, cost in enumerate(costs)
    ]
    return as_table(rows, {"params": ["seed"], "varied": [], "repeat": "seed"})


def table(quality: Quality) -> StudySummary:
    return summarise(records(quality), metrics=[ENERGY, CARBON])


def terminal(summary: StudySummary) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(TerminalTable(summary))
    return " ".join(out.getvalue().split())


@pytest.mark.parametrize("quality", KNOWN)
def test_the_records_and_their_parquet_hold_all_that_the_manifest_does(quality: Quality, tmp_path: Path) -> None:
    found = pq.read_table(write_parquet(records(quality), tmp_path / "records.parquet"))
    for kind, unit, value in (("energy", "j", 0.60), ("carbon", "g", 0.060)):
        row = {name.removeprefix(f"fit.cost.{kind}_"): found[name].to_pylist()[1] for name in found.column_names}
        assert (row["quality"], row["method"]) == (quality, METHOD)
        assert (row[unit], row[f"low_{unit}"], row[f"high_{unit}"]) == pytest.approx(
            (value, value * 0.14 / 0.6, value * 1.53 / 0.6)
        )


@pytest.mark.parametrize("quality", KNOWN)
def test_every_table_tells_quality_method_and_an_interval_that_holds_the_method_s_error(quality: Quality) -> None:
    summary = table(quality)
    (group,) = summary.groups
    interval = group.estimates[ENERGY].interval
    assert interval is not None
    half = 4.302653 * 0.05 / math.sqrt(3)  # Student's t for two degrees of freedom
    assert interval.low == pytest.approx(0.6 - math.hypot(0.46, half), abs=1e-6)
    assert interval.high == pytest.approx(0.6 + math.hypot(0.93, half), abs=1e-6)

    (row,) = csv.DictReader(io.StringIO(csv_text(summary), newline=""))
    assert (row[f"{ENERGY}_quality"], row[f"{ENERGY}_method"], row[f"{ENERGY}_unit"]) == (quality, METHOD, "J")
    assert (float(row[f"{ENERGY}_low"]), float(row[f"{ENERGY}_high"])) == (interval.low, interval.high)
    told = json.loads(statistics_text(summary))["groups"][0]["estimates"][CARBON]
    assert (told["quality"], told["method"]) == (quality, METHOD)
    assert told["interval"] == {"low": pytest.approx(interval.low / 10), "high": pytest.approx(interval.high / 10)}

    latex = latex_text(summary)
    assert "$0.60$ ($0.12$ to $1.54$)" in latex
    page = str(table_of_means(summary, "t", "i")) + str(table_of_costs(summary, "t", "j"))
    for text in (terminal(summary), markdown_text(summary), page, latex.replace("$", "")):
        assert "0.60 (0.12 to 1.54)" in text
        assert quality in text
        assert "12.5 W (data sheet)" in text
        assert "J" in text
        assert "0.600 ± 0.050" not in text, "a spread over replicates is not the uncertainty of an energy"


def result(at: int, cost: Mapping[str, Any]) -> NodeResult:
    return NodeResult(
        label=f"fit{at}",
        name="fit",
        step="s",
        fingerprint=f"{at}",
        state="stored",
        reason="",
        settings={},
        code="",
        reads=(),
        cost=cost,
    )


def test_a_sum_says_how_many_of_its_parts_have_no_energy_and_is_then_not_known() -> None:
    cost = costs_of([result(0, manifest_cost(0.6, KNOWN[0])), result(1, {"wall_s": 1.0})])
    assert cost.unknown == ("1 of 2 results were stored without energy",)
    assert cost.energy() == "not measured"


@pytest.mark.parametrize("quality", KNOWN)
def test_the_report_sums_costs_with_quality_and_interval(quality: Quality) -> None:
    stored = [result(at, manifest_cost(joules, quality)) for at, joules in enumerate(VALUES)]
    cost = costs_of(stored)
    assert not cost.unknown
    assert cost.energy() == f"1.8 J (0.4 to 4.6), {quality}"
    assert cost.carbon() == f"0.18 g CO₂eq (0.04 to 0.46), {quality}"


def test_the_worst_quality_of_the_replicates_is_that_of_their_mean() -> None:
    values = [Trusted(1.0, 0.9, 1.1, "measured", "a"), Trusted(1.0, 0.5, 2.0, "estimated", "b")]
    found = with_shared_error(estimate([1.0, 1.0]), values)
    assert (found.quality, found.method) == ("estimated", "a / b")
    assert sum_of(values)[:4] == (2.0, 1.4, 3.1, "estimated")


def test_no_interval_is_made_up_where_an_end_is_not_known() -> None:
    values = [Trusted(1.0, None, 2.0, "shared", "m"), Trusted(1.0, 0.5, 2.0, "shared", "m")]
    assert with_shared_error(estimate([1.0, 1.0]), values).interval is None
    assert sum_of(values).low is None


def test_what_is_not_measured_is_told_as_that(tmp_path: Path) -> None:
    cost = Cost.unknown("no meter").as_json()
    rows = [{"variant": "0"} | {f"fit.cost.{name}": value for name, value in cost_columns(cost).items()}]
    found = as_table(rows, {"params": []})
    assert found["fit.cost.energy_quality"].to_pylist() == ["absent"]
    summary = summarise(found, metrics=[ENERGY])
    assert summary.groups[0].estimates[ENERGY].mean is None
    assert re.search(r"\| – \|", markdown_text(summary))


POSITIVE = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(POSITIVE, st.floats(0.1, 1), st.floats(1, 10)), min_size=1, max_size=9))
def test_no_number_of_replicates_makes_the_method_s_error_smaller(values: list[tuple[float, float, float]]) -> None:
    trusted = [Trusted(value, value * down, value * up, "estimated", "m") for value, down, up in values]
    once = with_shared_error(estimate([one.value for one in trusted]), trusted)
    many = with_shared_error(estimate([one.value for one in trusted * 20]), trusted * 20)
    for found in (once, many):
        assert found.interval is not None
        assert found.interval.low <= math.fsum(one.low or 0 for one in trusted) / len(trusted) * (1 + 1e-9)
        assert found.interval.high >= math.fsum(one.high or 0 for one in trusted) / len(trusted) * (1 - 1e-9)


def test_a_metric_that_is_called_like_a_cost_stands_beside_it(tmp_path: Path) -> None:
    project = Project(tmp_path).write(
        "@step\ndef fit() -> dict[str, float]:\n    return {'cost.energy_j': -5.0, 'cost.mine': -6.0}\n"
    )
    result = project.run(project.study({"q": ("fit",)}, collect={"table": ("analysis.aggregate", "records", {})}))
    (row,) = result.records().to_pylist()
    assert row["q.cost_.energy_j"] == -5.0
    assert row["q.cost_.mine"] == -6.0
    assert row["q.cost.energy_j"] != -5.0
