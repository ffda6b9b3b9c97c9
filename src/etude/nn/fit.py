"""Training by Lightning's Trainer, with what it lacks here: progress, a stop that loses nothing, an exact resume.

The best weights and those at milestones are copied to disk when a validation finds them; which those are is judged from
the curve, so a resumed run judges as one left alone.
"""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as lightning
import torch

from etude import Context, Stopped
from etude.errors import StepError, require
from etude.nn.monitor import Milestones, MilestoneWindows, Monitor, ReachedMilestone, first_at_least, judge
from etude.nn.precision import Format
from etude.nn.randomness import fixed_seed, random_state, set_random_state
from etude.nn.weight_snapshot import read_snapshot, write_snapshot

CHECKPOINT = "training.ckpt"
"""The one checkpoint in a node's scratch folder: always whole, replaced by the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """How a training went."""

    curve: list[dict[str, float]]
    """One row per epoch, or per validation where it comes after so many steps: `epoch` (from 1), `step` (steps done by
    then), `loss` (mean over the steps since the row before) and the numbers that the module logged while validating."""
    steps: int
    """Optimiser steps that were done."""
    ended: Literal["epochs", "patience"]
    """Whether all epochs were done, or the patience ran out before."""
    best: int | None = None
    """The row of the curve with the best weights; None where nothing was watched."""
    restored: bool = False
    """Whether the module has the weights of that row, and not those of the last step."""
    reached: tuple[ReachedMilestone, ...] = ()
    """One for each milestone, in rising order."""


def fit(
    module: lightning.LightningModule,
    training: Iterable[Any],
    *,
    validation: Iterable[Any] | None = None,
    ctx: Context,
    epochs: int,
    seed: int,
    clip: float | None = None,
    precision: Format = "fp32",
    accumulate: int = 1,
    monitor: Monitor | None = None,
    milestones: Milestones | None = None,
    validate_every: int | None = None,
    report: str | None = None,
    at_end: Callable[[lightning.LightningModule], object] | None = None,
    callbacks: Sequence[lightning.Callback] = (),
    options: Mapping[str, Any] | None = None,
    checkpoint_every_s: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
) -> Fitted:
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
        precision: The format of products.
        accumulate: How many batches make one step; the gradient is the mean of theirs, each counting the same. Where
            an epoch's batches do not divide by it, the last step of an epoch is of fewer, and smaller by as much.
        monitor: What tells the best weights and when to stop; None to train to the end and keep the last.
        milestones: Values of a validation's number, at the first reaching of which the weights are kept.
        validate_every: Steps between validations; None for once after each epoch. Steps after the last validation of
            all are not validated.
        report: A validation's number that is reported to the run, which may then ask to stop.
        at_end: Gets the module with the weights of the last step, before the best are put back.
        callbacks: Further ones. What they do is not put back by a resume, unless they have a state of their own.
        options: Further settings of Lightning's Trainer, by name.
        checkpoint_every_s: Seconds between checkpoints: the most work that a kill can lose. They never change a result.
        clock: Monotonic seconds.

    Returns:
        How it went. Means that Lightning forms of numbers logged while training begin anew after a resume, so they are
        not in the curve. Snapshots of milestones stand in `ctx.scratch`.

    Raises:
        Stopped: `ctx.stopping` was set; a checkpoint stands in `ctx.scratch`.
        StepError: The loss is no finite number; or a number that is watched is never logged.
    """
    asked = monitor is not None or milestones is not None or validate_every is not None
    require(validation is not None or not asked, "validation", None, "validation batches, for what is watched on them")
    checkpoint = ctx.scratch / CHECKPOINT
    resume = str(checkpoint) if checkpoint.exists() else None
    windows = MilestoneWindows(ctx, milestones if milestones and resume is None else None)
    keeper = _Keeper(training, ctx, clock, checkpoint_every_s, accumulate, monitor, milestones, windows, report)
    per_step = {} if validate_every is None else _every(validate_every * accumulate)
    with fixed_seed(seed, threads=ctx.cpus), quiet_lightning(), _interruptible(), windows:
        trainer = trainer_for(
            ctx,
            precision,
            max_epochs=epochs,
            accumulate_grad_batches=accumulate,
            callbacks=[keeper, *([] if clip is None else [_Clip(clip)]), *callbacks],
            num_sanity_val_steps=0,
            **per_step,
            **(options or {}),
        )
        trainer.fit(module, training, validation, ckpt_path=resume, weights_only=True)
    module.cpu()
    if at_end is not None:
        at_end(module)
    return keeper.outcome(module, trainer.global_step)


