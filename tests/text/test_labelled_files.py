"""Texts of one's own: any of the usual files, or a folder that is already split."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from etude.errors import StepError
from etude.text.file_kinds import FileSpec
from etude.text.labelled_files import TextColumns, read_texts, split_of_name

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


def table(path: Path, **settings: Any) -> pa.Table:
    names = {name: value for name, value in settings.items() if name in ("text", "label", "id", "group", "split")}
    written = {name: value for name, value in settings.items() if name not in names}
    return read_texts(path, TextColumns(**{"text": "text", "label": "label", **names}), FileSpec(**written))


def read(path: Path, **columns: Any) -> dict[str, list[object]]:
    found: dict[str, list[object]] = table(path, **columns).to_pydict()
    return found


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_of_file_gives_the_same_table(suffix: str, compressed: bool, tmp_path: Path) -> None:
    path = write(tmp_path / f"data{suffix}")
    found = table(packed(path) if compressed else path, label="category", quoting="double")
    assert found.to_pydict() == {"id": [0, 1], "text": [text for text, _ in ROWS], "label": ["yes", "no"]}


def test_a_folder_gives_each_row_its_split_and_numbers_them_through(tmp_path: Path) -> None:
    write(tmp_path / "train.csv")
    write(tmp_path / "test.jsonl")
    (tmp_path / "LICENSE").write_text("free")
    found = table(tmp_path, label="category")
    assert found["id"].to_pylist() == [0, 1, 2, 3]
    assert sorted(found["split"].to_pylist()) == ["test", "test", "train", "train"]


def test_numbers_as_labels_are_taken_as_text(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\nx,3\n")
    assert table(tmp_path / "data.csv")["label"].to_pylist() == ["3"]


def test_a_row_without_text_or_label_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "x", "label": null}\n{"text": "y", "label": "a"}\n')
    assert table(tmp_path / "data.jsonl")["text"].to_pylist() == ["y"]


def test_a_wrong_column_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no column 'categroy': did you mean 'category'"):
        table(write(tmp_path / "data.csv"), label="categroy")


def test_a_file_of_another_kind_and_a_folder_without_training_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="holds no training texts"):
        table(tmp_path)
    (tmp_path / "data.docx").touch()
    with pytest.raises(StepError, match=r"data\.docx: expected a file of kind \.csv"):
        table(tmp_path / "data.docx")


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
    found = table(tmp_path, label="category")
    assert found["split"].to_pylist() == ["validation"] * 2 + ["test"] * 2 + ["train"] * 2


def test_a_split_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for name in ("train.csv", "val.csv", "valid.csv"):
        write(tmp_path / name)
    with pytest.raises(StepError, match=r"validation split more than once: val\.csv, valid\.csv"):
        table(tmp_path, label="category")


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


SIXTY = [f"row {number}" for number in range(60)]


def test_a_quotation_mark_in_tabs_is_a_character_and_swallows_no_row(tmp_path: Path) -> None:
    texts = [f'"{text}' if number in (10, 22) else text for number, text in enumerate(SIXTY)]
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "".join(f"{text}\tx\n" for text in texts))
    assert read(tmp_path / "a.tsv")["text"] == texts


def test_a_quotation_mark_in_commas_that_nothing_closes_is_refused_with_its_line(tmp_path: Path) -> None:
    texts = [f'"{text}' if number in (10, 22) else text for number, text in enumerate(SIXTY)]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},x\n" for text in texts))
    with pytest.raises(StepError, match=r"a\.csv:12: a quotation mark opens(?s:.*)quoting: none"):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", quoting="none")["text"] == texts


def test_rows_over_several_lines_and_marks_around_fields_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(write(tmp_path / "a.csv"), label="category")
    (tmp_path / "b.tsv").write_text('text\tlabel\n"one"\tx\n')
    assert read(tmp_path / "b.tsv")["text"] == ['"one"']
    assert "1 of 3 rows go over more than one line" in caplog.text
    assert "quoting: double" in caplog.text


field = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=8)


@given(st.lists(st.tuples(field, field), min_size=1, max_size=6), st.sampled_from([",", ";", "\t", "|"]))
def test_what_the_csv_module_writes_is_read_as_it_reads_it(rows: list[tuple[str, str]], delimiter: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(written.getvalue(), encoding="utf-8", newline="")
        expected = [(text, label) for text, label in rows if text and label]
        if not expected:
            return
        found = read(path, delimiter=delimiter)
    assert list(zip(found["text"], found["label"], strict=True)) == expected


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_of_a_csv_file_is_found_from_its_first_line(delimiter: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text{delimiter}label\na, b{delimiter}x\n")
    assert read(tmp_path / "a.csv")["text"] == ["a, b"]


def test_a_file_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,one\ny,two\n")
    found = read(tmp_path / "a.csv", text="1", label="0", header=False)
    assert (found["text"], found["label"]) == (["one", "two"], ["x", "y"])


def test_rows_that_lack_text_or_label_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,\n,b\nc,d\n")
    read(tmp_path / "a.csv")
    assert "2 of 3 rows lack text or label and are left out" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        {"text": ["a", "b"], "label": ["x", "y"]},
        {"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}},
        {"data": [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]},
        {"version": 1, "data": [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]},
    ],
)
def test_json_may_be_by_columns_or_under_one_name(content: object, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read(tmp_path / "a.json") == {"id": [0, 1], "text": ["a", "b"], "label": ["x", "y"]}


def test_json_lines_may_be_in_a_file_named_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n')
    assert read(tmp_path / "a.json")["text"] == ["a", "b"]


def test_json_with_a_list_for_each_split_gives_the_splits(tmp_path: Path) -> None:
    rows = {name: [{"text": name, "label": "x"}] for name in ("train", "dev", "test")}
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert read(tmp_path / "a.json")["split"] == ["train", "validation", "test"]
    (tmp_path / "b.json").write_text(json.dumps({"train": rows["train"], "more": rows["dev"]}))
    with pytest.raises(StepError, match="the list 'more' is named after no split"):
        read(tmp_path / "b.json")


def test_a_column_of_splits_is_used_where_it_is_named_and_never_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label,split\na,x,train\nb,y,dev\n")
    (tmp_path / "b.csv").write_text("text,label,split\na,x,fold1\n")
    assert read(tmp_path / "a.csv", split="split")["split"] == ["train", "validation"]
    with pytest.raises(StepError, match=r"has a column 'split'(?s:.*)`split: split`"):
        read(tmp_path / "a.csv")
    with pytest.raises(StepError, match="holds 'fold1', which is no known split"):
        read(tmp_path / "b.csv", split="split")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("eval", "validation"),
        ("dev", "validation"),
        ("validation", "validation"),
        ("holdout", "test"),
        ("held_out", "test"),
        ("test-00000-of-00001", "test"),
        ("test-00000-of-00001-9f3a0b12cd", "test"),
        ("train_data", "train"),
        ("Banking.TRAIN", "train"),
        ("train_test", None),
        ("latest", None),
    ],
)
def test_the_split_of_a_name(name: str, split: str | None) -> None:
    assert split_of_name(name) == split


def test_a_file_with_texts_whose_split_is_not_known_is_refused_and_another_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,x\nb,y\n")
    (tmp_path / "categories.json").write_text('["x", "y"]')
    assert read(tmp_path)["split"] == ["train"] * 2
    (tmp_path / "second_half.csv").write_text("text,label\na,x\nb,y\n")
    with pytest.raises(StepError, match=r"second_half\.csv holds texts, and its name tells no split"):
        read(tmp_path)


@pytest.mark.parametrize("below", ["", "data", "plain_text"])
def test_a_folder_as_the_hub_keeps_it_is_read_with_all_its_pieces(below: str, tmp_path: Path) -> None:
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        parquet.write_table(pa.table({"text": [name], "label": ["x"]}), folder / f"{name}.parquet")
    assert sorted(read(tmp_path)["split"]) == ["test", "train", "train"]
    (folder / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(StepError, match="1 of 2 pieces"):
        read(tmp_path)


def test_lines_of_labels_and_texts_are_read_by_their_format(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("__label__x some text\n__label__y more, text\n")
    (tmp_path / "b.label").write_text("DESC:manner How did it go ?\nNUM:date When ?\n")
    (tmp_path / "c.txt").write_text("__label__x __label__y text\n")
    assert read(tmp_path / "a.txt", format="fasttext") == {
        "id": [0, 1],
        "text": ["some text", "more, text"],
        "label": ["x", "y"],
    }
    assert read(tmp_path / "b.label", format="label_text")["label"] == ["DESC:manner", "NUM:date"]
    with pytest.raises(StepError, match=r"c\.txt:1: the text has more than one label"):
        read(tmp_path / "c.txt", format="fasttext")
    with pytest.raises(StepError, match=r"b\.label:1: expected `__label__LABEL text`"):
        read(tmp_path / "b.label", format="fasttext")


def test_a_folder_for_each_label_is_read_with_and_without_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("pos", "neg"):
            (tmp_path / split / label).mkdir(parents=True)
            (tmp_path / split / label / "0.txt").write_text(f"{split} {label}\n")
    assert read(tmp_path)["text"] == ["test neg", "test pos", "train neg", "train pos"]
    assert read(tmp_path / "test") == {"id": [0, 1], "text": ["test neg", "test pos"], "label": ["neg", "pos"]}


def test_files_of_texts_and_labels_line_by_line_are_read(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "seq.in").write_text("play it\nstop\n")
        (tmp_path / split / "label").write_text("Play\nStop\n")
    assert read(tmp_path)["split"] == ["test"] * 2 + ["train"] * 2 + ["validation"] * 2
    (tmp_path / "test" / "label").write_text("Play\n")
    with pytest.raises(StepError, match="2 lines of texts"):
        read(tmp_path)
