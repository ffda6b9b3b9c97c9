"""Objects of libraries come back as they were, and so do types of a user's own, without a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import etude
from etude.errors import StepError
from etude.store import Store
from projects import Project
from storing import round_trip, stored

datasets = pytest.importorskip("datasets")
transformers = pytest.importorskip("transformers")


@etude.codec
class Mesh:
    def __init__(self, points: list[int]) -> None:
        self.points = points

    def save(self, folder: Path) -> None:
        (folder / "points.json").write_text(json.dumps(self.points))

    @classmethod
    def load(cls, folder: Path) -> Mesh:
        return cls(json.loads((folder / "points.json").read_text()))


@etude.codec
class Empty:
    def save(self, folder: Path) -> None:
        pass

    @classmethod
    def load(cls, folder: Path) -> Empty:
        return cls()


def texts() -> Any:
    return datasets.Dataset.from_dict({"text": ["a", "b", "c", "d"], "label": [0, 1, 1, 0]}).cast_column(
        "label", datasets.ClassLabel(names=["no", "yes"])
    )


@pytest.mark.parametrize("annotation", [object, Mesh])
def test_a_type_with_save_and_load_is_stored_by_them(store: Store, annotation: object) -> None:
    back = round_trip(store, Mesh([1, 2]), annotation)
    assert (type(back), back.points) == (Mesh, [1, 2])


def test_such_a_type_stands_inside_other_values(store: Store) -> None:
    back = round_trip(store, {"mesh": Mesh([3]), "loss": 0.5}, dict[str, Any])
    assert (back["mesh"].points, back["loss"]) == ([3], 0.5)


def test_a_codec_that_writes_nothing_or_lacks_a_method_is_refused(store: Store) -> None:
    with pytest.raises(StepError, match="written nothing"):
        stored(store, Empty())
    with pytest.raises(TypeError, match="no method load"):
        etude.codec(type("Half", (), {"save": lambda self, folder: None}))


def test_data_sets_come_back_with_their_features_and_without_a_copy(store: Store) -> None:
    back = round_trip(store, texts())
    assert back.features == texts().features
    assert back[:] == texts()[:]
    assert stored(store, texts()).content == stored(store, texts()).content
    assert [Path(file["filename"]).is_relative_to(store.root) for file in back.cache_files] == [True]


def test_selected_rows_are_stored_alone(store: Store) -> None:
    assert round_trip(store, texts().select([2, 0]))["text"][:] == ["c", "a"]


def test_splits_are_read_one_by_one(store: Store) -> None:
    splits = texts().train_test_split(test_size=0.5, seed=0)
    manifest = stored(store, splits, datasets.DatasetDict)
    back = store.read(manifest.fingerprint)
    assert {name: part[:] for name, part in back.items()} == {name: part[:] for name, part in splits.items()}
    assert store.read(manifest.fingerprint, item="test")[:] == splits["test"][:]
    with pytest.raises(StepError, match="no item 'tset'"):
        store.read(manifest.fingerprint, item="tset")


def test_mapping_an_input_leaves_nothing_in_its_folder(project: Project) -> None:
    """`map`, `filter` and `train_test_split` work as anywhere; the library's caches stay out of the store."""
    project.write(
        "import datasets\n"
        "def raw() -> datasets.Dataset: return datasets.Dataset.from_dict({'x': list(range(10))})\n"
        "def parts(data: datasets.Dataset) -> datasets.DatasetDict:\n"
        "    data = data.map(lambda row: {'y': row['x'] * 2}).filter(lambda row: row['x'] > 1)\n"
        "    return data.train_test_split(test_size=0.25, seed=0)\n"
        "def rows(data: datasets.Dataset) -> dict[str, int]: return {'rows': len(data), 'sum': sum(data['y'])}\n"
    )
    study = project.study(
        {"raw": ("raw",), "parts": ("parts", "raw"), "train": ("rows", "parts.train"), "test": ("rows", "parts.test")}
    )
    result = project.run(study)
    assert result.succeeded, result.summary.failures
    (row,) = result.records().to_pylist()
    assert (row["train.rows"] + row["test.rows"], row["train.sum"] + row["test.sum"]) == (8, 88)
    left = [path.name for path in (project.folder / ".etude" / "store").rglob("cache-*")]
    assert left == []
    assert project.run(study).run == ""


def test_fitted_estimators_predict_the_same(store: Store) -> None:
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "kind": ["a", "b", "a", "b"]})
    parts = ColumnTransformer([("number", StandardScaler(), ["size"]), ("kind", OneHotEncoder(), ["kind"])])
    model = make_pipeline(parts, LogisticRegression()).fit(frame, [0, 0, 1, 1])
    back = round_trip(store, model)
    np.testing.assert_array_equal(back.predict_proba(frame), model.predict_proba(frame))
    assert stored(store, model).content == stored(store, model).content


