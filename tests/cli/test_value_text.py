"""What `etude show` says of a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.cli.value_text import MOST_CELLS, label_lines, value_lines


def text_of(value: Any, folder: Path = Path("unused"), width: int = 100) -> str:
    return "\n".join(value_lines(value, folder, width))


def test_a_table_is_told_by_size_columns_and_first_rows() -> None:
    text = text_of(pa.table({"word": [f"w{i}" * i for i in range(20)], "score": [0.25 * i for i in range(20)]}))
    head, word, score, *rest = text.splitlines()
    assert head.startswith("table, 20 rows, 2 columns, ")
    assert word.split() == ["word", "string", "lengths", "0", "to", "57,", "mean", "26.25"]
    assert score.split() == ["score", "double", "0", "to", "4.75,", "mean", "2.375"]
    assert rest[0] == "first 5 rows"
    assert len(rest) == 7


def test_missing_and_infinite_values_are_counted_apart_from_the_range() -> None:
    text = text_of(pa.table({"x": [1.0, None, 3.0, float("nan"), float("inf")]}))
    assert "1 to 3, mean 2, 2 not finite, 1 missing" in text


@pytest.mark.parametrize(
    "column",
    [["a", "b", "b", "a", "a"] * 10, pd.Categorical(["a", "b", "b", "a", "a"] * 10)],
    ids=["texts", "categories"],
)
def test_labels_are_counted_each_with_its_share(column: Any) -> None:
    lines = text_of(pd.DataFrame({"label": column})).splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["a", "b"]
    assert [line.split()[-3:] for line in lines[2:4]] == [["30", "60", "%"], ["20", "40", "%"]]


def test_the_bars_of_labels_are_as_their_counts() -> None:
    lengths = [line.count("█") for line in label_lines({"a": 100, "b": 50, "c": 1})]
    assert lengths == [20, 10, 1]


def test_columns_that_do_not_fit_are_named_and_told_of_all_the_same() -> None:
    text = text_of(pa.table({f"column_{i}": ["x" * 30] for i in range(8)}), width=80)
    assert all(f"  column_{i}  string" in text for i in range(8))
    assert "(6 more columns: --csv FILE writes all)" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_large_table_is_counted_in_part_and_says_so() -> None:
    rows = MOST_CELLS // 2
    text = text_of(pa.table({name: pa.array(np.arange(rows)) for name in "abc"}))
    assert f"table, {rows:,} rows, 3 columns" in text
    assert f"counted below: {MOST_CELLS // 3:,} rows, evenly spaced" in text
    assert f"0 to {rows - 1}" in text


def test_an_array_is_told_by_type_shape_and_moments() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4))
    head, moments, *_ = text_of(values).splitlines()
    assert head == "array of float64, 50 × 4, 1.6 kB"
    assert f"mean {values.mean():.4g}, std {values.std(ddof=1):.4g}" in moments
    assert len(moments.split()[-1]) == 16  # the histogram


def test_a_tensor_of_a_type_that_numpy_lacks_is_told_by_its_own_name() -> None:
    torch = pytest.importorskip("torch")
    assert text_of(torch.ones(3, 2, dtype=torch.bfloat16)).splitlines()[:2] == [
        "array of bfloat16, 3 × 2, 24 B",
        "  all 1",
    ]


def test_a_record_is_told_field_by_field_with_every_digit() -> None:
    @dataclass(frozen=True)
    class Scores:
        accuracy: float
        weights: np.ndarray

    lines = text_of(Scores(0.1234567890123, np.zeros(2))).splitlines()
    assert lines[:3] == ["Scores, 2 fields", "  accuracy  0.1234567890123", "  weights"]
    assert lines[3] == "    array of float64, 2, 16 B"


def test_a_data_set_is_told_by_its_features_and_rows() -> None:
    datasets = pytest.importorskip("datasets")
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": ["a", "bb"], "label": [0, 1]})})
    text = text_of(splits)
    assert "feature text: Value('string')" in text
    assert "table, 2 rows, 2 columns" in text


def test_lists_of_many_texts_are_told_by_their_lengths_or_labels() -> None:
    assert "lengths 0 to 49, mean 24.5" in text_of(["a" * i for i in range(50)])
    assert text_of(["yes", "no"] * 10).splitlines()[1].split()[0] == "no"


def test_a_folder_is_told_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights.bin").write_bytes(bytes(1500))
    assert text_of(tmp_path).splitlines() == [f"folder {tmp_path}, 1 file, 1.5 kB", "  deep/weights.bin  1.5 kB"]


def test_figures_and_images_are_written_and_named(tmp_path: Path) -> None:
    from matplotlib.figure import Figure
    from PIL import Image

    figures = {"curve": Figure(), "photo": Image.new("RGB", (4, 3))}
    text = text_of(figures, tmp_path / "shown")
    assert f"figure: {tmp_path / 'shown' / 'curve.png'}" in text
    assert f"image, 4 × 3 RGB: {tmp_path / 'shown' / 'photo.png'}" in text
    assert Image.open(tmp_path / "shown" / "photo.png").size == (4, 3)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=5) | st.tuples(inner),
    max_leaves=30,
)


@given(VALUES)
def test_any_plain_value_can_be_told(value: Any) -> None:
    assert text_of(value)


@given(st.lists(st.floats() | st.none()), st.sampled_from([pa.float32(), pa.float64()]))
def test_any_column_of_numbers_can_be_told(values: list[float | None], kind: Any) -> None:
    assert text_of(pa.table({"x": pa.array(values, kind)}))


def test_columns_of_one_name_are_told_apart() -> None:
    lines = text_of(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])).splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["1", "2"]
    assert lines[-1].split() == ["1", "2"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([timedelta(1), None]),
        pa.array([time(1, 2), None]),
        pa.array([date(2026, 1, 1), None]),
        pa.nulls(2),
        pa.array([b"ab", None]),
        pa.array([{"a": 1}, None]),
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        pa.array([2**64 - 1, 0], pa.uint64()),
        pa.nulls(0, pa.timestamp("s")),
    ],
    ids=lambda column: str(column.type),
)
def test_columns_of_any_type_can_be_told(column: Any) -> None:
    assert f"  x  {column.type}" in text_of(pa.table({"x": column}))


def test_a_mean_that_floats_cannot_hold_is_not_told() -> None:
    assert text_of(np.array([1.7e308, 1.6e308])).splitlines()[1] == "  1.6e+308 to 1.7e+308"


def test_what_a_terminal_would_obey_or_cannot_show_is_escaped() -> None:
    assert text_of("red \x1b[31m \ud800 ä").splitlines()[1] == "  red \\x1b[31m \\ud800 ä"
