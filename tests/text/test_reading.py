"""Texts of one's own: any of the usual files, or a folder that is already split."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from etude.errors import StepError
from etude.text.reading import read_texts

ROWS = [("a, quoted\ntext", "yes"), ("plain", "no")]


def write(path: Path) -> Path:
    names = {"text": [text for text, _ in ROWS], "category": [label for _, label in ROWS]}
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(names), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text, "category": label}) + "\n" for text, label in ROWS))
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        path.write_text(f"text{mark}category\n" + "".join(f'"{text}"{mark}{label}\n' for text, label in ROWS))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same_table(suffix: str, tmp_path: Path) -> None:
    table = read_texts(write(tmp_path / f"data{suffix}"), text="text", label="category")
    assert table.to_pydict() == {"id": [0, 1], "text": [text for text, _ in ROWS], "label": ["yes", "no"]}


def test_a_folder_gives_each_row_its_split_and_numbers_them_through(tmp_path: Path) -> None:
    write(tmp_path / "train.csv")
    write(tmp_path / "test.jsonl")
    (tmp_path / "LICENSE").write_text("free")
    table = read_texts(tmp_path, text="text", label="category")
    assert table["id"].to_pylist() == [0, 1, 2, 3]
    assert sorted(table["split"].to_pylist()) == ["test", "test", "train", "train"]


def test_numbers_as_labels_are_taken_as_text(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\nx,3\n")
    assert read_texts(tmp_path / "data.csv", text="text", label="label")["label"].to_pylist() == ["3"]


def test_a_row_without_text_or_label_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "x", "label": null}\n{"text": "y", "label": "a"}\n')
    assert read_texts(tmp_path / "data.jsonl", text="text", label="label")["text"].to_pylist() == ["y"]


def test_a_wrong_column_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no column 'categroy': did you mean 'category'"):
        read_texts(write(tmp_path / "data.csv"), text="text", label="categroy")


def test_a_file_of_another_kind_and_a_folder_without_training_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="holds no training texts"):
        read_texts(tmp_path, text="text", label="label")
    (tmp_path / "data.docx").touch()
    with pytest.raises(StepError, match=r"data\.docx: expected a file of kind \.csv"):
        read_texts(tmp_path / "data.docx", text="text", label="label")
