"""A classifier learns, is the same whenever it is made, survives a stop, and comes back from its folder as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from etude import Stopped
from etude.errors import StepError
from etude.nn.classifier_folder import HEAD
from etude.nn.classifier_folder import load_classifier as load
from etude.nn.model_types import Tokens, TrainedModel
from etude.nn.padding import pad
from etude.nn.token_batches import sequences
from step_context import StepContext

Train = Callable[..., TrainedModel]


def contents(model: TrainedModel) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(model.folder.iterdir())}


def test_equal_settings_give_equal_files_and_another_seed_others(
    tokens: Tokens, model: TrainedModel, train: Train, tmp_path: Path
) -> None:
    again, other = train(tokens, StepContext(tmp_path / "a")), train(tokens, StepContext(tmp_path / "b"), seed=2)
    assert contents(again) == contents(model)
    assert again.curve == model.curve
    assert contents(other)[HEAD] != contents(model)[HEAD]


def test_the_cores_it_is_given_change_what_it_learns_by_rounding_alone(
    tokens: Tokens, model: TrainedModel, train: Train, tmp_path: Path
) -> None:
    on_two = train(tokens, StepContext(tmp_path, cpus=2))
    for column in ("loss", "validation_loss"):
        assert on_two.curve[column].to_pylist() == pytest.approx(model.curve[column].to_pylist(), rel=1e-3)


@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_training_that_was_stopped_goes_on_to_the_same_model(
    after: int, tokens: Tokens, model: TrainedModel, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        train(tokens, StepContext(tmp_path, stop_after=after))
    run = StepContext(tmp_path)
    again = train(tokens, run)
    assert run.told[0] == after + 1
    assert contents(again) == contents(model)
    assert again.curve == model.curve


def test_it_learns_what_sets_the_labels_apart(model: TrainedModel) -> None:
    losses = model.curve["loss"].to_pylist()
    assert losses[-1] < losses[0] / 2
    assert model.curve["validation_accuracy"].to_pylist()[-1] > 0.9
    assert model.curve["epoch"].to_pylist() == [1, 2, 3]


def test_the_backbone_opens_with_transformers_alone(tokens: Tokens, model: TrainedModel) -> None:
    from transformers import AutoModel, PreTrainedTokenizerFast

    ours, _ = load(model.folder)
    backbone = AutoModel.from_pretrained(model.folder).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model.folder / "tokenizer.json"))
    assert tokenizer("We see fish")["input_ids"] == tokenizer("we see fish")["input_ids"]
    ids, mask = pad(sequences(tokens.test)[:3], tokens.pad_id)
    with torch.inference_mode():
        expected = ours.backbone(ids, attention_mask=mask).last_hidden_state
        assert torch.equal(backbone(ids, attention_mask=mask).last_hidden_state, expected)


@pytest.mark.parametrize("pooling", ["max", "attention", "last"])
def test_every_pooling_comes_back_from_its_folder(pooling: str, tokens: Tokens, train: Train, tmp_path: Path) -> None:
    model = train(tokens, StepContext(tmp_path), pooling=pooling, epochs=1)
    classifier, labels = load(model.folder)
    assert classifier.pooling.kind == pooling
    assert labels == ("air", "land", "sea")


def test_a_head_that_lacks_a_tensor_is_refused_and_not_made_up(tokens: Tokens, train: Train, tmp_path: Path) -> None:
    model = train(tokens, StepContext(tmp_path), epochs=1)
    head = safetensors.torch.load_file(model.folder / HEAD)
    head.pop("head.1.bias")
    safetensors.torch.save_file(head, model.folder / HEAD)
    with pytest.raises(StepError, match=r"head\.1\.bias is missing"):
        load(model.folder)


def test_a_training_in_bfloat16_clips_gradients_too(
    tokens: Tokens, train: Callable[..., TrainedModel], tmp_path: Path
) -> None:
    still = train(tokens, StepContext(tmp_path / "a"), precision="bf16", epochs=1, clip=1e-9)
    moved = train(tokens, StepContext(tmp_path / "b"), precision="bf16", epochs=1)
    assert moved.counts.precision == "bf16"
    assert moved.curve["loss"][0].as_py() != still.curve["loss"][0].as_py()
