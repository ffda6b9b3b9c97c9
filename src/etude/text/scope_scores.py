"""Scores that say how far out of scope a text seems to be; higher is further."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from etude.errors import StepError
from etude.text.outputs import Floats, Outputs
from etude.text.types import ScopeMethod

_ROWS = 1024
"""Rows whose distances to all training states are held at once."""


def scope_score(
    outputs: Outputs, method: ScopeMethod, *, train: Outputs | None, outside: str, temperature: float, neighbours: int
) -> Floats:
    """The score of each example, shape (N,).

    Args:
        outputs: What the model said.
        method: `msp`: 1 less the highest probability of a class (Hendrycks and Gimpel 2017). `energy`: minus the
            temperature times the log-sum of the logits' exponentials (Liu et al. 2020). `mahalanobis`: the least
            squared distance from a class's mean under the common covariance (Lee et al. 2018). `knn`: the cosine
            distance from the k-th nearest training state (Sun et al. 2022). `oos_class`: the probability of the class
            for what is out of scope, less the highest of another class, so that above 0 it is the predicted one.
        train: What the model said of the training texts, for `mahalanobis` and `knn`.
        outside: The label of what is out of scope; it is none of the classes that are compared.
        temperature: Of the energy.
        neighbours: Which neighbour counts.

    Raises:
        StepError: The predictions lack what the method reads.
    """
    inside = np.array([name != outside for name in outputs.classes])
    if not inside.any():
        raise StepError(f"the predictions have no class but {outside!r}")
    likeliest = outputs.probabilities[:, inside].max(axis=1)
    if method == "msp":
        return np.asarray(1 - likeliest)
    if method == "oos_class":
        if inside.all():
            raise StepError(
                f"oos_class: the model has no class {outside!r}; it has {', '.join(outputs.classes[:5])}, ….\n"
                "    Mend: train with texts of that label, or use another method."
            )
        return np.asarray(outputs.probabilities[:, ~inside][:, 0] - likeliest)
    if method == "energy":
        if outputs.logits is None:
            raise StepError("energy: the predictions hold no logits. Mend: `keep: [logits]` in text.predict.")
        energy: Floats = -temperature * logsumexp(outputs.logits[:, inside] / temperature, axis=1)
        return energy
    states, train_states, labels = _states(outputs, train, method, outside)
    if method == "mahalanobis":
        return mahalanobis(states, train_states, labels)
    return nearest_distance(states, train_states, neighbours)


def mahalanobis(states: Floats, references: Floats, labels: Floats) -> Floats:
    """Least squared Mahalanobis distance from the mean of a class, shape (N,).

    The covariance is that within the classes, common to all; directions without spread do not count.

    Args:
        states: Shape (N, D).
        references: States of the training texts, shape (M, D).
        labels: Their classes as numbers, shape (M,).
    """
    codes = np.unique(labels, return_inverse=True)[1]
    means = np.stack([references[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    spread = references - means[codes]
    inverse = np.linalg.pinv(spread.T @ spread / len(references), hermitian=True)
    # (x - m)' P (x - m) as a difference of squares, so that no N × C × D array is made.
    centre = references.mean(axis=0)
    left, right = states - centre, means - centre
    cross = left @ inverse @ right.T
    own, theirs = np.einsum("nd,nd->n", left @ inverse, left), np.einsum("cd,cd->c", right @ inverse, right)
    squares: Floats = (own[:, None] - 2 * cross + theirs).min(axis=1)
    return squares


def nearest_distance(states: Floats, references: Floats, neighbours: int) -> Floats:
    """Cosine distance from the k-th nearest of the known states, shape (N,).

    Raises:
        StepError: There are fewer known states than that.
    """
    if len(references) < neighbours:
        raise StepError(f"neighbours: of {len(references)} training states in scope none is the {neighbours}th nearest")
    directions = _unit(references)
    parts = [
        np.partition(1 - _unit(states[start : start + _ROWS]) @ directions.T, neighbours - 1, axis=1)[:, neighbours - 1]
        for start in range(0, len(states), _ROWS)
    ]
    return np.concatenate(parts)


def _states(outputs: Outputs, train: Outputs | None, method: str, outside: str) -> tuple[Floats, Floats, Floats]:
    if train is None:
        raise StepError(f"{method}: the predictions of the training split are needed, as the input `train`")
    if outputs.states is None or train.states is None:
        raise StepError(f"{method}: the predictions hold no states. Mend: `keep: [states]` in text.predict.")
    inside = train.truth != outside
    codes = train.codes().astype(float)
    return outputs.states, train.states[inside], codes[inside]


def _unit(states: Floats) -> Floats:
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    unit: Floats = states / np.where(lengths > 0, lengths, 1.0)
    return unit
