"""A `LightningModule` of the user's own, by name: made, fed from the data of a node, written to a folder and read."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MethodType
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pyarrow as pa
import safetensors.torch
import torch
from torch import Tensor

from etude import Context
from etude.errors import StepError, nearest
from etude.nn.batches import Batches
from etude.nn.fit import Fitted, fit, quiet_lightning, trainer_for
from etude.nn.fit_settings import CallbackSpec, DataSource, FitSpec, FittedModule, ModuleUse, Stage
from etude.nn.monitor import Monitor
from etude.nn.optimisation import parameter_groups, schedule_factor
from etude.nn.precision import format_for
from etude.nn.randomness import fixed_seed

CARD, WEIGHTS, LAST = "module.json", "module.safetensors", "last.safetensors"
_PLACED = "where it runs is placement: write it under `on:` of the node"
_OURS = "leave it out: the run shows its progress, keeps its log and its checkpoints by itself"
SAID_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("accelerator", "devices", "num_nodes", "strategy"), _PLACED),
    **dict.fromkeys(("logger", "log_every_n_steps", "profiler", "default_root_dir"), _OURS),
    **dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "barebones"), _OURS),
    **dict.fromkeys(("num_sanity_val_steps", "deterministic", "use_distributed_sampler"), _OURS),
    **dict.fromkeys(("val_check_interval", "check_val_every_n_epoch"), "write validate_every"),
    **dict.fromkeys(("gradient_clip_val", "gradient_clip_algorithm"), "write clip"),
    "max_epochs": "write epochs",
    "accumulate_grad_batches": "write accumulate",
    "precision": "write precision beside it, not within",
    "callbacks": "write callbacks beside it, not within",
}
"""Settings of Lightning's Trainer that a study says otherwise."""


