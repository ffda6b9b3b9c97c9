"""What accuracy costs, from records made by hand."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from etude.analysis.aggregation import summarise
from etude.errors import StepError
from etude.text import steps

ROW: dict[str, Any] = {
    "variant": "a",
    "seed": 0,
    "quality.accuracy": 0.8,
    "scored.cost.wall_s": 9.0,
    "scored.cost.energy_j": 30.0,
    "scored.cost.carbon_g": 3.0,
    "scored.cost.window.predicting.wall_s": 4.0,
    "scored.cost.window.predicting.cpu_s": 5.0,
    "scored.cost.window.predicting.energy_j": 20.0,
    "predicted.examples": 500,
    "predicted.flops_per_example": 1e6,
    "model.cost.wall_s": 90.0,
    "model.cost.energy_j": 400.0,
    "model.cost.carbon_g": 40.0,
    "model.cost.window.training.wall_s": 50.0,
    "model.cost.window.training.cpu_s": 100.0,
    "model.cost.window.training.energy_j": 300.0,
    "model.cost.window.until validation_accuracy 0.9.wall_s": 25.0,
    "model.cost.window.until validation_accuracy 0.9.energy_j": 150.0,
    "model.cost.window.until validation_accuracy 0.95.energy_j": 300.0,
    "training.examples": 2000,
    "training.flops": 1e9,
    "training.milestones.0.9.step": 10.0,
    "training.milestones.0.95.step": None,
    "timed.cost.wall_s": 3.0,
    "timed.cost.window.single.energy_j": 4.0,
    "latency.single.examples": 100,
    "latency.batch.examples": 100,
}
NAMES = {"model": "model", "training": "training", "latencies": "timed", "latency": "latency"}


def efficiency(*rows: dict[str, Any], **names: Any) -> list[dict[str, Any]]:
    table = pa.Table.from_pylist(list(rows)).replace_schema_metadata({"etude": json.dumps({"metrics": ["x.y"]})})
    found = steps.efficiency(table, **(names or NAMES))
    assert found.column_names[: len(rows[0])] == list(rows[0])
    told = json.loads(found.schema.metadata[b"etude"])["metrics"]
    added = [name for name in found.column_names if name.startswith("efficiency.")]
    assert told == ["x.y", *added]
    return [{name.removeprefix("efficiency."): row[name] for name in added} for row in found.to_pylist()]


def test_predictions_cost_joules_grams_and_time() -> None:
    found = efficiency(ROW)[0]
    assert found["joules_per_1000"] == pytest.approx(40.0)
    assert found["grams_per_1000"] == pytest.approx(4.0)
    assert found["accuracy_per_joule"] == pytest.approx(0.8 * 500 / 20)
    assert found["examples_per_s"] == pytest.approx(125)
    assert found["examples_per_cpu_s"] == pytest.approx(100)
    assert found["flops_per_example"] == 1e6
    assert found["single.joules_per_1000"] == pytest.approx(40.0)
    assert found["batch.joules_per_1000"] is None


def test_training_costs_as_well() -> None:
    found = efficiency(ROW)[0]
    assert found["training_joules"] == 300
    assert found["training_grams"] == pytest.approx(30)
    assert found["training_examples_per_s"] == pytest.approx(40)
    assert found["training_examples_per_cpu_s"] == pytest.approx(20)


def test_a_milestone_costs_what_its_window_did_and_nothing_is_known_of_one_never_reached() -> None:
    found = efficiency(ROW)[0]
    assert (found["until_0.9.wall_s"], found["until_0.9.energy_j"]) == (25.0, 150.0)
    assert found["until_0.9.peak_rss_bytes"] is None
    assert found["until_0.95.energy_j"] is None


@pytest.mark.parametrize(
    ("lacking", "unknown"),
    [
        ("scored.cost.window.predicting.energy_j", ("joules_per_1000", "grams_per_1000", "accuracy_per_joule")),
        ("scored.cost.carbon_g", ("grams_per_1000",)),
        ("quality.accuracy", ("accuracy_per_joule",)),
        ("predicted.flops_per_example", ("flops_per_example",)),
    ],
)
def test_what_was_not_measured_is_null_in_its_row_alone(lacking: str, unknown: tuple[str, ...]) -> None:
    one, other = efficiency({**ROW, lacking: None}, {**ROW, "variant": "b"})
    assert all(one[name] is None for name in unknown)
    assert all(other[name] is not None for name in unknown)
    assert one["examples_per_s"] == pytest.approx(125)


def test_no_examples_have_no_cost_each() -> None:
    found = efficiency({**ROW, "predicted.examples": 0})[0]
    assert found["joules_per_1000"] is None
    assert found["accuracy_per_joule"] is None


def test_a_node_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(StepError, match=r"predicted: .*'predictd\.examples'(?s:.)*predicted\.examples"):
        efficiency(ROW, predicted="predictd")


def test_what_is_not_named_is_left_out() -> None:
    found = efficiency(ROW, predictions="scored", predicted="predicted")[0]
    assert not any(name.startswith(("training", "until", "single")) for name in found)


def test_every_added_column_has_its_unit_and_its_direction_in_the_table_that_is_made_of_it() -> None:
    rows = [{**ROW, "variant": f"{width}-{seed}", "width": width, "seed": seed} for width in (1, 2) for seed in (0, 1)]
    said = {"params": ["width", "seed"], "repeat": "seed", "metrics": ["quality.accuracy"], "costs": []}
    records = pa.Table.from_pylist(rows).replace_schema_metadata({"etude": json.dumps(said)})
    summary = summarise(steps.efficiency(records, **NAMES))
    units = {name.removeprefix("efficiency."): summary.units.get(name) for name in summary.metrics}
    assert all(unit for name, unit in units.items() if name != "quality.accuracy"), units
    assert units["joules_per_1000"] == units["until_0.9.energy_j"] == "J"
    assert units["training_grams"] == "g CO₂eq"
    assert (units["examples_per_s"], units["accuracy_per_joule"]) == ("1/s", "1/J")
    assert (units["until_0.9.peak_rss_bytes"], units["flops_per_example"]) == ("bytes", "FLOP")
    assert summary.direction("efficiency.accuracy_per_joule") == "higher"
    assert summary.direction("efficiency.training_joules") == "lower"
