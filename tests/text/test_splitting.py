"""Splits share no text, keep the labels' shares, and leave a given test split alone."""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import StepError
from etude.text.splitting import divide, same_text
from etude.text.types import Splits


def table(rows: list[tuple[str, str]], splits: list[str] | None = None) -> pa.Table:
    columns = {"id": list(range(len(rows))), "text": [text for text, _ in rows], "label": [label for _, label in rows]}
    return pa.table(columns | ({"split": splits} if splits else {}))


def parts(splits: Splits) -> tuple[list[int], list[int], list[int]]:
    train, validation, test = (part["id"].to_pylist() for part in (splits.train, splits.validation, splits.test))
    return train, validation, test


def divided(
    data: pa.Table, test: float = 0.25, validation: float = 0.2, stratify: bool = True, seed: int = 0
) -> Splits:
    return divide(data, test_fraction=test, validation_fraction=validation, stratify=stratify, seed=seed)


@given(
    sizes=st.lists(st.integers(10, 40), min_size=1, max_size=6),
    test=st.floats(0.1, 0.5),
    validation=st.floats(0.0, 0.5),
    stratify=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_text_goes_to_one_split_and_each_label_in_proportion(
    sizes: list[int], test: float, validation: float, stratify: bool, seed: int
) -> None:
    data = table([(f"text {label} {row}", f"label {label}") for label, size in enumerate(sizes) for row in range(size)])
    splits = divided(data, test, validation, stratify, seed)
    assert sorted(chain(*parts(splits))) == list(range(sum(sizes)))
    assert len(splits.test) == round(sum(sizes) * test) or not stratify
    if stratify:
        counts = Counter(splits.test["label"].to_pylist())
        assert all(abs(counts[f"label {label}"] - size * test) < 1 for label, size in enumerate(sizes))


def test_equal_seeds_draw_equal_splits_and_other_seeds_others() -> None:
    data = table([(f"text {row}", "ab"[row % 2]) for row in range(60)])
    assert parts(divided(data)) == parts(divided(data))
    assert parts(divided(data)) != parts(divided(data, seed=1))


def test_rows_keep_the_order_of_their_source() -> None:
    for rows in parts(divided(table([(f"text {row}", "a") for row in range(40)]))):
        assert rows == sorted(rows)


@given(st.lists(st.tuples(st.sampled_from(["One", "one ", "two", "three", "TWO"]), st.sampled_from("ab")), min_size=30))
def test_no_text_is_in_two_splits_whatever_its_case_and_spaces(rows: list[tuple[str, str]]) -> None:
    data = table([*rows, *((f"other {row}", "a") for row in range(20))])
    splits = divided(data)
    seen = [set(map(same_text, part["text"].to_pylist())) for part in (splits.train, splits.validation, splits.test)]
    assert not any(one & other for one, other in combinations(seen, 2))


def test_a_text_with_two_labels_is_in_no_split() -> None:
    data = table([("both", "a"), ("both", "b"), *((f"text {row}", "a") for row in range(20))])
    assert not {0, 1} & set(chain(*parts(divided(data))))


def test_a_given_test_split_stays_whole_and_training_loses_what_it_shares_with_it() -> None:
    rows = [("same", "a"), ("only train", "a"), ("more", "b"), ("Same", "a"), ("twice", "b"), ("twice", "b")]
    splits = divided(table(rows, ["train", "train", "train", "test", "test", "test"]), validation=0.0)
    assert parts(splits) == ([1, 2], [], [3, 4, 5])


def test_no_validation_split_is_made_where_none_is_wanted() -> None:
    assert len(divided(table([(f"text {row}", "a") for row in range(20)]), validation=0.0).validation) == 0


def test_a_split_that_would_be_empty_is_refused() -> None:
    with pytest.raises(StepError, match="of 2 texts 2 are left for training and 0 for the test"):
        divided(table([("one", "a"), ("two", "b")]), test=0.1)
