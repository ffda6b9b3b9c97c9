"""Training by Lightning's Trainer, with what it lacks here: progress, a stop that loses nothing, an exact resume."""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

from etude import Context, Stopped
from etude.nn.seeded import random_state, seeded, set_random_state

CHECKPOINT = "training.ckpt"
"""The one checkpoint in a node's scratch folder: always whole, replaced by the next."""


def fit(
    module: lightning.LightningModule,
    training: Iterable[Any],
    *,
    validation: Iterable[Any] | None = None,
    ctx: Context,
    epochs: int,
    seed: int,
    clip: float | None = None,
    checkpoint_every_s: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
) -> list[dict[str, float]]:
    """Train a module, going on from the checkpoint in `ctx.scratch` where there is one; the module ends up trained.

    A run that was stopped or killed and then called again with equal arguments ends with the very parameters, bit for
    bit, of a run that was left alone, if the batches know their place as `Batches` do. Batches that do not are only
    checkpointed at the end of an epoch.

    Args:
        module: Any LightningModule; the step's own weights must be made before, under its own seed.
        training: Batches of an epoch, with a length.
        validation: Batches to validate on after each epoch.
        ctx: Tells progress in steps, is asked for `stopping` after each step, and gives scratch, cores and devices.
            Another number of cores adds up in another order: results then agree but for rounding.
        epochs: Passes over the training batches.
        seed: For all random numbers drawn while training.
        clip: The largest norm of the gradient; None to leave it as it is.
        checkpoint_every_s: Seconds between checkpoints: the most work that a kill can lose. They never change a result.
        clock: Monotonic seconds.

    Returns:
        One mapping per epoch: `epoch` (from 1), `step` (steps done by then), `loss` (mean over the epoch's steps of
        what the module's training step returned) and the numbers that the module logged while validating. Means that
        Lightning forms of numbers logged while training begin anew after a resume, so they are not among these.

    Raises:
        Stopped: `ctx.stopping` was set; a checkpoint stands in `ctx.scratch`.
    """
    keeper = _Keeper(training, ctx, clock, checkpoint_every_s)
    with seeded(seed, threads=ctx.cpus), _quiet(), _interruptible():
        trainer = lightning.Trainer(
            max_epochs=epochs,
            gradient_clip_val=clip,
            callbacks=[keeper],
            default_root_dir=ctx.scratch,
            deterministic="warn" if ctx.devices else None,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            **_hardware(ctx.devices),
        )
        found = ctx.scratch / CHECKPOINT
        trainer.fit(module, training, validation, ckpt_path=str(found) if found.exists() else None, weights_only=True)
    module.cpu()
    return keeper.curve


class _Keeper(lightning.Callback):  # type: ignore[misc]
    """Writes checkpoints at moments from which a resume is exact, and leaves when the run is asked to stop."""

    def __init__(self, training: Iterable[Any], ctx: Context, clock: Callable[[], float], every_s: float) -> None:
        self.curve: list[dict[str, float]] = []
        self._training = training
        self._ctx = ctx
        self._clock = clock
        self._every_s = every_s
        self._mid_epoch = hasattr(training, "state_dict") and hasattr(training, "load_state_dict")
        self._saved_at = clock()
        self._random: dict[str, Any] | None = None
        self._losses: float | torch.Tensor = 0.0
        self._steps = 0
        self._known: set[str] | None = None
        self._validated: set[str] = set()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._random is not None:
            set_random_state(self._random)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if hasattr(self._training, "set_epoch"):
            self._training.set_epoch(trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._ctx.progress(
            trainer.global_step, trainer.estimated_stepping_batches, f"epoch {trainer.current_epoch + 1}"
        )
        if isinstance(outputs, Mapping):
            self._losses = self._losses + outputs["loss"].detach().double()
            self._steps += 1
        last_of_epoch = batch_idx + 1 >= trainer.num_training_batches
        # After the last batch the validation is still to come: the end of the epoch is the moment then.
        if self._mid_epoch and not last_of_epoch:
            self._keep(trainer, may_leave=True)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._known is None:
            self._known = set(trainer.callback_metrics)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Numbers logged over an epoch of training come up only after its validation, so the first one tells them apart.
        if not self._validated:
            self._validated = set(trainer.callback_metrics) - (self._known or set())

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        if self._steps:
            row["loss"] = float(self._losses) / self._steps
        self._losses, self._steps = 0.0, 0
        self.curve.append(row | {name: float(trainer.callback_metrics[name]) for name in sorted(self._validated)})
        self._keep(trainer, may_leave=trainer.current_epoch + 1 < (trainer.max_epochs or 0))

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve, "random": random_state(), "losses": float(self._losses), "steps": self._steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve = state_dict["curve"]
        self._random = state_dict["random"]
        self._losses, self._steps = state_dict["losses"], state_dict["steps"]

    def _keep(self, trainer: lightning.Trainer, *, may_leave: bool) -> None:
        leaving = may_leave and self._ctx.stopping
        if leaving or self._clock() - self._saved_at >= self._every_s:
            _save(trainer, self._ctx.scratch / CHECKPOINT)
            self._saved_at = self._clock()
        if leaving:
            raise Stopped(f"training stopped after step {trainer.global_step}; the checkpoint holds the rest")


def _save(trainer: lightning.Trainer, path: Path) -> None:
    partial = path.with_suffix(".partial")
    trainer.save_checkpoint(partial)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(path)


def _hardware(devices: tuple[str, ...]) -> Mapping[str, Any]:
    if not devices:
        return {"accelerator": "cpu", "devices": 1}
    return {"accelerator": "gpu", "devices": [torch.device(name).index or 0 for name in devices]}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's banners and its advice on data loaders out of a run's log; warnings of others pass."""
    log = logging.getLogger("lightning.pytorch")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        log.setLevel(before)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: Lightning turns it into an exit and leaves the signal ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if isinstance(left.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from left
        raise
