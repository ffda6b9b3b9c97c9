"""Public data sets known by name, from small folders laid out as their authors publish them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etude.errors import StepError
from etude.text import steps
from etude.text.known_data_sets import ClincVariant

CONTENT = {
    "train": [["move fifty to savings", "transfer"], ["what is the date", "date"]],
    "val": [["which day is it", "date"]],
    "test": [["send money", "transfer"]],
    "oos_train": [["who wrote hamlet", "oos"]],
    "oos_val": [["is mars red", "oos"]],
    "oos_test": [["how tall are giraffes", "oos"], ["why is ice slippery", "oos"]],
}


def clinc(folder: Path, variant: str = "full", **changes: object) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    content = {key: value for key, value in {**CONTENT, **changes}.items() if value is not None}
    (folder / f"data_{variant}.json").write_text(json.dumps(content))
    return folder


def counts(folder: Path, variant: ClincVariant = "full", train_out_of_scope: bool = True) -> dict[tuple[str, str], int]:
    table = steps.known(name="clinc150", folder=folder, variant=variant, train_out_of_scope=train_out_of_scope)
    pairs = list(zip(table["split"].to_pylist(), table["label"].to_pylist(), strict=True))
    return {pair: pairs.count(pair) for pair in pairs}


@pytest.mark.parametrize("variant", ["full", "small", "imbalanced", "oos_plus"])
def test_each_variant_is_read_with_its_own_splits(variant: ClincVariant, tmp_path: Path) -> None:
    assert counts(clinc(tmp_path, variant), variant) == {
        ("train", "transfer"): 1,
        ("train", "date"): 1,
        ("train", "oos"): 1,
        ("validation", "date"): 1,
        ("validation", "oos"): 1,
        ("test", "transfer"): 1,
        ("test", "oos"): 2,
    }


def test_training_may_do_without_the_texts_that_belong_to_no_class(tmp_path: Path) -> None:
    found = counts(clinc(tmp_path), train_out_of_scope=False)
    assert ("train", "oos") not in found
    assert found["test", "oos"] == 2


def test_ids_are_unique_and_texts_go_through_the_next_step(tmp_path: Path) -> None:
    table = steps.known(name="clinc150", folder=clinc(tmp_path), train_out_of_scope=False)
    splits = steps.split(table, seed=0, outside="oos")
    assert len(set(table["id"].to_pylist())) == len(table)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [2, 2, 3]
    with pytest.raises(StepError, match="outside"):
        steps.split(table, seed=0)


def test_the_files_may_lie_in_the_folder_data_of_the_repository(tmp_path: Path) -> None:
    clinc(tmp_path / "data")
    assert len(counts(tmp_path)) == 7


def test_a_variant_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"there is no data_small\.json"):
        counts(clinc(tmp_path), "small")


def test_lists_that_lack_and_rows_that_are_no_pairs_are_told(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="there is no oos_val"):
        counts(clinc(tmp_path, oos_val=None))
    with pytest.raises(StepError, match=r"val\[0\]: expected a text and its label, got 'which day'"):
        counts(clinc(tmp_path, val=["which day"]))
    (tmp_path / "data_full.json").write_text("{")
    with pytest.raises(StepError, match=r"data_full\.json is no JSON file"):
        counts(tmp_path)


def banking(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        (folder / f"{name}.csv").write_text(f"text,category\n{name} where is it,card_arrival\n{name} it is gone,lost\n")
    (folder / "categories.json").write_text('["card_arrival", "lost"]')
    return folder


def test_banking77_is_read_from_its_own_files(tmp_path: Path) -> None:
    banking(tmp_path / "banking_data")
    table = steps.known(name="banking77", folder=tmp_path)
    assert sorted(set(table["label"].to_pylist())) == ["card_arrival", "lost"]
    assert sorted(table["split"].to_pylist()) == ["test", "test", "train", "train"]


def test_a_label_that_is_none_of_the_categories_is_told(tmp_path: Path) -> None:
    (banking(tmp_path) / "categories.json").write_text('["card_arrival", "lots"]')
    with pytest.raises(StepError, match=r"the label 'lost' is not in categories\.json: did you mean 'lots'"):
        steps.known(name="banking77", folder=tmp_path)


def test_another_folder_is_refused_with_the_step_that_reads_any(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"not laid out as banking77(?s:.*)text\.read"):
        steps.known(name="banking77", folder=tmp_path)
