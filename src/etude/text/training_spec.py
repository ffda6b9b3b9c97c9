"""How a classifier is trained, as values. Read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from etude.errors import require
from etude.nn.class_weights import ClassWeights
from etude.nn.precision import Precision
from etude.nn.schedule import ScheduleKind

WatchedNumber: TypeAlias = Literal["validation_loss", "validation_accuracy"]
KeptWeights: TypeAlias = Literal["best", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """AdamW under a schedule, on batches of like lengths. What a step lets a study set; the defaults stand there."""

    seed: int
    epochs: int
    """Passes over the training split, at most."""
    learning_rate: float
    """The peak step size."""
    learning_rate_head: float
    """The head's step size as a multiple of it."""
    weight_decay: float
    """Of matrices; biases, norms and embeddings do not decay."""
    warm_up: float
    """Share of the steps over which the step size rises."""
    schedule: ScheduleKind
    clip: float
    """The largest norm of the gradient."""
    batch_tokens: int
    """The most tokens of a step, padding included."""
    micro_batch_tokens: int | None
    """The most tokens computed at once; a larger batch is divided, its gradient is the same. None for no limit."""
    class_weights: ClassWeights
    label_smoothing: float
    precision: Precision
    watch: WatchedNumber
    """What tells the best weights and when to stop."""
    keep: KeptWeights
    """Which weights the result has; without validation texts there are only the last."""
    patience: int | None
    """Stop after so many validations without betterment; None for never."""
    threshold: float
    """How much better counts as betterment for the patience."""
    validate_every: int | None
    """Steps between validations; None for once after each epoch."""
    milestones: tuple[float, ...]
    """Validation accuracies at whose first reaching the weights are kept, in rising order."""

    def __post_init__(self) -> None:
        micro = self.micro_batch_tokens
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "0 or more and below 1")
        require(micro is None or micro >= 1, "micro_batch_tokens", micro, "1 or more, or null")
        rising = list(self.milestones) == sorted(set(self.milestones))
        possible = all(0 < value <= 1 for value in self.milestones)
        require(rising and possible, "milestones", self.milestones, "accuracies above 0 and up to 1, rising")
