"""A backbone is tuned by the steps of a study, with every part said in a setting, and predicts by itself afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pyarrow import compute
from transformers import PreTrainedTokenizerFast

from backbones import made
from etude.errors import ConfigError, StepError
from etude.graph.signature import signature_of
from etude.nn import classifier_training
from etude.nn.classifier_folder import load_classifier, read_spec
from etude.nn.classifier_spec import HeadSpec, SpectralSpec, TuningSpec
from etude.nn.model_types import Backbone, Tokens, TrainedModel
from etude.text import steps
from etude.text.types import Splits
from step_context import StepContext

BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": 400,
}
FAST = {"seed": 1, "epochs": 2, "learning_rate": 0.01, "batch_tokens": 256, "precision": "fp32"}
Tune = Callable[..., TrainedModel]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return steps.backbone(ctx=StepContext(tmp_path_factory.mktemp("backbone")), config=BERT)


@pytest.fixture
def tune(backbone: Backbone, tokens: Tokens, tmp_path: Path) -> Tune:
    def tuned(**settings: Any) -> TrainedModel:
        given = {"tokens": tokens, "backbone": backbone, **FAST, **settings}
        if given.get("head") != "default":
            given = {"pooling": "mean", **given}
        return steps.finetune(given.pop("tokens"), given.pop("backbone"), ctx=StepContext(tmp_path), **given)

    return tuned


def accuracy(model: TrainedModel, tokens: Tokens, scratch: Path, *others: Backbone) -> float:
    scratch.mkdir()
    predictions = steps.predict(model, tokens, *others, ctx=StepContext(scratch), split="test")
    return steps.evaluate(predictions).accuracy


def test_a_tuned_backbone_learns_and_predicts_from_its_folder_alone(tune: Tune, tokens: Tokens, tmp_path: Path) -> None:
    model = tune(epochs=4)
    assert accuracy(model, tokens, tmp_path / "scored") > 0.8
    assert model.counts.trainable == model.counts.parameters


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "default"},
        {"head": "mlp", "tuning": "probe", "learning_rate": 0.05},
        {"head": "cosine", "tuning": "lora", "pooling": "attention", "pooling_heads": 2},
        {"tuning": "bitfit", "layer_mix": True, "pooling": "weighted_mean"},
        {"tuning": "ia3", "spectral": SpectralSpec(kind="low", cutoff=0.2, edge="smooth", learned=True)},
        {"tuning": TuningSpec(method="prompt", tokens=3), "head": HeadSpec(kind="mlp", hidden=8)},
    ],
    ids=lambda settings: "-".join(map(str, settings)),
)
def test_every_part_trains_by_the_step_and_comes_back_as_it_was_said(settings: dict[str, Any], tune: Tune) -> None:
    model = tune(epochs=1, **settings)
    spec = read_spec(model.folder)
    head, tuning = settings.get("head", "linear"), settings.get("tuning", "full")
    assert spec.head == (HeadSpec(kind=head) if isinstance(head, str) else head)
    assert spec.tuning == (TuningSpec(method=tuning) if isinstance(tuning, str) else tuning)
    assert spec.spectral == settings.get("spectral")
    classifier, labels = load_classifier(model.folder)
    assert labels == ("air", "land", "sea")
    assert classifier(torch.tensor([[5, 6, 7]]), torch.ones(1, 3)).shape == (1, 3)


def test_a_model_without_its_backbone_predicts_beside_it_alone(
    tune: Tune, tokens: Tokens, backbone: Backbone, tmp_path: Path
) -> None:
    model = tune(tuning="lora", keep_backbone=False)
    assert sum(path.stat().st_size for path in model.folder.rglob("*")) < backbone.parameters * 4
    assert 0 <= accuracy(model, tokens, tmp_path / "beside", backbone) <= 1
    with pytest.raises(StepError, match="without its backbone"):
        accuracy(model, tokens, tmp_path / "alone")


@pytest.mark.parametrize(
    ("tuning", "trained"),
    [
        ("full", lambda whole: {"backbone_trained": whole, "adapter": 0, "adapted_layers": 0, "trained_share": 1.0}),
        ("probe", lambda whole: {"backbone_trained": 0, "adapter": 0, "adapted_layers": 0, "trained_share": 0.0}),
        (
            TuningSpec(method="lora", rank=2),
            lambda whole: {
                "backbone_trained": 0,
                "adapter": 2 * 2 * 2 * 32,
                "adapted_layers": 4,
                "trained_share": 256 / whole,
            },
        ),
    ],
    ids=["full", "probe", "lora"],
)
def test_a_model_tells_the_sizes_of_its_parts(tuning: Any, trained: Callable[[int], Any], tune: Tune) -> None:
    model = tune(tuning=tuning, epochs=1)
    found = steps.model_summary(model)
    whole = 400 * 16 + 64 * 16 + 2 * 16 + 32 + 2 * (4 * (16 * 16 + 16) + 32 + 16 * 32 + 32 + 32 * 16 + 16 + 32)
    expected = {"backbone": whole, "head": 16 * 3 + 3, **trained(whole)}
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.size_bytes > 4 * whole
    assert found.backbone_trained + found.adapter + found.head == model.counts.trainable


def test_tokens_tell_their_lengths_and_what_was_cut(splits: Splits) -> None:
    tokens = steps.tokenize(splits, vocabulary=320, max_tokens=8)
    rows = [row for part in (tokens.train, tokens.validation, tokens.test) for row in part["tokens"].to_pylist()]
    found = steps.token_summary(tokens)
    assert found.tokens_mean == pytest.approx(sum(map(len, rows)) / len(rows))
    assert (found.tokens_most, found.classes, found.labels_unseen) == (8, 3, 0)
    assert found.cut_train == tokens.cut["train"] > 0


def test_a_backbone_that_is_trained_whole_is_refused_without_it_before_training(tune: Tune) -> None:
    with pytest.raises(StepError, match="keep_backbone"):
        tune(keep_backbone=False, epochs=10**6)


def test_labels_that_no_training_text_has_are_no_classes_and_stay_judged(
    splits: Splits, backbone: Backbone, tune: Tune, tmp_path: Path
) -> None:
    known = splits.train.filter(compute.not_equal(splits.train["label"], "air"))
    tokens = steps.tokenize(replace(splits, train=known), vocabulary=320)
    assert (tokens.labels, tokens.others) == (("land", "sea"), ("air",))
    model = tune(tokens=tokens)
    (tmp_path / "scored").mkdir()
    found = steps.predict(model, tokens, ctx=StepContext(tmp_path / "scored"), split="test")
    assert set(found["label"].to_pylist()) == {"air", "land", "sea"}
    assert set(found["prediction"].to_pylist()) <= {"land", "sea"}
    assert len(found["probabilities"][0]) == 2
    right = [row["label"] == row["prediction"] for row in found.to_pylist()]
    assert steps.evaluate(found).accuracy == pytest.approx(sum(right) / len(right))


def test_a_validation_split_of_unknown_labels_alone_is_as_good_as_none(splits: Splits, tune: Tune) -> None:
    known = splits.train.filter(compute.not_equal(splits.train["label"], "air"))
    strange = splits.train.filter(compute.equal(splits.train["label"], "air"))
    tokens = steps.tokenize(replace(splits, train=known, validation=strange), vocabulary=320)
    assert "validation_loss" not in tune(tokens=tokens, epochs=1).curve.column_names


def test_one_class_is_refused(splits: Splits, tune: Tune, train: Tune, tmp_path: Path) -> None:
    only = splits.train.filter(compute.equal(splits.train["label"], "air"))
    tokens = steps.tokenize(replace(splits, train=only), vocabulary=320)
    with pytest.raises(StepError, match="two classes or more"):
        tune(tokens=tokens)
    with pytest.raises(StepError, match="two classes or more"):
        train(tokens, StepContext(tmp_path / "train"))


def test_a_network_of_its_own_takes_the_same_parts(tokens: Tokens, train: Tune, tmp_path: Path) -> None:
    parts = {"pooling": "attention", "pooling_heads": 2, "spectral": "low", "head": "cosine", "layer_mix": True}
    spec = read_spec(train(tokens, StepContext(tmp_path / "train"), epochs=1, **parts).folder)
    assert (spec.pooling, spec.pooling_heads, spec.layer_mix) == ("attention", 2, True)
    assert (spec.head.kind, spec.spectral) == ("cosine", SpectralSpec(kind="low", cutoff=0.4))
    with pytest.raises(StepError, match="pooling cls"):
        train(tokens, StepContext(tmp_path / "cls"), pooling="cls")


def test_tokens_beyond_the_embedding_are_refused_with_the_size_to_ask_for(splits: Splits, tune: Tune) -> None:
    tokens = steps.tokenize(splits, vocabulary=320)
    wide = replace(tokens, train=shifted(tokens.train, 200), vocabulary=tokens.vocabulary + 200)
    with pytest.raises(StepError, match=r"embedding for 400 tokens.*\n.*vocab_size: \d+"):
        tune(tokens=wide)


def shifted(part: pa.Table, by: int) -> pa.Table:
    rows = [[id + by for id in row] for row in part["tokens"].to_pylist()]
    return part.set_column(part.column_names.index("tokens"), "tokens", pa.array(rows, pa.list_(pa.int32())))


def test_texts_beyond_the_positions_that_virtual_tokens_leave_are_refused(splits: Splits, tune: Tune) -> None:
    longest = max(map(len, steps.tokenize(splits, vocabulary=320).train["tokens"].to_pylist()))
    with pytest.raises(StepError, match=f"the longest text has {longest} tokens, and the classifier has room for 4"):
        tune(tuning=TuningSpec(method="prompt", tokens=60))


def test_tokens_of_another_tokenizer_are_refused(tokens: Tokens, tune: Tune, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    place = made("bert", tmp_path / "source", vocab_size=400)
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "we": 1}, unk_token="[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[UNK]").save_pretrained(place)
    own = steps.backbone(ctx=StepContext(tmp_path), folder=place)
    with pytest.raises(StepError, match=r"(?s)another tokenizer.*text\.tokenize_for"):
        tune(backbone=own)


def test_a_head_of_ours_needs_a_pooling(tune: Tune) -> None:
    with pytest.raises(ConfigError, match="pooling"):
        tune(pooling=None)


def faults(**settings: Any) -> list[str]:
    given = {"seed": 0, "epochs": 1, "learning_rate": 0.1, **settings}
    return [
        str(fault) for fault in signature_of("etude.text.steps:finetune", steps.finetune).settings_faults(given, "")
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"tuning": "lora"},
        {"tuning": {"method": "lora", "rank": 4, "alpha": 8, "targets": ["query"]}},
        {"tuning": {"method": "ia3", "targets": "all-linear"}},
        {"head": {"kind": "mlp", "hidden": 32}},
        {"spectral": {"kind": "band", "cutoff": 0.1, "upper": 0.3}},
        {"spectral": {"kind": "legacy", "cutoff": 0.4, "length": 512}},
        {"pooling": None, "head": "default"},
    ],
)
def test_a_study_says_parts_by_name_or_in_full(settings: dict[str, Any]) -> None:
    assert faults(**settings) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tuning": "lara"}, "tuning"),
        ({"tuning": {"method": "lora", "rnak": 4}}, "rnak"),
        ({"tuning": {"method": "probe", "rank": 4}}, "rank: 1 or more with"),
        ({"head": {"kind": "linear", "hidden": 3}}, "hidden: a width"),
        ({"spectral": {"kind": "low", "cutoff": 2.0}}, "cutoff: expected above 0"),
        ({"pooling": "avg"}, "pooling"),
    ],
)
def test_what_does_not_go_is_told_when_the_study_is_planned(settings: dict[str, Any], told: str) -> None:
    assert any(told in fault for fault in faults(**settings)), faults(**settings)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_probe_embeds_each_text_once_and_learns_as_if_in_every_epoch(
    pooling: str, tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"tuning": "probe", "epochs": 4, "learning_rate": 0.05, "pooling": pooling}
    once = tune(**settings)
    monkeypatch.setattr(classifier_training, "MOST_CACHED_BYTES", 0)
    again = tune(**settings)
    for name in ("validation_loss", "validation_accuracy"):
        assert once.curve[name].to_pylist() == pytest.approx(again.curve[name].to_pylist(), abs=1e-4)
    cheap, dear = steps.training_summary(once), steps.training_summary(again)
    assert cheap.examples == dear.examples
    assert cheap.flops is not None
    assert dear.flops is not None
    assert dear.flops / 5 < cheap.flops < dear.flops / 3
