"""Noise on the splits of a data set; the splits that are given stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from etude.errors import StepError, value_text
from etude.nn.model_types import SplitName
from etude.text.noise.banking import BANKING
from etude.text.noise.clinc import CLINC
from etude.text.noise.edits import EditedText, edits_column
from etude.text.noise.fragments import NoiseSpec, prepare
from etude.text.noise.injection import inject
from etude.text.noise.pools import Family, FamilyName
from etude.text.types import Splits, TextTable

Alter: TypeAlias = Callable[[Sequence[str], npt.NDArray[np.int64]], list[EditedText]]
"""From texts and their ids to the texts as altered, with their edits."""

FAMILIES: Mapping[FamilyName, Family] = {"banking": BANKING, "clinc": CLINC}
"""The phrases that come with étude."""


def with_phrases(
    splits: Splits, family: Family, *, train: NoiseSpec, test: NoiseSpec, parts: Sequence[SplitName], seed: int
) -> Splits:
    """Phrases around the texts of some splits: the test split has pools and shares of its own, validation trains'.

    Raises:
        StepError: An id occurs twice.
    """
    sides = {"train": (family.train, train), "validation": (family.train, train), "test": (family.test, test)}

    def alter(name: SplitName) -> Alter:
        pools, spec = sides[name]
        ready = prepare(pools, family.stop)
        return lambda texts, ids: inject(texts, ids, ready, spec, seed=seed)

    return alter_splits(splits, {name: alter(name) for name in parts})


def alter_splits(splits: Splits, alter: dict[SplitName, Alter]) -> Splits:
    """New splits with altered texts and a column `edits` that undoes them; splits without an entry stay as they are.

    Raises:
        StepError: An id occurs twice, so that two texts would share their random numbers.
    """
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    _unique([row for name in names for row in getattr(splits, name)["id"].to_pylist()])
    return replace(splits, **{name: _table(getattr(splits, name), how) for name, how in alter.items()})


def _table(table: TextTable, alter: Alter) -> TextTable:
    import pyarrow as pa

    edited = alter(table["text"].to_pylist(), table["id"].to_numpy())
    texts = pa.array([text for text, _ in edited], pa.string())
    without = table.drop_columns(["edits"]) if "edits" in table.column_names else table
    column = without.column_names.index("text")
    noisy = without.set_column(column, "text", texts)
    return noisy.append_column("edits", edits_column([edits for _, edits in edited]))


def _unique(ids: list[int]) -> None:
    if len(set(ids)) < len(ids):
        twice = [name for name, count in Counter(ids).items() if count > 1]
        raise StepError(
            f"{len(twice)} ids occur more than once: {value_text(sorted(twice)[:5])}.\n"
            "    Mend: give every example an id of its own; random numbers are drawn by it."
        )
