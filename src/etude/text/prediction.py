"""Classes and their probabilities for the rows of a split."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from etude import Context, Stopped
from etude.nn.artifact import load_classifier
from etude.nn.batches import sorted_plan
from etude.nn.padding import pad
from etude.nn.seeded import seeded
from etude.text.token_batches import sequences
from etude.text.types import Kept, Predictions, SplitName, Tokens, TrainedModel

DIGITS = 6
"""Decimals kept of a probability: what batches of another size can change lies beyond."""
FEWER_DIGITS = 4
"""Decimals kept of logits and states, which are larger."""


def predicted(
    model: TrainedModel, tokens: Tokens, *, ctx: Context, split: SplitName, keep: Sequence[Kept], batch_tokens: int
) -> Predictions:
    """Predict every row of a split; rows come in the split's order whatever the batches.

    Args:
        model: The classifier.
        tokens: The splits as token ids.
        ctx: Where it runs.
        split: Which split.
        keep: Further columns: `logits`, and `states`, what the head projects.
        batch_tokens: Tokens that are predicted at once, padding included.

    Raises:
        Stopped: The run was asked to stop.
    """
    part: pa.Table = getattr(tokens, split)
    rows = sequences(part)
    device = ctx.devices[0] if ctx.devices else "cpu"
    classifier, labels = load_classifier(model.folder)
    classifier.to(device)
    probabilities = np.zeros((len(rows), len(labels)), dtype=np.float32)
    kept: dict[Kept, list[Tensor]] = {name: [] for name in keep}
    placed: list[int] = []
    if "states" in kept:
        classifier.projection.register_forward_pre_hook(
            lambda head, given: kept["states"].append(given[0].float().cpu())
        )
    done = 0
    with seeded(0, threads=ctx.cpus), torch.inference_mode():
        for batch in sorted_plan([len(row) for row in rows], tokens=batch_tokens):
            if ctx.stopping:
                raise Stopped(f"predicting stopped after {done} of {len(rows)} rows")
            ids, mask = pad([rows[index] for index in batch], tokens.pad_id)
            logits = classifier(ids.to(device), mask.to(device))
            probabilities[batch] = logits.float().softmax(dim=1).cpu().numpy()
            if "logits" in kept:
                kept["logits"].append(logits.float().cpu())
            placed += batch
            done += len(batch)
            ctx.progress(done, len(rows))
    names = np.array(labels, dtype=object)
    rounded = probabilities.round(DIGITS)
    truth = np.array([*tokens.labels, *tokens.others], dtype=object)[part["label"].to_numpy()]
    table = pa.table(
        {
            "id": part["id"],
            "label": pa.array(truth, pa.string()),
            "prediction": pa.array(names[rounded.argmax(axis=1)], pa.string()),
            "probabilities": _lists(rounded),
        }
    )
    for name, parts in kept.items():
        table = table.append_column(name, _lists(_in_order(parts, placed)))
    return table.replace_schema_metadata({"etude": json.dumps({"labels": list(labels)})})


def _in_order(parts: Sequence[Tensor], placed: Sequence[int]) -> npt.NDArray[np.float32]:
    """Rows that were made batch by batch, in the split's order."""
    found = torch.cat(list(parts)).numpy() if parts else np.zeros((0, 1), dtype=np.float32)
    ordered = np.empty_like(found)
    ordered[list(placed)] = found.round(FEWER_DIGITS)
    return ordered


def _lists(matrix: npt.NDArray[np.float32]) -> pa.ListArray:
    rows, width = matrix.shape
    offsets = pa.array(range(0, rows * width + 1, width), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.ravel(), pa.float32()))