@pytest.mark.parametrize("kind", [RandomForestClassifier, GradientBoostingClassifier, KNeighborsClassifier])
def test_what_estimators_are_made_of_is_trusted(store: Store, kind: Any) -> None:
    features = np.random.default_rng(0).uniform(size=(40, 3))
    model = kind().fit(features, features[:, 0] > 0.5)
    np.testing.assert_array_equal(round_trip(store, model).predict_proba(features), model.predict_proba(features))


def shifted(values: Any) -> Any:
    return values + 1


def test_an_estimator_that_holds_code_is_refused_by_name(store: Store) -> None:
    with pytest.raises(StepError, match=r"test_folders\.shifted"):
        stored(store, FunctionTransformer(shifted))


def test_pretrained_models_come_back_with_their_weights(store: Store) -> None:
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = transformers.BertModel(config)
    back = round_trip(store, model)
    assert type(back) is transformers.BertModel
    assert all((back.state_dict()[name] == value).all() for name, value in model.state_dict().items())


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
def test_sparse_matrices_keep_their_form(store: Store, form: str) -> None:
    matrix = scipy.sparse.random_array((4, 6), density=0.5, format=form, random_state=0)
    back = round_trip(store, matrix)
    assert (type(back), back.dtype) == (type(matrix), matrix.dtype)
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())
    with pytest.raises(StepError, match="tocsr"):
        stored(store, matrix.tolil())


@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"])
def test_a_random_generator_goes_on_where_it_was(store: Store, kind: str) -> None:
    generator = np.random.Generator(getattr(np.random, kind)(3))
    generator.random(5)
    back = round_trip(store, generator)
    np.testing.assert_array_equal(back.random(7), generator.random(7))


def test_a_series_keeps_its_index_and_name(store: Store) -> None:
    for name in ("height", None):
        series = pd.Series([1.5, None, 2.5], index=pd.Index(["a", "b", "c"], name="who"), name=name)
        pd.testing.assert_series_equal(round_trip(store, series), series)
    with pytest.raises(StepError, match="name it by a text"):
        stored(store, pd.Series([1], name=3))


def bert() -> Any:
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return transformers.BertModel(transformers.BertConfig(vocab_size=20, **size))


def test_pretrained_models_keep_their_mode_and_what_is_frozen(store: Store) -> None:
    for mode in (True, False):
        model = bert().train(mode)
        model.embeddings.requires_grad_(False)
        back = round_trip(store, model)
        assert back.training is mode
        assert [one.requires_grad for one in back.parameters()] == [one.requires_grad for one in model.parameters()]


def test_a_model_whose_weights_its_class_would_not_make_is_refused(store: Store) -> None:
    import torch

    wider = bert()
    wider.extra = torch.nn.Linear(2, 2)
    with pytest.raises(StepError, match=r"extra\.bias"):
        stored(store, wider)
    with pytest.raises(StepError, match=r"pooler\.dense"):
        stored(store, transformers.BertModel(wider.config, add_pooling_layer=False))


def test_a_generator_spawns_the_same_others(store: Store) -> None:
    generator = np.random.default_rng(3)
    generator.spawn(2)
    back = round_trip(store, generator)
    np.testing.assert_array_equal(back.spawn(1)[0].random(3), generator.spawn(1)[0].random(3))


def test_data_sets_without_rows_are_stored(store: Store) -> None:
    back = round_trip(store, datasets.DatasetDict(all=texts(), none=texts().select([]).with_format("numpy")))
    assert (len(back["all"]), len(back["none"]), back["none"].features) == (4, 0, texts().features)
    assert back["none"].format["type"] == "numpy"


def test_data_sets_that_would_come_back_as_others_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="transform"):
        stored(store, texts().with_transform(lambda rows: rows))
    with pytest.raises(StepError, match=r"\.\./outside"):
        stored(store, datasets.DatasetDict({"../outside": texts()}))


class OwnSeries(pd.Series):
    pass


class OwnSparse(scipy.sparse.csr_array):
    pass


class OwnGenerator(np.random.Generator):
    pass


class OwnDataset(datasets.Dataset):
    pass


@pytest.mark.parametrize(
    "value",
    [
        OwnSeries([1]),
        OwnSparse(np.eye(2)),
        OwnGenerator(np.random.PCG64(0)),
        OwnDataset(datasets.Dataset.from_dict({"x": [1]}).data),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_subclass_of_a_library_type_is_refused_by_name(store: Store, value: object) -> None:
    with pytest.raises(StepError, match=type(value).__name__):
        stored(store, value)
