"""The hub, without the hub: what comes from it is turned into texts, and what may go wrong is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from etude.errors import StepError
from etude.text import steps
from etude.text.known_data_sets import ClincVariant


class NotFoundError(FileNotFoundError):
    pass


class FakePart:
    """A split as the hub's library gives it."""

    def __init__(self, **columns: list[Any]) -> None:
        notes = {"info": {"features": {name: {"names": ["first", "second"]} for name in ("label", "intent")}}}
        self.data = SimpleNamespace(table=pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(notes)}))

    def with_format(self, name: str) -> FakePart:
        assert name == "arrow"
        return self

    def __getitem__(self, rows: slice) -> pa.Table:
        return self.data.table[rows].replace_schema_metadata(None)


class FakeLibrary(ModuleType):
    """Stands for the package `datasets`; remembers what it was asked for."""

    def __init__(self, result: Any) -> None:
        super().__init__("datasets")
        self.result = result
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.exceptions = SimpleNamespace(DatasetNotFoundError=NotFoundError)

    def load_dataset(self, name: str, config: str | None, *, revision: str | None) -> Any:
        self.asked.append((name, config, revision))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    fake = FakeLibrary({"train": FakePart(text=["x", "y"], label=[1, 0]), "test": FakePart(text=["z"], label=[1])})
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return fake


def test_splits_and_names_of_classes_come_along(library: FakeLibrary) -> None:
    assert steps.hub(name="owner/set", revision="abc").to_pydict() == {
        "id": [0, 1, 2],
        "text": ["x", "y", "z"],
        "label": ["second", "first", "second"],
        "split": ["train", "train", "test"],
    }
    assert library.asked == [("owner/set", None, "abc")]


def test_known_sets_are_fetched_by_the_names_that_they_have_there(library: FakeLibrary) -> None:
    steps.known(name="banking77")
    library.result = {"train": FakePart(text=["x"], intent=[1]), "validation": FakePart(text=["z"], intent=[0])}
    table = steps.known(name="clinc150", variant="oos_plus", revision="abc")
    assert table["label"].to_pylist() == ["second", "first"]
    assert library.asked == [
        ("PolyAI/banking77", None, "refs/convert/parquet"),
        ("clinc/clinc_oos", "plus", "abc"),
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ConnectionError("Couldn't reach it"), r"the hub cannot be reached(?s:.*)text\.read"),
        (NotFoundError("no such"), "no data set 'owner/set'"),
        (ValueError("Config name is missing"), "Config name is missing"),
        (RuntimeError("Dataset scripts are no longer supported"), "refs/convert/parquet"),
    ],
)
def test_what_goes_wrong_at_the_hub_is_told_with_a_way_without_it(
    fault: Exception, reason: str, library: FakeLibrary
) -> None:
    library.result = fault
    with pytest.raises(StepError, match=reason):
        steps.hub(name="owner/set")


def test_a_set_without_a_training_split_or_without_the_column_is_told(library: FakeLibrary) -> None:
    with pytest.raises(StepError, match="train split, has no column 'intent'"):
        steps.hub(name="owner/set", label="intent")
    library.result = {"all": FakePart(text=["x"], label=[0])}
    with pytest.raises(StepError, match="no training split; it has all"):
        steps.hub(name="owner/set")


def test_a_variant_that_the_hub_does_not_have_is_told_with_the_local_file(library: FakeLibrary) -> None:
    full: ClincVariant = "full"
    with pytest.raises(StepError, match=r"not 'full'(?s:.*)data_full\.json"):
        steps.known(name="clinc150", variant=full)
    assert not library.asked


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(StepError, match=r"pip install 'etude\[ml\]'"):
        steps.hub(name="owner/set")


@pytest.mark.slow
def test_what_the_real_library_makes_is_understood() -> None:
    import datasets

    from etude.text.hub import _arrow, table_of
    from etude.text.labelled_files import TextColumns

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    part = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=features)
    table = table_of({"train": _arrow(part)}, TextColumns(text="text", label="label"), "made up")
    assert table["label"].to_pylist() == ["yes", "no"]


def test_a_folder_at_hand_is_left_to_the_step_that_sees_its_content(library: FakeLibrary, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"is a file or folder here(?s:.*)text\.read"):
        steps.hub(name=str(tmp_path))
    assert not library.asked
