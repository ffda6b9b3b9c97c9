"""Training ends the same whether it was left alone, stopped, or killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn

from etude import Stopped
from etude.nn.batches import Batches, shuffled_plan
from etude.nn.fit import fit
from etude.nn.schedule import warm_cosine
from etude.nn.seeded import seeded

EPOCHS, STEPS_PER_EPOCH = 3, 4
STEPS = EPOCHS * STEPS_PER_EPOCH


@dataclass
class Run:
    """A context for tests: stops once a number of steps was told."""

    scratch: Path
    stop_after: float = float("inf")
    told: list[float] = field(default_factory=list)
    devices: tuple[str, ...] = ()
    cpus: int = 1

    @property
    def stopping(self) -> bool:
        return bool(self.told) and self.told[-1] >= self.stop_after

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.told.append(done)

    def window(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()


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
            optimizer, lambda step: warm_cosine(step, steps=STEPS, warm_up=0.2)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


Alone: TypeAlias = tuple[Regression, list[dict[str, float]]]


def regression(fails_at: int | None = None) -> Regression:
    with seeded(7):
        return Regression(fails_at)


def data() -> tuple[Batches[Tensor], Batches[Tensor]]:
    with seeded(1):
        points, held_out = torch.randn(16, 3), torch.randn(8, 3)

    def plan(epoch: int) -> list[list[int]]:
        return shuffled_plan([1] * 16, tokens=4, seed=3, epoch=epoch)

    return Batches(plan, lambda rows: points[list(rows)]), Batches(
        lambda epoch: [[0, 1, 2, 3], [4, 5, 6, 7]], _of(held_out)
    )


def _of(points: Tensor) -> Callable[[Sequence[int]], Tensor]:
    return lambda rows: points[list(rows)]


def train(run: Run, module: Regression, *, every_s: float = 1e9) -> list[dict[str, float]]:
    training, validation = data()
    return fit(
        module, training, validation=validation, ctx=run, epochs=EPOCHS, seed=5, clip=1.0, checkpoint_every_s=every_s
    )


def same(left: Regression, right: Regression) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True))


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    module = regression()
    return module, train(Run(tmp_path_factory.mktemp("alone")), module)


@pytest.mark.parametrize("k", range(1, STEPS))
def test_a_run_stopped_after_k_steps_and_resumed_equals_one_left_alone(
    k: int, tmp_path: Path, left_alone: Alone
) -> None:
    with pytest.raises(Stopped, match=f"step {k};"):
        train(Run(tmp_path, stop_after=k), regression())
    again, run = regression(), Run(tmp_path)
    curve = train(run, again)
    assert run.told == list(range(k + 1, STEPS + 1))
    assert same(again, left_alone[0])
    assert curve == left_alone[1]


@pytest.mark.parametrize("k", range(1, STEPS))
def test_a_run_that_died_at_step_k_and_resumed_equals_one_left_alone(k: int, tmp_path: Path, left_alone: Alone) -> None:
    with pytest.raises(ConnectionError):
        train(Run(tmp_path), regression(fails_at=k), every_s=0.0)
    again = regression()
    assert train(Run(tmp_path), again) == left_alone[1]
    assert same(again, left_alone[0])