def import_object(reference: str, setting: str) -> Any:
    """What a reference `module:name` leads to. An error that its module raises passes as it is.

    Raises:
        StepError: There is no such module, or it has no such name.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not (error.name and (module_name == error.name or module_name.startswith(f"{error.name}."))):
            raise
        raise StepError(
            f"{setting}: there is no module {module_name!r}.\n    Mend: name one of the project, or install its package"
        ) from error
    if not hasattr(module, name):
        raise StepError(f"{setting}: {module_name} has no {name!r}; {nearest(name, vars(module))}")
    return getattr(module, name)


def make_module(reference: str, settings: Mapping[str, Any], seed: int) -> lightning.LightningModule:
    """An instance of the class of that name, its random weights under the seed.

    Raises:
        StepError: It is no LightningModule, or does not take these settings.
    """
    with fixed_seed(seed):
        made = _instance(reference, "module", settings)
    if not isinstance(made, lightning.LightningModule):
        raise StepError(
            f"module: {reference} is no LightningModule, but {type(made).__name__}.\n"
            "    Mend: derive it from lightning.pytorch.LightningModule."
        )
    return made


def _instance(reference: str, setting: str, settings: Mapping[str, Any]) -> Any:
    kind = import_object(reference, setting)
    if not isinstance(kind, type):
        raise StepError(f"{setting}: {reference} is no class, but {type(kind).__name__}")
    try:
        inspect.signature(kind).bind(**settings)
    except TypeError as error:
        takes = ", ".join(inspect.signature(kind).parameters) or "nothing"
        raise StepError(
            f"{setting}: {reference} cannot be made with these settings: {error}; it takes {takes}"
        ) from error
    return kind(**settings)


def parts_of(data: object) -> dict[str, Any]:
    """The splits of what a node gives: a mapping, or fields, called `train`, `validation` and `test`."""
    names = ("train", "validation", "test")
    if isinstance(data, Mapping):
        return {name: data[name] for name in names if name in data}
    return {name: getattr(data, name) for name in names if getattr(data, name, None) is not None}


def split_of(data: object, name: str) -> Any:
    """One split of the data.

    Raises:
        StepError: There is none of that name.
    """
    parts = parts_of(data)
    if name not in parts:
        there = ", ".join(parts) or f"a {type(data).__name__} without splits"
        raise StepError(f"data: there is no split {name!r}, but {there}.\n    Mend: give a mapping with {name!r}.")
    return parts[name]


def batches_of(part: Any, size: int, collate: Callable[[list[Any]], Any] | None, seed: int | None) -> Batches[Any]:
    """The rows of a split in batches: shuffled anew in each epoch under the seed, or in order where there is none.

    Args:
        part: A table, a mapping of arrays or tensors of one length, one array or tensor, or what has a length and rows.
        size: Rows of a batch; the last may have fewer.
        collate: Makes a batch of a list of rows. Without it a table or mapping gives a mapping of tensors (lists, for
            columns that are no numbers), and rows are put together as torch's own loaders do; floats are of 32 bits.
        seed: Decides the order.

    Raises:
        StepError: There are no rows, or columns of several lengths.
    """
    rows = _length(part)
    if not rows:
        raise StepError("data: a split has no rows")

    def plan(epoch: int) -> list[list[int]]:
        order = np.arange(rows) if seed is None else np.random.default_rng([seed, epoch]).permutation(rows)
        return [order[start : start + size].tolist() for start in range(0, rows, size)]

    if collate is not None:
        return Batches(plan, lambda picked: collate(_rows(part, picked)))
    take = _columns(part) or (lambda picked: torch.utils.data.default_collate(_rows(part, picked)))
    return Batches(plan, lambda picked: _single_precision(take(picked)))


def _single_precision(batch: Any) -> Any:
    """The same batch with numbers of 64 bits in the 32 that modules compute in; whole numbers stay as they are."""
    if isinstance(batch, Tensor):
        return batch.float() if batch.dtype == torch.float64 else batch
    return {name: _single_precision(values) for name, values in batch.items()} if isinstance(batch, Mapping) else batch


def _length(part: Any) -> int:
    if isinstance(part, Mapping):
        sizes = {name: len(values) for name, values in part.items()}
        if len(set(sizes.values())) > 1:
            raise StepError(f"data: the columns are not of one length: {sizes}")
        return next(iter(sizes.values()), 0)
    return len(part)


def _columns(part: Any) -> Callable[[Sequence[int]], Any] | None:
    """Takes rows of what is kept by columns; None where it is not."""
    if isinstance(part, pa.Table):
        columns = {name: _column(part[name].to_pylist()) for name in part.column_names}
    elif isinstance(part, Mapping):
        columns = {name: _column(values) for name, values in part.items()}
    elif isinstance(part, np.ndarray | Tensor):
        whole = torch.as_tensor(part)
        return lambda picked: whole[list(picked)]
    else:
        return None
    return lambda picked: {
        name: values[list(picked)] if isinstance(values, Tensor) else [values[row] for row in picked]
        for name, values in columns.items()
    }


def _column(values: Any) -> Any:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return values


def _rows(part: Any, picked: Sequence[int]) -> list[Any]:
    if isinstance(part, pa.Table):
        rows: list[Any] = part.take(pa.array(picked, pa.int64())).to_pylist()
        return rows
    if isinstance(part, Mapping):
        return [{name: values[row] for name, values in part.items()} for row in picked]
    return [part[row] for row in picked]


def training_batches(data: object, source: DataSource, spec: FitSpec) -> tuple[Any, Any | None]:
    """What to train on, and to validate on where there is something.

    Raises:
        StepError: There are no data, or two sources of them, or no training split.
    """
    made = _data_module(data, source, "fit")
    if made is not None:
        own = type(made).val_dataloader is not lightning.LightningDataModule.val_dataloader
        return made.train_dataloader(), made.val_dataloader() if own else None
    collate = _collate(source)
    validation = parts_of(data).get("validation")
    train = batches_of(split_of(data, "train"), spec.batch, collate, spec.seed)
    return train, batches_of(validation, spec.batch, collate, None) if validation is not None else None


def evaluation_batches(data: object, source: DataSource, stage: Stage, split: str, size: int) -> Any:
    """The batches of a split, in order; of a data module those of a stage.

    Raises:
        StepError: There are no data, or two sources of them, or no such split.
    """
    made = _data_module(data, source, stage)
    if made is None:
        return batches_of(split_of(data, split), size, _collate(source), None)
    names = {"validate": "val_dataloader", "test": "test_dataloader", "predict": "predict_dataloader"}
    return getattr(made, names[stage])()


def _collate(source: DataSource) -> Callable[[list[Any]], Any] | None:
    return None if source.collate is None else import_object(source.collate, "collate")


def _data_module(data: object, source: DataSource, stage: str) -> lightning.LightningDataModule | None:
    """The data module that is named, ready for a stage; None where the data come from a node."""
    if (data is None) == (source.data_module is None):
        both = "data come from an input or from a data_module, and both are given"
        raise StepError(
            both if data is not None else "there are no data.\n    Mend: `from:` a node, or a `data_module`."
        )
    if source.data_module is None:
        return None
    made = _instance(source.data_module, "data_module", source.data_settings or {})
    if not isinstance(made, lightning.LightningDataModule):
        raise StepError(f"data_module: {source.data_module} is no LightningDataModule, but {type(made).__name__}")
    made.prepare_data()
    made.setup(stage)
    return made


def fit_module(
    reference: str,
    settings: Mapping[str, Any],
    training: Any,
    validation: Any | None,
    spec: FitSpec,
    *,
    ctx: Context,
) -> FittedModule:
    """Train a module by name, and write it to a folder in the step's scratch.

    Raises:
        Stopped: The run was asked to stop; the same call goes on where it was.
        StepError: The module has no optimiser and no learning rate is given, or both.
    """
    module = make_module(reference, settings, spec.seed)
    options = trainer_options(spec.trainer or {})
    batches = _limited(len(training), options.get("limit_train_batches", 1.0))
    _give_optimiser(module, reference, spec, steps=spec.epochs * -(-batches // spec.accumulate))
    folder = ctx.scratch / "module"
    folder.mkdir(exist_ok=True)
    fitted = fit(
        module,
        training,
        validation=validation,
        ctx=ctx,
        epochs=spec.epochs,
        seed=spec.seed,
        clip=spec.clip,
        precision=format_for(spec.precision, ctx.devices),
        accumulate=spec.accumulate,
        monitor=None
        if spec.monitor is None
        else Monitor(
            metric=spec.monitor,
            higher_is_better=spec.mode == "max",
            patience=spec.patience,
            threshold=spec.threshold,
            restore=spec.keep == "best",
        ),
        validate_every=spec.validate_every,
        report=spec.monitor,
        at_end=lambda trained: _write_state(trained, folder / LAST),
        callbacks=[_callback(each) for each in spec.callbacks],
        options=options,
    )
    tensors = _write_state(module, folder / WEIGHTS)
    card = {"module": reference, "settings": dict(settings), "tensors": tensors}
    (folder / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
    row = fitted.best if fitted.restored else len(fitted.curve) - 1
    logged = fitted.curve[row] if row is not None else {}
    return FittedModule(
        folder=folder,
        curve=pa.Table.from_pylist(fitted.curve),
        steps=fitted.steps,
        ended="trainer" if fitted.ended == "epochs" and _epochs(fitted) < spec.epochs else fitted.ended,
        best_step=None if fitted.best is None else int(fitted.curve[fitted.best]["step"]),
        best_restored=fitted.restored,
        logged={name: value for name, value in logged.items() if name not in ("epoch", "step")},
    )


def _epochs(fitted: Fitted) -> float:
    """The last epoch that the curve knows of, counted from 1."""
    return fitted.curve[-1]["epoch"] if fitted.curve else 0


def _limited(batches: int, limit: float) -> int:
    """How many batches of an epoch the Trainer takes: a number of them, or a share."""
    return int(batches * limit) if isinstance(limit, float) else min(batches, limit)


def trainer_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for Lightning's Trainer that change what a training is, and that nothing else here sets.

    Raises:
        StepError: There is no such setting, or it is said elsewhere; with the place.
    """
    settings = inspect.signature(lightning.Trainer).parameters
    for name in given:
        if name in SAID_ELSEWHERE:
            raise StepError(f"trainer.{name}: this is not said here.\n    Mend: {SAID_ELSEWHERE[name]}.")
        if name not in settings:
            raise StepError(f"trainer.{name}: Lightning's Trainer has no such setting; {nearest(name, settings)}")
    return dict(given)