class _Keeper(lightning.Callback):  # type: ignore[misc]
    """Writes checkpoints at moments from which a resume is exact, and leaves when the run is asked to stop."""

    def __init__(
        self,
        training: Iterable[Any],
        ctx: Context,
        clock: Callable[[], float],
        every_s: float,
        accumulate: int,
        monitor: Monitor | None,
        milestones: Milestones | None,
        windows: MilestoneWindows,
        report: str | None,
    ) -> None:
        self.curve: list[dict[str, float]] = []
        self.snapshots: dict[int, str] = {}
        """Row of the curve → digest of the weights at that moment."""
        self._training = training
        self._ctx = ctx
        self._clock = clock
        self._every_s = every_s
        self._accumulate = accumulate
        self._monitor = monitor
        self._milestones = milestones
        self._windows = windows
        self._report = report
        self._mid_epoch = hasattr(training, "state_dict") and hasattr(training, "load_state_dict")
        self._saved_at = clock()
        self._random: dict[str, Any] | None = None
        self._losses: float | torch.Tensor = 0.0
        self._steps = 0
        self._known: set[str] | None = None
        self._validated: set[str] = set()

    def outcome(self, module: lightning.LightningModule, steps: int) -> Fitted:
        """What came of it, with the best weights in the module if they are wanted there."""
        best, out_of_patience = judge(self._values(), self._monitor) if self._monitor else (None, False)
        restored = best is not None and self._monitor is not None and self._monitor.restore
        if best is not None and restored:
            read_snapshot(module, self._place(best), self.snapshots[best])
        reached: tuple[ReachedMilestone, ...] = ()
        if self._milestones:
            reached = self._milestones.reached(self.curve, self._place)
        return Fitted(
            curve=self.curve,
            steps=steps,
            ended="patience" if out_of_patience else "epochs",
            best=best,
            restored=restored,
            reached=reached,
        )

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._random is not None:
            set_random_state(self._random)
        trainer.should_stop = self._out_of_patience()

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
            # Lightning divides the loss by the batches of a step.
            self._losses = self._losses + outputs["loss"].detach().double() * self._accumulate
            self._steps += 1
        last_of_epoch = batch_idx + 1 >= trainer.num_training_batches
        # Before a validation and the end of an epoch nothing is kept: after them is the moment then.
        whole_step = (batch_idx + 1) % self._accumulate == 0
        if self._mid_epoch and whole_step and not last_of_epoch and not self._validates_next(trainer):
            self._keep(trainer, may_leave=True)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._known is None:
            self._known = set(trainer.callback_metrics)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Numbers logged over an epoch of training come up only after its validation, so the first one tells them apart.
        if not self._validated:
            self._validated = set(trainer.callback_metrics) - (self._known or set())
        self._add_row(trainer, {name: float(trainer.callback_metrics[name]) for name in sorted(self._validated)})
        self._keep_weights(pl_module)
        if self._report is not None:
            self._ctx.report(trainer.global_step, column(self.curve, self._report)[-1])
        trainer.should_stop = self._out_of_patience()
        if self._mid_epoch and not _ends_epoch(trainer) and not trainer.should_stop:
            self._keep(trainer, may_leave=True)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.enable_validation:
            self._add_row(trainer, {})
        more = trainer.current_epoch + 1 < (trainer.max_epochs or 0) and not trainer.should_stop
        self._keep(trainer, may_leave=more)

    def state_dict(self) -> dict[str, Any]:
        return {
            "curve": self.curve,
            "snapshots": self.snapshots,
            "random": random_state(),
            "losses": float(self._losses),
            "steps": self._steps,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve = state_dict["curve"]
        self.snapshots = state_dict["snapshots"]
        self._random = state_dict["random"]
        self._losses, self._steps = state_dict["losses"], state_dict["steps"]

    def _add_row(self, trainer: lightning.Trainer, validated: dict[str, float]) -> None:
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        if self._steps:
            row["loss"] = float(self._losses) / self._steps
            if not abs(row["loss"]) < float("inf"):
                raise StepError(
                    f"the training's loss is {row['loss']} by step {trainer.global_step}.\n"
                    "    Mend: a smaller learning rate, a longer warm-up, or `precision: fp32`."
                )
        self._losses, self._steps = 0.0, 0
        self.curve.append(row | validated)

    def _keep_weights(self, module: lightning.LightningModule) -> None:
        row = len(self.curve) - 1
        if row in self._wanted():
            self.snapshots[row] = write_snapshot(module, self._place(row))
        if self._milestones:
            self._windows.close(self.curve)

    def _wanted(self) -> set[int]:
        """The rows of the curve whose weights are kept: the best, and those at which a milestone was reached."""
        rows: set[int] = set()
        if self._monitor:
            best = judge(self._values(), self._monitor).best
            rows |= {best} if best is not None and self._monitor.restore else set()
        if self._milestones:
            values = column(self.curve, self._milestones.metric)
            rows |= {row for goal in self._milestones.values if (row := first_at_least(values, goal)) is not None}
        return rows

    def _place(self, row: int) -> Path:
        return self._ctx.scratch / f"weights-{row}.safetensors"

    def _values(self) -> list[float]:
        return column(self.curve, self._monitor.metric) if self._monitor else []

    def _out_of_patience(self) -> bool:
        return self._monitor is not None and judge(self._values(), self._monitor).out_of_patience

    def _validates_next(self, trainer: lightning.Trainer) -> bool:
        """Whether a validation follows the batch that has just been trained on, within an epoch."""
        every = trainer.val_check_batch if trainer.check_val_every_n_epoch is None else None
        batches = trainer.current_epoch * trainer.num_training_batches + trainer.fit_loop.batch_idx + 1
        return every is not None and batches % every == 0

    def _keep(self, trainer: lightning.Trainer, *, may_leave: bool) -> None:
        leaving = may_leave and self._ctx.stopping
        if leaving or self._clock() - self._saved_at >= self._every_s:
            _save(trainer, self._ctx.scratch / CHECKPOINT)
            self._saved_at = self._clock()
            self._drop_unwanted()
        if leaving:
            raise Stopped(f"training stopped after step {trainer.global_step}; the checkpoint holds the rest")

    def _drop_unwanted(self) -> None:
        """Remove weights that no checkpoint needs any more."""
        wanted = self._wanted()
        for row in [row for row in self.snapshots if row not in wanted]:
            self._place(row).unlink(missing_ok=True)


class _Clip(lightning.Callback):  # type: ignore[misc]
    """Clips gradients by their norm. Lightning's own way refuses fused optimisers in any mixed precision."""

    def __init__(self, norm: float) -> None:
        self._norm = norm

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self._norm)


