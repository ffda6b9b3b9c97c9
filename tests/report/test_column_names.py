"""No column of an output has the name of another, whatever a param or a metric is called."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.steps import aggregate
from etude.execute.record_table import as_table, row_values
from etude.execute.task import RefRow
from etude.graph.pipeline import OWN_COLUMNS
from etude.report.tables.comma_separated import csv_text
from etude.report.tables.means_table import means_table
from etude.store.codecs import flatten_metrics
from etude.store.store import Store

HOSTILE = ["n", "mean", "std", "kind", "name", "role", "group", "metric", "cost", "cost.energy_j", "cost.wall_s", "a.b"]
HOSTILE += ["a", "b", "q.a", "q.n", "acc", "acc_mean", "acc_n", "param.n", "param n", "q.acc_mean", "cost.cost.wall_s"]
NAMES = st.sampled_from(HOSTILE) | st.text(st.sampled_from("ab._ n"), min_size=1, max_size=5)
NUMBERS: st.SearchStrategy[Any] = st.recursive(
    st.floats(0, 1), lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=4), max_leaves=8
)


def leaves(value: Any) -> list[float]:
    return [each for one in value.values() for each in leaves(one)] if isinstance(value, dict) else [value]


@given(st.dictionaries(NAMES, NUMBERS, min_size=1, max_size=4))
def test_every_number_of_a_result_has_a_column_and_none_is_that_of_a_cost(value: dict[str, Any]) -> None:
    flat = flatten_metrics(value)
    assert sorted(map(float, flat.values())) == sorted(leaves(value))  # type: ignore[arg-type]
    assert not any(".cost." in f"q.{name}" for name in flat)


def test_a_metric_that_is_called_like_a_cost_stays_a_metric() -> None:
    flat = flatten_metrics({"cost": {"energy_j": 1.0}, "a.b": 2.0, "a": {"b": 3.0}, "cost_": 4.0, "low_cost.x": 5.0})
    assert flat == {"cost_.energy_j": 1.0, "a.b": 2.0, "a.b_": 3.0, "cost_": 4.0, "low_cost.x": 5.0}


@given(st.lists(NAMES.filter(lambda name: "." not in name), min_size=1, max_size=3, unique=True), st.sets(NAMES))
def test_no_two_columns_of_a_table_have_one_name(params: list[str], metrics: set[str]) -> None:
    names = flatten_metrics(dict.fromkeys(["acc", *sorted(metrics)], 0.5))
    rows = [
        {
            "variant": str(at),
            **dict.fromkeys(params, at),
            **{f"q.{name}": at / 2 for name in names},
            "q.cost.wall_s": 1.0,
        }
        for at in range(2)
    ]
    table: pa.Table = as_table(rows, {"params": params, "varied": params})
    meaning = json.loads(table.schema.metadata[b"etude"])
    assert len(set(table.column_names)) == len(table.column_names)
    assert meaning["costs"] == ["q.cost.wall_s"]
    summary = aggregate(table)
    (head, *_) = csv.reader(io.StringIO(csv_text(summary), newline=""))
    assert len(set(head)) == len(head)
    layout = means_table(summary)
    heads = [*layout.label_columns, "n", *layout.metric_columns]
    assert len(set(heads)) == len(heads)


def test_params_that_are_called_like_columns_of_every_record_are_refused(tmp_path: Path) -> None:
    row = row_values(Store.open(tmp_path), RefRow(variant="x", params={}, nodes=()), {})
    assert row.keys() <= {*OWN_COLUMNS}