def _callback(spec: CallbackSpec) -> lightning.Callback:
    made = _instance(spec.callback, "callbacks", spec.settings or {})
    if not isinstance(made, lightning.Callback):
        raise StepError(f"callbacks: {spec.callback} is no Callback of Lightning, but {type(made).__name__}")
    return made


def load_module(fitted: FittedModule, reference: str, weights: str) -> lightning.LightningModule:
    """The module with its weights, `best` (those that count) or `last`. The class is the one that the study names.

    Raises:
        StepError: The folder is of another class, or its tensors are not exactly those of the module.
    """
    card = json.loads((fitted.folder / CARD).read_text(encoding="utf-8"))
    if card["module"] != reference:
        raise StepError(f"module: the model that was trained is of {card['module']}, and {reference} was named")
    module = make_module(reference, card["settings"], seed=0)
    state = safetensors.torch.load_file(fitted.folder / (LAST if weights == "last" else WEIGHTS))
    odd = sorted(state.keys() ^ _state(module).keys())
    if odd:
        raise StepError(f"{fitted.folder}: the weights are not those of {reference}: {', '.join(odd[:5])}")
    module.load_state_dict(state, strict=False)
    return module.eval()


def _give_optimiser(module: lightning.LightningModule, reference: str, spec: FitSpec, steps: int) -> None:
    """AdamW under a schedule, where the module leaves its optimiser open."""
    own = type(module).configure_optimizers is not lightning.LightningModule.configure_optimizers
    if own == (spec.learning_rate is not None):
        mend = "leave learning_rate out" if own else "give it one, or say `learning_rate: 0.001` for AdamW"
        has = "has its own optimiser, and a learning rate is given" if own else "has no configure_optimizers"
        raise StepError(f"module: {reference} {has}.\n    Mend: {mend}.")
    if own:
        return

    def configure(self: lightning.LightningModule) -> Any:
        groups = parameter_groups(
            self,
            learning_rate=spec.learning_rate or 0.0,
            weight_decay=spec.weight_decay,
            is_head=lambda name: False,
        )
        optimiser = torch.optim.AdamW(groups)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: schedule_factor(step, kind=spec.schedule, steps=steps, warm_up=spec.warm_up)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    module.configure_optimizers = MethodType(configure, module)


