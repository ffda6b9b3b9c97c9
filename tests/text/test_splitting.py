"""Splits share no text, keep the labels' shares, and leave a given test split alone."""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import StepError
from etude.text import steps
from etude.text.splitting import divide, require_learnable, same_text
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


def grouped(groups: list[int | None], labels: str = "ab", splits: list[str] | None = None) -> pa.Table:
    rows = [(f"text {row}", labels[row % len(labels)]) for row in range(len(groups))]
    names = [None if group is None else f"group {group}" for group in groups]
    return table(rows, splits).append_column("group", pa.array(names, pa.string()))


def groups_in(splits: Splits) -> list[set[str]]:
    return [set(part["group"].to_pylist()) - {None} for part in (splits.train, splits.validation, splits.test)]


@given(
    groups=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=40, max_size=90),
    test=st.floats(0.2, 0.5),
    stratify=st.booleans(),
    seed=st.integers(0, 20),
)
def test_no_group_is_in_two_splits_and_no_row_is_lost(
    groups: list[int | None], test: float, stratify: bool, seed: int
) -> None:
    data = grouped([*groups, *range(100, 112)])
    splits = divided(data, test, 0.2, stratify, seed)
    assert not any(one & other for one, other in combinations(groups_in(splits), 2))
    assert sorted(chain(*parts(splits))) == list(range(len(data)))


@given(sizes=st.lists(st.integers(1, 9), min_size=8, max_size=30), test=st.floats(0.1, 0.5), seed=st.integers(0, 9))
def test_whole_groups_come_as_near_to_the_share_as_half_the_largest(sizes: list[int], test: float, seed: int) -> None:
    data = grouped([group for group, size in enumerate(sizes) for _ in range(size)])
    found = len(divided(data, test, 0.0, False, seed).test) if sum(sizes) * test > max(sizes) else None
    assert found is None or abs(found - sum(sizes) * test) <= max(sizes) / 2


def test_training_loses_the_groups_that_a_given_test_split_holds() -> None:
    splits = divided(grouped([1, 2, 3, 1, 4, 2], splits=["train"] * 3 + ["validation", "validation", "test"]))
    assert parts(splits) == ([2], [3, 4], [5])


def test_rows_without_a_group_are_groups_of_their_own() -> None:
    splits = divided(grouped([None] * 40))
    assert len(splits.test) == 10


def test_data_with_one_label_are_refused() -> None:
    with pytest.raises(StepError, match="all 23 training texts have one label, 'a': there is nothing to tell apart"):
        steps.split(table([(f"text {row}", "a") for row in range(32)]), seed=0)


def test_a_label_that_training_does_not_know_is_refused_unless_it_is_named_as_outside() -> None:
    rows = [("one", "a"), ("two", "b"), ("three", "a"), ("four", "oos")]
    splits = divided(table(rows, ["train", "train", "test", "test"]), validation=0.0)
    with pytest.raises(StepError, match=r"1 labels of the test split are in no training text: \['oos'\]"):
        require_learnable(splits, outside=None)
    assert require_learnable(splits, outside="oos") is splits


def test_the_label_for_what_is_outside_is_none_that_can_be_told_apart() -> None:
    splits = divided(table([("one", "a"), ("two", "oos"), ("three", "a")], ["train", "train", "test"]), validation=0.0)
    with pytest.raises(StepError, match="one label, 'a'"):
        require_learnable(splits, outside="oos")


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_drawn_so_that_labels_keep_their_shares(seed: int) -> None:
    # One label in five, and groups of three rows of one label each.
    data = table([(f"text {row}", "rare" if row // 3 % 5 == 0 else "common") for row in range(300)])
    data = data.append_column("group", pa.array([str(row // 3) for row in range(300)]))
    counts = Counter(divided(data, 0.25, 0.0, True, seed).test["label"].to_pylist())
    assert counts["rare"] == pytest.approx(15, abs=1.5)
    assert counts["common"] == pytest.approx(60, abs=1.5)


def test_texts_that_are_left_out_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    rows = [(f"text {row % 40}", "ab"[row % 2]) for row in range(45)]
    divided(table(rows))
    assert "5 of 45 rows hold a text that is in another row as well" in caplog.text


def test_rows_whose_group_is_held_out_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    data = table([(f"text {row}", "ab"[row % 2]) for row in range(12)], ["train"] * 8 + ["test"] * 4)
    divided(data.append_column("group", pa.array([str(row % 6) for row in range(12)])), validation=0.0)
    assert "4 rows are of a group that a held-out split has too" in caplog.text
