"""What a study says of the training of a module of its own, as values. Read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import pyarrow as pa
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from etude.nn.training_spec import FinalWeights, ScheduleKind

Reference: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""`module:Class` or `module:function` of the project, or of an installed package."""
Stage: TypeAlias = Literal["validate", "test", "predict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Where batches come from, where that is not told by the data of a node alone."""

    data_module: Reference | None = None
    """A `LightningDataModule`, in place of data of a node."""
    data_settings: dict[str, Any] | None = None
    """What it is made with, by name."""
    collate: Reference | None = None
    """Makes a batch of a list of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSpec:
    """One of Lightning's callbacks, or of the user's own."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    callback: Reference
    settings: dict[str, Any] | None = None
    """What it is made with, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleUse:
    """Which trained module is used on what."""

    module: Reference
    """The class that was trained."""
    weights: Literal["best", "last"] = "best"
    """Those that count, or those of the last step."""
    split: str = "test"
    """Of the data of a node."""
    batch: PositiveInt = 32
    """Examples of a batch, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSpec:
    """How a `LightningModule` is trained."""

    seed: NonNegativeInt
    epochs: PositiveInt
    """Passes over the training data, at most."""
    batch: PositiveInt = 32
    """Examples of a batch, where batches are made from the data of a node."""
    learning_rate: PositiveFloat | None = None
    """The peak step size of AdamW, for a module that has no `configure_optimizers`."""
    weight_decay: NonNegativeFloat = 0.01
    """Of the same: of matrices; biases, norms and embeddings do not decay."""
    schedule: ScheduleKind = "cosine"
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the steps over which the step size rises."""
    clip: PositiveFloat | None = None
    """The largest norm of the gradient; None to leave it as it is."""
    accumulate: PositiveInt = 1
    """Batches whose gradients make one step."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    monitor: str | None = None
    """The number that the module logs while validating and that tells its best weights; None to keep the last."""
    mode: Literal["min", "max"] = "min"
    """Whether less of it or more is better."""
    keep: FinalWeights = "best"
    patience: PositiveInt | None = None
    """Stop after so many validations without betterment; None for never."""
    threshold: NonNegativeFloat = 0.0
    """How much better counts as betterment for the patience."""
    validate_every: PositiveInt | None = None
    """Steps between validations; None for once after each epoch."""
    callbacks: tuple[CallbackSpec, ...] = ()
    """Run beside étude's own. With them a training that goes on is exact only as far as they are."""
    trainer: dict[str, Any] | None = None
    """Further settings of Lightning's Trainer, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModule:
    """A trained `LightningModule`."""

    folder: Path
    """`module.safetensors`, the state that counts; `last.safetensors`, that of the last step; and `module.json`: the
    class by name, its settings, and the name and shape of every tensor."""
    curve: pa.Table
    """One row per epoch, or per validation: `epoch`, `step`, `loss` and what the module logs while validating."""
    steps: int
    """Of the optimiser."""
    ended: Literal["epochs", "patience", "trainer"]
    """Why it ended: all epochs were done, the patience ran out, or a callback or setting of the Trainer ended it."""
    best_step: int | None
    """After which step the monitored number was best; None where none was monitored."""
    best_restored: bool
    """Whether `module.safetensors` has the weights of that step."""
    logged: Mapping[str, float] = field(default_factory=dict)
    """What the module logged in the validation that its weights are of."""
