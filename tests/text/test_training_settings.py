"""What can be set of a training, from the step to what comes of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from doomed import train_until_killed
from etude import Stopped
from etude.errors import ConfigError, StepError
from etude.nn.batches import padding_ratio, shuffled_plan
from etude.nn.classifier_folder import load_classifier
from etude.nn.classifier_training import milestone_file
from etude.nn.model_types import Tokens, TrainedModel
from etude.nn.token_batches import lengths
from etude.text import steps
from step_context import StepContext

Train = Callable[..., TrainedModel]
ALL = {
    "schedule": "linear",
    "micro_batch_tokens": 40,
    "learning_rate_head": 3.0,
    "class_weights": "balanced",
    "label_smoothing": 0.05,
    "precision": "bf16",
    "watch": "validation_accuracy",
    "patience": 6,
    "threshold": 0.001,
    "validate_every": 4,
    "milestones": (0.5, 0.8, 1.0),
}


@pytest.fixture(scope="module")
def full(tokens: Tokens, train: Train, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A training with everything on."""
    return train(tokens, StepContext(tmp_path_factory.mktemp("full")), **ALL)


SMALL = {
    "epochs": 3,
    "learning_rate": 0.01,
    "batch_tokens": 128,
    "precision": "fp32",
    "width": 16,
    "heads": 2,
    "feed_forward": 32,
}
"""Those of the fixture `train`."""


def files(model: TrainedModel) -> dict[str, bytes]:
    found = sorted(path for path in model.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(model.folder)): path.read_bytes() for path in found}


def same(left: TrainedModel, right: TrainedModel) -> bool:
    tables = left.curve == right.curve and left.milestones == right.milestones
    return tables and (left.counts, left.network) == (right.counts, right.network) and files(left) == files(right)


