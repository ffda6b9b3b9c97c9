"""Classes and their probabilities for the rows of a split, written to disk as they come."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from etude import Context, Stopped
from etude.errors import StepError
from etude.nn.batches import sorted_plan
from etude.nn.classifier import Classifier
from etude.nn.classifier_folder import load_classifier
from etude.nn.classifier_training import milestone_file
from etude.nn.model_types import Backbone, Kept, Predictions, SplitName, Tokens, TrainedModel
from etude.nn.padding import pad
from etude.nn.precision import Precision, autocast, format_for
from etude.nn.randomness import fixed_seed
from etude.nn.token_batches import lengths, sequences
from etude.nn.weight_snapshot import read_snapshot
from etude.nn.work_counts import network_json

DIGITS = 6
"""Decimals kept of a probability: what batches of another size can change lies beyond. Of small ones more are kept."""
DIGITS_OF_SMALL = 4
"""Significant digits kept at least of any probability: one of 1e-9 is not 0, and its logarithm counts."""
FEWER_DIGITS = 4
"""Decimals kept of logits and states, which are larger."""
TOKENS_ON_CPU, TOKENS_ON_GPU = 1024, 32768
"""Tokens of a batch: more are no faster there, and take more memory."""
_ROWS = 1 << 16
"""Rows of one chunk of the table."""


def predict(
    model: TrainedModel,
    tokens: Tokens,
    backbone: Backbone | None = None,
    *,
    ctx: Context,
    split: SplitName,
    keep: Sequence[Kept] = (),
    milestone: float | None = None,
    precision: Precision = "fp32",
    batch_tokens: int | None = None,
) -> Predictions:
    """Predict every row of a split; rows come in the split's order whatever the batches.

    What is predicted goes to files in `ctx.scratch`, which the table maps into memory: beside the model, memory holds
    no more than a batch.

    Args:
        model: The classifier.
        tokens: The splits as token ids.
        backbone: What the classifier stands on, where it was kept without.
        ctx: Where it runs.
        split: Which split.
        keep: Further columns: `logits`, and `states`, what the head projects.
        milestone: Predict with the weights that first reached this validation accuracy. Where it was never reached,
            the table has no rows, and its metadata say so.
        precision: The format of products. Under bf16 the batches a row stands in can change its last digits.
        batch_tokens: Tokens that are predicted at once, padding included; None for as many as are worth while.

    Raises:
        StepError: The training had no such milestone.
        Stopped: The run was asked to stop.
    """
    part: pa.Table = getattr(tokens, split)
    classifier, labels = load_classifier(model.folder, None if backbone is None else backbone.folder)
    notes: dict[str, Any] = {"labels": list(labels)}
    if milestone is not None and not _put_milestone(classifier, model, milestone):
        part = part.slice(0, 0)
        notes["unreached"] = milestone
    sizes = lengths(part)
    counts = Counter(sizes.tolist())
    notes |= {"lengths": {str(size): counts[size] for size in sorted(counts)}}
    notes |= {"network": network_json(classifier, len(labels))}
    device = ctx.devices[0] if ctx.devices else "cpu"
    classifier.to(device)
    columns = _Columns(ctx.scratch, len(part))
    taken: list[Tensor] = []
    if "states" in keep:
        classifier.projection.register_forward_pre_hook(lambda head, given: taken.append(given[0].float().cpu()))
    rows, done = sequences(part), 0
    format_ = format_for(precision, ctx.devices)
    whole = ctx.window("predicting")
    budget = batch_tokens or (TOKENS_ON_GPU if ctx.devices else TOKENS_ON_CPU)
    with whole, fixed_seed(0, threads=ctx.cpus), torch.inference_mode(), autocast(format_, device):
        for batch in sorted_plan(sizes, tokens=budget):
            if ctx.stopping:
                raise Stopped(f"predicting stopped after {done} of {len(rows)} rows")
            ids, mask = pad([rows[index] for index in batch], tokens.pad_id)
            logits = classifier(ids.to(device), mask.to(device)).float()
            columns.write("probabilities", batch, logits.softmax(dim=1), DIGITS, DIGITS_OF_SMALL)
            if "logits" in keep:
                columns.write("logits", batch, logits, FEWER_DIGITS)
            if "states" in keep:
                columns.write("states", batch, taken.pop(), FEWER_DIGITS)
            done += len(batch)
            ctx.progress(done, len(rows))
    truth = np.array([*tokens.labels, *tokens.others], dtype=object)[part["label"].to_numpy()]
    table = pa.table(
        {
            "id": part["id"],
            "label": pa.array(truth, pa.string()),
            "prediction": pa.array(np.array(labels, dtype=object)[columns.highest("probabilities")], pa.string()),
            **{name: columns.lists(name) for name in ("probabilities", *dict.fromkeys(keep))},
        }
    )
    return table.replace_schema_metadata({"etude": json.dumps(notes)})


def round_values(values: npt.NDArray[np.float32], decimals: int, significant: int = 0) -> npt.NDArray[np.float32]:
    """Values to so many decimals; small ones to so many significant digits, so that none but 0 becomes 0."""
    rounded = values.round(decimals)
    small = (np.abs(values) < 10.0 ** (significant - decimals)) & (values != 0)
    if significant and small.any():
        exact = values[small].astype(np.float64)
        scale = 10.0 ** (significant - 1 - np.floor(np.log10(np.abs(exact))))
        rounded[small] = np.round(exact * scale) / scale
    return rounded


class _Columns:
    """Columns of N vectors each, as files that are written row by row and read as Arrow arrays."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder = folder
        self._rows = rows
        self._arrays: dict[str, npt.NDArray[np.float32]] = {}

    def write(self, name: str, rows: Sequence[int], values: Tensor, digits: int, significant: int = 0) -> None:
        """Write the vectors of some rows, rounded to decimals, but to as many significant digits at least."""
        vectors = values.cpu().numpy()
        if name not in self._arrays:
            shape = (self._rows, vectors.shape[1])
            self._arrays[name] = np.memmap(self._folder / f"{name}.f32", np.float32, "w+", shape=shape)
        self._arrays[name][list(rows)] = round_values(vectors, digits, significant)

    def highest(self, name: str) -> npt.NDArray[np.int64]:
        """The place of each row's highest number."""
        if not self._rows:
            return np.zeros(0, dtype=np.int64)
        return np.concatenate(
            [self._arrays[name][at : at + _ROWS].argmax(axis=1) for at in range(0, self._rows, _ROWS)]
        )

    def lists(self, name: str) -> pa.ChunkedArray:
        """The column, mapped from its file."""
        kind = pa.list_(pa.float32())
        if not self._rows:
            return pa.chunked_array([], kind)
        matrix = self._arrays[name]
        return pa.chunked_array([_lists(matrix[at : at + _ROWS]) for at in range(0, self._rows, _ROWS)], kind)


def _lists(matrix: npt.NDArray[np.float32]) -> pa.ListArray:
    rows, width = matrix.shape
    offsets = pa.py_buffer(np.arange(0, rows * width + 1, width, dtype=np.int32))
    values = pa.Array.from_buffers(pa.float32(), rows * width, [None, pa.py_buffer(matrix.reshape(-1))])
    return pa.ListArray.from_buffers(pa.list_(pa.float32()), rows, [None, offsets], children=[values])


def _put_milestone(classifier: Classifier, model: TrainedModel, value: float) -> bool:
    """Give the classifier the weights of a milestone; False where it was never reached."""
    values: list[float] = model.milestones["value"].to_pylist()
    if value not in values:
        there = f"it has {', '.join(f'{each:g}' for each in values)}" if values else "it has none"
        raise StepError(
            f"milestone: the training has no milestone {value:g}; {there}.\n"
            f"    Mend: list it in the training's settings: milestones: [{value:g}]."
        )
    path = model.folder / milestone_file(value)
    if model.milestones["at_step"][values.index(value)].as_py() is None:
        return False
    read_snapshot(classifier, path)
    return True
