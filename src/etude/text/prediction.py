"""Classes and their probabilities for the rows of a split."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import torch

from etude import Context, Stopped
from etude.nn.batches import sorted_plan
from etude.nn.padding import pad
from etude.nn.seeded import seeded
from etude.text.training import load, sequences
from etude.text.types import Predictions, SplitName, Tokens, TrainedModel

DIGITS = 6
"""Decimals kept of a probability: what batches of another size can change lies beyond."""


def predicted(model: TrainedModel, tokens: Tokens, *, ctx: Context, split: SplitName, batch_tokens: int) -> Predictions:
    """Predict every row of a split; rows come in the split's order whatever the batches.

    Raises:
        Stopped: The run was asked to stop.
    """
    part: pa.Table = getattr(tokens, split)
    rows = sequences(part)
    device = ctx.devices[0] if ctx.devices else "cpu"
    classifier, labels = load(model.folder)
    classifier.to(device)
    probabilities = np.zeros((len(rows), len(labels)), dtype=np.float32)
    done = 0
    with seeded(0, threads=ctx.cpus), torch.inference_mode():
        for batch in sorted_plan([len(row) for row in rows], tokens=batch_tokens):
            if ctx.stopping:
                raise Stopped(f"predicting stopped after {done} of {len(rows)} rows")
            ids, mask = pad([rows[index] for index in batch], tokens.pad_id)
            logits = classifier(ids.to(device), mask.to(device))
            probabilities[batch] = logits.float().softmax(dim=1).cpu().numpy()
            done += len(batch)
            ctx.progress(done, len(rows))
    names = np.array(labels, dtype=object)
    rounded = probabilities.round(DIGITS)
    truth = np.array(tokens.labels, dtype=object)[part["label"].to_numpy()]
    table = pa.table(
        {
            "id": part["id"],
            "label": pa.array(truth, pa.string()),
            "prediction": pa.array(names[rounded.argmax(axis=1)], pa.string()),
            "probabilities": pa.ListArray.from_arrays(
                pa.array(range(0, rounded.size + 1, len(labels)), pa.int32()), pa.array(rounded.ravel(), pa.float32())
            ),
        }
    )
    return table.replace_schema_metadata({"etude": json.dumps({"labels": list(labels)})})
