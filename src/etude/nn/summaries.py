"""Tokens and models in numbers, for the record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from pyarrow import compute

from etude.nn.classifier_spec import read_parameter_counts
from etude.nn.model_types import (
    ModelSummary,
    Predictions,
    PredictionSummary,
    Tokens,
    TokenSummary,
    TrainedModel,
    TrainingSummary,
)
from etude.nn.work_flops import NetworkFlops, Work, network_flops, work_until


def model_summary(model: TrainedModel) -> ModelSummary:
    """The sizes of a classifier's parts, and of its folder."""
    counts = read_parameter_counts(model.folder)
    return ModelSummary(
        backbone=counts.backbone,
        backbone_trained=counts.backbone_trained,
        adapter=counts.adapter,
        trained_share=(counts.backbone_trained + counts.adapter) / counts.backbone,
        head=counts.head,
        adapted_layers=len(counts.targets),
        size_bytes=sum(path.stat().st_size for path in model.folder.rglob("*") if path.is_file()),
    )


def token_summary(tokens: Tokens) -> TokenSummary:
    """How long texts are in tokens, and how many were cut."""
    parts = (tokens.train, tokens.validation, tokens.test)
    lengths = np.concatenate([compute.list_value_length(part["tokens"]).to_numpy() for part in parts])
    return TokenSummary(
        tokens_mean=float(lengths.mean()) if len(lengths) else None,
        tokens_most=int(lengths.max()) if len(lengths) else None,
        cut_train=tokens.cut.get("train", 0),
        cut_validation=tokens.cut.get("validation", 0),
        cut_test=tokens.cut.get("test", 0),
        classes=len(tokens.labels),
        labels_unseen=len(tokens.others),
    )


def training_summary(model: TrainedModel) -> TrainingSummary:
    """What a training went through, FLOPs by formula."""
    formulas = network_flops(model.network)
    whole = work_until(model.counts.steps, model.work, formulas)
    return TrainingSummary(
        **asdict(model.counts),
        examples=whole.examples,
        tokens=whole.tokens,
        padded_tokens=whole.padded_tokens,
        padding_ratio=whole.padded_tokens / whole.tokens,
        flops=_number(whole.flops),
        milestones=dict(_milestones(model, formulas)),
    )


def _milestones(model: TrainedModel, formulas: NetworkFlops | None) -> Iterator[tuple[str, float | None]]:
    for row in model.milestones.to_pylist():
        reached = row["at_step"] is not None
        work = work_until(row["at_step"], model.work, formulas) if reached else None
        for name, value in (("step", row["at_step"]), ("epoch", row["at_epoch"]), *_of(work)):
            yield f"{row['value']:g}.{name}", _number(value)


def _of(work: Work | None) -> tuple[tuple[str, int | None], ...]:
    names = ("examples", "tokens", "flops")
    return tuple((name, None if work is None else getattr(work, name)) for name in names)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def prediction_summary(predictions: Predictions) -> PredictionSummary:
    """What predicting went through, as the table's metadata count it; each example at its own length."""
    notes: Mapping[str, Any] = json.loads((predictions.schema.metadata or {}).get(b"etude", b"{}"))
    lengths = {int(length): int(rows) for length, rows in notes.get("lengths", {}).items()}
    formulas = network_flops(notes["network"]) if notes.get("network") else None
    examples = len(predictions)
    total = None
    if formulas is not None:
        total = float(sum(formulas.forward_flops(length) * rows for length, rows in lengths.items()))
    return PredictionSummary(
        examples=examples,
        tokens=sum(length * rows for length, rows in lengths.items()),
        flops=total,
        flops_per_example=total / examples if total is not None and examples else None,
    )
