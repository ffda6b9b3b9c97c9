"""Few training texts of each label: as many as are asked for, and the same ones whoever else is there."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import StepError
from etude.text import steps
from etude.text.types import Splits


def splits_of(labels: str) -> Splits:
    texts = [f"text {row}" for row in range(len(labels))]
    table = pa.table({"id": range(len(labels)), "text": texts, "label": list(labels)})
    return Splits(train=table, validation=table.slice(0, 1), test=table.slice(0, 2))


def ids(splits: Splits) -> list[int]:
    found: list[int] = splits.train["id"].to_pylist()
    return found


@given(labels=st.text(alphabet="abc", min_size=1, max_size=60), shots=st.integers(1, 8), seed=st.integers(0, 9))
def test_each_label_has_its_shots_or_all_it_has_in_the_order_of_the_source(labels: str, shots: int, seed: int) -> None:
    found = steps.few_shot(splits_of(labels), shots=shots, seed=seed, allow_fewer=True)
    expected = {label: min(shots, count) for label, count in Counter(labels).items()}
    assert Counter(found.train["label"].to_pylist()) == expected
    assert ids(found) == sorted(ids(found))
    assert found.validation["id"].to_pylist() == [0]
    assert found.test["id"].to_pylist() == [0, 1][: len(labels)]


@given(labels=st.text(alphabet="abc", min_size=1, max_size=60), few=st.integers(1, 8), more=st.integers(1, 8))
def test_more_shots_keep_those_of_fewer(labels: str, few: int, more: int) -> None:
    low, high = (
        set(ids(steps.few_shot(splits_of(labels), shots=shots, seed=0, allow_fewer=True)))
        for shots in sorted((few, more))
    )
    assert low <= high


def test_a_draw_depends_on_the_seed_and_on_no_other_label() -> None:
    alone, both = splits_of("a" * 40), splits_of("a" * 40 + "b" * 40)
    drawn = ids(steps.few_shot(alone, shots=5, seed=0))
    assert ids(steps.few_shot(both, shots=5, seed=0))[:5] == drawn
    assert ids(steps.few_shot(alone, shots=5, seed=1)) != drawn


def test_every_text_is_drawn_about_as_often() -> None:
    counts = Counter(row for seed in range(400) for row in ids(steps.few_shot(splits_of("a" * 8), shots=2, seed=seed)))
    assert all(100 - 40 < counts[row] < 100 + 40 for row in range(8))  # Above four standard deviations.


def test_a_label_with_too_few_texts_is_told_unless_that_is_allowed() -> None:
    with pytest.raises(StepError, match=r"1 labels have fewer than 3 training texts: \{'b': 2\}"):
        steps.few_shot(splits_of("aaabb"), shots=3, seed=0)
