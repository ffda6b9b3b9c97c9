from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from etude.text.baselines import commonest_label, word_counts


def part(rows: list[tuple[str, str]]) -> pa.Table:
    return pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})


def test_the_commonest_label_is_that_of_the_training_split_and_the_first_by_name_of_equals() -> None:
    train = part([("x", "b"), ("x", "b"), ("x", "a"), ("x", "a"), ("x", "c")])
    assert commonest_label(train, part([("x", "a"), ("x", "b"), ("x", "b"), ("x", "b")])).accuracy == 0.25


def test_words_that_tell_the_label_are_learnt() -> None:
    train = part(
        [(f"deep sea fish number {row}", "sea") for row in range(9)]
        + [(f"high hill goat {row}", "land") for row in range(9)]
    )
    test = part([("one more fish", "sea"), ("an old goat", "land")])
    assert word_counts(train, test, words=1, strength=10.0).accuracy == 1.0


def test_order_counts_only_where_runs_of_words_do() -> None:
    train = part([("up down", "a"), ("down up", "b")] * 10)
    test = part([("up down", "a"), ("down up", "b")])
    assert word_counts(train, test, words=1, strength=10.0).accuracy == pytest.approx(0.5)
    assert word_counts(train, test, words=2, strength=10.0).accuracy == 1.0


def test_counting_labels_imports_no_library_for_it() -> None:
    code = "import sys; from etude.text.baselines import commonest_label; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
