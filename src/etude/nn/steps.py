"""Training and using a `LightningModule` of the user's own, as steps."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import PositiveInt

from etude import Context, step
from etude.nn.fit_settings import DataSource, FitSpec, FittedModule, Reference
from etude.nn.step_settings import settings_from


@step
@settings_from(FitSpec)
@settings_from(DataSource)
def fit(
    data: object = None,
    *,
    ctx: Context,
    module: Reference,
    settings: dict[str, Any] | None = None,
    source: DataSource,
    spec: FitSpec,
) -> FittedModule:
    """A `LightningModule`, named `package.module:Class`, trained; a stopped or killed training goes on.

    `settings` are what the class is made with. The data have `train` and, where there is something to validate on,
    `validation`: tables, mappings of arrays or tensors, arrays, or what has a length and rows. Or a `data_module`,
    named likewise, brings them. A module without `configure_optimizers` is trained by AdamW at a `learning_rate`.
    """
    # torch comes with it
    from etude.nn import modules

    training, validation = modules.training_batches(data, source, spec)
    return modules.fit_module(module, settings or {}, training, validation, spec, ctx=ctx)


@step
@settings_from(DataSource)
def validate(
    fitted: FittedModule,
    data: object = None,
    *,
    ctx: Context,
    module: Reference,
    weights: Literal["best", "last"] = "best",
    split: str = "validation",
    batch: PositiveInt = 32,
    source: DataSource,
) -> dict[str, float]:
    """What a trained module logs in its `validation_step`, over a split."""
    # torch comes with it
    from etude.nn import modules

    batches = modules.evaluation_batches(data, source, "validate", split, batch)
    return modules.evaluate_module(modules.load_module(fitted, module, weights), batches, "validate", ctx=ctx)


@step
@settings_from(DataSource)
def test(
    fitted: FittedModule,
    data: object = None,
    *,
    ctx: Context,
    module: Reference,
    weights: Literal["best", "last"] = "best",
    split: str = "test",
    batch: PositiveInt = 32,
    source: DataSource,
) -> dict[str, float]:
    """What a trained module logs in its `test_step`, over a split."""
    # torch comes with it
    from etude.nn import modules

    batches = modules.evaluation_batches(data, source, "test", split, batch)
    return modules.evaluate_module(modules.load_module(fitted, module, weights), batches, "test", ctx=ctx)


@step
@settings_from(DataSource)
def predict(
    fitted: FittedModule,
    data: object = None,
    *,
    ctx: Context,
    module: Reference,
    weights: Literal["best", "last"] = "best",
    split: str = "test",
    batch: PositiveInt = 32,
    source: DataSource,
) -> dict[str, Any]:
    """What a trained module's `predict_step` gives of each row of a split: tensors by name."""
    # torch comes with it
    from etude.nn import modules

    batches = modules.evaluation_batches(data, source, "predict", split, batch)
    return modules.predict_with_module(modules.load_module(fitted, module, weights), batches, ctx=ctx)
