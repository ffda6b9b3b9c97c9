"""The steps of text classification, each called as a function."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy

from etude import Stopped
from etude.graph.step import options_of
from etude.nn.model_types import Tokens, TrainedModel
from etude.text import steps
from etude.text.types import Splits
from step_context import StepContext

STEPS = [
    *("load", "read", "known", "hub", "duplicates", "label_statistics", "describe", "split", "few_shot"),
    *("add_noise", "perturb", "tokenize", "train", "predict", "evaluate", "majority", "bag_of_words"),
    *("quality", "reliability", "confusion", "evaluate_labels"),
    *("out_of_scope", "out_of_scope_curve", "robustness"),
    *("training_summary", "prediction_summary", "latencies", "latency", "efficiency"),
]


def test_a_model_beats_the_commonest_label_and_matches_the_bag_of_words_where_words_decide(
    splits: Splits, tokens: Tokens, model: TrainedModel, tmp_path: Path
) -> None:
    found = steps.evaluate(steps.predict(model, tokens, ctx=StepContext(tmp_path)))
    assert steps.majority(splits).accuracy == pytest.approx(1 / 3)
    assert steps.bag_of_words(splits).accuracy == pytest.approx(1.0)
    assert found.accuracy > 0.95


def test_predictions_keep_ids_labels_and_classes(tokens: Tokens, model: TrainedModel, tmp_path: Path) -> None:
    table = steps.predict(model, tokens, ctx=StepContext(tmp_path), split="validation")
    classes = json.loads(table.schema.metadata[b"etude"])["labels"]
    probabilities = np.array(table["probabilities"].to_pylist())
    assert table["id"] == tokens.validation["id"]
    assert table["label"].to_pylist() == [tokens.labels[index] for index in tokens.validation["label"].to_pylist()]
    assert classes == ["air", "land", "sea"]
    assert probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert table["prediction"].to_pylist() == [classes[index] for index in probabilities.argmax(axis=1)]


def test_the_size_of_batches_does_not_change_predictions(tokens: Tokens, model: TrainedModel, tmp_path: Path) -> None:
    small, large = (
        steps.predict(model, tokens, ctx=StepContext(tmp_path), batch_tokens=size).to_pydict() for size in (20, 10_000)
    )
    left, right = small.pop("probabilities"), large.pop("probabilities")
    assert small == large
    assert np.abs(np.array(left) - np.array(right)).max() < 2e-6


def test_logits_and_states_are_kept_where_they_are_asked_for(
    tokens: Tokens, model: TrainedModel, tmp_path: Path
) -> None:
    plain = steps.predict(model, tokens, ctx=StepContext(tmp_path))
    table = steps.predict(model, tokens, ctx=StepContext(tmp_path), keep=("logits", "states"), batch_tokens=30)
    logits, states = (np.array(table[name].to_pylist()) for name in ("logits", "states"))
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    head = safetensors.numpy.load_file(model.folder / "head.safetensors")
    assert np.abs(likely - np.array(plain["probabilities"].to_pylist())).max() < 1e-4
    assert states @ head["head.1.weight"].T + head["head.1.bias"] == pytest.approx(logits, abs=1e-3)
    assert table["prediction"] == plain["prediction"]
    assert plain.column_names == ["id", "label", "prediction", "probabilities"]


def test_predicting_can_be_stopped(tokens: Tokens, model: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="of 48 rows"):
        steps.predict(model, tokens, ctx=StepContext(tmp_path, stop_after=1), batch_tokens=20)


def test_texts_of_ones_own_go_the_same_way(texts: pa.Table, tmp_path: Path) -> None:
    from pyarrow import csv

    csv.write_csv(texts.select(["text", "label"]), tmp_path / "own.csv")
    assert steps.read(file=tmp_path / "own.csv") == texts


def test_docstrings_become_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "zebras").mkdir()
    (tmp_path / "zebras" / "__init__.py").write_text('"""Striped horses of the wide plains."""')
    assert steps.load(packages=("zebras",)).to_pylist() == [
        {"id": 0, "text": "Striped horses of the wide plains.", "label": "zebras"}
    ]


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_marked_and_says_what_it_is_for(name: str) -> None:
    function = getattr(steps, name)
    assert options_of(function) is not None
    assert function.__doc__


def test_planning_needs_no_torch() -> None:
    program = (
        "import sys, typing, etude.text.steps as steps, etude.analysis.steps as analysis\n"
        f"for name in {STEPS}: typing.get_type_hints(getattr(steps, name), include_extras=True)\n"
        "typing.get_type_hints(analysis.aggregate, include_extras=True)\n"
        "print({'torch', 'transformers', 'lightning', 'sklearn', 'scipy', 'tokenizers'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
