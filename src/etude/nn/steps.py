"""Training and using a `LightningModule` of the user's own, as steps."""

from __future__ import annotations

from typing import Any

from etude import Context, step
from etude.nn.fit_settings import DataSource, FitSpec, FittedModule, ModuleUse, Reference, Stage
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
@settings_from(ModuleUse, split="validation")
@settings_from(DataSource)
def validate(
    fitted: FittedModule, data: object = None, *, ctx: Context, use: ModuleUse, source: DataSource
) -> dict[str, float]:
    """What a trained module logs in its `validation_step`, over a split."""
    return _results("validate", fitted, data, use, source, ctx)


@step
@settings_from(ModuleUse)
@settings_from(DataSource)
def test(
    fitted: FittedModule, data: object = None, *, ctx: Context, use: ModuleUse, source: DataSource
) -> dict[str, float]:
    """What a trained module logs in its `test_step`, over a split."""
    return _results("test", fitted, data, use, source, ctx)


@step
@settings_from(ModuleUse)
@settings_from(DataSource)
def predict(
    fitted: FittedModule, data: object = None, *, ctx: Context, use: ModuleUse, source: DataSource
) -> dict[str, Any]:
    """What a trained module's `predict_step` gives of each row of a split: tensors by name."""
    return _results("predict", fitted, data, use, source, ctx)


def _results(
    stage: Stage, fitted: FittedModule, data: object, use: ModuleUse, source: DataSource, ctx: Context
) -> dict[str, Any]:
    # torch comes with it
    from etude.nn import modules

    return modules.use_module(stage, fitted, data, use, source, ctx=ctx)