def column(curve: list[dict[str, float]], metric: str) -> list[float]:
    """One number of each row of a curve. StepError where a row lacks it."""
    missing = next((row for row in curve if metric not in row), None)
    if missing is not None:
        raise StepError(f"{metric!r} is watched, but validation gives {', '.join(missing.keys() - {'epoch', 'step'})}")
    return [row[metric] for row in curve]


def _save(trainer: lightning.Trainer, path: Path) -> None:
    partial = path.with_suffix(".partial")
    trainer.save_checkpoint(partial)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(path)


def _ends_epoch(trainer: lightning.Trainer) -> bool:
    return bool(trainer.fit_loop.batch_idx + 1 >= trainer.num_training_batches)


def _every(batches: int) -> Mapping[str, Any]:
    return {"val_check_interval": batches, "check_val_every_n_epoch": None}


def trainer_for(ctx: Context, precision: Format, **options: Any) -> lightning.Trainer:
    """Lightning's Trainer on what the node was given, which writes and shows nothing of its own."""
    return lightning.Trainer(
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        default_root_dir=ctx.scratch,
        deterministic="warn" if ctx.devices else None,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **options,
        **_hardware(ctx.devices),
    )


def _hardware(devices: tuple[str, ...]) -> Mapping[str, Any]:
    if not devices:
        return {"accelerator": "cpu", "devices": 1}
    return {"accelerator": "gpu", "devices": [torch.device(name).index or 0 for name in devices]}


@contextmanager
def quiet_lightning() -> Iterator[None]:
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
