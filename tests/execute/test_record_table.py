"""The table of records: a column for everything, of a type that holds it."""

from __future__ import annotations

import json
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.records import rows_of
from etude.execute.record_table import as_table


def column(name: str, *values: object) -> tuple[pa.DataType, list[object]]:
    table = as_table([{name: value} for value in values], {"params": ["p"]})
    return table.schema.field(name).type, table[name].to_pylist()


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("n.m", (1, 2), pa.int64()),
        ("n.m", (1, 2.5), pa.float64()),
        ("n.m", (True, None), pa.bool_()),
        ("n.m", ("a", None), pa.string()),
        ("n.m", (None, None), pa.null()),
        ("n.m", (2**63 - 1, -(2**63)), pa.int64()),
        ("n.m", (2**63, 1), pa.float64()),
        ("n.m", (math.inf, 1), pa.float64()),
        ("p", (1, 2), pa.int64()),
        ("p", (0, 0.1, 0.5), pa.float64()),
        ("p", (1, None, 2.5), pa.float64()),
    ],
)
def test_a_column_has_the_type_of_its_values(name: str, values: tuple[object, ...], kind: pa.DataType) -> None:
    assert column(name, *values) == (kind, list(values))


@pytest.mark.parametrize("values", [("auto", 128), (1, "1"), ([1], [2]), (2**53 + 1, 0.5), (True, 1), (None, "a", 1)])
def test_values_of_a_param_that_no_column_tells_apart_are_written_as_json(values: tuple[object, ...]) -> None:
    kind, found = column("p", *values)
    assert kind == pa.string()
    assert [None if text is None else json.loads(str(text)) for text in found] == list(values)


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers())


@given(st.lists(VALUES, min_size=1))
def test_rows_have_the_very_values_of_params(values: list[object]) -> None:
    table = as_table([{"p": value} for value in values], {"params": ["p"]})
    found = [row["p"] for row in rows_of(table)]
    assert found == values
    assert [isinstance(value, bool) for value in found] == [isinstance(value, bool) for value in values]


def test_a_number_that_no_column_holds_is_written_as_json() -> None:
    assert column("n.m", 10**400, 1.0)[0] == pa.string()


def test_not_a_number_stays_a_number() -> None:
    kind, (found,) = column("n.m", math.nan)
    assert kind == pa.float64()
    assert math.isnan(found)  # type: ignore[arg-type]