def _state(module: torch.nn.Module) -> dict[str, Tensor]:
    """The tensors of a state dict, each stored once: of those that share memory, the first by name."""
    state: dict[str, Tensor] = {}
    places: set[tuple[int, Any]] = set()
    for name, value in module.state_dict().items():
        place = (value.data_ptr(), value.shape)
        if not value.numel() or place not in places:
            places.add(place)
            state[name] = value.detach().cpu().contiguous()
    return state


def _write_state(module: torch.nn.Module, path: Path) -> dict[str, list[int]]:
    state = _state(module)
    safetensors.torch.save_file(state, path)
    return {name: list(value.shape) for name, value in state.items()}


def evaluate_module(module: lightning.LightningModule, batches: Any, stage: Stage, *, ctx: Context) -> dict[str, float]:
    """What the module logs over all batches, by name.

    Raises:
        StepError: It logs nothing.
    """
    with fixed_seed(0, threads=ctx.cpus), quiet_lightning():
        trainer = trainer_for(ctx, "fp32")
        run = trainer.validate if stage == "validate" else trainer.test
        results = run(module, batches, verbose=False)
    logged = {name: float(value) for result in results for name, value in result.items()}
    if not logged:
        step = "validation_step" if stage == "validate" else "test_step"
        raise StepError(f'{type(module).__name__} logs nothing in {step}.\n    Mend: self.log("loss", loss) there.')
    return logged


def predict_with_module(module: lightning.LightningModule, batches: Any, *, ctx: Context) -> dict[str, Tensor]:
    """What `predict_step` gives of all batches, one after the other: by its own names, or as `prediction`.

    Raises:
        StepError: A batch gives neither a tensor nor a mapping of tensors.
    """
    with fixed_seed(0, threads=ctx.cpus), quiet_lightning():
        outputs = trainer_for(ctx, "fp32").predict(module, batches) or []
    rows = [{"prediction": each} if isinstance(each, Tensor) else each for each in outputs]
    for each in rows:
        if not isinstance(each, Mapping) or not all(isinstance(value, Tensor) for value in each.values()):
            raise StepError(f"predict_step gives {type(each).__name__}; expected a tensor, or a mapping of tensors")
    return {name: torch.cat([each[name].cpu() for each in rows]) for name in (rows[0] if rows else {})}


def use_module(
    stage: Stage, fitted: FittedModule, data: object, use: ModuleUse, source: DataSource, *, ctx: Context
) -> dict[str, Any]:
    """What a trained module logs or predicts over a split, by name."""
    batches = evaluation_batches(data, source, stage, use.split, use.batch)
    module = load_module(fitted, use.module, use.weights)
    if stage == "predict":
        return predict_with_module(module, batches, ctx=ctx)
    return evaluate_module(module, batches, stage, ctx=ctx)
