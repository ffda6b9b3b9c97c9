"""Divides labelled texts so that no text stands on both sides."""

from __future__ import annotations

import logging
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etude.errors import StepError, value_text
from etude.text.types import Splits, TextTable

_log = logging.getLogger(__name__)


def divide(data: TextTable, *, test_fraction: float, validation_fraction: float, stratify: bool, seed: int) -> Splits:
    """Draw a test and a validation split; a split that the data come with is left as it is.

    Of texts that are the same but for case and white space one is kept: that in the test split if there is one there,
    else the first; where such texts have different labels within one split, none is kept, except in a given test
    split, from which nothing is ever taken.

    Where the data have a column `group`, no group is divided: whole groups are drawn, so that shares are met as nearly
    as groups allow, and training loses the groups that a given test or validation split holds. A row without a group is
    one of its own.

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
    if len(kept) < len(data):
        _log.warning(
            "%d of %d rows hold a text that is in another row as well and are left out; text.duplicates lists them",
            len(data) - len(kept),
            len(data),
        )
    rest, validation, test = (kept[given[kept] == name] for name in ("train", "validation", "test"))
    labels = np.array(data["label"].to_pylist(), dtype=object)
    groups = groups_of(data)
    if groups is not None:
        before = len(rest) + len(validation)
        validation = validation[~np.isin(groups[validation], groups[test])]
        rest = rest[~np.isin(groups[rest], groups[np.concatenate([validation, test])])]
        if len(rest) + len(validation) < before:
            _log.warning(
                "%d rows are of a group that a held-out split has too and are left out",
                before - len(rest) - len(validation),
            )
    random = np.random.default_rng(seed)
    if not len(test):
        rest, test = _draw(rest, labels, groups, test_fraction, stratify, random)
    if not len(validation):
        rest, validation = _draw(rest, labels, groups, validation_fraction, stratify, random)
    if not len(rest) or not len(test):
        raise StepError(f"of {len(data)} texts {len(rest)} are left for training and {len(test)} for the test")
    columns = data.select(["id", "text", "label"] + ["group"] * (groups is not None))
    parts = {"train": rest, "validation": validation, "test": test}
    return Splits(**{name: columns.take(pa.array(np.sort(rows))) for name, rows in parts.items()})


def require_learnable(splits: Splits, *, outside: str | None) -> Splits:
    """The same splits, where the training split holds what the others ask for.

    Args:
        splits: Labelled texts.
        outside: The label that training need not know, because it stands for what belongs to no class.

    Raises:
        StepError: The training split has fewer than two labels, or lacks one that another split has.
    """
    in_training = set(splits.train["label"].to_pylist())
    if len(in_training - {outside}) < 2:
        only = ", ".join(map(repr, sorted(in_training - {outside})))
        raise StepError(
            f"all {len(splits.train)} training texts have one label, {only}: there is nothing to tell apart"
        )
    for name in ("validation", "test"):
        unknown = sorted(set(getattr(splits, name)["label"].to_pylist()) - in_training - {outside})
        if unknown:
            raise StepError(
                f"{len(unknown)} labels of the {name} split are in no training text: {value_text(unknown[:5])}.\n"
                "    Mend: take them out of the data, or give training some of their texts; one that stands for what\n"
                "    belongs to no class may be named as `outside`."
            )
    return splits


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
    belonging: npt.NDArray[np.int64] | None,
    fraction: float,
    stratify: bool,
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows that stay and rows that are drawn."""
    names = labels[rows] if stratify else np.zeros(len(rows), dtype=object)
    if belonging is not None:
        drawn_groups = rows[whole_groups(belonging[rows], names, fraction, random)]
        return np.setdiff1d(rows, drawn_groups), drawn_groups
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