@pytest.mark.parametrize("after", [3, 4, 10])
def test_a_training_with_everything_on_goes_on_after_a_stop_to_the_same_model(
    after: int, tokens: Tokens, full: TrainedModel, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        train(tokens, StepContext(tmp_path, stop_after=after), **ALL)
    assert same(train(tokens, StepContext(tmp_path), **ALL), full)


def test_what_it_went_through_is_told(tokens: Tokens, model: TrainedModel) -> None:
    sizes = lengths(tokens.train)
    plans = [shuffled_plan(sizes, tokens=128, seed=1, epoch=epoch) for epoch in range(3)]
    found = steps.training_summary(model)
    assert (found.steps, found.epochs) == (sum(map(len, plans)), 3.0)
    assert found.examples == 3 * len(tokens.train)
    assert found.tokens == 3 * sizes.sum()
    assert found.padding_ratio == pytest.approx(np.mean([padding_ratio(sizes, plan) for plan in plans]), rel=1e-3)
    assert (found.ended, found.precision, found.best_restored) == ("epochs", "fp32", True)
    assert found.trainable == found.parameters == sum(p.numel() for p in load_classifier(model.folder)[0].parameters())


def test_its_flops_are_those_that_torch_counts(tokens: Tokens, train: Train, tmp_path: Path) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = train(tokens, StepContext(tmp_path), epochs=1)
    classifier, _ = load_classifier(model.folder)
    classifier.network.set_attn_implementation("eager")
    sizes = lengths(tokens.train)
    with FlopCounterMode(display=False) as counter:
        for batch in shuffled_plan(sizes, tokens=128, seed=1, epoch=0):
            ids = torch.ones(len(batch), int(sizes[batch].max()), dtype=torch.long)
            classifier(ids, torch.ones_like(ids)).sum().backward()
    assert steps.training_summary(model).flops == counter.get_total_flops()


def test_the_model_is_the_one_that_validated_best(tokens: Tokens, full: TrainedModel) -> None:
    curve = full.curve.to_pylist()
    best = max(row["validation_accuracy"] for row in curve)
    at = next(row["step"] for row in curve if row["validation_accuracy"] == best)
    assert (full.counts.best_step, full.counts.best_restored) == (at, True)
    assert [row["step"] for row in curve] == list(range(4, 4 * len(curve) + 1, 4))


def test_a_milestone_has_its_step_its_work_and_its_own_prediction(
    tokens: Tokens, full: TrainedModel, tmp_path: Path
) -> None:
    curve = {row["step"]: row["validation_accuracy"] for row in full.curve.to_pylist()}
    sizes, plan = lengths(tokens.train), shuffled_plan(lengths(tokens.train), tokens=128, seed=1, epoch=0)
    whole = steps.training_summary(full)
    for row in full.milestones.to_pylist()[:2]:
        work = {name: whole.milestones[f"{row['value']:g}.{name}"] for name in ("examples", "tokens", "flops")}
        assert curve[row["at_step"]] == row["validation_accuracy"] >= row["value"]
        assert all(accuracy < row["value"] for step, accuracy in curve.items() if step < row["at_step"])
        table = steps.predict(
            full, tokens, ctx=StepContext(tmp_path), split="validation", milestone=row["value"], precision="bf16"
        )
        assert steps.evaluate(table).accuracy == pytest.approx(row["validation_accuracy"], abs=0.06)
        first = plan[: row["at_step"]]
        if len(first) == row["at_step"]:
            assert work["examples"] == sum(map(len, first))
            assert work["tokens"] == sum(int(sizes[batch].sum()) for batch in first)
        assert 0 < (work["flops"] or 0) <= (whole.flops or 0)


def test_a_milestone_that_was_not_reached_is_told_as_unknown_and_predicts_nothing(
    tokens: Tokens, train: Train, tmp_path: Path
) -> None:
    model = train(tokens, StepContext(tmp_path), epochs=1, learning_rate=1e-9, milestones=(0.99,))
    assert model.milestones.to_pylist()[0] == {
        "value": 0.99,
        **dict.fromkeys(("at_epoch", "at_step", "validation_accuracy")),
    }
    assert steps.training_summary(model).milestones["0.99.step"] is None
    assert not (model.folder / milestone_file(0.99)).exists()
    table = steps.predict(model, tokens, ctx=StepContext(tmp_path), milestone=0.99, keep=("logits",))
    assert table.num_rows == 0
    assert steps.evaluate(table).accuracy is None
    assert steps.prediction_summary(table).flops_per_example is None


def test_a_milestone_that_was_never_set_is_refused_with_those_that_were(
    tokens: Tokens, full: TrainedModel, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=r"no milestone 0\.7; it has 0\.5, 0\.8, 1"):
        steps.predict(full, tokens, ctx=StepContext(tmp_path), milestone=0.7)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"milestones": (0.9, 0.5)}, "milestones"),
        ({"milestones": (1.5,)}, "milestones"),
        ({"class_weights": {"see": 2.0}}, "see"),
        ({"class_weights": {"sea": -1.0}}, r"class_weights\.sea"),
    ],
)
def test_senseless_settings_are_refused(
    settings: dict[str, object], told: str, tokens: Tokens, train: Train, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        train(tokens, StepContext(tmp_path), **settings)


def test_without_validation_texts_the_last_weights_stay(tokens: Tokens, train: Train, tmp_path: Path) -> None:
    from dataclasses import replace

    bare = replace(tokens, validation=tokens.validation.slice(0, 0))
    model = train(bare, StepContext(tmp_path), epochs=1, patience=1, milestones=(0.5,))
    assert (model.counts.best_step, model.counts.best_restored) == (None, False)
    assert steps.training_summary(model).milestones["0.5.step"] is None


def test_validation_is_reported_while_it_trains(tokens: Tokens, train: Train, tmp_path: Path) -> None:
    run = StepContext(tmp_path)
    model = train(tokens, run, epochs=2)
    rows = model.curve.to_pylist()
    assert run.reports == [(row["step"], row["validation_accuracy"]) for row in rows]


@pytest.mark.slow
def test_a_training_killed_without_warning_goes_on_to_the_same_model(
    tokens: Tokens, full: TrainedModel, train: Train, tmp_path: Path
) -> None:
    settings = {"pooling": "mean", "seed": 1, **SMALL, **ALL}
    process = get_context("spawn").Process(target=train_until_killed, args=(tokens, tmp_path, 9, settings))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    run = StepContext(tmp_path)
    assert same(train(tokens, run, **ALL), full)
    assert run.told[0] == 9
