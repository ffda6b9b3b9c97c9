"""The settings of a training hold for every way of tuning a backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etude import Stopped
from etude.nn.model_types import Backbone, Tokens, TrainedModel
from etude.text import steps
from step_context import StepContext

BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": 2000,
}
ALL: dict[str, Any] = {
    "seed": 1,
    "epochs": 3,
    "learning_rate": 0.02,
    "batch_tokens": 256,
    "pooling": "mean",
    "precision": "fp32",
    "micro_batch_tokens": 100,
    "label_smoothing": 0.05,
    "class_weights": "balanced",
    "watch": "validation_accuracy",
    "validate_every": 2,
    "patience": 20,
    "milestones": (0.3,),
}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return steps.backbone(ctx=StepContext(tmp_path_factory.mktemp("backbone")), config=BERT)


def contents(model: TrainedModel) -> dict[str, bytes]:
    found = sorted(path for path in model.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(model.folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("tuning", ["full", "probe", "bitfit", "lora", "prefix"])
def test_a_stopped_tuning_goes_on_and_its_milestone_predicts(
    tuning: str, backbone: Backbone, tokens: Tokens, tmp_path: Path
) -> None:
    def tuned(name: str, stop_after: float = float("inf")) -> TrainedModel:
        run = StepContext(tmp_path / name, stop_after=stop_after)
        run.scratch.mkdir(exist_ok=True)
        return steps.finetune(tokens, backbone, ctx=run, tuning=tuning, **ALL)

    alone = tuned("alone")
    with pytest.raises(Stopped):
        tuned("stopped", stop_after=5)
    again = tuned("stopped")
    assert contents(again) == contents(alone)
    assert (again.curve, again.counts) == (alone.curve, alone.counts)
    (milestone,) = alone.milestones.to_pylist()
    assert milestone["at_step"] is not None
    run = StepContext(tmp_path)
    table = steps.predict(alone, tokens, ctx=run, split="validation", milestone=0.3)
    assert steps.evaluate(table).accuracy == pytest.approx(milestone["validation_accuracy"])
    assert (steps.training_summary(alone).flops is None) == (tuning == "prefix")
