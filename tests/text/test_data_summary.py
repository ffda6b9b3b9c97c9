"""What a data set holds, in tables and in numbers."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etude.text import steps
from etude.text.types import Splits


def part(rows: list[tuple[int, str, str]], groups: list[str] | None = None) -> pa.Table:
    ids, texts, labels = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    schema = [("id", pa.int64()), ("text", pa.string()), ("label", pa.string())]
    table = pa.table({"id": ids, "text": texts, "label": labels}, schema=pa.schema(schema))
    return table if groups is None else table.append_column("group", pa.array(groups, pa.string()))


SPLITS = Splits(
    train=part([(0, "one two", "a"), (1, "One  TWO", "a"), (2, "three", "b"), (3, "four", "a")]),
    validation=part([]),
    test=part([(4, "THREE", "b"), (5, "five six seven", "c")]),
)


def test_labels_are_counted_by_split() -> None:
    assert steps.label_statistics(SPLITS).to_pylist() == [
        {"label": "a", "train": 3, "validation": 0, "test": 0, "share": 0.75, "words": 5 / 3, "characters": 19 / 3},
        {"label": "b", "train": 1, "validation": 0, "test": 1, "share": 0.25, "words": 1.0, "characters": 5.0},
        {"label": "c", "train": 0, "validation": 0, "test": 1, "share": 0.0, "words": 3.0, "characters": 14.0},
    ]


def test_the_summary_tells_what_should_not_be_there() -> None:
    found = steps.describe(SPLITS)
    assert (found.train, found.validation, found.test, found.labels) == (4, 0, 2, 2)
    assert (found.labels_unseen, found.repeated_in_train, found.shared_with_train) == (1, 1, 1)
    assert (found.fewest_of_a_label, found.most_of_a_label, found.words_most) == (1, 3, 3)
    assert found.words_mean == pytest.approx(10 / 6)
    assert found.groups_divided is None


def test_what_is_unknown_of_nothing_is_none() -> None:
    found = steps.describe(Splits(train=part([]), validation=part([]), test=part([])))
    assert (found.fewest_of_a_label, found.most_of_a_label, found.words_mean, found.words_most) == (None,) * 4
    assert len(steps.label_statistics(Splits(train=part([]), validation=part([]), test=part([])))) == 0


def test_groups_in_several_splits_are_counted() -> None:
    rows = [(0, "x", "a"), (1, "y", "b")]
    splits = Splits(train=part(rows, ["Ann", "Ben"]), validation=part([], []), test=part([(2, "z", "a")], ["Ann"]))
    assert steps.describe(splits).groups_divided == 1


def test_repeated_texts_are_listed_with_their_rows_splits_and_labels() -> None:
    data = part([(7, "Same", "a"), (8, "other", "a"), (9, "same ", "b"), (3, "twice", "a"), (4, "twice", "a")])
    data = data.append_column("split", pa.array(["train", "train", "test", "train", "train"]))
    assert steps.duplicates(data).to_pylist() == [
        {
            "text": "same",
            "rows": 2,
            "ids": [7, 9],
            "splits": ["train", "test"],
            "labels": ["a", "b"],
            "across": True,
            "contradictory": True,
        },
        {
            "text": "twice",
            "rows": 2,
            "ids": [3, 4],
            "splits": ["train", "train"],
            "labels": ["a", "a"],
            "across": False,
            "contradictory": False,
        },
    ]


def test_data_that_are_not_divided_have_one_split() -> None:
    found = steps.duplicates(part([(0, "x", "a"), (1, "x", "a")])).to_pylist()
    assert [row["across"] for row in found] == [False]
    assert len(steps.duplicates(part([(0, "x", "a")]))) == 0
