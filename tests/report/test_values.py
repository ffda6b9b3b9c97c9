"""Results of collect nodes as files that other programs read."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etude.report.tables.value_files import write_value


class Kind(enum.Enum):
    BIG = "big"


@dataclass(frozen=True)
class Inner:
    kind: Kind
    values: Any


@pytest.mark.parametrize(
    "table", [pa.table({"a": [1, 2]}), pd.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 2]})], ids=type
)
def test_tables_of_any_kind_become_parquet(tmp_path: Path, table: Any) -> None:
    path = write_value(table, tmp_path / "it")
    assert path.name == "it.parquet"
    assert pq.read_table(path).to_pydict() == {"a": [1, 2]}


def test_an_array_becomes_a_file_of_numpys_own(tmp_path: Path) -> None:
    path = write_value(np.arange(6).reshape(2, 3), tmp_path / "it")
    assert np.load(path).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_bytes_stay_bytes(tmp_path: Path) -> None:
    assert write_value(b"\x00\xff", tmp_path / "it").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.5, 1.5),
        (np.float64(2.5), 2.5),
        ("é", "é"),
        ({3, 1}, [1, 3]),
        ({1: ("a", None)}, {"1": ["a", None]}),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        (Inner(Kind.BIG, {"x": np.arange(2)}), {"kind": "big", "values": {"x": [0, 1]}}),
    ],
)
def test_anything_else_becomes_json(tmp_path: Path, value: Any, written: Any) -> None:
    path = write_value(value, tmp_path / "it")
    assert path.name == "it.json"
    assert json.loads(path.read_text(encoding="utf-8")) == written


def test_a_file_keeps_its_suffix_and_a_folder_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_text("png")
    assert write_value(tmp_path / "plot.png", tmp_path / "it").name == "it.png"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
        path = write_value(tmp_path / name, tmp_path / "folder")
        assert [inner.name for inner in path.iterdir()] == [name]
