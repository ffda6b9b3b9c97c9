"""Trains a classifier on token sequences, and keeps what is wanted of its way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import torch

from etude import Context
from etude.nn.class_weights import class_weights
from etude.nn.classifier import Classifier
from etude.nn.fit import Fitted, fit
from etude.nn.milestones import Milestones
from etude.nn.precision import Format, format_for
from etude.nn.snapshot import read_snapshot, write_snapshot
from etude.nn.trimmed import trimmed
from etude.nn.watched import Watched
from etude.text.classification import Classification
from etude.text.token_batches import lengths, training_batches, training_plan, used_ids, validation_batches
from etude.text.training_spec import TrainingSpec
from etude.text.types import MilestoneTable, Tokens, TrainedModel, TrainingSummary
from etude.text.work import Work, costed, work_done

MILESTONES = "milestones"
"""The folder, within a model's, of the weights at milestones."""
METRIC = "validation_accuracy"


def fine_tuned(
    classifier: Classifier, tokens: Tokens, spec: TrainingSpec, *, ctx: Context, save: Callable[[Path], None]
) -> TrainedModel:
    """Train a classifier, and write it to a folder in the step's scratch.

    Args:
        classifier: With random or pretrained weights; it ends up trained.
        tokens: The splits as token ids.
        spec: How it is trained.
        ctx: Where it runs.
        save: Writes the classifier, as it then is, to a folder.

    Raises:
        Stopped: The run was asked to stop; the same call goes on where it was.
        StepError: The loss is no finite number.
        ConfigError: A class weight for a class that there is not.
    """
    training = training_batches(tokens, spec.batch_tokens, spec.seed)
    validation = validation_batches(tokens, spec.batch_tokens)
    labels = torch.tensor(tokens.train["label"].to_numpy().copy(), dtype=torch.long)
    weights_C = class_weights(spec.class_weights, labels, tokens.labels)
    module = Classification(classifier, spec, steps=spec.epochs * len(training), weights_C=weights_C)
    ids = used_ids(tokens)
    precision = format_for(spec.precision, ctx.devices)
    with ctx.window("training"), trimmed(classifier.network, ids):
        fitted = fit(
            module,
            training,
            validation=validation,
            ctx=ctx,
            epochs=spec.epochs,
            seed=spec.seed,
            clip=spec.clip,
            precision=precision,
            watched=_watched(spec) if validation is not None else None,
            milestones=_milestones(spec) if validation is not None else None,
            validate_every=spec.validate_every if validation is not None else None,
            report=METRIC if validation is not None else None,
        )
    folder = ctx.scratch / "model"
    save(folder)
    _write_milestones(module, classifier, ids, fitted, folder, ctx.scratch)
    works = _works(classifier, tokens, spec, fitted)
    milestones = _milestone_table(spec, fitted, works)
    return TrainedModel(
        folder=folder,
        curve=pa.Table.from_pylist(fitted.curve),
        milestones=milestones,
        summary=_summary(classifier, fitted, works, milestones, precision, len(training)),
    )


def milestone_file(value: float) -> str:
    """Where the weights at a milestone stand within a model's folder."""
    return f"{MILESTONES}/{value:g}.safetensors"


def _watched(spec: TrainingSpec) -> Watched:
    return Watched(
        metric=spec.watch,
        higher_is_better=spec.watch == METRIC,
        patience=spec.patience,
        threshold=spec.threshold,
        restore=spec.keep == "best",
    )


def _milestones(spec: TrainingSpec) -> Milestones | None:
    return Milestones(metric=METRIC, values=spec.milestones) if spec.milestones else None


def _write_milestones(
    module: Classification, classifier: Classifier, ids: set[int], fitted: Fitted, folder: Path, scratch: Path
) -> None:
    """Write what training changes, whole again, for each milestone; the module ends up as it was."""
    reached = [(each.value, each.weights) for each in fitted.reached if each.weights is not None]
    if not reached:
        return
    network, now = classifier.network, scratch / "now.safetensors"
    (folder / MILESTONES).mkdir(exist_ok=True)
    write_snapshot(module, now)
    for value, weights in reached:
        with trimmed(network, ids):
            read_snapshot(module, weights)
        write_snapshot(classifier, folder / milestone_file(value))
    read_snapshot(module, now)
    now.unlink()


def _works(classifier: Classifier, tokens: Tokens, spec: TrainingSpec, fitted: Fitted) -> dict[int, Work]:
    """Step → what training had gone through by then: at the end, and at each milestone."""
    plan, sizes = training_plan(tokens, spec.batch_tokens, spec.seed), lengths(tokens.train)
    formulas = costed(classifier, len(tokens.labels))
    steps = {fitted.steps, *(int(fitted.curve[each.row]["step"]) for each in fitted.reached if each.row is not None)}
    return {step: work_done(plan, sizes, step, formulas) for step in sorted(steps)}


def _milestone_table(spec: TrainingSpec, fitted: Fitted, works: dict[int, Work]) -> pa.Table:
    rows = {each.value: each.row for each in fitted.reached}
    told = []
    for value in spec.milestones:
        row = rows.get(value)
        at = None if row is None else fitted.curve[row]
        work = None if at is None else works[int(at["step"])]
        told.append(
            {
                "value": value,
                "at_epoch": None if at is None else int(at["epoch"]),
                "at_step": None if at is None else int(at["step"]),
                METRIC: None if at is None else at[METRIC],
                "examples": None if work is None else work.examples,
                "tokens": None if work is None else work.tokens,
                "flops": None if work is None or work.flops is None else float(work.flops),
            }
        )
    return pa.Table.from_pylist(told, schema=MILESTONE_SCHEMA)


MILESTONE_SCHEMA = pa.schema(
    [
        ("value", pa.float64()),
        ("at_epoch", pa.int64()),
        ("at_step", pa.int64()),
        (METRIC, pa.float64()),
        ("examples", pa.int64()),
        ("tokens", pa.int64()),
        ("flops", pa.float64()),
    ]
)


def _summary(
    classifier: Classifier,
    fitted: Fitted,
    works: dict[int, Work],
    milestones: MilestoneTable,
    precision: Format,
    steps_per_epoch: int,
) -> TrainingSummary:
    work, best = works[fitted.steps], None if fitted.best is None else fitted.curve[fitted.best]
    parameters = {id(each): each for each in classifier.parameters()}.values()
    return TrainingSummary(
        steps=fitted.steps,
        epochs=fitted.steps / steps_per_epoch,
        examples=work.examples,
        tokens=work.tokens,
        padded_tokens=work.padded_tokens,
        padding_ratio=work.padded_tokens / work.tokens,
        flops=None if work.flops is None else float(work.flops),
        parameters=sum(each.numel() for each in parameters),
        trainable=sum(each.numel() for each in parameters if each.requires_grad),
        ended=fitted.ended,
        best_step=None if best is None else int(best["step"]),
        best_restored=fitted.restored,
        precision=precision,
        milestones={
            f"{row['value']:g}.{name.removeprefix('at_')}": None if row[name] is None else float(row[name])
            for row in milestones.to_pylist()
            for name in ("at_step", "at_epoch", "examples", "tokens", "flops")
        },
    )
