"""What a model said of each example, as arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from etude.errors import StepError
from etude.nn.model_types import Predictions

Floats = npt.NDArray[np.float64]
Names = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """N examples, C classes, D the width of a state."""

    ids: npt.NDArray[np.int64]
    """Shape (N,)."""
    truth: Names
    """Shape (N,); a label may be none of the classes."""
    prediction: Names
    classes: tuple[str, ...]
    probabilities: Floats
    """Shape (N, C)."""
    logits: Floats | None
    """Shape (N, C); None where they were not kept."""
    states: Floats | None
    """What the classes are told from, shape (N, D); None where they were not kept."""

    def codes(self) -> npt.NDArray[np.int64]:
        """The place of each true label among the classes, -1 where it is none of them; shape (N,)."""
        place = {name: index for index, name in enumerate(self.classes)}
        return np.array([place.get(label, -1) for label in self.truth], dtype=np.int64)


def outputs_of(predictions: Predictions) -> Outputs:
    """The arrays of a table of predictions.

    Raises:
        StepError: There are no rows, or the table does not name the classes of its probabilities.
    """
    if not len(predictions):
        raise StepError("there is nothing to evaluate: the predictions have no rows")
    classes = tuple(json.loads((predictions.schema.metadata or {}).get(b"etude", b"{}")).get("labels", ()))
    probabilities = _matrix(predictions, "probabilities")
    if probabilities is None or probabilities.shape[1] != len(classes):
        raise StepError(
            f"the predictions name {len(classes)} classes in their metadata, and have probabilities for "
            f"{0 if probabilities is None else probabilities.shape[1]}"
        )
    return Outputs(
        ids=predictions["id"].to_numpy(),
        truth=_names(predictions, "label"),
        prediction=_names(predictions, "prediction"),
        classes=classes,
        probabilities=probabilities,
        logits=_matrix(predictions, "logits"),
        states=_matrix(predictions, "states"),
    )


def lacks_milestone(predictions: Predictions) -> bool:
    """Whether there are no rows because the training never reached the milestone that they were to be of."""
    return "unreached" in json.loads((predictions.schema.metadata or {}).get(b"etude", b"{}"))


def _names(table: Any, column: str) -> Names:
    return np.array(table[column].to_pylist(), dtype=object)


def _matrix(table: Any, column: str) -> Floats | None:
    if column not in table.column_names:
        return None
    lists = table[column].combine_chunks()
    return np.asarray(lists.flatten().to_numpy(zero_copy_only=False), dtype=np.float64).reshape(len(table), -1)
