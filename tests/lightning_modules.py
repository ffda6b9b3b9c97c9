"""Lightning modules as a user writes them: with an optimiser of their own and without, with settings and data."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn


class Line(lightning.LightningModule):
    """Learns y from x; leaves its optimiser open."""

    def __init__(self, width: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, 1))

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        return self._loss(batch)

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        self.log("validation_loss", self._loss(batch), batch_size=len(batch["x"]))

    def test_step(self, batch: dict[str, Tensor], index: int) -> None:
        self.log("loss", self._loss(batch), batch_size=len(batch["x"]))

    def predict_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        return self.layers(batch["x"]).squeeze(1)

    def _loss(self, batch: dict[str, Tensor]) -> Tensor:
        return (self.layers(batch["x"]).squeeze(1) - batch["y"]).square().mean()


class OwnOptimiser(Line):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class StopAfter(lightning.Callback):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


class Data(lightning.LightningDataModule):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def setup(self, stage: str) -> None:
        draw = torch.Generator().manual_seed(0)
        x = torch.randn(self.rows, 2, generator=draw)
        self.examples = [{"x": row, "y": row.sum()} for row in x]

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.examples, batch_size=8, shuffle=True)

    def test_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.examples, batch_size=8)


def stacked(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    return {"x": torch.tensor([[row["a"], row["b"]] for row in rows]), "y": torch.tensor([row["y"] for row in rows])}
