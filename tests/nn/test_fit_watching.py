"""A training that is watched: best weights, patience, milestones and parts of steps outlast a stop and a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from etude import Stopped
from etude.errors import ConfigError, StepError
from etude.nn.batches import Batches, shuffled_plan
from etude.nn.fit import Fitted, fit
from etude.nn.monitor import Milestones, Monitor
from etude.nn.optimisation import schedule_factor
from etude.nn.randomness import fixed_seed
from step_context import StepContext

EPOCHS, BATCHES = 4, 6


class Signs(lightning.LightningModule):
    """Tells which side of a plane a point is on; learns fast, then wavers."""

    def __init__(self, rate: float = 0.3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))
        self.rate = rate

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(self.layers(batch)[:, 0], _truth(batch))

    def validation_step(self, batch: Tensor, index: int) -> None:
        right = ((self.layers(batch)[:, 0] > 0).float() == _truth(batch)).float().mean()
        self.log("accuracy", right, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: schedule_factor(step, kind="cosine", steps=EPOCHS * BATCHES, warm_up=0.2)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _truth(points: Tensor) -> Tensor:
    return (points.sum(dim=1) > 0.2).float()


def signs(rate: float = 0.3) -> Signs:
    with fixed_seed(7):
        return Signs(rate)


def data() -> tuple[Batches[Tensor], Batches[Tensor]]:
    with fixed_seed(1):
        points, held_out = torch.randn(24, 3), torch.randn(37, 3)

    def plan(epoch: int) -> list[list[int]]:
        return shuffled_plan([1] * 24, tokens=4, seed=3, epoch=epoch)

    def rows(of: Tensor, chosen: Sequence[int]) -> Tensor:
        return of[list(chosen)]

    return Batches(plan, lambda chosen: rows(points, chosen)), Batches(
        lambda epoch: [list(range(20)), list(range(20, 37))], lambda chosen: rows(held_out, chosen)
    )


@dataclass
class Way:
    """How a training is watched."""

    patience: int | None = None
    validate_every: int | None = None
    accumulate: int = 1
    precision: Any = "fp32"
    restore: bool = True


WAYS = {
    "best": Way(),
    "patience": Way(patience=1),
    "often": Way(validate_every=2),
    "odd": Way(validate_every=5),
    "parts": Way(accumulate=2),
    "all": Way(patience=3, validate_every=2, accumulate=2, precision="bf16"),
    "last": Way(restore=False, validate_every=4),
}


def train(run: StepContext, module: Signs, way: Way, *, every_s: float = 1e9) -> Fitted:
    training, validation = data()
    run.scratch.mkdir(exist_ok=True)
    return fit(
        module,
        training,
        validation=validation,
        ctx=run,
        epochs=EPOCHS,
        seed=5,
        clip=1.0,
        precision=way.precision,
        accumulate=way.accumulate,
        monitor=Monitor(metric="accuracy", higher_is_better=True, patience=way.patience, restore=way.restore),
        milestones=Milestones(metric="accuracy", values=(0.5, 0.8, 2.0)),
        validate_every=way.validate_every,
        checkpoint_every_s=every_s,
    )


def accuracy(module: Signs) -> float:
    _, validation = data()
    points = torch.cat(list(validation))
    module.eval()
    return float(((module.layers(points)[:, 0] > 0).float() == _truth(points)).float().mean())


def same(left: nn.Module, right: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True))


def told(fitted: Fitted) -> Any:
    """All of it but for where snapshots stand, which are told by what is in them."""
    weights = [each.weights and safetensors.torch.load_file(each.weights) for each in fitted.reached]
    rows = [(each.value, each.row) for each in fitted.reached]
    plain = [found and {name: value.tolist() for name, value in found.items()} for found in weights]
    return fitted.curve, fitted.steps, fitted.ended, fitted.best, fitted.restored, rows, plain


@pytest.fixture(scope="module", params=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture(scope="module")
def left_alone(way: Way, tmp_path_factory: pytest.TempPathFactory) -> tuple[Signs, Any]:
    module = signs()
    fitted = train(StepContext(tmp_path_factory.mktemp("alone")), module, way)
    return module, told(fitted)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 18, 19, 23])
def test_a_run_stopped_after_k_steps_and_resumed_equals_one_left_alone(
    k: int, way: Way, tmp_path: Path, left_alone: tuple[Signs, Any]
) -> None:
    again = signs()
    try:
        fitted = train(StepContext(tmp_path, stop_after=k), again, way)
        assert k > left_alone[1][1] - BATCHES, "it should have stopped"
    except Stopped:
        again = signs()
        fitted = train(StepContext(tmp_path), again, way)
    assert told(fitted) == left_alone[1]
    assert same(again, left_alone[0])


@pytest.mark.parametrize("k", [3, 8])
def test_a_run_stopped_again_and_again_equals_one_left_alone(
    k: int, way: Way, tmp_path: Path, left_alone: tuple[Signs, Any]
) -> None:
    for stop in range(k, EPOCHS * BATCHES, k):
        try:
            train(StepContext(tmp_path, stop_after=stop), signs(), way, every_s=0.0)
        except Stopped:
            continue
    again = signs()
    assert told(train(StepContext(tmp_path), again, way)) == left_alone[1]
    assert same(again, left_alone[0])


def test_the_module_ends_up_with_the_weights_that_validated_best(tmp_path: Path) -> None:
    module = signs(rate=1.0)
    fitted = train(StepContext(tmp_path), module, Way(validate_every=1))
    values = [row["accuracy"] for row in fitted.curve]
    assert fitted.best is not None
    assert values[fitted.best] == max(values) > values[-1]
    assert accuracy(module) == pytest.approx(max(values))


def test_the_last_weights_stay_where_the_best_are_not_wanted(tmp_path: Path) -> None:
    module = signs(rate=1.0)
    fitted = train(StepContext(tmp_path), module, Way(validate_every=1, restore=False))
    assert accuracy(module) == pytest.approx(fitted.curve[-1]["accuracy"])
    assert not fitted.restored


def test_a_training_without_betterment_ends_before_its_epochs(tmp_path: Path) -> None:
    fitted = train(StepContext(tmp_path), signs(rate=1e-9), Way(patience=2, validate_every=2))
    assert (fitted.ended, fitted.steps) == ("patience", 6)
    assert [row["step"] for row in fitted.curve] == [2, 4, 6]


def test_milestones_keep_the_weights_that_first_reached_them_and_say_which_were_not(tmp_path: Path) -> None:
    module = signs()
    fitted = train(StepContext(tmp_path), module, Way(validate_every=1))
    low, high, never = fitted.reached
    assert never.row is None
    assert never.weights is None
    for each in (low, high):
        assert each.row is not None
        assert each.weights is not None
        values = [row["accuracy"] for row in fitted.curve]
        assert values[each.row] >= each.value > max(values[: each.row], default=0.0)
        stored = safetensors.torch.load_file(each.weights)
        module.load_state_dict(stored)
        assert accuracy(module) == pytest.approx(values[each.row])


def test_two_batches_make_one_step_where_gradients_are_accumulated(tmp_path: Path) -> None:
    one, two = (
        train(StepContext(tmp_path / str(count)), signs(rate=1e-9), Way(accumulate=count, restore=False))
        for count in (1, 2)
    )
    assert two.steps == EPOCHS * BATCHES / 2
    assert [row["loss"] for row in two.curve] == pytest.approx([row["loss"] for row in one.curve])


def test_snapshots_that_nothing_needs_any_more_are_removed(tmp_path: Path) -> None:
    fitted = train(StepContext(tmp_path), signs(), Way(validate_every=1), every_s=0.0)
    kept = {path.name for path in tmp_path.glob("weights-*.safetensors")}
    wanted = {fitted.best, *(each.row for each in fitted.reached if each.row is not None)}
    assert {f"weights-{row}.safetensors" for row in wanted} <= kept
    assert len(kept) <= len(wanted) + 1


def test_a_snapshot_that_was_changed_is_refused(tmp_path: Path) -> None:
    fitted = train(StepContext(tmp_path), signs(), Way(), every_s=0.0)
    path = tmp_path / f"weights-{fitted.best}.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(StepError, match=path.name):
        train(StepContext(tmp_path), signs(), Way())


def test_watching_needs_validation(tmp_path: Path) -> None:
    training, _ = data()
    rule = Monitor(metric="accuracy", higher_is_better=True)
    with pytest.raises(ConfigError, match="validation"):
        fit(signs(), training, ctx=StepContext(tmp_path), epochs=1, seed=0, monitor=rule)


def test_a_watched_number_that_is_never_logged_is_named(tmp_path: Path) -> None:
    training, validation = data()
    rule = Monitor(metric="f1", higher_is_better=True)
    with pytest.raises(StepError, match=r"'f1'.*accuracy"):
        fit(signs(), training, validation=validation, ctx=StepContext(tmp_path), epochs=1, seed=0, monitor=rule)


def test_a_loss_that_is_no_number_ends_the_training_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"loss is (?s:.)*learning rate"):
        train(StepContext(tmp_path), signs(rate=1e38), Way())


@dataclass
class Windows(StepContext):
    """Remembers which windows were opened and closed, at which step."""

    marks: list[tuple[str, str, float]] = field(default_factory=list)

    def window(self, name: str) -> Any:
        return _Window(self, name)


@dataclass
class _Window:
    run: Windows
    name: str

    def __enter__(self) -> None:
        self.run.marks.append(("open", self.name, len(self.run.told)))

    def __exit__(self, *_: object) -> None:
        self.run.marks.append(("close", self.name, len(self.run.told)))


def test_windows_run_from_the_start_to_each_milestone(tmp_path: Path) -> None:
    run = Windows(tmp_path)
    fitted = train(run, signs(), Way(validate_every=1))
    names = ["until accuracy 2", "until accuracy 0.8", "until accuracy 0.5"]
    assert [name for what, name, at in run.marks if (what, at) == ("open", 0)] == names
    closed = {name: at for what, name, at in run.marks if what == "close"}
    steps = [fitted.curve[each.row]["step"] for each in fitted.reached if each.row is not None]
    assert [closed["until accuracy 0.5"], closed["until accuracy 0.8"]] == steps
    assert closed["until accuracy 2"] == fitted.steps


def test_a_training_that_goes_on_after_a_stop_marks_no_stretch_that_it_saw_a_part_of(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(StepContext(tmp_path, stop_after=3), signs(), Way())
    run = Windows(tmp_path)
    train(run, signs(), Way())
    assert run.marks == []


@pytest.mark.slow
def test_a_run_killed_without_warning_and_resumed_equals_one_left_alone(
    way: Way, tmp_path: Path, left_alone: tuple[Signs, Any]
) -> None:
    here = Path(__file__).parent
    name = next(name for name, each in WAYS.items() if each is way)
    program = f"""
import os, signal, sys
sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]
from pathlib import Path
import test_fit_watching as tests
from step_context import StepContext

class Doomed(StepContext):
    def progress(self, done, total=None, message=""):
        if done == 9:
            os.kill(os.getpid(), signal.SIGKILL)

tests.train(Doomed(Path({str(tmp_path)!r})), tests.signs(), tests.WAYS[{name!r}], every_s=0.0)
"""
    code = subprocess.run([sys.executable, "-c", program], check=False).returncode
    assert code == (-signal.SIGKILL if left_alone[1][1] >= 9 else 0)
    again = signs()
    assert told(train(StepContext(tmp_path), again, way)) == left_alone[1]
    assert same(again, left_alone[0])
