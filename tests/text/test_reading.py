"""Texts of one's own: any of the usual files, or a folder that is already split."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

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
    elif path.suffix == ".json":
        path.write_text(json.dumps([{"text": text, "category": label} for text, label in ROWS]))
    elif path.suffix in (".jsonl", ".ndjson"):
        path.write_text("".join(json.dumps({"text": text, "category": label}) + "\n" for text, label in ROWS))
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        path.write_text(f"text{mark}category\n" + "".join(f'"{text}"{mark}{label}\n' for text, label in ROWS))
    return path


def packed(path: Path) -> Path:
    target = path.with_name(f"{path.name}.gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return target


def read(path: Path, **columns: Any) -> dict[str, list[object]]:
    found: dict[str, list[object]] = read_texts(path, **{"text": "text", "label": "label", **columns}).to_pydict()
    return found


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_of_file_gives_the_same_table(suffix: str, compressed: bool, tmp_path: Path) -> None:
    path = write(tmp_path / f"data{suffix}")
    table = read_texts(packed(path) if compressed else path, text="text", label="category")
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


@pytest.mark.parametrize("value", ["007", "1.50", "true", "NA", "2020-01-01", " x "])
def test_what_looks_like_a_number_a_date_or_nothing_stays_as_it_is_written(value: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text,label\n{value},{value}\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": value, "label": value}))
    for name in ("a.csv", "a.jsonl"):
        assert read(tmp_path / name) == {"id": [0], "text": [value], "label": [value]}


def test_numbers_and_truths_in_json_are_taken_as_text(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": label} for label in (3, 2.0, 0.5, True)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert read(tmp_path / "a.json")["label"] == ["3", "2", "0.5", "true"]


def test_splits_may_have_their_usual_other_names_and_be_compressed(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        packed(write(tmp_path / f"{name}.jsonl"))
    table = read_texts(tmp_path, text="text", label="category")
    assert table["split"].to_pylist() == ["validation"] * 2 + ["test"] * 2 + ["train"] * 2


def test_a_split_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for name in ("train.csv", "val.csv", "valid.csv"):
        write(tmp_path / name)
    with pytest.raises(StepError, match=r"validation split more than once: val\.csv, valid\.csv"):
        read_texts(tmp_path, text="text", label="category")


def test_ids_and_groups_are_kept_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label,key,who\nx,a,30,Ann\ny,b,10,\n")
    found = read(tmp_path / "a.csv", id="key", group="who")
    assert found == {"id": [30, 10], "text": ["x", "y"], "label": ["a", "b"], "group": ["Ann", None]}


def test_an_id_that_occurs_twice_is_refused_even_in_two_files(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("text,label,key\nx,a,30\ny,b,10\n")
    with pytest.raises(StepError, match=r"2 ids occur more than once: \[10, 30\]"):
        read(tmp_path, id="key")


@pytest.mark.parametrize(("key", "reason"), [("a7", "no whole numbers"), ("", "1 rows have no id")])
def test_an_id_that_is_no_whole_number_is_refused(key: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text,label,key\nx,a,{key}\n")
    with pytest.raises(StepError, match=reason):
        read(tmp_path / "a.csv", id="key")


def test_bytes_in_another_encoding_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,label\nplain,a\ncafé,b\n".encode("latin-1"))
    with pytest.raises(StepError, match=r"a\.csv:3: byte 0xe9 is no utf-8(?s:.*)latin-1"):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", encoding="latin-1")["text"] == ["plain", "café"]


def test_a_byte_order_mark_is_no_part_of_a_column_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("\ufefftext,label\nx,a\n".encode())
    (tmp_path / "a.jsonl").write_bytes('\ufeff{"text": "x", "label": "a"}'.encode())
    assert read(tmp_path / "a.csv") == read(tmp_path / "a.jsonl") == {"id": [0], "text": ["x"], "label": ["a"]}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", "holds no rows"),
        ("a.csv", "text,label\n", "holds no rows"),
        ("a.csv", "text,label\n,a\n", "none of the 1 rows has both"),
        ("a.csv", "text,label\na,b,c\n", r"a\.csv: .*Expected 2 columns, got 3"),
        ("a.json", "[]", "holds no rows"),
        ("a.json", '[{"text": "x",]', r"a\.json:1: "),
        ("a.json", '{"text": "x"}', "expected a list of objects"),
        ("a.jsonl", '{"text": "x", "label": "a"}\n{"text": ', r"a\.jsonl:2: "),
        ("a.jsonl", '["x", "a"]', "entry 1 is no object"),
        ("a.jsonl", '{"text": "\\ud83d", "label": "a"}', "entry 1 holds half of a character"),
        ("a.jsonl", '{"text": ["x"], "label": "a"}', "entry 1: expected text or a number"),
        ("a.parquet", "PAR1", "no whole Parquet file"),
        ("a.csv.gz", "text,label", "no whole gzip archive"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(name: str, content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(StepError, match=reason):
        read(tmp_path / name)


def test_an_encoding_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="encoding: 'klingon'"):
        read(write(tmp_path / "a.csv"), label="category", encoding="klingon")


def test_classes_that_the_hubs_library_wrote_as_numbers_get_their_names(tmp_path: Path) -> None:
    notes = {"info": {"features": {"label": {"names": ["low", "high"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": ["x", "y", "z"], "label": [1, 0, -1]})
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(notes)}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")["label"] == ["high", "low"]


def test_a_text_may_be_longer_than_any_block(tmp_path: Path) -> None:
    long = "word " * 600_000
    (tmp_path / "a.csv").write_text(f'text,label\n"{long}",a\nshort,b\n')
    assert [len(text) for text in read(tmp_path / "a.csv")["text"]] == [len(long), 5]


def test_a_column_that_is_not_wanted_may_hold_anything(tmp_path: Path) -> None:
    rows = "".join(f"some words to fill the file,a,{row}\n" for row in range(40_000))
    (tmp_path / "a.csv").write_text(f"text,label,note\n{rows}last,b,not a number\n")
    assert len(read(tmp_path / "a.csv")["text"]) == 40_001
