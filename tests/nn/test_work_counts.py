"""What a training counted is kept, and its FLOPs are reckoned from that: no formula is part of what a training is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude.identity.code import CodeIndex
from etude.nn.batches import shuffled_plan
from etude.nn.work_counts import EMBEDDED, work_table
from etude.nn.work_flops import work_until

TRAINED = ("train", "finetune", "predict")


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 9))
def test_rows_and_tokens_until_a_step_are_those_of_its_batches(sizes: list[int], step: int) -> None:
    lengths = np.array(sizes)
    table = work_table(lambda epoch: shuffled_plan(lengths, tokens=64, seed=0, epoch=epoch), lengths, [step])
    batches = [batch for epoch in range(step) for batch in shuffled_plan(lengths, tokens=64, seed=0, epoch=epoch)][
        :step
    ]
    work = work_until(step, table, None)
    assert work.examples == sum(map(len, batches))
    assert work.tokens == sum(int(lengths[batch].sum()) for batch in batches)
    assert work.padded_tokens == sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    assert work.flops is None


def test_a_pass_before_the_first_step_is_no_part_of_what_was_trained_on() -> None:
    lengths = np.array([3, 5])
    table = work_table(lambda _epoch: [[0, 1]], lengths, [2], [[1], [0]])
    assert {row["until_step"] for row in table.to_pylist()} == {EMBEDDED, 2}
    assert work_until(2, table, None).examples == 4


@pytest.mark.parametrize("step", TRAINED)
def test_no_formula_is_part_of_what_a_training_or_a_prediction_is(step: str) -> None:
    symbols = CodeIndex([Path(etude.__file__).parents[1]]).symbols_of(f"etude.text.steps:{step}").symbols
    assert [name for name in symbols if name.startswith("etude.flops") or "work_flops" in name] == []


def test_another_statement_in_an_architecture_changes_no_training_and_no_prediction(tmp_path: Path) -> None:
    before = CodeIndex([Path(etude.__file__).parents[1]])
    shutil.copytree(Path(etude.__file__).parent, tmp_path / "etude", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "etude" / "flops" / "architecture" / "llama.py"
    file.write_text(file.read_text().replace("\n    return ", "\n    len('changed')\n    return "))
    after = CodeIndex([tmp_path])
    for step in TRAINED:
        name = f"etude.text.steps:{step}"
        assert after.symbols_of(name).digest == before.symbols_of(name).digest
    summary = "etude.text.steps:training_summary"
    assert after.symbols_of(summary).digest != before.symbols_of(summary).digest
