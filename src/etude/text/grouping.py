"""Draws whole groups of rows, so that what belongs together stays together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from etude.text.types import TextTable

Codes = npt.NDArray[np.int64]


def groups_of(data: TextTable) -> Codes | None:
    """The group of each row as a number; None where the data have no groups. A row without one is a group alone."""
    if "group" not in data.column_names:
        return None
    names = data["group"].to_pylist()
    places = {name: place for place, name in enumerate(dict.fromkeys(name for name in names if name is not None))}
    return np.array([places.get(name, len(places) + row) for row, name in enumerate(names)], dtype=np.int64)


def whole_groups(
    groups: Codes, labels: npt.NDArray[np.object_], fraction: float, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which rows to draw so that groups stay whole and each label is drawn in proportion, as nearly as can be.

    Groups come in a drawn order, and each is taken if that brings the counts of the labels nearer to their shares.
    With one label the number of rows drawn is within half the largest group of its share, unless all are drawn.

    Args:
        groups: The group of each row.
        labels: The label of each row; all the same to draw in proportion to rows alone.
        fraction: The share of the rows to draw.
        random: Decides the order.
    """
    names, codes = np.unique(groups, return_inverse=True)
    kinds = np.unique(labels.astype(str), return_inverse=True)[1]
    counts = np.zeros((len(names), kinds.max(initial=-1) + 1))
    np.add.at(counts, (codes, kinds), 1)
    lacking = counts.sum(axis=0) * fraction
    taken = np.zeros(len(names), dtype=bool)
    for group in random.permutation(len(names)):
        after = lacking - counts[group]
        if (after**2).sum() < (lacking**2).sum():
            taken[group], lacking = True, after
    drawn: npt.NDArray[np.bool_] = taken[codes]
    return drawn
