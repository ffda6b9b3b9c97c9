"""Training ends the same whether it was left alone, stopped, or killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn

from etude import Stopped
from etude.nn.batches import Batches, shuffled_plan
from etude.nn.fit import CHECKPOINT, fit
from etude.nn.optimisation import schedule_factor
from etude.nn.randomness import fixed_seed
from step_context import StepContext

EPOCHS, STEPS_PER_EPOCH = 3, 4
STEPS = EPOCHS * STEPS_PER_EPOCH


class Regression(lightning.LightningModule):
    """A small network with all that a resume must bring back: momentum, a schedule, dropout, logged means."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1))
        self.fails_at = fails_at

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        if self.fails_at is not None and self.global_step >= self.fails_at:
            raise ConnectionError("the machine went away")
        loss = self._loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.log("validation_loss", self._loss(batch), batch_size=len(batch))

    def _loss(self, batch: Tensor) -> Tensor:
        return (self.layers(batch) - batch.sum(dim=1, keepdim=True)).square().mean()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: schedule_factor(step, kind="cosine", steps=STEPS, warm_up=0.2)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


Alone: TypeAlias = tuple[Regression, list[dict[str, float]]]


def regression(fails_at: int | None = None) -> Regression:
    with fixed_seed(7):
        return Regression(fails_at)


def data() -> tuple[Batches[Tensor], Batches[Tensor]]:
    with fixed_seed(1):
        points, held_out = torch.randn(16, 3), torch.randn(8, 3)

    def plan(epoch: int) -> list[list[int]]:
        return shuffled_plan([1] * 16, tokens=4, seed=3, epoch=epoch)

    return Batches(plan, lambda rows: points[list(rows)]), Batches(
        lambda epoch: [[0, 1, 2, 3], [4, 5, 6, 7]], _of(held_out)
    )


def _of(points: Tensor) -> Callable[[Sequence[int]], Tensor]:
    return lambda rows: points[list(rows)]


def train(run: StepContext, module: Regression, *, every_s: float = 1e9) -> list[dict[str, float]]:
    training, validation = data()
    return fit(
        module, training, validation=validation, ctx=run, epochs=EPOCHS, seed=5, clip=1.0, checkpoint_every_s=every_s
    ).curve


def same(left: Regression, right: Regression) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True))


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    module = regression()
    return module, train(StepContext(tmp_path_factory.mktemp("alone")), module)


@pytest.mark.parametrize("k", range(1, STEPS))
def test_a_run_stopped_after_k_steps_and_resumed_equals_one_left_alone(
    k: int, tmp_path: Path, left_alone: Alone
) -> None:
    with pytest.raises(Stopped, match=f"step {k};"):
        train(StepContext(tmp_path, stop_after=k), regression())
    again, run = regression(), StepContext(tmp_path)
    curve = train(run, again)
    assert run.told == list(range(k + 1, STEPS + 1))
    assert same(again, left_alone[0])
    assert curve == left_alone[1]


@pytest.mark.parametrize("k", range(1, STEPS))
def test_a_run_that_died_at_step_k_and_resumed_equals_one_left_alone(k: int, tmp_path: Path, left_alone: Alone) -> None:
    with pytest.raises(ConnectionError):
        train(StepContext(tmp_path), regression(fails_at=k), every_s=0.0)
    again = regression()
    assert train(StepContext(tmp_path), again) == left_alone[1]
    assert same(again, left_alone[0])


def test_a_run_killed_after_its_last_step_gives_the_same_model_and_curve(tmp_path: Path, left_alone: Alone) -> None:
    train(StepContext(tmp_path), regression(), every_s=0.0)
    again, run = regression(), StepContext(tmp_path)
    assert train(run, again) == left_alone[1]
    assert same(again, left_alone[0])
    assert run.told == []


def test_a_request_to_stop_during_the_last_step_lets_the_training_end(tmp_path: Path, left_alone: Alone) -> None:
    module = regression()
    assert train(StepContext(tmp_path, stop_after=STEPS), module) == left_alone[1]


def test_checkpoints_are_written_no_more_often_than_asked_and_never_left_half_written(tmp_path: Path) -> None:
    ticks = iter(range(1000))
    training, _ = data()
    run = StepContext(tmp_path, stop_after=7)
    with pytest.raises(Stopped):
        fit(regression(), training, ctx=run, epochs=EPOCHS, seed=5, checkpoint_every_s=1e9, clock=lambda: next(ticks))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_batches_that_do_not_know_their_place_are_left_at_the_end_of_an_epoch_only(
    tmp_path: Path, left_alone: Alone
) -> None:
    points, _ = data()

    class Plain:
        """Batches with a length and an epoch, but without a state."""

        def __len__(self) -> int:
            return len(points)

        def __iter__(self) -> Iterator[Tensor]:
            return iter(points)

        def set_epoch(self, epoch: int) -> None:
            points.set_epoch(epoch)

    def run(context: StepContext, module: Regression) -> None:
        fit(module, Plain(), ctx=context, epochs=EPOCHS, seed=5, clip=1.0)

    with pytest.raises(Stopped, match=f"step {STEPS_PER_EPOCH};"):
        run(StepContext(tmp_path, stop_after=1), regression())
    again = regression()
    run(StepContext(tmp_path), again)
    assert same(again, left_alone[0])


def test_the_curve_has_one_row_per_epoch_with_its_mean_loss_and_what_validation_logged(left_alone: Alone) -> None:
    curve = left_alone[1]
    assert [(row["epoch"], row["step"]) for row in curve] == [(1, 4), (2, 8), (3, 12)]
    assert all(set(row) == {"epoch", "step", "loss", "validation_loss"} for row in curve)


def test_training_leaves_the_random_numbers_of_its_caller_alone(tmp_path: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    train(StepContext(tmp_path), regression())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_a_run_killed_without_warning_and_resumed_equals_one_left_alone(tmp_path: Path, left_alone: Alone) -> None:
    here = Path(__file__).parent
    program = f"""
import os, signal, sys
sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]
from pathlib import Path
import test_fit
from step_context import StepContext

class Doomed(StepContext):
    def progress(self, done, total=None, message=""):
        if done == 7:
            os.kill(os.getpid(), signal.SIGKILL)

test_fit.train(Doomed(Path({str(tmp_path)!r})), test_fit.regression(), every_s=0.0)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    again, run = regression(), StepContext(tmp_path)
    assert train(run, again) == left_alone[1]
    assert run.told[0] == 7
    assert same(again, left_alone[0])
