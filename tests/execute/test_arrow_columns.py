"""Columns are those that Arrow itself would make."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.execute.arrow_columns import column

WHOLE = st.integers(-(2**63), 2**63 - 1)
KINDS = {
    bool: (st.booleans(), pa.bool_()),
    int: (WHOLE, pa.int64()),
    float: (st.floats(allow_nan=False), pa.float64()),
    str: (st.text(st.characters(exclude_categories=["Cs"])), pa.string()),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(deadline=None)  # the first comparison loads pandas
@given(st.data())
def test_a_column_is_the_one_that_arrow_makes(kind: type, data: st.DataObject) -> None:
    each, type_ = KINDS[kind]
    values = data.draw(st.lists(st.none() | each, max_size=40))
    made = column(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, type_))


def test_a_column_of_nothing_known_has_the_type_of_nulls() -> None:
    assert column([None, None], None).equals(pa.array([None, None]))


def test_not_a_number_is_a_value_and_no_null() -> None:
    made = column([float("nan"), None], float)
    assert made.null_count == 1
    assert str(made[0]) == "nan"


def test_zero_keeps_its_sign() -> None:
    assert str(column([-0.0, None], float)[0].as_py()) == "-0.0"


def test_a_whole_number_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError):
        column([2**63], int)


def test_a_column_is_made_without_pandas() -> None:
    program = (
        "import sys; from etude.execute.arrow_columns import column\n"
        "column([1, None], int), column(['a', None], str), column([True, None], bool), column([0.5, None], float)\n"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
