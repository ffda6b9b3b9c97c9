"""Divides labelled texts so that no text stands on both sides."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etude.errors import StepError
from etude.text.types import Splits, TextTable


def divide(data: TextTable, *, test_fraction: float, validation_fraction: float, stratify: bool, seed: int) -> Splits:
    """Draw a test and a validation split; a split that the data come with is left as it is.

    Of texts that are the same but for case and white space one is kept: that in the test split if there is one there,
    else the first; where such texts have different labels within one split, none is kept, except in a given test
    split, from which nothing is ever taken.

    Args:
        data: Labelled texts.
        test_fraction: The share of all rows drawn for the test split.
        validation_fraction: The share of the rows left for training that is drawn for validation.
        stratify: Draw the same share of each label, to the nearest row.
        seed: Decides who is drawn.

    Raises:
        StepError: A split would be empty.
    """
    given = np.array(data["split"].to_pylist() if "split" in data.column_names else ["train"] * len(data), dtype=object)
    kept = _without_duplicates(data, given)
    rest, validation, test = (kept[given[kept] == name] for name in ("train", "validation", "test"))
    labels = np.array(data["label"].to_pylist(), dtype=object)
    random = np.random.default_rng(seed)
    if not len(test):
        rest, test = _draw(rest, labels, test_fraction, stratify, random)
    if not len(validation):
        rest, validation = _draw(rest, labels, validation_fraction, stratify, random)
    if not len(rest) or not len(test):
        raise StepError(f"of {len(data)} texts {len(rest)} are left for training and {len(test)} for the test")
    columns = data.select(["id", "text", "label"])
    return Splits(*(columns.take(pa.array(np.sort(rows))) for rows in (rest, validation, test)))


def same_text(text: str) -> str:
    """What two texts have in common that differ only in case and white space."""
    return " ".join(text.casefold().split())


def _without_duplicates(data: TextTable, given: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(data["text"].to_pylist()):
        groups[same_text(text)].append(row)
    labels = data["label"].to_pylist()
    kept: list[int] = []
    for rows in groups.values():
        held_out = [row for row in rows if given[row] == "test"]
        if held_out:
            kept += held_out
        elif len({labels[row] for row in rows}) == 1:
            kept.append(next((row for row in rows if given[row] == "validation"), rows[0]))
    return np.array(sorted(kept), dtype=np.int64)


def _draw(
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.object_],
    fraction: float,
    stratify: bool,
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows that stay and rows that are drawn."""
    names = labels[rows] if stratify else np.zeros(len(rows), dtype=object)
    groups = [random.permutation(rows[names == name]) for name in sorted(set(names.tolist()))]
    drawn = [group[:count] for group, count in zip(groups, _counts([len(g) for g in groups], fraction), strict=True)]
    taken = np.concatenate(drawn) if drawn else rows[:0]
    return np.setdiff1d(rows, taken), taken


def _counts(sizes: list[int], fraction: float) -> list[int]:
    """How many to draw of each group: within one of its share, and the nearest whole number of all together."""
    shares = [size * fraction for size in sizes]
    counts = [int(share) for share in shares]
    by_rest = sorted(range(len(sizes)), key=lambda index: counts[index] - shares[index])
    for index in by_rest[: round(sum(shares)) - sum(counts)]:
        counts[index] += 1
    return counts
