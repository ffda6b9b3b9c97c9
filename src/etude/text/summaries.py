"""Tokens and models in numbers, for the record."""

from __future__ import annotations

import numpy as np
from pyarrow import compute

from etude.nn.counts import read_counts
from etude.text.types import ModelSummary, Tokens, TokenSummary, TrainedModel


def model_summary(model: TrainedModel) -> ModelSummary:
    """The sizes of a classifier's parts, and of its folder."""
    counts = read_counts(model.folder)
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
    found = np.concatenate([compute.list_value_length(part["tokens"]).to_numpy() for part in parts])
    return TokenSummary(
        tokens_mean=float(found.mean()) if len(found) else None,
        tokens_most=int(found.max()) if len(found) else None,
        cut_train=tokens.cut.get("train", 0),
        cut_validation=tokens.cut.get("validation", 0),
        cut_test=tokens.cut.get("test", 0),
        classes=len(tokens.labels),
        labels_unseen=len(tokens.others),
    )
