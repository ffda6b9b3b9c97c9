"""How a classifier is trained, as values. Read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from etude.errors import require
from etude.nn.precision import Precision

ScheduleKind: TypeAlias = Literal["cosine", "linear", "constant"]
"""How the step size goes on after the warm-up: down along half a cosine, down in a straight line, or not at all."""
ClassWeights: TypeAlias = Literal["none", "balanced"] | dict[str, float]
"""`balanced`: examples / (classes · examples of the class), so that each class counts the same in sum. A mapping gives
weights by name; a class that it does not name has weight 1."""
MonitorMetric: TypeAlias = Literal["validation_loss", "validation_accuracy"]
FinalWeights: TypeAlias = Literal["best", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """AdamW under a schedule, on batches of like lengths: the settings of every step that trains."""

    seed: NonNegativeInt
    epochs: PositiveInt
    """Passes over the training split, at most."""
    learning_rate: PositiveFloat
    """The peak step size."""
    learning_rate_head: PositiveFloat = 1.0
    """The head's step size as a multiple of it."""
    weight_decay: NonNegativeFloat = 0.01
    """Of matrices; biases, norms and embeddings do not decay."""
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the steps over which the step size rises."""
    schedule: ScheduleKind = "cosine"
    clip: PositiveFloat = 1.0
    """The largest norm of the gradient."""
    batch_tokens: PositiveInt = 1024
    """The most tokens of a step, padding included."""
    micro_batch_tokens: PositiveInt | None = None
    """The most tokens computed at once; a larger batch is divided, its gradient is the same. None for no limit."""
    class_weights: ClassWeights = "none"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Precision = "auto"
    watch: MonitorMetric = "validation_loss"
    """What tells the best weights and when to stop."""
    keep: FinalWeights = "best"
    """Which weights the result has; without validation texts there are only the last."""
    patience: PositiveInt | None = None
    """Stop after so many validations without betterment; None for never."""
    threshold: NonNegativeFloat = 0.0
    """How much better counts as betterment for the patience."""
    validate_every: PositiveInt | None = None
    """Steps between validations; None for once after each epoch."""
    milestones: tuple[float, ...] = ()
    """Validation accuracies at whose first reaching the weights are kept, in rising order."""

    def __post_init__(self) -> None:
        micro = self.micro_batch_tokens
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "0 or more and below 1")
        require(micro is None or micro >= 1, "micro_batch_tokens", micro, "1 or more, or null")
        rising = list(self.milestones) == sorted(set(self.milestones))
        possible = all(0 < value <= 1 for value in self.milestones)
        require(rising and possible, "milestones", self.milestones, "accuracies above 0 and up to 1, rising")
