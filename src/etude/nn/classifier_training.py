"""Trains a classifier on token sequences, and keeps what is wanted of its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pyarrow as pa
import torch

from etude import Context, Stopped
from etude.nn.batches import sorted_plan
from etude.nn.classification import Classification
from etude.nn.classifier import Classifier
from etude.nn.embedding_subset import embedding_subset
from etude.nn.fit import Fitted, fit
from etude.nn.losses import class_weights
from etude.nn.model_types import Tokens, TrainedModel, TrainingCounts
from etude.nn.monitor import Milestones, Monitor
from etude.nn.padding import pad
from etude.nn.precision import Format, autocast, format_for
from etude.nn.randomness import fixed_seed
from etude.nn.token_batches import (
    lengths,
    of_classes,
    sequences,
    training_batches,
    training_plan,
    used_ids,
    validation_batches,
)
from etude.nn.training_spec import TrainingSpec
from etude.nn.weight_snapshot import read_snapshot, write_snapshot
from etude.nn.work_counts import network_json, work_table

MILESTONES = "milestones"
"""The folder, within a model's, of the weights at milestones."""
METRIC = "validation_accuracy"
MOST_CACHED_BYTES = 2**30
"""Bytes of what a frozen backbone makes of the texts; beyond that it is computed anew in each epoch."""


def train_classifier(
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
    once = _embedded_once(classifier, tokens)
    embedding = _embedding(classifier, tokens, spec, ctx, precision) if once else nullcontext()
    with embedding_subset(classifier.network, ids), embedding, ctx.window("training"):
        fitted = fit(
            module,
            training,
            validation=validation,
            ctx=ctx,
            epochs=spec.epochs,
            seed=spec.seed,
            clip=spec.clip,
            precision=precision,
            monitor=_monitor(spec) if validation is not None else None,
            milestones=_milestones(spec) if validation is not None else None,
            validate_every=spec.validate_every if validation is not None else None,
            report=METRIC if validation is not None else None,
        )
    folder = ctx.scratch / "model"
    save(folder)
    _write_milestones(module, classifier, ids, fitted, folder, ctx.scratch)
    return TrainedModel(
        folder=folder,
        curve=_curve_table(fitted),
        milestones=_milestone_table(spec, fitted),
        work=_work(tokens, spec, fitted, once=once),
        network=network_json(classifier, len(tokens.labels)),
        counts=_counts(classifier, fitted, precision, len(training)),
    )


def milestone_file(value: float) -> str:
    """Where the weights at a milestone stand within a model's folder."""
    return f"{MILESTONES}/{value:g}.safetensors"


def _monitor(spec: TrainingSpec) -> Monitor:
    return Monitor(
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
        with embedding_subset(network, ids):
            read_snapshot(module, weights)
        write_snapshot(classifier, folder / milestone_file(value))
    read_snapshot(module, now)
    now.unlink()


def _work(tokens: Tokens, spec: TrainingSpec, fitted: Fitted, *, once: bool) -> pa.Table:
    """What training had gone through at the end, and at each milestone."""
    plan, sizes = training_plan(tokens, spec.batch_tokens, spec.seed), lengths(tokens.train)
    steps = [fitted.steps, *(int(fitted.curve[each.row]["step"]) for each in fitted.reached if each.row is not None)]
    return work_table(plan, sizes, steps, sorted_plan(sizes, tokens=spec.batch_tokens) if once else None)


def _embedded_once(classifier: Classifier, tokens: Tokens) -> bool:
    """Whether what a frozen backbone makes of the texts can be kept, and fits into memory."""
    each = classifier.bytes_to_remember
    texts = (lengths(tokens.train), lengths(of_classes(tokens.validation, tokens)))
    return each is not None and each * int(sum(sizes.sum() for sizes in texts)) <= MOST_CACHED_BYTES


@contextmanager
def _embedding(
    classifier: Classifier, tokens: Tokens, spec: TrainingSpec, ctx: Context, precision: Format
) -> Iterator[None]:
    """Compute what a frozen backbone makes of all texts, by length so that a resumed run has the same; then use that.

    Raises:
        Stopped: The run was asked to stop.
    """
    device = ctx.devices[0] if ctx.devices else "cpu"
    classifier.to(device)
    with ctx.window("embedding"), fixed_seed(0, threads=ctx.cpus), autocast(precision, device):
        for part in (tokens.train, of_classes(tokens.validation, tokens)):
            rows = sequences(part)
            for batch in sorted_plan(lengths(part), tokens=spec.batch_tokens):
                if ctx.stopping:
                    raise Stopped("embedding the texts was stopped")
                ids, mask = pad([rows[index] for index in batch], tokens.pad_id)
                classifier.remember(ids.to(device), mask.to(device))
    try:
        yield
    finally:
        classifier.forget()


def _curve_table(fitted: Fitted) -> pa.Table:
    """The curve, its losses with their unit."""
    table = pa.Table.from_pylist(fitted.curve)
    fields = [each.with_metadata({"unit": "nats"}) if each.name.endswith("loss") else each for each in table.schema]
    return table.cast(pa.schema(fields))


def _milestone_table(spec: TrainingSpec, fitted: Fitted) -> pa.Table:
    rows = {each.value: each.row for each in fitted.reached}
    table_rows = []
    for value in spec.milestones:
        row = rows.get(value)
        at = None if row is None else fitted.curve[row]
        table_rows.append(
            {
                "value": value,
                "at_epoch": None if at is None else int(at["epoch"]),
                "at_step": None if at is None else int(at["step"]),
                METRIC: None if at is None else at[METRIC],
            }
        )
    return pa.Table.from_pylist(table_rows, schema=MILESTONE_SCHEMA)


MILESTONE_SCHEMA = pa.schema(
    [("value", pa.float64()), ("at_epoch", pa.int64()), ("at_step", pa.int64()), (METRIC, pa.float64())]
)


def _counts(classifier: Classifier, fitted: Fitted, precision: Format, steps_per_epoch: int) -> TrainingCounts:
    best = None if fitted.best is None else fitted.curve[fitted.best]
    parameters = {id(each): each for each in classifier.parameters()}.values()
    return TrainingCounts(
        steps=fitted.steps,
        epochs=fitted.steps / steps_per_epoch,
        parameters=sum(each.numel() for each in parameters),
        trainable=sum(each.numel() for each in parameters if each.requires_grad),
        ended=fitted.ended,
        best_step=None if best is None else int(best["step"]),
        best_restored=fitted.restored,
        precision=precision,
    )
