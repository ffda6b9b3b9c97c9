"""What accuracy costs: records with joules, grams, FLOPs and time per prediction, and of the training.

Costs are of a run and never part of a result, so they are put together here, from the table of records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from etude.errors import StepError, nearest
from etude.graph.metric import metric
from etude.nn.monitor import window_until

_UNITS = {
    "accuracy_per_joule": metric(unit="1/J", lower_is_better=False),
    "examples_per_s": metric(unit="1/s", lower_is_better=False),
    "examples_per_cpu_s": metric(unit="1/s", lower_is_better=False),
    "training_examples_per_s": metric(unit="1/s", lower_is_better=False),
    "training_examples_per_cpu_s": metric(unit="1/s", lower_is_better=False),
    "joules_per_1000": metric(unit="J", lower_is_better=True),
    "grams_per_1000": metric(unit="g CO₂eq", lower_is_better=True),
    "flops_per_example": metric(unit="FLOP", lower_is_better=True),
    "training_joules": metric(unit="J", lower_is_better=True),
    "training_grams": metric(unit="g CO₂eq", lower_is_better=True),
    "training_flops": metric(unit="FLOP", lower_is_better=True),
    "wall_s": metric(unit="s", lower_is_better=True),
    "cpu_s": metric(unit="s", lower_is_better=True),
    "energy_j": metric(unit="J", lower_is_better=True),
    "peak_rss_bytes": metric(unit="bytes", lower_is_better=True),
}
"""By the last part of a column's name."""
_MILESTONE = re.compile(r"(?P<value>.+)\.step$")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Where in the records things stand; None leaves out what needs it."""

    accuracy: str
    """Column."""
    predictions: str | None
    """Node of `text.predict`."""
    predicted: str | None
    """Node of `text.prediction_summary` on it."""
    model: str | None
    """Node of the trained model."""
    training: str | None
    """Node of `text.training_summary` on it."""
    latencies: str | None
    """Node of `text.latencies`."""
    latency: str | None
    """Node of `text.latency` on it."""


def with_efficiency(records: pa.Table, nodes: Nodes) -> pa.Table:
    """The records with further columns, each null where a part of it is not known.

    Predictions (the node's window `predicting`, so without loading the model): `joules_per_1000`, `grams_per_1000`,
    `flops_per_example`, `examples_per_s`, `examples_per_cpu_s`, and `accuracy_per_joule`: accuracy over the joules of
    one prediction, which is right predictions per joule.
    Training (the window `training`): `training_joules`, `training_grams`, `training_flops`,
    `training_examples_per_s`, `training_examples_per_cpu_s`; for each milestone `until_0.9.wall_s`, `cpu_s`,
    `energy_j` and `peak_rss_bytes`, of runs that were not resumed on the way.
    Latencies: `single.joules_per_1000` and `batch.joules_per_1000`.

    Raises:
        StepError: A node or column that is named is not in the records.
    """
    _require(records, nodes)
    rows = [dict(_of_row(row, nodes)) for row in records.to_pylist()]
    names = [f"efficiency.{name}" for name in dict.fromkeys(name for row in rows for name in row)]
    notes = json.loads((records.schema.metadata or {}).get(b"etude", b"{}"))
    for name in names:
        values = [row.get(name.removeprefix("efficiency.")) for row in rows]
        if name in records.column_names:
            raise StepError(f"the records have a column {name!r} already: is there a node named efficiency?")
        records = records.append_column(name, pa.array(values, pa.float64()))
    if "metrics" in notes:
        notes["metrics"] = [*notes["metrics"], *names]
    units = {name: _UNITS[name.rpartition(".")[2]].as_json() for name in names}
    notes["declared"] = {**notes.get("declared", {}), **units}
    return records.replace_schema_metadata({**(records.schema.metadata or {}), b"etude": json.dumps(notes)})


def _require(records: pa.Table, nodes: Nodes) -> None:
    wanted = {
        "accuracy": nodes.accuracy,
        "predictions": nodes.predictions and f"{nodes.predictions}.cost.wall_s",
        "predicted": nodes.predicted and f"{nodes.predicted}.examples",
        "model": nodes.model and f"{nodes.model}.cost.wall_s",
        "training": nodes.training and f"{nodes.training}.examples",
        "latencies": nodes.latencies and f"{nodes.latencies}.cost.wall_s",
        "latency": nodes.latency and f"{nodes.latency}.single.examples",
    }
    for setting, column in wanted.items():
        if column is not None and column not in records.column_names:
            raise StepError(
                f"{setting}: the records have no column {column!r}.\n"
                f"    Mend: {nearest(column, records.column_names)}; or {setting}: null to leave out what needs it."
            )


def _of_row(row: Row, nodes: Nodes) -> Iterator[tuple[str, float | None]]:
    if nodes.predictions and nodes.predicted:
        examples = row.get(f"{nodes.predicted}.examples")
        window = _window(row, nodes.predictions, "predicting")
        joules = _ratio(window["energy_j"], examples)
        yield "joules_per_1000", _times(joules, 1000)
        yield "grams_per_1000", _times(_times(joules, 1000), _grams_per_joule(row, nodes.predictions))
        yield "flops_per_example", row.get(f"{nodes.predicted}.flops_per_example")
        yield "examples_per_s", _ratio(examples, window["wall_s"])
        yield "examples_per_cpu_s", _ratio(examples, window["cpu_s"])
        yield "accuracy_per_joule", _ratio(row.get(nodes.accuracy), joules)
    if nodes.model and nodes.training:
        yield from _of_training(row, nodes.model, nodes.training)
    if nodes.latencies and nodes.latency:
        for mode in ("single", "batch"):
            count = row.get(f"{nodes.latency}.{mode}.examples")
            yield (
                f"{mode}.joules_per_1000",
                _times(_ratio(_window(row, nodes.latencies, mode)["energy_j"], count), 1000),
            )


def _of_training(row: Row, model: str, training: str) -> Iterator[tuple[str, float | None]]:
    window, examples = _window(row, model, "training"), row.get(f"{training}.examples")
    yield "training_joules", window["energy_j"]
    yield "training_grams", _times(window["energy_j"], _grams_per_joule(row, model))
    yield "training_flops", row.get(f"{training}.flops")
    yield "training_examples_per_s", _ratio(examples, window["wall_s"])
    yield "training_examples_per_cpu_s", _ratio(examples, window["cpu_s"])
    for name, step in row.items():
        milestone = _MILESTONE.fullmatch(name.removeprefix(f"{training}.milestones."))
        if milestone and name.startswith(f"{training}.milestones."):
            value = milestone["value"]
            until = _window(row, model, window_until("validation_accuracy", float(value)))
            for column, cost in until.items():
                yield f"until_{value}.{column}", None if step is None else cost


def _window(row: Row, node: str, name: str) -> dict[str, float | None]:
    columns = ("wall_s", "cpu_s", "energy_j", "peak_rss_bytes")
    return {column: row.get(f"{node}.cost.window.{name}.{column}") for column in columns}


def _grams_per_joule(row: Row, node: str) -> float | None:
    return _ratio(row.get(f"{node}.cost.carbon_g"), row.get(f"{node}.cost.energy_j"))


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor
