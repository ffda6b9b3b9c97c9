"""Made-up tables of predictions, as the step `text.predict` gives them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Rows = Sequence[Sequence[float]] | npt.NDArray[np.float64]


def predictions(
    labels: Sequence[str],
    probabilities: Rows,
    classes: Sequence[str],
    *,
    ids: Sequence[int] | None = None,
    logits: Rows | None = None,
    states: Rows | None = None,
) -> pa.Table:
    """Predictions with the likeliest class as the predicted one."""
    likely = np.asarray(probabilities, dtype=float).reshape(len(labels), len(classes))
    table = pa.table(
        {
            "id": pa.array(range(len(labels)) if ids is None else ids, pa.int64()),
            "label": pa.array(labels, pa.string()),
            "prediction": pa.array([classes[index] for index in likely.argmax(axis=1)], pa.string()),
            "probabilities": pa.array(likely.tolist(), pa.list_(pa.float64())),
        }
    )
    for name, rows in (("logits", logits), ("states", states)):
        if rows is not None:
            table = table.append_column(name, pa.array(np.asarray(rows, dtype=float).tolist(), pa.list_(pa.float64())))
    return table.replace_schema_metadata({"etude": json.dumps({"labels": list(classes)})})


def named(labels: Sequence[str], guesses: Sequence[str], ids: Sequence[int] | None = None) -> pa.Table:
    """Predictions that are sure of these labels."""
    classes = sorted({*labels, *guesses})
    return predictions(labels, np.eye(len(classes))[[classes.index(guess) for guess in guesses]], classes, ids=ids)
