"""JSON that every program reads and every value comes back from; cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.interchange import json_text, read_json, safe_cell, text_of_cell

WORDS = st.sampled_from(["NaN", "Infinity", "-Infinity", "\\NaN", "\\\\-Infinity", "nan", "+Infinity"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text() | WORDS, inner))


def strict(text: str) -> Any:
    """Read as a program does that knows no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


@given(VALUES)
def test_any_value_is_valid_json_and_comes_back_exactly(value: Any) -> None:
    text = json_text(value)
    strict(text)
    assert repr(read_json(text)) == repr(value)
    assert repr(read_json(text.encode("utf-8", "surrogatepass"))) == repr(value)


def test_what_is_not_finite_is_told_from_what_is_missing() -> None:
    text = json_text({"a": math.nan, "b": None, "c": [math.inf, -math.inf], "d": "NaN"})
    assert text == '{"a": "NaN", "b": null, "c": ["Infinity", "-Infinity"], "d": "\\\\NaN"}'


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "-", "＝1"])
def test_text_that_a_spreadsheet_would_run_is_written_safe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-1", "-1.5e-7", "+3", "-inf", "max", "", "a=b", "'quoted'", -1, 2.5, None, True])
def test_numbers_and_other_text_stay_as_they_are(value: object) -> None:
    assert safe_cell(value) == value


@given(st.text())
def test_text_comes_back_from_its_cell(text: str) -> None:
    cell = safe_cell(text)
    if not text.startswith("'"):
        assert text_of_cell(cell) == text
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert not out.getvalue().lstrip('"').startswith(("=", "@", "\t"))


def test_half_a_character_is_written_so_that_a_file_can_hold_it() -> None:
    assert read_json(json_text(["\ud800", math.nan]).encode())[0] == "\ud800"
