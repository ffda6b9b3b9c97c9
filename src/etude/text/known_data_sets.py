"""Public data sets that are known by name, from a local folder as their authors publish them, or from the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from etude.errors import StepError, nearest, value_text
from etude.text.file_kinds import FileSpec
from etude.text.hub import from_hub
from etude.text.labelled_files import TextColumns, read_texts, with_row_numbers
from etude.text.types import TextTable

ClincVariant: TypeAlias = Literal["full", "small", "imbalanced", "oos_plus"]
KnownName: TypeAlias = Literal["banking77", "clinc150"]

OUT_OF_SCOPE = "oos"
"""The label of texts in CLINC150 that belong to none of its classes."""
_PARTS = {"train": ("train", "oos_train"), "validation": ("val", "oos_val"), "test": ("test", "oos_test")}
_ON_THE_HUB = {"small": "small", "imbalanced": "imbalanced", "oos_plus": "plus"}
_BANKING_HUB, _BANKING_REVISION, _CLINC_HUB = "PolyAI/banking77", "refs/convert/parquet", "clinc/clinc_oos"


def load_data_set(
    name: KnownName, folder: Path | None, *, variant: ClincVariant, train_out_of_scope: bool, revision: str | None
) -> TextTable:
    """A data set known by name, with its own splits.

    Args:
        name: Which one.
        folder: Where its files lie; None to fetch it from the hub.
        variant: Of CLINC150 alone: which of its four files.
        train_out_of_scope: Of CLINC150 alone: whether the training split holds its out-of-scope texts, as one more
            class. Without them they serve for choosing a threshold, and for the test.
        revision: On the hub, the commit or branch; None for the newest.

    Raises:
        StepError: The folder is not laid out as it should be, the hub has no such variant or cannot be reached.
    """
    if name == "banking77":
        return _banking77(folder, revision)
    table = _clinc150_of_hub(variant, revision) if folder is None else clinc150(folder, variant)
    if train_out_of_scope:
        return table
    from pyarrow import compute

    rest = compute.or_(compute.not_equal(table["split"], "train"), compute.not_equal(table["label"], OUT_OF_SCOPE))
    return table.filter(rest)


def clinc150(folder: Path, variant: ClincVariant) -> TextTable:
    """CLINC150 as its authors publish it: `data_full.json` and so on, with `train`, `val`, `test` and `oos_…` each.

    Source: Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, 2019.
    """
    path = _first(folder, "clinc150", (f"data_{variant}.json", f"data/data_{variant}.json"))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StepError(f"{path} is no JSON file: {error}") from error
    wanted = [key for keys in _PARTS.values() for key in keys]
    lacking = [key for key in wanted if not isinstance(content, dict) or key not in content]
    if lacking:
        raise StepError(f"{path}: expected the lists {', '.join(wanted)}; there is no {', '.join(lacking)}")
    rows = [
        (*_pair(path, key, index, row), split)
        for split, keys in _PARTS.items()
        for key in keys
        for index, row in enumerate(content[key])
    ]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    names = ("text", "label", "split")
    return with_row_numbers(
        pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    )


def _pair(path: Path, key: str, index: int, row: Any) -> tuple[str, str]:
    if not isinstance(row, list) or len(row) != 2 or not all(isinstance(value, str) for value in row):
        raise StepError(f"{path}: {key}[{index}]: expected a text and its label, got {value_text(row)}")
    return row[0], row[1]


def _clinc150_of_hub(variant: ClincVariant, revision: str | None) -> TextTable:
    if variant not in _ON_THE_HUB:
        raise StepError(
            f"the hub has CLINC150 in the variants {', '.join(_ON_THE_HUB)}, not {variant!r}.\n"
            f"    Mend: choose one of them, or name the `folder` that holds data_{variant}.json."
        )
    columns = TextColumns(text="text", label="intent")
    return from_hub(_CLINC_HUB, columns, config=_ON_THE_HUB[variant], revision=revision)


def _banking77(folder: Path | None, revision: str | None) -> TextTable:
    if folder is None:
        return from_hub(_BANKING_HUB, TextColumns(text="text", label="label"), revision=revision or _BANKING_REVISION)
    train = _first(folder, "banking77", ("train.csv", "banking_data/train.csv"))
    table = read_texts(train.parent, TextColumns(text="text", label="category"), FileSpec())
    listed = train.with_name("categories.json")
    if listed.exists():
        categories = json.loads(listed.read_text(encoding="utf-8"))
        strange = sorted(set(table["label"].to_pylist()) - set(categories))
        if strange:
            raise StepError(
                f"{folder}: the label {strange[0]!r} is not in {listed.name}: {nearest(strange[0], categories)}"
            )
    return table


def _first(folder: Path, name: str, places: tuple[str, ...]) -> Path:
    for place in places:
        if (folder / place).is_file():
            return folder / place
    raise StepError(
        f"{folder} is not laid out as {name}: there is no {' or '.join(places)}.\n"
        "    Mend: name the folder with the files as the authors publish them; text.read takes any other layout."
    )
